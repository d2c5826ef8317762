import { expect, setDefaultTimeout, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"

import type { Attempt } from "../../src/runner/attempt.ts"
import { temporaryFolder } from "../server.ts"
import { ADDING, attempt, Unheard } from "./attempts.ts"

// These tests start commands, and the machine may be busy.
setDefaultTimeout(30_000)

/** A command that adds to a file all the time and writes a last word when it is asked to end, and its reporter. */
async function writer(file: string): Promise<{ one: Attempt; reporter: Unheard; state: () => string }> {
  const printed = Promise.withResolvers<number>()
  class Hearing extends Unheard {
    override print(bytes?: Uint8Array): void {
      printed.resolve(Number(Buffer.from(bytes ?? []).toString()))
    }
  }
  const reporter = new Hearing()
  const last = `trap 'echo last >> ${file}; exit 3' TERM; echo $$`
  const one = attempt(reporter, 60_000, `${last}; ${ADDING} ${file}; done`)
  const status = `/proc/${await printed.promise}/status`
  return { one, reporter, state: () => /^State:\s(\w)/m.exec(readFileSync(status, "latin1"))?.[1] ?? "" }
}

test("a command is halted while another worker may have its item, and writes not one word more if that is so", async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, "song")
  const { one, reporter, state } = await writer(file)
  one.halt(true)
  while (state() !== "T") await Bun.sleep(1)
  one.halt(false)
  const { size } = Bun.file(file)
  while (Bun.file(file).size === size) await Bun.sleep(1)
  // Who halts it a second time by Ctrl-Z does not let it go on.
  one.halt(true)
  one.suspend(true)
  one.suspend(false)
  while (state() !== "T") await Bun.sleep(1)
  const before = Bun.file(file).size
  one.stop({ by: "cancel", reason: "taken", isTaken: true })
  while (reporter.asked.length === 0) await Bun.sleep(10)
  one.reportWithin(1)
  expect(await one.ended).toMatchObject({ signal: "SIGKILL" })
  expect(Bun.file(file).size).toBe(before)
})

test.each<[string, (one: Attempt) => void]>([
  ["a signal", (one) => one.signal("SIGTERM")],
  ["a stop", (one) => one.stop({ by: "release" })],
])("%s lets a halted command end by itself", async (_, end) => {
  using folder = temporaryFolder()
  const file = join(folder.path, "song")
  const { one, reporter, state } = await writer(file)
  one.halt(true)
  while (state() !== "T") await Bun.sleep(1)
  end(one)
  while (reporter.asked.length === 0) await Bun.sleep(10)
  one.reportWithin(1)
  expect(await one.ended).toMatchObject({ code: 3, signal: null })
  expect(await Bun.file(file).text()).toEndWith("last\n")
})
