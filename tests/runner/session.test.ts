import { expect, test } from "bun:test"

import { processesOf, startOf } from "../../src/runner/processes.ts"
import { Session } from "../../src/runner/session.ts"

test("a command that is suspended hears that it is to end, and is not only killed", async () => {
  const script = `trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.05; done`
  const child = Bun.spawn(["sh", "-c", script], { detached: true, stdout: "pipe", stdin: "ignore" })
  const reader = child.stdout.getReader()
  expect(new TextDecoder().decode((await reader.read()).value)).toBe("ready\n")
  process.kill(-child.pid, "SIGSTOP")
  await new Session(child.pid, "a mark that nothing carries").stop(5000)
  expect(await child.exited).toBe(7)
  expect(new TextDecoder().decode((await reader.read()).value)).toBe("bye\n")
}, 30_000)

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
