import { expect, test } from "bun:test"

import { Outages } from "../../src/store/outages-extend-leases.ts"

/** An account in which an outage has ended at this time. */
function endedAt(endedMs: number): Outages {
  const outages = new Outages()
  outages.begin(endedMs - 1000)
  outages.endingAt(endedMs)
  outages.end(endedMs)
  return outages
}

test("an outage that begins within 5 s after another one counts from the end of that one, a later one from its own beginning", () => {
  for (const [beganMs, sinceMs] of [
    [20_001, 20_000],
    [24_999, 20_000],
    [25_000, 25_000],
  ] as const) {
    const outages = endedAt(20_000)
    outages.begin(beganMs)
    expect(outages.endingAt(30_000)).toEqual({ sinceMs, endedMs: 30_000 })
  }
})

test("an outage does not end before it has begun", () => {
  const outages = endedAt(20_000)
  outages.begin(40_000)
  expect(outages.endingAt(40_000)).toBeUndefined()
  expect([outages.isUnderWay, outages.lastMs]).toEqual([true, 1000])
})

test("after the clock has gone back, an outage counts from its own beginning, and earlier ones no longer count", () => {
  const outages = endedAt(20_000)
  outages.begin(40_000)
  outages.goBack()
  expect([outages.isUnderWay, outages.endedMs, outages.lastMs]).toEqual([false, 0, 0])
  outages.begin(1000)
  expect(outages.endingAt(3000)).toEqual({ sinceMs: 1000, endedMs: 3000 })
})

test("the latest hundred outages are known, and those that follow each other at once are one", () => {
  const outages = endedAt(20_000)
  outages.begin(21_000)
  outages.endingAt(22_000)
  // This one's transaction failed, so it goes on.
  outages.endingAt(23_000)
  outages.end(23_000)
  expect(outages.known).toEqual([{ sinceMs: 19_000, endedMs: 23_000 }])
  for (let i = 1; i <= 100; i += 1) {
    outages.begin(i * 100_000)
    outages.endingAt(i * 100_000 + 1000)
    outages.end(i * 100_000 + 1000)
  }
  expect(outages.known).toHaveLength(100)
  expect(outages.known.at(0)).toEqual({ sinceMs: 100_000, endedMs: 101_000 })
  outages.goBack()
  expect(outages.known).toEqual([])
})

test("slow answers are outages that are over: time after them, and between two that are counted apart, counts", () => {
  const outages = endedAt(20_000)
  outages.noteSlow(21_000, 23_500)
  outages.noteSlow(24_000, 26_500)
  expect([outages.isOver, outages.uncountedMs(30_000)]).toEqual([true, 5500])
  expect(outages.endingAt(30_000)).toEqual({ sinceMs: 21_000, endedMs: 26_500 })
  outages.end(30_000)
  expect([outages.isUnderWay, outages.uncountedMs(30_000)]).toEqual([false, 0])
  outages.noteSlow(31_000, 33_500)
  expect(outages.endingAt(40_000)).toEqual({ sinceMs: 31_000, endedMs: 33_500 })
})

test("a slow answer ends no outage that is under way", () => {
  const outages = endedAt(20_000)
  outages.begin(40_000)
  outages.noteSlow(41_000, 44_000)
  expect([outages.isOver, outages.uncountedMs(50_000)]).toEqual([false, 0])
  expect(outages.endingAt(50_000)).toEqual({ sinceMs: 40_000, endedMs: 50_000 })
})

test("outages that other instances have counted are known too, in the order of their beginnings, and what overlaps is one", () => {
  const outages = endedAt(20_000)
  const counted = [
    { sinceMs: 30_500, endedMs: 30_800 },
    { sinceMs: 1000, endedMs: 2000 },
    { sinceMs: 18_000, endedMs: 19_500 },
    { sinceMs: 30_000, endedMs: 31_000 },
  ]
  outages.learn(counted)
  const all = [
    { sinceMs: 1000, endedMs: 2000 },
    { sinceMs: 18_000, endedMs: 20_000 },
    { sinceMs: 30_000, endedMs: 31_000 },
  ]
  expect(outages.known).toEqual(all)
  outages.learn(counted)
  expect([outages.known, outages.isUnderWay, outages.endedMs]).toEqual([all, false, 20_000])
})

test("a commit that takes more than two seconds is an outage that is over with it", () => {
  const outages = new Outages()
  outages.end(20_000, 22_000)
  expect([outages.isUnderWay, outages.uncountedMs(30_000)]).toEqual([false, 0])
  outages.end(30_000, 32_001)
  expect([outages.isOver, outages.uncountedMs(40_000)]).toEqual([true, 2001])
  expect(outages.endingAt(40_000)).toEqual({ sinceMs: 30_000, endedMs: 32_001 })
})

test("of failures that follow each other an outage counts from the first", () => {
  const outages = endedAt(20_000)
  outages.begin(41_000)
  outages.begin(40_000)
  outages.begin(42_000)
  expect(outages.endingAt(50_000)).toEqual({ sinceMs: 40_000, endedMs: 50_000 })
})
