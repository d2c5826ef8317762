import { afterAll, expect, test } from "bun:test"
import { existsSync } from "node:fs"
import { join } from "node:path"

import { PROGRAM, start, temporaryFolder } from "../server.ts"
import { TestTerminal } from "../terminal.ts"
import { finished, latestOf } from "./programs.ts"

const [HALT, GO_ON] = ["\u0013", "\u0011"]

const server = await start()
const folder = temporaryFolder()
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

/** Starts a render in a terminal, halts that with Ctrl-S, and waits until the script has printed more. */
async function halted(song: number, more: string): Promise<TestTerminal> {
  const [isHalted, hasPrinted] = [join(folder.path, `${song}-halted`), join(folder.path, `${song}-printed`)]
  const script = `echo ready; until [ -e ${isHalted} ]; do sleep 0.02; done; ${more}; echo >${hasPrinted}; until [ -e ${isHalted}2 ]; do sleep 0.02; done`
  const terminal = new TestTerminal([...PROGRAM, "run", "--song", `${song}`, "--", "sh", "-c", script], {
    TRACK_STUDIO_SERVER: server.url,
  })
  await terminal.until((lines) => lines.includes("ready"))
  terminal.type(HALT)
  await Bun.write(isHalted, "")
  while (!existsSync(hasPrinted)) await Bun.sleep(5)
  return terminal
}

test("a render in a terminal that was halted with Ctrl-S still ends at a signal, and reports its end", async () => {
  await using terminal = await halted(1, "for i in 1 2 3 4 5; do echo $i; sleep 0.05; done")
  terminal.child.kill("SIGTERM")
  await terminal.child.exited
  expect(terminal.child.signalCode).toBe("SIGTERM")
  expect(await finished(server, await latestOf(server, 1))).toMatchObject({ status: "failed" })
})

test("what was printed while a terminal was halted comes in order once it goes on", async () => {
  await using terminal = await halted(2, "seq 1 2000")
  expect(terminal.lines.at(-1)).toBe("ready")
  terminal.type(GO_ON)
  await terminal.until((lines) => lines.includes("2000"))
  await Bun.write(join(folder.path, "2-halted2"), "")
  expect(await terminal.child.exited).toBe(0)
  const numbers = terminal.lines.filter((line) => /^\d+$/.test(line))
  expect(numbers).toEqual(Array.from({ length: 2000 }, (_, at) => String(at + 1)))
})
