import { expect, test } from "bun:test"

import { DAY_MS, endedBefore, newestBefore } from "../../src/upkeep/old-enough.ts"

const NOW_MS = Date.UTC(2026, 5, 1)
const HOUR_MS = DAY_MS / 24

/** A history in which the newest update of so many hours of service ago has the event ID 10,000 less those hours. */
const upkeep = { newestAgo: async (hours: number): Promise<number> => 10_000 - hours }

test("what ended long ago by the clock may go after a day of service, and what has an impossible time after all of it", async () => {
  const [usual, early, late] = await endedBefore(upkeep, NOW_MS, 30 * DAY_MS)
  expect(usual).toEqual({ fromMs: Date.UTC(2026, 0, 1), toMs: NOW_MS - 30 * DAY_MS, upTo: 10_000 - 24 })
  expect([early?.upTo, late?.upTo]).toEqual([10_000 - 720, 10_000 - 720])
  expect([early?.toMs, late?.fromMs]).toEqual([Date.UTC(2026, 0, 1) - 1, NOW_MS + DAY_MS])
})

test("what may go sooner than after a day needs no more service than that", async () => {
  const [usual] = await endedBefore(upkeep, NOW_MS, 2 * HOUR_MS)
  expect(usual).toMatchObject({ toMs: NOW_MS - 2 * HOUR_MS, upTo: 10_000 - 2 })
  expect(await newestBefore(upkeep, 1.5 * HOUR_MS)).toBe(10_000 - 1)
  expect(await newestBefore(upkeep, HOUR_MS - 1)).toBe(Number.MAX_SAFE_INTEGER)
})
