import { expect, test } from "bun:test"

import type { QueueItem } from "../../src/item/item.ts"
import type { Store } from "../../src/store/contract/store.ts"
import { added, type Open, put, START_MS } from "./store.contract.ts"

const NOBODY = { completed: 0, failed: 0, cancelled: 0, lost: 0 }
const NOTHING = { ...NOBODY, shortestMs: null, longestMs: null, meanMs: null }

/** Ends an item that is processing with an outcome. */
const end = (store: Store, id: number, outcome: QueueItem["outcome"]) =>
  store.change(id, ({ item, work }, { time }) => ({
    item: {
      ...item,
      status: outcome === "completed" ? "completed" : "failed",
      outcome,
      completed_at: time,
      updated_at: time,
    },
    work,
  }))

const found = async (store: Store, search: string, limit = 100): Promise<number[]> => {
  const ids: number[] = []
  let after: string | undefined
  do {
    const { items, next } = await store.list({ search, limit, after })
    ids.push(...items.map(({ id }) => id))
    after = next ?? undefined
  } while (after !== undefined)
  return ids
}

/** What every Store promises about the queue as a whole. */
export function storeFigures(name: string, open: Open): void {
  test(`${name}: every item counts once, by its outcome or else its status, and a deleted one does not`, async () => {
    await using opened = await open()
    const { store } = opened
    expect(await store.figures.standing()).toEqual({ queued: 0, processing: 0, retrying: 0, ...NOBODY })
    const ids = await Promise.all(Array.from({ length: 7 }, () => added(store)))
    const [completed = 0, failed = 0, lost = 0, retrying = 0, processing = 0, cancelled = 0] = ids
    for (const id of [completed, failed, lost, retrying, processing])
      await put(store, id, { status: "processing" })
    await end(store, completed, "completed")
    await end(store, failed, "failed")
    await end(store, lost, "lost")
    await put(store, retrying, { status: "retrying" })
    await end(store, cancelled, "cancelled")
    const all = { queued: 1, processing: 1, retrying: 1, completed: 1, failed: 1, cancelled: 1, lost: 1 }
    expect(await store.figures.standing()).toEqual(all)
    await store.change(lost, ({ item, work }) => ({ item, work, deleted: true }))
    await put(store, processing, { progress: 50 })
    await put(store, processing, { status: "completed" })
    expect(await store.figures.standing()).toEqual({ ...all, processing: 0, completed: 2, lost: 0 })
  })

  test(`${name}: finished items are counted from a moment on, and completed renders say how long they took`, async () => {
    let now = START_MS
    await using opened = await open(() => now)
    const { store } = opened
    expect(await store.figures.finished(0)).toEqual(NOTHING)
    for (const [tookMs, outcome] of [
      [4000, "completed"],
      [1000, "completed"],
      [10_000, "completed"],
      [90_000, "failed"],
    ] as const) {
      const id = await added(store)
      await put(store, id, { status: "processing" })
      now += tookMs
      await end(store, id, outcome)
    }
    await end(store, await added(store), "cancelled")
    expect(await store.figures.finished(START_MS)).toEqual({
      ...{ completed: 3, failed: 1, cancelled: 1, lost: 0 },
      ...{ shortestMs: 1000, longestMs: 10_000, meanMs: 5000 },
    })
    expect(await store.figures.finished(START_MS + 5000)).toMatchObject({ completed: 2, meanMs: 5500 })
    expect(await store.figures.finished(START_MS + 5001)).toMatchObject({ completed: 1, failed: 1 })
    expect(await store.figures.finished(now + 1)).toEqual(NOTHING)
  })

  test(`${name}: a song counts once, however often it is in the queue`, async () => {
    await using opened = await open()
    const { store } = opened
    expect(await store.figures.songs()).toBe(0)
    for (const song_id of [7, 9, 7, 2 ** 53 - 1, 9]) await added(store, { song_id })
    expect(await store.figures.songs()).toBe(3)
  })

  test(`${name}: the oldest waiting item is the first of a priority, and only held leases are counted`, async () => {
    let now = START_MS
    await using opened = await open(() => now)
    const { store } = opened
    expect([await store.figures.oldestWaiting(), await store.figures.leases()]).toEqual([null, 0])
    const first = await added(store, { queued_at: new Date(now).toISOString() })
    const others: number[] = []
    for (const priority of [5, 0, -5, 0]) {
      now += 1000
      others.push(await added(store, { priority, queued_at: new Date(now).toISOString() }))
    }
    const at = (ms: number): string => new Date(START_MS + ms).toISOString()
    expect(await store.figures.oldestWaiting()).toBe(at(0))
    await put(store, first, { status: "processing" })
    expect(await store.figures.oldestWaiting()).toBe(at(1000))
    await store.claim([], ({ item, work }) => ({
      item: { ...item, status: "processing" },
      work: { ...work, lease_token: "t", lease_expires_at: now + 1000 },
    }))
    // An item that a person set to processing has no lease.
    expect([await store.figures.oldestWaiting(), await store.figures.leases()]).toEqual([at(2000), 1])
    const [, second = 0, third = 0, last = 0] = others
    await store.place(last, second, ({ item, work }, before) => ({
      item: { ...item, turn: (before.turn ?? before.id) - 0.5 },
      work,
    }))
    expect(await store.figures.oldestWaiting()).toBe(at(3000))
    // An item waits since it came back into the queue.
    await store.change(third, ({ item, work }) => ({ item: { ...item, requeued_at: at(9000) }, work }))
    expect(await store.figures.oldestWaiting()).toBe(at(4000))
  })

  test(`${name}: while the queue is paused nothing is claimable, and pausing twice is pausing once`, async () => {
    let now = START_MS
    await using opened = await open(() => now)
    const { store } = opened
    await added(store)
    expect(await store.pausedAt()).toBeNull()
    const since = new Date(START_MS).toISOString()
    expect(await store.pause()).toBe(since)
    now += 1000
    expect(await store.pause()).toBe(since)
    expect(await store.pausedAt()).toBe(since)
    expect(await store.nextWaiting()).toBeNull()
    expect(await store.claim([], (stored) => stored)).toBeNull()
    await store.resume()
    expect(await store.pausedAt()).toBeNull()
    expect((await store.nextWaiting())?.id).toBe(1)
  })

  test(`${name}: a search finds every item that has all the words, in any case, wherever they stand`, async () => {
    await using opened = await open()
    const { store } = opened
    await added(store, { title: "Northern Lights", song_id: 77 })
    await added(store, { title: "Über den Wolken", worker: "render-1" })
    await added(store, { metadata: { album: "LIGHTS_on%" }, tags: ["GPU-4k"], priority: 5 })
    await added(store, { error_message: "out of disk" })
    expect(await found(store, "")).toEqual([3, 1, 2, 4])
    expect(await found(store, "lights")).toEqual([3, 1])
    expect(await found(store, "NORTH lights")).toEqual([1])
    expect(await found(store, "über")).toEqual([2])
    expect(await found(store, "ÜBER render-1")).toEqual([2])
    expect(await found(store, "disk")).toEqual([4])
    expect(await found(store, "gpu-4k")).toEqual([3])
    expect(await found(store, "77")).toEqual([1])
    expect(await found(store, "#2")).toEqual([2])
    expect(await found(store, "s_on%")).toEqual([3])
    expect(await found(store, "lights\\")).toEqual([])
    expect(await found(store, "nothing of that")).toEqual([])
  })

  test(`${name}: a search goes through a long queue page by page, and finds each item once`, async () => {
    await using opened = await open()
    const { store } = opened
    const wanted = new Set([3, 1999, 2000, 2001, 2002, 4000, 4001, 4500])
    await Promise.all(
      Array.from({ length: 4500 }, (_, i) => added(store, { title: wanted.has(i + 1) ? "Wanted" : "Other" })),
    )
    for (const limit of [1, 3, 8, 100]) expect(await found(store, "wanted", limit)).toEqual([...wanted])
    const { items, next } = await store.list({ search: "other", limit: 2500 })
    expect([items.length, next === null]).toEqual([2500, false])
  }, 30_000)
}
