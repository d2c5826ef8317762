import { expect, test } from "bun:test"

import fc from "fast-check"

import { RateLimit } from "../../src/access/rate-limit.ts"

test("a client may use its burst at once, and then waits as long as the answer says", () => {
  const buckets = new RateLimit({ perSecond: 10, burst: 3 })
  expect([1, 2, 3].map(() => buckets.take("a", 1, 0))).toEqual([0, 0, 0])
  const waitMs = buckets.take("a", 1, 0)
  expect(waitMs).toBe(100)
  expect(buckets.take("a", 1, waitMs - 1)).toBe(1)
  expect(buckets.take("a", 1, waitMs)).toBe(0)
})

test("however long a client was quiet, it may use its burst at once and no more", () => {
  const buckets = new RateLimit({ perSecond: 10, burst: 3 })
  expect(buckets.take("a", 1, 0)).toBe(0)
  expect([1, 2, 3, 4].map(() => buckets.take("a", 1, 60_000))).toEqual([0, 0, 0, 100])
})

test("the requests of one client do not count against another", () => {
  const buckets = new RateLimit({ perSecond: 1, burst: 1 })
  expect(buckets.take("a", 1, 0)).toBe(0)
  expect(buckets.take("a", 1, 0)).toBeGreaterThan(0)
  expect(buckets.take("b", 1, 0)).toBe(0)
})

test("a cost that is charged afterwards delays the next request", () => {
  const buckets = new RateLimit({ perSecond: 10, burst: 5 })
  expect(buckets.take("a", 1, 0)).toBe(0)
  buckets.charge("a", 24, 0)
  expect(buckets.take("a", 1, 0)).toBe(2100)
})

test("a cost above the burst is let through with a full bucket", () => {
  const buckets = new RateLimit({ perSecond: 10, burst: 5 })
  expect(buckets.take("a", 100, 0)).toBe(0)
  expect(buckets.take("a", 100, 0)).toBe(500)
})

test("a rate of 0 is no limit", () => {
  const buckets = new RateLimit({ perSecond: 0, burst: 0 })
  for (let i = 0; i < 1000; i += 1) expect(buckets.take("a", 100, 0)).toBe(0)
})

test("the client that was quiet for longest is forgotten first, and memory stays bounded", () => {
  const buckets = new RateLimit({ perSecond: 1, burst: 1 }, 2)
  for (const client of ["a", "b", "c"]) expect(buckets.take(client, 1, 0)).toBe(0)
  expect(buckets.take("c", 1, 0)).toBeGreaterThan(0)
  // This one came before "c", and was used after it.
  expect(buckets.take("b", 1, 0)).toBeGreaterThan(0)
  expect(buckets.take("a", 1, 0)).toBe(0)
  expect(buckets.take("b", 1, 0)).toBeGreaterThan(0)
})

test("a client that asks again before memory is full is not forgotten before one that was quiet meanwhile", () => {
  const buckets = new RateLimit({ perSecond: 1, burst: 1 }, 4)
  for (const client of ["a", "b", "c"]) expect(buckets.take(client, 1, 0)).toBe(0)
  expect(buckets.take("a", 1, 0)).toBeGreaterThan(0)
  for (const client of ["d", "e"]) expect(buckets.take(client, 1, 0)).toBe(0)
  expect(buckets.take("a", 1, 0)).toBeGreaterThan(0)
  expect(buckets.take("b", 1, 0)).toBe(0)
})

test("in any time, no client gets more than its burst and the units that came back", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 20 }),
      fc.array(
        fc.record({ pauseMs: fc.integer({ min: 0, max: 500 }), cost: fc.integer({ min: 1, max: 4 }) }),
      ),
      (perSecond, burst, asked) => {
        const buckets = new RateLimit({ perSecond, burst })
        let nowMs = 0
        let got = 0
        for (const { pauseMs, cost } of asked) {
          nowMs += pauseMs
          if (buckets.take("a", cost, nowMs) === 0) got += Math.min(cost, burst)
        }
        expect(got).toBeLessThanOrEqual(burst + (nowMs * perSecond) / 1000 + 1e-6)
      },
    ),
  )
})

test("a debt grows with each unit that is owed, and to what is repaid in the longest wait at most", () => {
  const debts = new RateLimit({ perSecond: 2, burst: 1 })
  const waits = Array.from({ length: 6 }, () => debts.owe("a", 2000, 0))
  expect(waits).toEqual([0, 500, 1000, 1500, 2000, 2000])
  expect(debts.owe("a", 2000, 1000)).toBe(1500)
  expect(debts.owe("b", 2000, 1000)).toBe(0)
})
