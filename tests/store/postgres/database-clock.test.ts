import { expect, spyOn, test } from "bun:test"

import { DatabaseClock } from "../../../src/store/postgres/database-clock.ts"

/** A clock that was told a time, and since when it could not be trusted. */
function told(serverMs: number): { clock: DatabaseClock; jumps: { sinceMs: number; isBack: boolean }[] } {
  const jumps: { sinceMs: number; isBack: boolean }[] = []
  const clock = new DatabaseClock((sinceMs, isBack) => jumps.push({ sinceMs, isBack }))
  clock.sample(serverMs, performance.now())
  return { clock, jumps }
}

test("the clock is the database's, counted on between answers, and measuring never sets it back", () => {
  const { clock, jumps } = told(1_000_000)
  expect(clock.now()).toBeWithin(1_000_000, 1_000_500)
  const before = clock.now()
  // An answer that took 4 s says less than an answer that took no time.
  clock.sample(before - 1500, performance.now() - 4000)
  expect(clock.now()).toBeLessThan(before + 400)
  clock.sample(before - 400, performance.now())
  expect(clock.now()).toBeGreaterThanOrEqual(before)
  expect(clock.steadyMs()).toBeWithin(clock.now() - 5, clock.now() + 5)
  expect(jumps).toEqual([])
})

test("the time of an answer is taken for that of the middle between its question and itself", () => {
  let nowMs = 5000
  using _now = spyOn(performance, "now").mockImplementation(() => nowMs)
  const clock = new DatabaseClock(() => undefined)
  clock.sample(1_000_000, 3000)
  expect(clock.now()).toBe(1_001_000)
  nowMs += 250
  expect(clock.now()).toBe(1_001_250)
  // A shorter way says it more exactly.
  clock.sample(1_001_500, 5050)
  expect(clock.now()).toBe(1_001_600)
})

test("an answer that was long on its way is a sign of a jump only beyond what its way explains", () => {
  let nowMs = 5000
  using _now = spyOn(performance, "now").mockImplementation(() => nowMs)
  const jumps: number[] = []
  const clock = new DatabaseClock((sinceMs) => jumps.push(sinceMs))
  clock.sample(1_000_000, nowMs)
  nowMs += 3000
  // All of the way was that of the question, and the clock differs by a second.
  clock.sample(1_004_000, 5000)
  expect([jumps, clock.now()]).toEqual([[], 1_003_000])
  clock.sample(1_004_001, 5000)
  expect(jumps).toHaveLength(1)
})

test.each([3_600_000, -3_600_000])(
  "a jump of the server's clock by %d ms is followed, and is a doubt",
  (jumpMs) => {
    const { clock, jumps } = told(10_000_000)
    expect(clock.now()).toBeWithin(10_000_000, 10_000_500)
    clock.sample(10_000_000 + jumpMs, performance.now())
    expect(clock.now()).toBeWithin(10_000_000 + jumpMs, 10_000_500 + jumpMs)
    // What a clock that goes forward leaves out is an outage; one that goes back leaves out nothing.
    const sinceMs = 10_000_000 + Math.min(0, jumpMs)
    const [jump] = jumps
    expect(jump?.sinceMs).toBeWithin(sinceMs - 5, sinceMs + 500)
    expect([jumps.length, jump?.isBack]).toEqual([1, jumpMs < 0])
  },
)
