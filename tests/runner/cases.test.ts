import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"

import { size } from "../proof.ts"
import { type Case, CASES, pathOf } from "../renderers/cases.ts"
import { start } from "../server.ts"
import { faultsOf, finished, historyOf, latestOf, studio, type Told } from "./programs.ts"

setDefaultTimeout(180_000)

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())

const isFinal = ({ query }: Case): boolean => query.includes("finish")

/** Compares what was shown while the output came with what is right. */
function check(one: Case, history: readonly Told[]): void {
  expect(faultsOf(history)).toEqual([])
  const running = history.filter(({ status }) => status === "processing")
  const last = running.at(-1)
  const most = Math.max(...running.map(({ progress }) => progress))
  expect(most).toBeLessThanOrEqual(one.most_ever ?? 99)
  expect(last?.progress).toBeLessThanOrEqual(one.most_at_end ?? 99)
  if (!isFinal(one)) expect(last?.progress).toBeGreaterThanOrEqual(Math.floor(one.least_at_end ?? 0))
  if (one.unit_at_end === false) expect(last?.unit).toBeUndefined()
}

/** What was shown of a renderer that was read like any other program. */
function checkUnread(one: Case, history: readonly Told[]): void {
  expect(faultsOf(history)).toEqual([])
  const last = history.findLast(({ status }) => status === "processing")
  expect(last?.progress).toBeLessThanOrEqual(one.most_at_end ?? 99)
}

/** Only noise has more lines than the short form prints one by one; at once it comes whole. */
const SLOW_LINES = size(200, 1000)

/** Prints a file at once, or its first lines one by one, with this many seconds in between. */
const printed = (file: string, apartS: number): string =>
  apartS === 0
    ? `cat ${file}; sleep 0.4`
    : `perl -0777 -ne '$| = 1; for (grep { $n++ < ${SLOW_LINES} } split /(?<=[\\r\\n])/) { print; select(undef, undef, undef, ${apartS}) }' ${file}; sleep 0.4`

describe.each([
  ["at once", 0, 0],
  ["a line every 50 ms", 0.05, 100],
])("through run, %s", (_name, apartS, offset) => {
  test.concurrent.each(CASES)("$file: $right", async (one) => {
    const song = CASES.indexOf(one) + 1 + offset
    const total = new URLSearchParams(one.query).get("total")
    const flags = ["--renderer", one.reader, ...(total === null ? [] : ["--total", total])]
    const shell = ["sh", "-c", printed(pathOf(one), apartS)]
    await using render = studio(server, ["run", "--song", String(song), ...flags, "--", ...shell])
    const code = await render.ends()
    const id = await latestOf(server, song)
    check(one, await historyOf(server, id))
    if (!isFinal(one)) return
    const item = await server.item(id)
    expect<string>(item.status).toBe(one.status_at_end)
    expect(code).toBe(one.status_at_end === "completed" ? 0 : 1)
    expect(item.error_message).toContain(one.error_at_end ?? "")
  })
})

/** Prints the file that an item names in its metadata, at once or line by line. */
const printedOfItem = (apartS: number): string =>
  `file=$(printenv TRACK_STUDIO_ITEM | sed 's/.*"file":"\\([^"]*\\)".*/\\1/'); ${printed('"$file"', apartS)}`

// A worker reads every output as lines. Of ffmpeg and Blender it uses only their error messages.
test.concurrent.each([
  ["at once", 0, 4],
  ["a line every 50 ms", 0.05, CASES.length],
] as const)("through work, %s, nothing is shown that is not so", async (_name, apartS, concurrency) => {
  await using own = await start()
  for (const one of CASES) {
    await own.add({ song_id: CASES.indexOf(one) + 1, max_attempts: 1, metadata: { file: pathOf(one) } })
  }
  const exec = printedOfItem(apartS)
  await using worker = studio(own, ["work", "--concurrency", String(concurrency), "--exec", exec])
  for (const [index, one] of CASES.entries()) {
    const { status, error_message } = await finished(own, index + 1)
    expect([one.file, status]).toEqual([one.file, one.error_at_end === undefined ? "completed" : "failed"])
    expect(error_message).toContain(one.error_at_end ?? "")
    const history = await historyOf(own, index + 1)
    if (one.reader === "lines") check(one, history)
    else checkUnread(one, history)
  }
  worker.kill("SIGTERM")
  expect(await worker.ends()).toBe(0)
})
