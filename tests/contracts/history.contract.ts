import { expect, test } from "bun:test"

import type { Status } from "../../src/item/item.ts"
import type { StoredUpdate } from "../../src/item/stored.ts"
import type { Store } from "../../src/store/contract/store.ts"
import { added, codeOf, draft, type Open, put, START_MS } from "./store.contract.ts"

/** A page has about this many bytes of updates, whatever its limit of rows is. */
const PAGE_BYTES = 256 * 1024

const ids = (updates: readonly StoredUpdate[]): number[] => updates.map(({ id }) => id)
const from1 = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)
const sizeOf = (updates: readonly StoredUpdate[]): number =>
  updates.reduce((sum, { data }) => sum + data.length, 0)

/** Ten updates: the odd event IDs belong to item 1, the even ones to item 2. */
async function tenUpdates(store: Store): Promise<void> {
  await added(store)
  await added(store)
  for (let i = 2; i < 10; i += 1) await put(store, (i % 2) + 1, { message: `update ${i + 1}` })
}

/** An item that was brought to a state by legal moves. */
async function inState(store: Store, status: Status, priority = 0): Promise<number> {
  const id = await added(store, { priority })
  const way: Readonly<Record<Status, readonly Status[]>> = {
    queued: [],
    processing: ["processing"],
    completed: ["processing", "completed"],
    failed: ["failed"],
    retrying: ["processing", "retrying"],
  }
  for (const step of way[status]) await put(store, id, { status: step })
  return id
}

