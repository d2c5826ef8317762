import { expect, test } from "bun:test"

import fc from "fast-check"

import { IngestThrottle } from "../../src/queue/ingest-throttle.ts"

const PIECE = 64 * 1024
const BURST = 16 * PIECE
const SLICE = 16 * 1024

/** Gives text to the throttle, and returns what may be read at this time, in slices as it is read. */
function slices(throttle: IngestThrottle, text: string, nowMs: number): string[] {
  throttle.push(text, nowMs)
  const read: string[] = []
  while (throttle.isKeeping && throttle.waitMs(nowMs) === 0) read.push(throttle.take())
  return read
}

const read = (throttle: IngestThrottle, text: string, nowMs: number): string =>
  slices(throttle, text, nowMs).join("")

/** A throttle that has read as much at once as it may, at the time 0. */
function flooded(): IngestThrottle {
  const throttle = new IngestThrottle()
  expect(read(throttle, "x".repeat(BURST), 0)).toHaveLength(BURST)
  return throttle
}

test("text that comes no faster than any renderer prints is read as it comes, and a file as a whole", () => {
  const throttle = flooded()
  for (let i = 1; i < 100; i += 1) {
    expect(read(throttle, "x".repeat(PIECE), i * 250)).toBe("x".repeat(PIECE))
    expect(throttle.isKeeping).toBeFalse()
  }
})

test("of a flood the newest is read a little later, from the beginning of a line", () => {
  const throttle = flooded()
  for (let i = 0; i < 20_000; i += 1) expect(read(throttle, `line ${i}\n`, 0)).toBe("")
  expect([throttle.isKeeping, throttle.waitMs(0)]).toEqual([true, 250])
  const newest = read(throttle, "line 20000\n", 250)
  expect(newest.length).toBeLessThanOrEqual(PIECE)
  const lines = newest.split("\n")
  expect([lines[0], lines[1], lines.at(-2)]).toEqual(["", expect.stringMatching(/^line \d+$/), "line 20000"])
  expect(throttle.isKeeping).toBeFalse()
})

test("a piece is kept as a whole however little may be read now, and is read when a piece would have been", () => {
  const throttle = flooded()
  const lines = "line\n".repeat(PIECE / 8)
  expect(read(throttle, lines, 50)).toBe("")
  expect(throttle.waitMs(50)).toBeCloseTo(200)
  expect(throttle.waitMs(150)).toBeCloseTo(100)
  expect(read(throttle, "", 250)).toBe(lines)
})

test("a line that has no end for longer than is kept is passed over as a whole", () => {
  const throttle = flooded()
  expect(read(throttle, "y".repeat(PIECE + 1), 0)).toBe("")
  expect(read(throttle, "end\nnext", 0)).toBe("")
  expect(throttle.take()).toBe("\nnext")
})

test("the rest of a line that was passed over is no line of its own, whenever its end comes", () => {
  const throttle = flooded()
  expect(read(throttle, "x".repeat(2 * PIECE), 0)).toBe("")
  expect(read(throttle, "rest", 250)).toBe("")
  expect(read(throttle, " of it\nnext\n", 500)).toBe("\nnext\n")
})

test("however text comes, little is read in a time, and every line that is read was sent", () => {
  const line = fc.string({ minLength: 1, maxLength: 9, unit: fc.constantFrom("a", "b", "c") })
  const piece = fc.record({
    lines: fc.array(line, { maxLength: 5 }),
    // As often as it takes to make it a flood.
    times: fc.constantFrom(1, 30_000),
    pauseMs: fc.integer({ min: 0, max: 300 }),
  })
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      const throttle = new IngestThrottle()
      const sent = new Set([""])
      let [nowMs, total] = [0, 0]
      for (const { lines, times, pauseMs } of pieces) {
        nowMs += pauseMs
        for (const one of lines) sent.add(one)
        const parts = slices(
          throttle,
          lines
            .map((one) => `${one}\n`)
            .join("")
            .repeat(times),
          nowMs,
        )
        for (const part of parts) {
          total += part.length
          expect(part.length).toBeLessThanOrEqual(SLICE)
          for (const one of new Set(part.split("\n"))) expect(sent).toContain(one)
        }
      }
      expect(total).toBeLessThanOrEqual(BURST + (nowMs * PIECE) / 250 + 1)
      const last = pieces.flatMap(({ lines }) => lines).at(-1)
      let rest = ""
      while (throttle.isKeeping) rest += throttle.take()
      if (rest !== "") expect(rest).toEndWith(`${last}\n`)
    }),
    { numRuns: 50 },
  )
})

test("a timer that ran before the clock shows its time has waited as long as it had to", () => {
  const throttle = flooded()
  expect(read(throttle, "line\n", 0)).toBe("")
  throttle.waited(throttle.waitMs(0))
  expect(throttle.waitMs(0)).toBe(0)
})
