import { expect, setDefaultTimeout, test } from "bun:test"

import { rescued } from "../../../src/item/lease.ts"
import { PostgresStore } from "../../../src/store/postgres/postgres.ts"
import { added } from "../../contracts/store.contract.ts"
import { distant, once } from "./distant.ts"
import { loseAnswerTo } from "./proxy.ts"
import { whyNoPostgres } from "./server.ts"
import { rescue, taking } from "./several.ts"

setDefaultTimeout(180_000)

const withPostgres = test.skipIf(whyNoPostgres !== undefined)

/** Whether a promise has settled once others had time to run. */
const isPending = async (promise: Promise<unknown>): Promise<boolean> =>
  (await Promise.race([promise, Bun.sleep(200).then(() => isPending)])) === isPending

withPostgres("the leases that a token loses are counted once, although the answer is lost", async () => {
  await using opened = await distant()
  const { store, proxy, url } = opened
  const near = await PostgresStore.open(url)
  const [first, second, over, other] = [
    await added(store),
    await added(store),
    await added(store),
    await added(store),
  ]
  for (const id of [first, second, over, other])
    await store.change(id, (stored, moment) => {
      const change = taking(`lease of ${id}`)(stored, moment)
      return { ...change, work: { ...change.work, lease_holder: id === other ? 8 : 7 } }
    })
  await near.change(over, rescue)
  loseAnswerTo(proxy, "UPDATE queue_items q SET lease_token")
  const lose = proxy.decide
  let sweeping: Promise<number> | undefined
  proxy.decide = (bytes) => {
    const fate = lose(bytes)
    if (fate !== "cut after") return fate
    // Before it is asked again, another server takes back what it finds revoked.
    proxy.decide = (again) => {
      if (sweeping || !again.includes("lease_holder")) return "pass"
      sweeping = near.sweep({ due: "lease", by: 1 }, (stored, moment) => rescued(stored, 5, moment))
      void sweeping.then(() => proxy.release())
      return "hold"
    }
    return fate
  }
  expect(await store.access.endLeases(7)).toBe(2)
  expect(await sweeping).toBe(2)
  expect(await store.access.endLeases(7)).toBe(0)
  expect(await store.access.endLeases(8)).toBe(1)
  await near.close()
})

withPostgres("a queue is resumed, and an item ripe, before that is answered", async () => {
  await using opened = await distant()
  const { store, proxy } = opened
  const past = new Date(store.clock.now() - 60_000).toISOString()
  const id = await added(store, { available_at: past })
  await store.pause()
  once(proxy, "paused_at = NULL", "hold")
  const resuming = store.resume()
  expect(await isPending(resuming)).toBeTrue()
  expect(await store.pausedAt()).not.toBeNull()
  proxy.release()
  await resuming
  expect(await store.pausedAt()).toBeNull()
  once(proxy, "available_ms = NULL", "hold")
  const looking = store.nextWaiting([])
  expect(await isPending(looking)).toBeTrue()
  proxy.release()
  expect((await looking)?.id).toBe(id)
})
