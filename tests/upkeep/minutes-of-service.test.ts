import { expect, test } from "bun:test"

import { LocalBus } from "../../src/bus/bus.ts"
import type { Items } from "../../src/store/contract/items.ts"
import type { Upkeep } from "../../src/store/contract/upkeep.ts"
import { Retention } from "../../src/upkeep/retention.ts"

test("minutes of service that could not be stored are stored with the next ones", async () => {
  const passed: number[] = []
  let isFull = false
  // A database in which nothing can be removed.
  const upkeep: unknown = new Proxy(
    {
      takeTimer: async () => true,
      async passMinutes(minutes: number) {
        passed.push(minutes)
        if (isFull) throw new Error("no room")
      },
      finished: async () => [],
      beginsAt: async () => 0,
    },
    { get: (own: Readonly<Record<string, unknown>>, name: string) => own[name] ?? (async () => 0) },
  )
  const retention = new Retention(upkeep as Upkeep, {} as Items, new LocalBus(), {
    ...{ updatesMs: 0, perItem: 0, itemsMs: 0, now: Date.now, awayMs: () => 0 },
    ...{ sleep: async () => undefined, onError: () => undefined },
  })
  for (let minute = 0; minute < 4; minute += 1) await retention.round()
  isFull = true
  await expect(retention.round()).rejects.toThrow("no room")
  isFull = false
  await retention.round()
  expect(passed).toEqual([5, 6])
})
