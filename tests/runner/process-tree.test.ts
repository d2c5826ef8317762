import { expect, spyOn, test } from "bun:test"

import { ProcessTree } from "../../src/runner/process-tree.ts"
import { processesOf, startOf } from "../../src/runner/processes.ts"

test("a command that is suspended hears that it is to end, and is not only killed", async () => {
  const script = `trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.05; done`
  const child = Bun.spawn(["sh", "-c", script], { detached: true, stdout: "pipe", stdin: "ignore" })
  const reader = child.stdout.getReader()
  expect(new TextDecoder().decode((await reader.read()).value)).toBe("ready\n")
  process.kill(-child.pid, "SIGSTOP")
  await new ProcessTree(child.pid, "a mark that nothing carries").stop(5000)
  expect(await child.exited).toBe(7)
  expect(new TextDecoder().decode((await reader.read()).value)).toBe("bye\n")
}, 180_000)

test("a process that was found before is known again, and another one that got its number is not taken for it", async () => {
  const child = Bun.spawn(["sleep", "30"], { stdin: "ignore" })
  const { pid } = child
  // It carries nothing by which it could be found.
  const traces = { session: undefined, mark: "a mark that nothing carries", since: Number.POSITIVE_INFINITY }
  const found = (startedAt: number): number[] | undefined =>
    processesOf(traces, [{ pid, parent: 1, group: 1, session: 1, startedAt }])?.map((one) => one.pid)
  expect(found(startOf(pid))).toEqual([pid])
  expect(found(startOf(pid) + 1)).toEqual([])
  child.kill()
  await child.exited
})

test("a process that is older than a command is not taken for a part of it, even if it carries its mark", async () => {
  const mark = `${crypto.randomUUID()}.1.`
  const env = { ...process.env, TRACK_STUDIO_RUN: mark }
  const older = Bun.spawn(["sleep", "30"], { stdin: "ignore", env })
  const since = startOf(older.pid)
  const found = (from: number): number[] | undefined =>
    processesOf({ session: undefined, mark, since: from })?.map(({ pid }) => pid)
  // Its environment is there once it has become `sleep`.
  while (!found(since)?.includes(older.pid)) await Bun.sleep(1)
  expect(found(since + 1)).toEqual([])
  older.kill()
  await older.exited
})

test("a process that the first SIGKILL does not reach, as one that was only just started, gets another one", async () => {
  const session = new ProcessTree(undefined, "a mark that nothing carries")
  const sent: (NodeJS.Signals | 0)[] = []
  // A process is left until the third SIGKILL.
  const kills = (): number => sent.filter((signal) => signal === "SIGKILL").length
  using _signals = spyOn(session, "signal").mockImplementation((signal) => {
    sent.push(signal)
    return kills() < 3
  })
  await session.stop(0)
  expect(kills()).toBe(3)
})

test("a command to which we may send no signals counts as gone", () => {
  const tree = new ProcessTree(process.pid, "a mark that nothing carries")
  using _kill = spyOn(process, "kill").mockImplementation(() => {
    throw Object.assign(new Error("operation not permitted"), { code: "EPERM" })
  })
  expect(tree.forward("SIGTERM")).toBe(false)
})
