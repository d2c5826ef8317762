import { expect, test } from "bun:test"

import fc from "fast-check"

import { AppError } from "../../src/errors.ts"
import type { Draft, QueueItem } from "../../src/item/item.ts"
import { transition } from "../../src/item/moves.ts"
import { type Change, IDLE, type Stored, type Work } from "../../src/item/stored.ts"
import type { Decide } from "../../src/store/contract/items.ts"
import type { Store } from "../../src/store/contract/store.ts"
import { added, codeOf, type Open, put, START_MS, uncommon } from "./store.contract.ts"

const REFUSAL = new AppError("lease_lost", "refused by the test")
const LEASE_MS = 60_000

/** What a worker's claim decides, with a lease that runs out at `expiresAt`. */
export const taking =
  (worker: string, expiresAt = START_MS + LEASE_MS): Decide =>
  ({ item, work }, { time }) => ({
    item: { ...transition(item, { status: "processing" }, time), worker },
    work: {
      ...work,
      lease_token: worker,
      lease_ms: LEASE_MS,
      lease_expires_at: expiresAt,
      moved_at: expiresAt - LEASE_MS,
    },
  })

/** Takes an item back. */
export const takingBack: Decide = ({ item, work }, { time }) => ({
  item: transition(item, { status: "retrying" }, time),
  work: { ...IDLE, rescues: work.rescues + 1 },
})

const refusing: Decide = () => {
  throw REFUSAL
}

export const idOf = async (claimed: Promise<Change | null>): Promise<number | undefined> =>
  (await claimed)?.item.id

/** Adds an item that is being rendered, with this stored beside it. */
export async function working(
  store: Store,
  work: Partial<Work> = {},
  given: Partial<Draft> = {},
): Promise<number> {
  const id = await added(store, given)
  await store.change(id, ({ item }, { time }) => ({
    item: { ...transition(item, { status: "processing" }, time), stalled: given.stalled ?? false },
    work: { ...IDLE, ...work },
  }))
  return id
}

/** What is stored of an item and beside it. */
export async function storedOf(store: Store, id: number): Promise<Stored> {
  let found: Stored | undefined
  await store.change(id, (stored): Change => {
    found = stored
    return { ...stored, quiet: true }
  })
  if (!found) throw new Error("nothing was decided")
  return found
}

