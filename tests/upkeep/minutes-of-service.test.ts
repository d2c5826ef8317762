import { expect, test } from "bun:test"

import { LocalBus } from "../../src/bus/bus.ts"
import type { Items } from "../../src/store/contract/items.ts"
import type { Upkeep } from "../../src/store/contract/upkeep.ts"
import { Retention } from "../../src/upkeep/retention.ts"

/** A server that was away before for so long. Nothing can be removed in its database, which stores minutes by `passMinutes`. */
function served(awayMs: number, passMinutes: (minutes: number) => Promise<void>): Retention {
  const upkeep: unknown = new Proxy(
    { takeTimer: async () => true, passMinutes, finished: async () => [], beginsAt: async () => 0 },
    { get: (own: Readonly<Record<string, unknown>>, name: string) => own[name] ?? (async () => 0) },
  )
  return new Retention(upkeep as Upkeep, {} as Items, new LocalBus(), {
    ...{ updatesMs: 0, perItem: 0, itemsMs: 0, now: Date.now, awayMs: () => awayMs },
    ...{ sleep: async () => undefined, onError: () => undefined },
  })
}

test("minutes of service that could not be stored are stored with the next ones", async () => {
  const passed: number[] = []
  let isFull = false
  const retention = served(0, async (minutes) => {
    passed.push(minutes)
    if (isFull) throw new Error("no room")
  })
  for (let minute = 0; minute < 4; minute += 1) await retention.round()
  isFull = true
  await expect(retention.round()).rejects.toThrow("no room")
  isFull = false
  await retention.round()
  expect(passed).toEqual([5, 6])
})

test("of the time in which a server was away, less than an hour counts as service", async () => {
  const passed: number[] = []
  const retention = served(10 * 3_600_000, async (minutes) => void passed.push(minutes))
  for (let minute = 0; minute < 6; minute += 1) await retention.round()
  expect(passed).toEqual([60, 5])
})