/** What every Store promises about reading. */
export function storeReads(name: string, open: Open): void {
  test(`${name}: an empty history has head 0 and begins after it`, async () => {
    await using opened = await open()
    const { store } = opened
    expect(await store.head()).toBe(0)
    expect(await store.bounds()).toEqual({ oldest: 1, newest: 0, lost: [], stored: 0 })
    expect(await store.page({ after: 0, limit: 10 })).toEqual({ updates: [], more: false })
    expect(await store.latest({ of: "open" })).toEqual({ ids: [], head: 0 })
    expect(await store.latest({ of: "changed", after: 0 })).toEqual({ ids: [], head: 0 })
    expect(await store.updates([])).toEqual({ updates: [], more: false })
    expect(await store.updates([5])).toEqual({ updates: [], more: false })
    expect(await store.nextWaiting()).toBeNull()
    expect(await store.list({ limit: 10 })).toEqual({ items: [], next: null, slices: 0 })
    expect(await store.items()).toBe(0)
  })

  test(`${name}: a page holds the updates after an event ID, ascending, of all items or of one`, async () => {
    await using opened = await open()
    const { store } = opened
    await tenUpdates(store)
    expect(ids((await store.page({ after: 0, limit: 100 })).updates)).toEqual(from1(10))
    expect(ids((await store.page({ after: 7, limit: 100 })).updates)).toEqual([8, 9, 10])
    expect(ids((await store.page({ after: 4, queueId: 1, limit: 100 })).updates)).toEqual([5, 7, 9])
    expect(ids((await store.page({ after: 4, queueId: 99, limit: 100 })).updates)).toEqual([])
    expect(await store.page({ after: 10, limit: 100 })).toEqual({ updates: [], more: false })
    expect(await store.page({ after: 99, limit: 100 })).toEqual({ updates: [], more: false })
    expect(await store.bounds()).toEqual({ oldest: 1, newest: 10, lost: [], stored: 10 })
  })

  test(`${name}: pages of any size give every update once`, async () => {
    await using opened = await open()
    const { store } = opened
    const id = await added(store)
    await Promise.all(from1(299).map(() => put(store, id, {})))
    for (const limit of [1, 7, 63, 64, 65, 128, 299, 300, 301]) {
      const found: number[] = []
      for (let more = true; more;) {
        const page = await store.page({ after: found.at(-1) ?? 0, limit })
        expect(page.updates.length).toBeLessThanOrEqual(limit)
        if (page.more) expect(page.updates.length).toBeGreaterThan(0)
        found.push(...ids(page.updates))
        more = page.more
      }
      expect(found).toEqual(from1(300))
    }
  })

  test(`${name}: a page of long updates is cut by bytes, and the next one goes on`, async () => {
    await using opened = await open()
    const { store } = opened
    const message = "x".repeat(16_000)
    const id = await added(store)
    await Promise.all(from1(99).map(() => put(store, id, { message })))
    let after = 0
    let seen = 0
    for (let more = true; more;) {
      const page = await store.page({ after, queueId: id, limit: 1000 })
      expect(sizeOf(page.updates)).toBeLessThan(PAGE_BYTES + 17_000)
      expect(page.updates.length).toBeGreaterThan(0)
      if (page.more) expect(sizeOf(page.updates)).toBeGreaterThan(PAGE_BYTES / 2)
      seen += page.updates.length
      after = page.updates.at(-1)?.id ?? 0
      more = page.more
    }
    expect(seen).toBe(100)
    // An update that alone is longer does not stand in the way of those after it.
    await put(store, id, { message: "x".repeat(PAGE_BYTES) })
    expect(ids((await store.page({ after, queueId: id, limit: 1000 })).updates)).toEqual([101])
  })

  test(`${name}: updates by event IDs come ascending, without those that do not exist, cut by bytes`, async () => {
    await using opened = await open()
    const { store } = opened
    await tenUpdates(store)
    expect(ids((await store.updates([9, 2, 77, 4])).updates)).toEqual([2, 4, 9])
    const message = "x".repeat(16_000)
    await Promise.all(from1(90).map(() => put(store, 1, { message })))
    const wanted = from1(100)
    const page = await store.updates(wanted)
    expect(page.more).toBe(true)
    expect(sizeOf(page.updates)).toBeLessThan(PAGE_BYTES + 17_000)
    expect(ids(page.updates)).toEqual(from1(page.updates.length))
  })

  test(`${name}: latest names the last update of every open item, and the head, of one moment`, async () => {
    await using opened = await open()
    const { store } = opened
    const states: Status[] = ["queued", "processing", "completed", "failed", "retrying"]
    for (const status of states) await inState(store, status)
    await put(store, 1, { message: "changed last" })
    const head = await store.head()
    const open_ = await store.latest({ of: "open" })
    expect(open_).toEqual({ ids: [3, 11, head], head })
    const { updates } = await store.updates(open_.ids)
    expect(updates.map(({ status }) => status)).toEqual(["processing", "retrying", "queued"])
  })

  test(`${name}: latest of what has changed has finished and deleted items too`, async () => {
    await using opened = await open()
    const { store } = opened
    const [quiet, done, gone] = [await added(store), await added(store), await added(store)]
    await put(store, done, { status: "failed" })
    await store.change(gone, ({ item, work }) => ({
      item: { ...item, status: "failed" },
      work,
      deleted: true,
    }))
    expect(await store.latest({ of: "changed", after: 3 })).toEqual({ ids: [4, 5], head: 5 })
    expect(await store.latest({ of: "changed", after: 0 })).toEqual({ ids: [1, 4, 5], head: 5 })
    expect(await store.latest({ of: "changed", after: 3, queueId: gone })).toEqual({ ids: [5], head: 5 })
    expect(await store.latest({ of: "changed", after: 3, queueId: quiet })).toEqual({ ids: [], head: 5 })
    expect(await store.latest({ of: "changed", after: 5 })).toEqual({ ids: [], head: 5 })
  })

  test(`${name}: the latest update of one item comes with the newest event ID of all`, async () => {
    await using opened = await open()
    const { store } = opened
    await tenUpdates(store)
    const { update, head } = await store.latestOfItem(1)
    expect({ id: update.id, head }).toEqual({ id: 9, head: 10 })
    expect(JSON.parse(update.data)).toMatchObject({ queue_id: 1, message: "update 9" })
  })

  test(`${name}: updates are counted in a range, of all items or of one`, async () => {
    await using opened = await open()
    const { store } = opened
    await tenUpdates(store)
    expect(await store.count(0, 10)).toBe(10)
    expect(await store.count(3, 8)).toBe(5)
    expect(await store.count(3, 8, 2)).toBe(3)
    expect(await store.count(10, 10)).toBe(0)
    expect(await store.count(0, 10, 99)).toBe(0)
  })

  test(`${name}: the queue lists what is processing, what waits by priority and age, then the finished`, async () => {
    let now = START_MS
    await using opened = await open(() => (now += 1000))
    const { store } = opened
    const low = await inState(store, "queued", -1)
    const done = await inState(store, "completed", 9)
    const old = await inState(store, "queued")
    const failed = await inState(store, "failed")
    const busy = await inState(store, "processing", -9)
    const high = await inState(store, "queued", 5)
    const again = await inState(store, "retrying")
    const busyToo = await inState(store, "processing", 9)
    const order = [busy, busyToo, high, old, again, low, failed, done]
    expect((await store.list({ limit: 100 })).items.map(({ id }) => id)).toEqual(order)
    for (const limit of [1, 2, 3, 7, 8]) {
      const found: number[] = []
      for (let after: string | undefined, more = true; more;) {
        const page = await store.list({ limit, after })
        expect(page.items.length).toBeLessThanOrEqual(limit)
        found.push(...page.items.map(({ id }) => id))
        more = page.next !== null
        after = page.next ?? undefined
      }
      expect(found).toEqual(order)
    }
    expect((await store.nextWaiting())?.id).toBe(high)
    // A place is one of the whole queue, also where a list of one status goes on.
    const { items } = await store.list({ limit: 100 })
    for (const [at, { status }] of items.entries()) {
      const after = at === 0 ? undefined : ((await store.list({ limit: at })).next ?? undefined)
      const wanted = items.slice(at).filter((item) => item.status === status)
      expect((await store.list({ status, after, limit: 100 })).items).toEqual(wanted)
    }
    const [first, last] = [(await store.list({ limit: 1 })).next, (await store.list({ limit: 7 })).next]
    const queued = async (after: string | null): Promise<number[]> =>
      (await store.list({ status: "queued", after: after ?? "", limit: 9 })).items.map(({ id }) => id)
    expect([await queued(first), await queued(last)]).toEqual([[high, old, low], []])
  })

  test(`${name}: the list can be of one state or one song`, async () => {
    await using opened = await open()
    const { store } = opened
    const [a, b, c] = [
      await added(store, { song_id: 1 }),
      await added(store, { song_id: 2 }),
      await added(store, { song_id: 1 }),
    ]
    await put(store, c, { status: "processing" })
    expect((await store.list({ songId: 1, limit: 9 })).items.map(({ id }) => id)).toEqual([c, a])
    expect((await store.list({ status: "queued", limit: 9 })).items.map(({ id }) => id)).toEqual([a, b])
    expect((await store.list({ status: "queued", songId: 2, limit: 9 })).items.map(({ id }) => id)).toEqual([
      b,
    ])
    expect(await store.list({ status: "failed", limit: 9 })).toMatchObject({ items: [], next: null })
  })

  test(`${name}: a place in the list that no page gave is invalid`, async () => {
    await using opened = await open()
    for (const after of ["", "x", "1.2", "3.0.1", "1.0.1; DROP TABLE", "1.1e3.4", "99999999999999999.1.1"]) {
      expect(await codeOf(opened.store.list({ limit: 1, after }))).toBe("invalid")
    }
  })

  test(`${name}: an item that waits for a later time is not next before that time`, async () => {
    let now = START_MS
    await using opened = await open(() => now)
    const { store } = opened
    const later = await added(store, { priority: 9, available_at: new Date(now + 1000).toISOString() })
    const { item } = await store.add(() => draft())
    expect((await store.nextWaiting())?.id).toBe(item.id)
    now += 1000
    expect((await store.nextWaiting())?.id).toBe(later)
  })
}
