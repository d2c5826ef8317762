import { expect, test } from "bun:test"

import { backoff, retryAfterMs } from "../src/backoff.ts"

const RETRY = { firstMs: 1000, mostMs: 60_000, spread: 0.2 }
const waits = (random: number): number[] =>
  Array.from({ length: 9 }, (_, failures) => backoff(RETRY, failures, () => random) / 1000)

test("the waits double from the first to the longest, each within the spread", () => {
  expect(waits(0.5)).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60])
  expect(waits(0)).toEqual([0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 48, 48, 48])
  for (const [failures, wait] of waits(0.999999).entries()) {
    expect(wait).toBeCloseTo(Math.min(60, 2 ** failures) * 1.2, 2)
  }
})

test("clients that have failed often do not all return at the same moment", () => {
  const late = Array.from({ length: 100 }, () => backoff(RETRY, 1000))
  expect(new Set(late).size).toBeGreaterThan(90)
  expect(Math.min(...late)).toBeGreaterThanOrEqual(48_000)
  expect(Math.max(...late)).toBeLessThanOrEqual(72_000)
})

test("without a spread the wait is exact", () => {
  expect(backoff({ ...RETRY, spread: 0 }, 3)).toBe(8000)
})

test("a date in Retry-After is read by the clock of the server that sent it", () => {
  const at = (date: string, after: string): number =>
    retryAfterMs(new Headers({ date, "retry-after": after }))
  expect(at("Thu, 01 Jan 2026 00:00:00 GMT", "Thu, 01 Jan 2026 00:01:00 GMT")).toBe(60_000)
  expect(at("Thu, 01 Jan 2026 00:00:00 GMT", "Wed, 31 Dec 2025 23:59:00 GMT")).toBe(0)
  expect(at("Thu, 01 Jan 2026 00:00:00 GMT", "90")).toBe(90_000)
  expect(at("Thu, 01 Jan 2026 00:00:00 GMT", "soon")).toBe(0)
})
