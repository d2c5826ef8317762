import { expect, setDefaultTimeout, test } from "bun:test"

import fc from "fast-check"

import { worthDecoding } from "../../src/renderers/failures-in-flood.ts"
import { renderer } from "../../src/renderers/renderer.ts"

setDefaultTimeout(180_000)

/**
 * What is known of an output that comes as bytes, of which only useful ones are decoded; and how many were
 * decoded.
 */
function heard(pieces: readonly Uint8Array[], isAll: boolean) {
  const listener = renderer("lines", { now: () => 0 })
  const decoder = new TextDecoder()
  let decoded = 0
  const reports = pieces.flatMap((bytes) => {
    const worth = isAll ? bytes : listener.worthDecoding(bytes)
    decoded += worth.length
    return listener.push(decoder.decode(worth, { stream: true }))
  })
  return { told: { reports, evidence: listener.evidence }, decoded }
}

const FLOOD = new TextEncoder().encode("a line of output, größer than most\n".repeat(30_000))
const WORDS = new TextEncoder().encode("Error writing trailer of /o/a.mp4: No space left on device\nlast")

/** These bytes, cut at these places. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const borders = [...new Set(places.map((place) => place % bytes.length))].toSorted((a, b) => a - b)
  return [0, ...borders].map((from, i) => bytes.slice(from, borders[i] ?? bytes.length))
}

test("little of a flood is decoded, and every line that matters is read, however the flood is cut", () => {
  const most = Array.from({ length: 9 }, () => FLOOD)
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 20 }), fc.boolean(), (places, hasFailed) => {
      const last = Buffer.concat([
        FLOOD.subarray(0, 999),
        ...(hasFailed ? [WORDS] : []),
        FLOOD.subarray(0, 999),
      ])
      const pieces = [...most, ...cut(last, places)]
      const { told, decoded } = heard(pieces, false)
      expect(told).toEqual(heard(pieces, true).told)
      expect(told.evidence.failure).toBe(
        hasFailed ? "Error writing trailer of /o/a.mp4: No space left on device" : undefined,
      )
      expect(decoded).toBeLessThan(10 * FLOOD.length)
    }),
    { numRuns: 5 },
  )
})

test("a line without an end is not decoded once it is too long, and what follows is read", () => {
  const long = new Uint8Array(1_000_000).fill(0x78)
  const rest = new TextEncoder().encode("\nimage 1 of 5\nimage 2 of 5\n")
  const { told, decoded } = heard([long, long, long, rest], false)
  expect(told.reports.at(-1)).toMatchObject({ unit: { done: 1, total: 5 } })
  expect(decoded).toBe(long.length + rest.length)
})

test("of lines in a flood, only whole ones without a failure need no decoding", () => {
  const [bytes, text] = [new TextEncoder(), new TextDecoder()]
  const left = (output: string): string => text.decode(worthDecoding(bytes.encode(output)))
  expect(left("end\none\ntwo\nbegin")).toBe("end\nbegin")
  // UTF-16 has a NUL in each character, and is read whole.
  for (const whole of ["none", "end\nbegin", "end\nan error\nbegin", "e\no\0n\0\nb"])
    expect(left(whole)).toBe(whole)
})