/** What every Store promises about claims, sweeps and the last sign of life. */
export function storeWork(name: string, open: Open): void {
  test(`${name}: a claim takes the first in the queue's order, and stores what was decided with one update`, async () => {
    await using opened = await open()
    const { store } = opened
    const [low, first, second] = [
      await added(store, { priority: -1 }),
      await added(store, { priority: 3 }),
      await added(store, { priority: 3 }),
    ]
    expect((await store.nextWaiting())?.id).toBe(first)
    const head = await store.head()
    const claimed = await store.claim([], taking("a"))
    expect(claimed?.item).toMatchObject({ id: first, status: "processing", worker: "a", attempt: 1 })
    expect(await store.item(first)).toEqual(claimed?.item as QueueItem)
    expect(await store.head()).toBe(head + 1)
    expect(await idOf(store.claim([], taking("b")))).toBe(second)
    expect(await idOf(store.claim([], taking("c")))).toBe(low)
    expect(await store.claim([], taking("d"))).toBeNull()
    expect(await store.nextWaiting()).toBeNull()
    expect(await store.head()).toBe(head + 3)
  })

  test(`${name}: claims of one tick take different items`, async () => {
    await using opened = await open()
    const { store } = opened
    const ids: number[] = []
    for (let i = 0; i < 50; i += 1) ids.push(await added(store))
    const claims = Array.from({ length: 60 }, (_, i) => idOf(store.claim([], taking(`w${i}`))))
    const taken = await Promise.all(claims)
    expect(taken.filter((id) => id !== undefined)).toEqual(ids)
    for (const [i, id] of ids.entries()) expect((await store.item(id)).worker).toBe(`w${i}`)
  })

  test(`${name}: a claim gets only what needs no more than its tags`, async () => {
    await using opened = await open()
    const { store } = opened
    const both = await added(store, { priority: 2, tags: ["gpu", "4k"] })
    const one = await added(store, { priority: 1, tags: ["gpu"] })
    const none = await added(store)
    expect((await store.nextWaiting())?.id).toBe(both)
    expect((await store.nextWaiting(["4k", "gpu"]))?.id).toBe(both)
    expect((await store.nextWaiting(["gpu"]))?.id).toBe(one)
    expect((await store.nextWaiting([]))?.id).toBe(none)
    expect(await idOf(store.claim(["4k", "cpu"], taking("a")))).toBe(none)
    expect(await idOf(store.claim([], taking("a")))).toBeUndefined()
    expect(await idOf(store.claim(["cpu", "gpu"], taking("a")))).toBe(one)
    expect(await idOf(store.claim(["gpu", "4k", "cpu"], taking("a")))).toBe(both)
    // As many and as long as they may be, of characters that do not repeat.
    const most = Array.from({ length: 32 }, (_, tag) => uncommon(`${tag}`, 64))
    const long = await added(store, { tags: most })
    expect(await idOf(store.claim(most.slice(1), taking("a")))).toBeUndefined()
    expect((await store.nextWaiting(most))?.id).toBe(long)
    expect(await idOf(store.claim(most, taking("a")))).toBe(long)
  })

  test(`${name}: a claim takes the first item whose tags are all among its own, whatever the others need`, async () => {
    await using opened = await open()
    const { store } = opened
    const tags: fc.Arbitrary<string[]> = fc.uniqueArray(
      fc.constantFrom("a", "ab", "b", "B", "c", "ü", "😀", "\u{ffff}"),
      {
        maxLength: 4,
      },
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ tags, priority: fc.integer({ min: 0, max: 3 }) }), { maxLength: 12 }),
        fc.array(tags, { maxLength: 8 }),
        async (waiting, workers) => {
          const items: { id: number; tags: string[]; priority: number }[] = []
          for (const given of waiting) items.push({ id: await added(store, given), ...given })
          for (const own of workers) {
            const fitting = items.filter((item) => item.tags.every((tag) => own.includes(tag)))
            const first = fitting.toSorted((a, b) => b.priority - a.priority || a.id - b.id)[0]
            expect((await store.nextWaiting(own))?.id).toBe(first?.id)
            expect(await idOf(store.claim(own, taking("a")))).toBe(first?.id)
            if (first) items.splice(items.indexOf(first), 1)
          }
          for (const { id } of items) await put(store, id, { status: "failed" })
        },
      ),
      { numRuns: 60 },
    )
  })

  test(`${name}: a jump of the machine's clock delays no item that waits for a later time, and brings none forward`, async () => {
    let [now, steadyMs] = [START_MS, START_MS]
    await using opened = await open(
      () => now,
      () => steadyMs,
    )
    const { store } = opened
    const available_at = new Date(START_MS + 1000).toISOString()
    const id = await added(store, { available_at })
    const retried = await working(store)
    await store.change(retried, ({ item, work }, { time }) => ({
      item: { ...transition(item, { status: "retrying" }, time), available_at },
      work,
    }))
    for (const jumpedMs of [86_400_000, -86_400_000]) {
      now = START_MS + jumpedMs
      steadyMs = START_MS + 999
      // Nor does a change of something else.
      await put(store, id, { title: `after a jump of ${jumpedMs} ms` })
      expect([await store.nextWaiting([]), await store.claim([], taking("a"))]).toEqual([null, null])
    }
    steadyMs = START_MS + 1000
    expect((await store.nextWaiting([]))?.id).toBe(id)
    expect(await idOf(store.claim([], taking("a")))).toBe(id)
    expect(await idOf(store.claim([], taking("a")))).toBe(retried)
    expect((await store.item(id)).title).toBe("after a jump of -86400000 ms")
  })

  test(`${name}: a claim takes no item whose next attempt is not due yet`, async () => {
    let now = START_MS
    await using opened = await open(() => now)
    const { store } = opened
    const id = await working(store)
    const available_at = new Date(START_MS + 1000).toISOString()
    await store.change(id, (stored, { time }) => ({
      item: { ...transition(stored.item, { status: "retrying" }, time), available_at },
      work: { ...IDLE, rescues: 2 },
    }))
    now = START_MS + 999
    expect(await store.claim([], taking("a"))).toBeNull()
    expect(await store.nextWaiting()).toBeNull()
    now = START_MS + 1000
    expect((await store.nextWaiting())?.id).toBe(id)
    let beside: Work | undefined
    await store.claim([], (stored, moment) => {
      beside = stored.work
      return taking("a")(stored, moment)
    })
    expect(beside).toEqual({ ...IDLE, rescues: 2 })
  })

  test(`${name}: a claim never takes an item that is being rendered, finished or deleted`, async () => {
    await using opened = await open()
    const { store } = opened
    await working(store)
    const finished = await working(store)
    await put(store, finished, { status: "completed" })
    const deleted = await added(store)
    await store.change(deleted, ({ item, work }) => ({
      item: { ...item, status: "failed", outcome: "cancelled" },
      work,
      deleted: true,
    }))
    expect(await store.claim([], taking("a"))).toBeNull()
  })

  test(`${name}: a claim that is refused changes nothing, and those beside it go on`, async () => {
    await using opened = await open()
    const { store } = opened
    const id = await added(store)
    const [refused, taken, none] = await Promise.all([
      codeOf(store.claim([], refusing)),
      idOf(store.claim([], taking("b"))),
      store.claim([], taking("c")),
    ])
    expect([refused, taken, none]).toEqual(["lease_lost", id, null])
    expect(await store.head()).toBe(2)
  })

  test(`${name}: everything beside an item is stored, each alone, with an update and without`, async () => {
    await using opened = await open()
    const { store } = opened
    const full: Work = {
      lease_holder: 7,
      lease_token: "t",
      verdict: "fail",
      lease_ms: 1,
      lease_expires_at: START_MS + 2,
      rescues: 3,
      done: 4.25,
      rate: 0.0625,
      attempt_at: START_MS + 5,
      moved_at: START_MS + 6,
      is_set_back: true,
      has_inner: true,
      steps_begun: 2,
      course: null,
    }
    const id = await working(store, full)
    // A sweep reads what is stored, and not what is kept in memory.
    const swept = async (): Promise<Work | undefined> => {
      let found: Work | undefined
      await store.sweep({ due: "lease", by: Number.MAX_SAFE_INTEGER }, (stored) => {
        found = stored.work
        return { ...stored, quiet: true }
      })
      return found
    }
    expect(await swept()).toEqual(full)
    expect(await store.stored(id)).toEqual({ item: await store.item(id), work: full })
    const others: Omit<Work, "course"> = {
      lease_holder: 8,
      lease_token: "u",
      verdict: "release",
      lease_ms: 2,
      lease_expires_at: START_MS + 3,
      rescues: 4,
      done: 4.5,
      rate: 0.125,
      attempt_at: START_MS + 6,
      moved_at: START_MS + 7,
      is_set_back: false,
      has_inner: false,
      steps_begun: 3,
    }
    let last = full
    for (const [key, value] of Object.entries(others)) {
      const next = { ...last, [key]: value }
      await store.change(id, ({ item }) => ({ item, work: next }))
      expect(await swept()).toEqual(next)
      last = next
    }
    const head = await store.head()
    const renewed = {
      ...last,
      lease_expires_at: START_MS + 9,
      done: 5,
      rate: 1,
      moved_at: START_MS + 8,
    }
    await store.change(id, ({ item }) => ({ item, work: renewed, quiet: true }))
    expect(await swept()).toEqual(renewed)
    expect(await store.head()).toBe(head)
    expect((await storedOf(store, id)).work).toEqual(renewed)
  })

  test(`${name}: a sweep changes the leases that ran out, and no others, with one update each`, async () => {
    await using opened = await open()
    const { store } = opened
    const ids: number[] = []
    for (const expiresAt of [99, 100, 101, 200, 201])
      ids.push(await working(store, { lease_expires_at: expiresAt }))
    await working(store)
    const waiting = await added(store)
    await store.change(waiting, ({ item }) => ({
      item,
      work: { ...IDLE, lease_expires_at: 150 },
      quiet: true,
    }))
    const head = await store.head()
    expect(await store.sweep({ due: "lease", by: 100 }, takingBack)).toBe(2)
    const statuses = await Promise.all(ids.map(async (id) => (await store.item(id)).status))
    expect(statuses).toEqual(["retrying", "retrying", "processing", "processing", "processing"])
    expect(await store.head()).toBe(head + 2)
    expect(await store.sweep({ due: "lease", by: 100 }, takingBack)).toBe(0)
    expect(await store.sweep({ due: "lease", by: 200 }, takingBack)).toBe(2)
    expect((await store.item(ids[4] ?? 0)).status).toBe("processing")
    expect(await store.head()).toBe(head + 4)
  })

  test(`${name}: a sweep finds items that stand still and are not yet marked as stalled`, async () => {
    await using opened = await open()
    const { store } = opened
    const still = await working(store, { moved_at: 100 })
    const moving = await working(store, { moved_at: 101 })
    await working(store, { moved_at: 50 }, { stalled: true })
    const calling: Decide = ({ item, work }) => ({ item: { ...item, stalled: true }, work })
    expect(await store.sweep({ due: "stall", by: 100 }, calling)).toBe(1)
    expect([(await store.item(still)).stalled, (await store.item(moving)).stalled]).toEqual([true, false])
    expect(await store.sweep({ due: "stall", by: 100 }, calling)).toBe(0)
  })

  test(`${name}: a sweep takes at most 100 at a time, and goes on where it was`, async () => {
    await using opened = await open()
    const { store } = opened
    await Promise.all(Array.from({ length: 230 }, () => working(store, { lease_expires_at: 1 })))
    const counts: number[] = []
    for (let i = 0; i < 4; i += 1) counts.push(await store.sweep({ due: "lease", by: 1 }, takingBack))
    expect(counts).toEqual([100, 100, 30, 0])
  })

  test(`${name}: a sweep in which one decision is refused changes nothing, and its other changes are never visible`, async () => {
    await using opened = await open()
    const { store } = opened
    const first = await working(store, { lease_expires_at: 1 })
    const second = await working(store, { lease_expires_at: 1 })
    const head = await store.head()
    const picky: Decide = (stored, moment) =>
      stored.item.id === second ? refusing(stored, moment) : takingBack(stored, moment)
    const [refused, changed] = await Promise.all([
      codeOf(store.sweep({ due: "lease", by: 1 }, picky)),
      put(store, first, { message: "of the same tick" }),
    ])
    expect([refused, changed.status]).toEqual(["lease_lost", "processing"])
    expect((await store.item(first)).status).toBe("processing")
    expect(await store.head()).toBe(head + 1)
  })

  test(`${name}: the store knows whether any lease is held`, async () => {
    await using opened = await open()
    const { store } = opened
    await working(store)
    expect(await store.isAnyLeased()).toBeFalse()
    const id = await working(store, { lease_expires_at: 1 })
    expect(await store.isAnyLeased()).toBeTrue()
    await put(store, id, { status: "completed" })
    expect(await store.isAnyLeased()).toBeFalse()
  })

  test(`${name}: an item that was deleted is distinguished from one that never existed`, async () => {
    await using opened = await open()
    const { store } = opened
    const id = await added(store)
    expect(await store.wasDeleted(id)).toBeFalse()
    await store.change(id, ({ item, work }) => ({
      item,
      work: { ...work, lease_token: "last" },
      deleted: true,
    }))
    expect(await store.wasDeleted(id)).toBeTrue()
    expect([await store.wasDeleted(id, "last"), await store.wasDeleted(id, "other")]).toEqual([true, false])
    expect(await store.wasDeleted(id + 1)).toBeFalse()
  })
}
