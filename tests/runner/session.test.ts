import { expect, test } from "bun:test"

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
