import { expect, setDefaultTimeout, test } from "bun:test"

import { COMMANDS } from "../../../src/commands/commands.ts"
import type { KnownQueue } from "../../../src/dashboard/model/known-queue.ts"
import { choicesOf } from "../../../src/dashboard/view/actions.ts"
import type { QueueItem } from "../../../src/item/item.ts"
import { item } from "../items.ts"

// Each command is loaded, which takes its time on a busy machine.
setDefaultTimeout(180_000)

/** The actions of the page on an item, and the commands that do the same. */
const BY_COMMAND: Readonly<Record<string, string>> = {
  Retry: "retry ID",
  "Retry now": "retry ID",
  Cancel: "cancel ID",
  "Delete…": "remove ID",
  "Run next": "move ID --before ID",
  "Move up": "move ID --before ID",
  "Move down": "move ID --before ID",
  "Set priority…": "set ID --priority 5",
  "Rename…": "set ID --title TEXT",
  "Flag…": "set ID --flag FLAG",
  "Copy link": "open ID",
  "Copy as curl": "add SONG_ID",
}

/** The changes that the page requests from the server, and the commands that request the same. */
const CHANGES: Readonly<Record<string, string>> = {
  add: "add SONG_ID",
  update: "set ID --title TEXT",
  flag: "set ID --flag FLAG",
  batch: "cancel ID",
  cancel: "cancel ID",
  retry: "retry ID",
  retryFailed: "retry --failed",
  remove: "remove ID",
  move: "move ID --before ID",
  pause: "pause",
  resume: "resume",
  drain: "workers --drain NAME",
  undrain: "workers --undrain NAME",
}

/** What the page reads from the server, and the commands that show the same. */
const READS: Readonly<Record<string, string>> = {
  list: "list --search WORDS",
  get: "show ID",
  history: "watch ID",
  output: "logs ID",
  counts: "stats",
  stats: "stats",
  forecast: "list",
  workers: "workers",
  health: "stats",
  me: "stats",
}

/** Fails unless the command exists and has the flags. */
async function check(line: string): Promise<void> {
  const [name = "", ...words] = line.split(" ")
  const { usage } = (await COMMANDS[name]?.load()) ?? {}
  expect([line, usage !== undefined]).toEqual([line, true])
  for (const flag of words.filter((word) => word.startsWith("--")))
    expect([line, Object.keys(usage?.flags ?? {})]).toEqual([line, expect.arrayContaining([flag.slice(2)])])
}

test("everything that the page offers for an item is done by a command as well", async () => {
  const others = [item({ id: 8 }), item({ id: 9 }), item({ id: 10 })]
  const queue: KnownQueue = {
    waiting: () => others,
    waitingTotal: () => others.length,
    item: () => undefined,
    startOf: () => undefined,
    missing: () => [],
    may: () => true,
    nowMs: () => Date.now(),
  }
  const items: readonly QueueItem[] = [
    item({ id: 9 }),
    item({ id: 9, status: "retrying" }),
    item({ id: 1, status: "processing" }),
    item({ id: 1, status: "completed", outcome: "completed" }),
    item({ id: 1, status: "failed", outcome: "failed", flag: "image_issue" }),
  ]
  const labels = new Set(items.flatMap((one) => choicesOf(one, queue).map(({ label }) => label)))
  expect([...labels].sort()).toEqual(Object.keys(BY_COMMAND).sort())
  for (const line of Object.values(BY_COMMAND)) await check(line)
})

test("everything that the page can read from the server can be shown by a command as well", async () => {
  const asked = new Set<string>()
  for await (const file of new Bun.Glob("src/dashboard/**/*.ts").scan()) {
    for (const [, method = ""] of (await Bun.file(file).text()).matchAll(/\bserver\s*\.(\w+)\(/g))
      asked.add(method)
  }
  const known = { ...CHANGES, ...READS }
  expect([...asked].filter((method) => !(method in known))).toEqual([])
  expect(Object.keys(CHANGES).filter((method) => !asked.has(method))).toEqual([])
  for (const line of Object.values(known)) await check(line)
})
