import { expect, setDefaultTimeout, spyOn, test } from "bun:test"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"

import { startOf } from "../../src/runner/processes.ts"
import type { Verdict } from "../../src/runner/verdict.ts"
import { temporaryFolder } from "../server.ts"
import { attempt, Unheard } from "./attempts.ts"
import { ITEM, LEASE } from "./reporting.ts"

// These tests start commands, and the machine may be busy.
setDefaultTimeout(180_000)

test.each<[string, string, Verdict["end"], boolean]>([
  ["fails", "exit 3", "fail", false],
  ["cannot be run here", "exit 127", "release", false],
  ["ends well", "exit 0", "complete", true],
])(
  "of a command that %s nothing is left that writes beside the next attempt",
  async (_, exit, verdict, isLeft) => {
    using folder = temporaryFolder()
    const file = join(folder.path, "pid")
    const reporter = new Unheard()
    // The child is in a session of its own, and holds no output open, so that nobody waits for it.
    const child = `setsid sh -c 'echo $$ >${file}; exec sleep 60' >/dev/null 2>&1 &`
    const script = `${child} until [ -s ${file} ]; do sleep 0.01; done; ${exit}`
    const one = attempt(reporter, 60_000, script, { releaseCodes: [127] })
    while (reporter.asked.length === 0) await Bun.sleep(10)
    expect(reporter.asked[0]?.verdict?.end).toBe(verdict)
    const pid = Number(readFileSync(file, "utf8"))
    expect(startOf(pid) !== 0).toBe(isLeft)
    if (isLeft) process.kill(pid)
    one.reportWithin(1)
    await one.ended
  },
)

test("another attempt of the item waits until nothing is left of a command that failed", async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, "pid")
  class Given extends Unheard {
    giveWay(): boolean {
      return true
    }
  }
  const child = `setsid sh -c 'trap "" TERM; echo $$ >${file}; while :; do sleep 0.05; done' >/dev/null 2>&1 &`
  const script = `${child} until [ -s ${file} ]; do sleep 0.01; done; exit 3`
  const one = attempt(new Given(), 60_000, script, { graceMs: 300 })
  while (!one.hasEnded) await Bun.sleep(10)
  await one.giveWay({ item: ITEM, lease: LEASE })
  expect(startOf(Number(readFileSync(file, "utf8")))).toBe(0)
  one.reportWithin(1)
  await one.ended
})

test("a wait for what a failed command left running is mentioned once", async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, "pid")
  const said: string[] = []
  using _ = spyOn(process.stderr, "write").mockImplementation((text) => said.push(String(text)) > 0)
  const child = `setsid sh -c 'trap "" TERM; echo $$ >${file}; while :; do sleep 0.05; done' >/dev/null 2>&1 &`
  const script = `${child} until [ -s ${file} ]; do sleep 0.01; done; exit 3`
  const reporter = new Unheard()
  const one = attempt(reporter, 60_000, script, { graceMs: 1500 })
  while (reporter.asked.length === 0) await Bun.sleep(10)
  one.reportWithin(1)
  await one.ended
  expect(said).toEqual(["track-studio: the command has ended; stopping processes that it left running\n"])
})

test("Ctrl-C cancels an item that was added for its command although that has just ended", async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, "pids")
  const reporter = new Unheard()
  // As long as the child prints, the command is read on.
  const child = `setsid sh -c 'echo $$ $PPID >${file}; while sleep 0.1; do echo still; done' &`
  const script = `${child} until [ -s ${file} ]; do sleep 0.01; done; exit 2`
  const one = attempt(reporter, 60_000, script, { isOwn: true })
  while (!existsSync(file) || !readFileSync(file, "utf8").endsWith("\n")) await Bun.sleep(10)
  const [left = 0, command = 0] = readFileSync(file, "utf8").split(" ").map(Number)
  while (startOf(command) !== 0) await Bun.sleep(10)
  one.signal("SIGINT")
  process.kill(left)
  while (reporter.asked.length === 0) await Bun.sleep(10)
  expect(reporter.asked[0]?.verdict).toMatchObject({ end: "fail", failure: { cancelled: true } })
  await one.ended
})
