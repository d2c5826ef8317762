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

test("what is written while a terminal takes nothing comes in its order, and each part is done when it was taken", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "terminal")
  expect(Bun.spawnSync(["mkfifo", path]).exitCode).toBe(0)
  const reader = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
  const output = new TerminalOutput(writer)
  const done: string[] = []
  const texts = ["a".repeat(100_000), "b", "", "c", "d"]
  for (const text of texts)
    output.write(text, (error) => void done.push(`${text[0] ?? ""} ${error ?? "taken"}`))
  expect(done).toEqual([])
  const part = Buffer.alloc(65_536)
  let taken = ""
  while (done.length < texts.length || taken.length < texts.join("").length) {
    try {
      taken += part.toString("utf8", 0, readSync(reader, part))
    } catch {
      await new Promise(setImmediate)
    }
  }
  expect(taken).toBe(texts.join(""))
  expect(done).toEqual(["a taken", "b taken", " taken", "c taken", "d taken"])
  for (const descriptor of [reader, writer]) closeSync(descriptor)
})

test("a part that cannot be written is done with its error, which is also reported, and later parts are tried", () => {
  const output = new TerminalOutput(999_999)
  const said: string[] = []
  output.on("error", ({ code }) => void said.push(`reported ${code}`))
  for (const text of ["a", "b"])
    output.write(text, (error) => void said.push(`${text} ${error?.message.slice(0, 5)}`))
  expect(said).toEqual(["a EBADF", "reported EBADF", "b EBADF", "reported EBADF"])
})
