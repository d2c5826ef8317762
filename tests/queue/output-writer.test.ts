import { expect, spyOn, test } from "bun:test"

import { AppError } from "../../src/errors.ts"
import type { OutputPiece } from "../../src/item/output-piece.ts"
import { OutputWriter } from "../../src/queue/output-writer.ts"

/** A store of one output whose end is already known. */
class Kept {
  readonly pieces: OutputPiece[] = []
  calls = 0
  end: number

  constructor(end = 0) {
    this.end = end
  }

  store = async (pieces: readonly OutputPiece[]): Promise<{ attempt: number; end: number }> => {
    this.calls += 1
    this.pieces.push(...pieces)
    this.end = pieces.at(-1)?.to ?? this.end
    return { attempt: 1, end: this.end }
  }
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const bar = bytes(Array.from({ length: 20_000 }, (_, i) => `frame ${i} of many\r`).join(""))

test("an output that goes on takes only as much room as it shows, and its holes are kept", async () => {
  const kept = new Kept(100)
  const writer = new OutputWriter(kept.store, 1_000_000, undefined)
  for (const piece of [bytes("begin\n"), bar, bytes("end\n"), new Uint8Array([0, 1, 10]), bytes("last")])
    writer.push(piece)
  expect(await writer.end()).toEqual({ attempt: 1, end: 117 })
  expect(kept.pieces.map(({ text }) => text).join("")).toBe("begin\nend\nlast")
  expect(kept.pieces.at(-1)).toEqual({ from: 113, to: 117, text: "last" })
})

test("an output with an offset has its sender's positions, and is taken to its end even if it shows nothing", async () => {
  const kept = new Kept()
  const writer = new OutputWriter(kept.store, 1_000_000, 50)
  writer.push(bytes("\u001b[31mred\u001b[0m\n\u001b[0m"))
  expect(await writer.end()).toEqual({ attempt: 1, end: 67 })
  expect(kept.pieces).toEqual([{ from: 50, to: 63, text: "red\n" }])
})

test("output that is sent again ends where it had ended before, if that is further", async () => {
  const stored = { attempt: 1, end: 500 }
  const writer = new OutputWriter(async () => stored, 1_000_000, 50)
  writer.push(bytes("again\n"))
  expect(await writer.end()).toEqual(stored)
})

test("output that comes faster than it is stored loses its oldest part, and one request is one write", async () => {
  const kept = new Kept()
  const writer = new OutputWriter(kept.store, 1000, 0)
  for (let i = 0; i < 1000; i += 1) writer.push(bytes(`${"x".repeat(99)}\n`))
  expect(await writer.end()).toEqual({ attempt: 1, end: 100_000 })
  expect(kept.pieces[0]?.from).toBe(99_000)
  expect(kept.calls).toBeLessThanOrEqual(2)
  // A single byte that was dropped counts as well.
  const small = new Kept()
  const few = new OutputWriter(small.store, 4, 0)
  for (const text of ["x", "one\n"]) few.push(bytes(text))
  expect(await few.end()).toEqual({ attempt: 1, end: 5 })
  expect(small.pieces).toEqual([{ from: 1, to: 5, text: "one\n" }])
})

test("the end of an output does not wait until more could have come", async () => {
  using _timers = spyOn(globalThis, "setTimeout").mockImplementation((() => undefined) as never)
  const kept = new Kept()
  const writer = new OutputWriter(kept.store, 1000, 0)
  writer.push(bytes("one\n"))
  await Promise.resolve()
  expect((await writer.end()).end).toBe(4)
})

test("output that comes after a pause is stored as soon as that before it", async () => {
  using _timers = spyOn(globalThis, "setTimeout").mockImplementation(
    ((then: () => void) => void setImmediate(then)) as never,
  )
  const kept = new Kept()
  const writer = new OutputWriter(kept.store, 1000, 0)
  for (const text of ["one\n", "two\n"]) {
    writer.push(bytes(text))
    for (let tick = 0; tick < 5; tick += 1) await new Promise(setImmediate)
  }
  expect(kept.pieces.map(({ text }) => text)).toEqual(["one\n", "two\n"])
})

test("a refusal reaches the sender, at the next piece or at the end", async () => {
  const refusal = new AppError("lease_lost", "refused by the test")
  const writer = new OutputWriter(() => Promise.reject(refusal), 1000, 0)
  writer.push(bytes("one\n"))
  await expect(writer.end()).rejects.toBe(refusal)
  expect(() => writer.push(bytes("two\n"))).toThrow(refusal)
})

test("an output that goes on is placed by its bytes, of which some letters have several", async () => {
  const kept = new Kept(100)
  const writer = new OutputWriter(kept.store, 1_000_000, undefined)
  await writer.begin()
  writer.push(bytes("Größe 日本\n"))
  await writer.end()
  expect(kept.pieces).toEqual([{ from: 100, to: 100 + bytes("Größe 日本\n").length, text: "Größe 日本\n" }])
})

test("of an output of which nothing is kept nothing is stored, and all of it counts as taken", async () => {
  const kept = new Kept()
  const writer = new OutputWriter(kept.store, 0, 0)
  await writer.begin()
  writer.push(bytes("one\n"))
  expect(await writer.end()).toEqual({ attempt: 1, end: 4 })
  expect(kept.pieces).toEqual([])
})

test("an output of which nothing is kept is only counted", async () => {
  const kept = new Kept()
  const writer = new OutputWriter(kept.store, 0, 0)
  writer.push(bytes("one\n"))
  expect(await writer.end()).toEqual({ attempt: 1, end: 4 })
  expect(kept.pieces).toEqual([])
})
