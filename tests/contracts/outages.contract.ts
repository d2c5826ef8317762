import { expect, test } from "bun:test"

import fc from "fast-check"

import { changed } from "../../src/item/change-by-put.ts"
import { REVOKED } from "../../src/item/lease-token.ts"
import { handedOver, keptFor, rescued } from "../../src/item/lease.ts"
import { transition } from "../../src/item/moves.ts"
import { added, type Open, START_MS } from "./store.contract.ts"
import { idOf, storedOf, taking, takingBack, working } from "./work.contract.ts"

/** What every Store promises about times in which nothing could be stored. */
export function storeOutages(name: string, open: Open): void {
  test(`${name}: an outage makes every lease longer by what it took, once, before anything is decided`, async () => {
    let now = START_MS
    await using opened = await open(() => now)
    const { store } = opened
    const held = await working(store, { lease_expires_at: START_MS + 1000 })
    const free = await working(store)
    const expiry = async (id: number) => (await storedOf(store, id)).work.lease_expires_at
    store.outages.begin(START_MS + 500)
    now += 5000
    expect(await store.sweep({ due: "lease", by: now }, takingBack)).toBe(0)
    expect([await expiry(held), await expiry(free)]).toEqual([START_MS + 5500, null])
    now += 100
    store.outages.begin(START_MS)
    expect(await expiry(held)).toBe(START_MS + 5600)
    expect(store.outages.endedMs).toBe(now)
    now += 10_000
    expect(await expiry(held)).toBe(START_MS + 5600)
    expect(await store.sweep({ due: "lease", by: now }, takingBack)).toBe(1)
  })

  test(`${name}: a lease gets what outages took and nothing else, but for less than 5 s between two of them`, async () => {
    const ms = (most: number) => fc.integer({ min: 0, max: most })
    const outage = fc.record({
      gapMs: ms(12_000),
      heardMs: ms(3000),
      tookMs: fc.integer({ min: 1, max: 60_000 }),
      agoMs: ms(2000),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(outage, { minLength: 1, maxLength: 8 }), async (outages) => {
        let now = START_MS
        await using opened = await open(() => now)
        const { store } = opened
        const id = await working(store, { lease_expires_at: START_MS + 1e9 })
        let [least, between, endedMs] = [0, 0, 0]
        for (const { gapMs, heardMs, tookMs, agoMs } of outages) {
          now += gapMs
          await store.alive()
          now += heardMs
          // The outage may be noticed later than it began, but nothing was stored since then.
          const sinceMs = Math.max(now - Math.min(agoMs, heardMs), endedMs)
          store.outages.begin(sinceMs)
          now += tookMs
          await store.alive()
          if (endedMs > 0 && sinceMs - endedMs < 5000) between += sinceMs - endedMs
          least += now - sinceMs
          endedMs = now
        }
        const given = Number((await storedOf(store, id)).work.lease_expires_at) - START_MS - 1e9
        expect(given).toBeGreaterThanOrEqual(least)
        expect(given).toBeLessThanOrEqual(least + between)
      }),
      { numRuns: 6 },
    )
  })

  test(`${name}: an item that waits for its worker after a restore waits longer by the length of an outage`, async () => {
    let now = START_MS
    await using opened = await open(() => now)
    const { store } = opened
    const id = await working(store, { lease_token: "a", lease_ms: 1000, lease_expires_at: START_MS + 1000 })
    await store.change(id, handedOver)
    // It waits in the backup, and a worker has claimed it since.
    const kept = await added(store)
    await store.change(kept, keptFor({ token: "k", startedAt: new Date(START_MS).toISOString() }))
    // A worker that has failed is not waited for.
    const retried = await working(store, { lease_token: "c", verdict: "fail" })
    const until = new Date(START_MS + 60_000).toISOString()
    await store.change(retried, ({ item, work }, { time }) => ({
      item: { ...transition(item, { status: "retrying" }, time), available_at: until },
      work,
    }))
    // A person has said when this one may start; that its lease was revoked before is still known.
    const later = await working(store, { lease_token: `${REVOKED}d` })
    const wanted = new Date(START_MS + 500_000).toISOString()
    await store.change(later, ({ item, work }, { time }) => ({
      item: { ...transition(item, { status: "queued" }, time), available_at: wanted },
      work,
    }))
    // So it did for this one, whose lease ran out before.
    const taken = await working(store, { lease_token: "e", lease_ms: 1000, lease_expires_at: START_MS })
    await store.change(taken, (stored, moment) => rescued(stored, 5, moment))
    await store.change(taken, (stored, moment) => changed(stored, { available_in: 500 }, moment))
    store.outages.begin(START_MS)
    now += 50_000
    expect(await store.claim([], taking("b"))).toBeNull()
    for (const one of [id, kept])
      expect((await store.item(one)).available_at).toBe(new Date(START_MS + 110_000).toISOString())
    for (const one of [later, taken]) expect((await store.item(one)).available_at).toBe(wanted)
    now += 59_999
    expect(await idOf(store.claim([], taking("b")))).toBe(retried)
    expect(await store.claim([], taking("b"))).toBeNull()
    now += 1
    expect(await idOf(store.claim([], taking("b")))).toBe(id)
    // The other one may be claimed by now, so a later outage delays it no more.
    store.outages.begin(now)
    now += 10_000
    await store.alive()
    expect((await store.item(kept)).available_at).toBe(new Date(START_MS + 110_000).toISOString())
  })
}
