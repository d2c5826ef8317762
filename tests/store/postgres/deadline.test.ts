import { expect, spyOn, test } from "bun:test"

import { Deadline } from "../../../src/store/postgres/deadline.ts"
import { LateError } from "../../../src/store/postgres/faults.ts"
import { timersLeft } from "../../timers.ts"

const LIMIT_MS = 30

test("a time limit does not count time in which the whole process stood still: the answer may have come", async () => {
  const real = performance.now.bind(performance)
  let stoodMs = 0
  using _clock = spyOn(performance, "now").mockImplementation(() => real() + stoodMs)
  const deadline = new Deadline(LIMIT_MS)
  stoodMs = 60_000
  const ended = deadline.passed.catch((error: unknown) => error)
  const startedMs = real()
  expect(await ended).toBeInstanceOf(LateError)
  // It ended when its time was over, and once more.
  expect(real() - startedMs).toBeWithin(1.9 * LIMIT_MS, 1e4)
  expect(deadline.hasStood).toBeTrue()
  // It is noticed, too, if the answer was read first.
  const other = new Deadline(LIMIT_MS)
  stoodMs = 180_000
  other.end()
  expect(other.hasStood).toBeTrue()
})

test("a time limit passes when nothing stood still", async () => {
  const deadline = new Deadline(LIMIT_MS)
  const ended = deadline.passed.catch((error: unknown) => error)
  expect(await ended).toBeInstanceOf(LateError)
  expect(deadline.hasStood).toBeFalse()
})

test("a time limit that has ended leaves no timer", async () => {
  expect(await timersLeft(() => new Deadline(60_000).end())).toBe(0)
})
