import { expect, spyOn, test } from "bun:test"
import { closeSync, constants, openSync, readSync } from "node:fs"
import { join } from "node:path"

import { TerminalOutput } from "../src/non-blocking-output.ts"
import { temporaryFolder } from "./server.ts"

test("a terminal that goes on after a long halt gets the rest without the pauses of the halt", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "terminal")
  expect(Bun.spawnSync(["mkfifo", path]).exitCode).toBe(0)
  const reader = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
  const pauses: number[] = []
  // No test waits for as long as such a halt lasts.
  const quick = (go: () => void, ms = 0): void => {
    pauses.push(ms)
    setImmediate(go)
  }
  using _timers = spyOn(globalThis, "setTimeout").mockImplementation(quick as typeof setTimeout)
  let isWritten = false
  new TerminalOutput(writer).write(new Uint8Array(150_000), () => (isWritten = true))
  while (pauses.at(-1) !== 50) await new Promise(setImmediate)
  pauses.length = 0
  const taken = new Uint8Array(65_536)
  for (let bytes = 0; bytes < 150_000;) {
    bytes += readSync(reader, taken)
    while (!isWritten && pauses.length === 0) await new Promise(setImmediate)
    expect(pauses.shift() ?? 1).toBeLessThan(50)
    pauses.length = 0
  }
  for (const descriptor of [reader, writer]) closeSync(descriptor)
})
