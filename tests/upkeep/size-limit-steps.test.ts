import { expect, test } from "bun:test"

import { LocalBus } from "../../src/bus/bus.ts"
import type { Items } from "../../src/store/contract/items.ts"
import type { Upkeep } from "../../src/store/contract/upkeep.ts"
import { SizeLimit, type SizeLimitOptions } from "../../src/upkeep/size-limit.ts"
import { START_MS } from "../contracts/store.contract.ts"

const none = async (): Promise<number> => 0

/** A limit of 2000 bytes for a database that the test plays. */
function limited(database: Pick<Upkeep, "size" | "purge">, options: Partial<SizeLimitOptions>): SizeLimit {
  const items = async (): Promise<object> => ({ present: 0, deleted: 0 })
  const upkeep: unknown = { checkpoint: none, newestAgo: none, thin: none, items, ...database }
  return new SizeLimit(upkeep as Upkeep, {} as Items, new LocalBus(), {
    mostBytes: 2000,
    now: () => START_MS,
    sleep: async () => undefined,
    onLook: () => undefined,
    onFilled: () => undefined,
    onError(error) {
      throw error
    },
    ...options,
  })
}

test("a step after which no less is used rests, too, once the limit is no longer reached", async () => {
  let rests = 0
  // It is asked twice, before and after a checkpoint.
  const sizes = [2000, 2000, 1900, 1900, 1900, 1900, 1000]
  const size = async () => ({ used: sizes[0] === 1000 ? 1000 : (sizes.shift() ?? 0), wal: 0, free: 0 })
  const space = limited({ size, purge: async () => 1 }, { sleep: async () => void (rests += 1) })
  await space.round()
  expect([sizes, rests]).toEqual([[1000], 3])
})

test("above the limit a step rests if less is used after it, and not if writers have added as much", async () => {
  let used = 3000
  const rests: number[] = []
  const steps = [2900, 2900, 2800]
  const purge = async (): Promise<number> => {
    const next = steps.shift()
    used = next ?? used
    return next === undefined ? 0 : 1
  }
  const size = async () => ({ used, wal: 0, free: 0 })
  await limited({ size, purge }, { sleep: async () => void rests.push(used) }).round()
  expect(rests).toEqual([2900, 2800])
})

test("a database that was above its limit is full at the limit again, once no more room is made", async () => {
  let used = 3000
  let filled = 0
  const steps = [2500, 1990]
  const purge = async (): Promise<number> => {
    const next = steps.shift()
    used = next ?? used
    return next === undefined ? 0 : 1
  }
  const space = limited(
    { size: async () => ({ used, wal: 0, free: 0 }), purge },
    { onFilled: () => void (filled += 1) },
  )
  await space.round()
  used = 1999
  await space.committed()
  expect(filled).toBe(0)
  used = 2000
  await space.committed()
  expect(filled).toBe(1)
})

test("a database that is known to be full is not reported as filled by each commit again", async () => {
  let [filled, looks] = [0, 0]
  const space = limited(
    { size: async () => ({ used: 2010, wal: 0, free: 0 }), purge: none },
    { onFilled: () => void (filled += 1), onLook: () => void (looks += 1) },
  )
  await space.round()
  for (let commit = 0; commit < 3; commit += 1) await space.committed()
  expect([filled, looks]).toEqual([0, 1])
})

test("a log that is not yet in the database does not make it full", async () => {
  let filled = 0
  for (const wal of [101, 100]) {
    const space = limited(
      { size: async () => ({ used: 2100, wal, free: 0 }), purge: none },
      { onFilled: () => void (filled += 1) },
    )
    await space.committed()
    expect(filled).toBe(wal === 100 ? 1 : 0)
  }
})

test.each([
  [0, 1800],
  [1750, 1812.5],
  [1799, 1861.5],
  [1800, 1900],
  [1900, 2000],
  [2000, 2200],
  [2200, 2262.5],
])("after a look at %d of 2000 bytes the next commit that looks is the first at %d", async (at, next) => {
  let used = at
  let looks = 0
  const size = async () => ({ used, wal: 1000, free: 0 })
  const space = limited({ size, purge: none }, { onLook: () => void (looks += 1) })
  await space.round()
  used = next - 0.5
  await space.committed()
  expect(looks).toBe(1)
  used = next
  await space.committed()
  expect(looks).toBe(2)
})
