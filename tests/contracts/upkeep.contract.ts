import { expect, test } from "bun:test"

import fc from "fast-check"

import type { Status } from "../../src/item/item.ts"
import { MOVES } from "../../src/item/moves.ts"
import type { Store } from "../../src/store/contract/store.ts"
import { type Ended, ITEMS_A_CALL, type Thinning } from "../../src/store/contract/upkeep.ts"
import { added, draft, type Open, put, START_MS } from "./store.contract.ts"

const DAY_MS = 86_400_000
/** Items that ended up to this many milliseconds after the start, whatever was changed last. */
const until = (ms: number): Ended => ({ fromMs: 0, toMs: START_MS + ms, upTo: Number.MAX_SAFE_INTEGER })

/** Everything that is finished and older than now may be removed. */
const ALL: Thinning = {
  finished: [until(1000 * DAY_MS)],
  perItem: 0,
  upTo: Number.MAX_SAFE_INTEGER,
  keepCompleted: 0,
  limit: 1000,
}

async function thinned(store: Store, more: Partial<Thinning> = {}): Promise<void> {
  while ((await store.upkeep.thin({ ...ALL, ...more })) > 0);
}

/** The statuses of all kept updates of an item, with their event IDs. */
async function kept(store: Store, queueId: number): Promise<(readonly [number, Status])[]> {
  const { updates } = await store.page({ after: 0, queueId, limit: 1000 })
  return updates.map(({ id, status }) => [id, status] as const)
}

/** An item that was rendered with this many reports. */
async function rendered(store: Store, reports: number): Promise<number> {
  const id = await added(store)
  await put(store, id, { status: "processing" })
  for (let i = 1; i <= reports; i += 1) await put(store, id, { progress: Math.min(99, i) })
  await put(store, id, { status: "completed" })
  return id
}

/** What every Store promises about keeping itself small. */
export function storeUpkeep(name: string, open: Open): void {
  test(`${name}: of a finished item the first update, the moves and the last stay, and its stream begins after`, async () => {
    await using opened = await open()
    const { store } = opened
    const id = await rendered(store, 5)
    const other = await added(store)
    const head = await store.head()
    await thinned(store)
    expect(await kept(store, id)).toEqual([
      [1, "queued"],
      [2, "processing"],
      [8, "completed"],
    ])
    expect(await store.bounds()).toEqual({ oldest: 8, newest: head, lost: [], stored: 4 })
    expect(await store.bounds(id)).toEqual({ oldest: 8, newest: head, lost: [], stored: 4 })
    expect(await store.bounds(other)).toEqual({ oldest: 1, newest: head, lost: [], stored: 4 })
    expect(await store.count(0, head)).toBe(4)
    expect(await store.count(0, head, id)).toBe(3)
    expect(await store.count(7, head)).toBe(2)
  })

  test(`${name}: what is removed of older updates later does not bring back those that were removed before`, async () => {
    let nowMs = START_MS + DAY_MS
    await using opened = await open(() => nowMs)
    const { store } = opened
    const first = await rendered(store, 3)
    // By a clock that was set back it ended before.
    nowMs = START_MS
    const second = await rendered(store, 3)
    await thinned(store, { finished: [until(1)] })
    const { oldest } = await store.bounds()
    expect(oldest).toBe((await store.bounds(second)).oldest)
    await thinned(store)
    expect((await store.bounds(first)).oldest).toBeLessThan(oldest)
    expect((await store.bounds()).oldest).toBe(oldest)
  })

  test(`${name}: items that are unfinished, too young, or among the newest completed keep every update`, async () => {
    await using opened = await open()
    const { store } = opened
    const id = await added(store)
    await put(store, id, { status: "processing" })
    for (let i = 1; i <= 5; i += 1) await put(store, id, { progress: i })
    await thinned(store)
    expect(await kept(store, id)).toHaveLength(7)
    await put(store, id, { status: "completed" })
    await thinned(store, { finished: [until(-1)] })
    await thinned(store, { finished: [] })
    await thinned(store, { upTo: 0 })
    await thinned(store, { keepCompleted: 1 })
    expect(await kept(store, id)).toHaveLength(8)
    await rendered(store, 1)
    await thinned(store, { keepCompleted: 1 })
    expect(await kept(store, id)).toHaveLength(3)
  })

  test(`${name}: an item is thinned although many that ended before have nothing to remove`, async () => {
    await using opened = await open()
    const { store } = opened
    await Promise.all(
      Array.from({ length: ITEMS_A_CALL }, async () => put(store, await added(store), { status: "failed" })),
    )
    const id = await rendered(store, 5)
    await thinned(store)
    expect(await kept(store, id)).toHaveLength(3)
  })

  test(`${name}: an item keeps at most so many updates, though it is not finished`, async () => {
    await using opened = await open()
    const { store } = opened
    const id = await added(store)
    await put(store, id, { status: "processing" })
    for (let i = 1; i <= 20; i += 1) await put(store, id, { progress: i })
    await thinned(store, { finished: [], perItem: 10, upTo: 0 })
    expect(await kept(store, id)).toHaveLength(22)
    await thinned(store, { finished: [], perItem: 10, limit: 5 })
    const ids = (await kept(store, id)).map(([each]) => each)
    expect(ids).toEqual([1, 2, 15, 16, 17, 18, 19, 20, 21, 22])
    // A single one is too many, too.
    await put(store, id, { progress: 21 })
    await thinned(store, { finished: [], perItem: 10 })
    expect((await kept(store, id)).map(([each]) => each)).toEqual([1, 2, 16, 17, 18, 19, 20, 21, 22, 23])
  })

  test(`${name}: one call removes no more than it may, updates and output together`, async () => {
    await using opened = await open()
    const { store } = opened
    const id = await added(store)
    await put(store, id, { status: "processing" })
    const pieces = Array.from({ length: 6 }, (_, at) => ({ from: 2 * at, to: 2 * at + 2, text: "a\n" }))
    await store.outputs.append(id, pieces, 1000, ({ item }) => item.attempt)
    for (let i = 1; i <= 5; i += 1) await put(store, id, { progress: i })
    await put(store, id, { status: "completed" })
    const left = async (): Promise<number[]> => [
      (await kept(store, id)).length,
      (await store.outputs.read(id, 1, 0, 100)).pieces.length,
    ]
    expect(await left()).toEqual([8, 6])
    expect(await store.upkeep.thin({ ...ALL, limit: 4 })).toBe(4)
    expect(await left()).toEqual([4, 6])
    expect(await store.upkeep.thin({ ...ALL, limit: 4 })).toBe(4)
    expect(await left()).toEqual([3, 3])
    await thinned(store, { limit: 4 })
    expect(await left()).toEqual([3, 0])
  })

  test(`${name}: updates that a webhook has not examined are not removed`, async () => {
    await using opened = await open()
    const { store } = opened
    await store.deliveries.follow(["https://one.example/hook"])
    const id = await rendered(store, 5)
    await thinned(store)
    expect(await kept(store, id)).toHaveLength(8)
    await store.deliveries.add([], 5)
    await thinned(store)
    expect((await kept(store, id)).map(([each]) => each)).toEqual([1, 2, 6, 7, 8])
    await store.deliveries.add([], 8)
    await thinned(store)
    expect(await kept(store, id)).toHaveLength(3)
  })

  test(`${name}: a deleted item disappears whole after its time, and its number is not given again`, async () => {
    let nowMs = START_MS
    await using opened = await open(() => nowMs)
    const { store } = opened
    const id = await rendered(store, 3)
    const other = await added(store)
    await store.change(id, ({ item, work }) => ({ item, work, deleted: true }))
    const head = await store.head()
    expect(await store.upkeep.purge([until(-1)], 2)).toBe(0)
    expect(await store.upkeep.items()).toEqual({ present: 1, deleted: 1 })
    nowMs += DAY_MS
    while ((await store.upkeep.purge([until(DAY_MS)], 2)) > 0);
    expect(await store.upkeep.items()).toEqual({ present: 1, deleted: 0 })
    expect(await kept(store, id)).toEqual([])
    expect(await kept(store, other)).toHaveLength(1)
    expect(await store.head()).toBe(head)
    expect(await store.bounds()).toEqual({ oldest: head + 1, newest: head, lost: [], stored: 1 })
    expect(await added(store)).toBe(other + 1)
    expect(await store.head()).toBe(head + 1)
  })

  test(`${name}: one call removes no more of deleted items and of repeatable answers than it may`, async () => {
    let nowMs = START_MS
    await using opened = await open(() => nowMs)
    const { store } = opened
    const id = await added(store)
    await put(store, id, { status: "processing" })
    const pieces = Array.from({ length: 6 }, (_, at) => ({ from: 2 * at, to: 2 * at + 2, text: "a\n" }))
    await store.outputs.append(id, pieces, 1000, ({ item }) => item.attempt)
    await store.change(id, ({ item, work }) => ({ item, work, deleted: true }))
    const left = async (): Promise<number[]> => [
      (await kept(store, id)).length,
      (await store.outputs.read(id, 1, 0, 100)).pieces.length,
    ]
    for (const key of ["one", "two", "three"]) await store.add(() => draft(), { key, digest: key })
    nowMs += DAY_MS
    const ofAnswers = { ...until(DAY_MS), upTo: 0 }
    for (const removed of [2, 1, 0]) expect(await store.upkeep.purge([ofAnswers], 2)).toBe(removed)
    let before = await left()
    expect(before).toEqual([3, 6])
    while ((await store.upkeep.purge([until(DAY_MS)], 2)) > 0) {
      const after = await left()
      for (const [at, most] of before.entries()) expect(most - (after[at] ?? 0)).toBeWithin(0, 3)
      before = after
    }
    expect(before).toEqual([0, 0])
  })

  test(`${name}: the remains of a deleted item are kept until every webhook has examined its end`, async () => {
    let nowMs = START_MS
    await using opened = await open(() => nowMs)
    const { store } = opened
    await store.deliveries.follow(["https://one.example/hook"])
    const id = await rendered(store, 3)
    await store.change(id, ({ item, work }) => ({ item, work, deleted: true }))
    const head = await store.head()
    nowMs += DAY_MS
    const purged = async (): Promise<void> => {
      while ((await store.upkeep.purge([until(DAY_MS)], 2)) > 0);
    }
    await store.deliveries.add([], head - 1)
    await purged()
    expect(await kept(store, id)).toHaveLength(head)
    await store.deliveries.add([], head)
    await purged()
    expect(await kept(store, id)).toEqual([])
  })

  test(`${name}: an answer that may be repeated is kept for its time`, async () => {
    await using opened = await open()
    const { store } = opened
    const create = (): never => {
      throw new Error("it was added before")
    }
    await added(store)
    expect(await store.upkeep.purge([until(DAY_MS)], 10)).toBe(0)
    expect(create).toThrow()
  })

  test(`${name}: finished items are listed by their age, the oldest first`, async () => {
    let nowMs = START_MS
    await using opened = await open(() => nowMs)
    const { store } = opened
    const one = await rendered(store, 0)
    nowMs += 1000
    const two = await rendered(store, 0)
    await added(store)
    expect(await store.upkeep.finished(until(-1), 10)).toEqual([])
    expect(await store.upkeep.finished(until(500), 10)).toEqual([one])
    expect(await store.upkeep.finished(until(5000), 10)).toEqual([one, two])
    expect(await store.upkeep.finished(until(5000), 1)).toEqual([one])
  })

  test(`${name}: items and their remains are found within a time and up to an update, and no others`, async () => {
    let nowMs = START_MS
    await using opened = await open(() => nowMs)
    const { store } = opened
    const old = await rendered(store, 2)
    const last = await store.head()
    nowMs += 64 * 365 * DAY_MS
    const ahead = await rendered(store, 2)
    const from = { ...until(99 * 365 * DAY_MS), fromMs: START_MS + DAY_MS }
    expect(await store.upkeep.finished(from, 10)).toEqual([ahead])
    expect(await store.upkeep.finished({ ...from, upTo: last }, 10)).toEqual([])
    expect(await store.upkeep.finished({ ...from, fromMs: 0, upTo: last }, 10)).toEqual([old])
    await thinned(store, { finished: [{ ...from, upTo: last }] })
    expect([(await kept(store, old)).length, (await kept(store, ahead)).length]).toEqual([5, 5])
    await thinned(store, { finished: [{ ...from, upTo: last }, from] })
    expect([(await kept(store, old)).length, (await kept(store, ahead)).length]).toEqual([5, 3])
    await store.change(ahead, ({ item, work }) => ({ item, work, deleted: true }))
    expect(await store.upkeep.purge([{ ...from, upTo: last }], 10)).toBe(0)
    while ((await store.upkeep.purge([{ ...from, upTo: last }, from], 10)) > 0);
    expect([(await kept(store, old)).length, (await kept(store, ahead)).length]).toEqual([5, 0])
  })

  test(`${name}: the age of an update is known by the hours of service since, whatever the clock says`, async () => {
    await using opened = await open(() => START_MS)
    const { store } = opened
    const pass = async (hours: number): Promise<void> => {
      for (let hour = 0; hour < hours; hour += 1) await store.upkeep.passMinutes(60)
    }
    await pass(30)
    expect(await store.upkeep.newestAgo(1)).toBe(0)
    await added(store)
    expect(await store.upkeep.newestAgo(0)).toBe(0)
    await pass(1)
    expect([await store.upkeep.newestAgo(0), await store.upkeep.newestAgo(1)]).toEqual([1, 0])
    await added(store)
    await pass(3)
    expect(await Promise.all([2, 3, 4].map((hours) => store.upkeep.newestAgo(hours)))).toEqual([2, 1, 0])
    expect(await store.upkeep.newestAgo(1000)).toBe(0)
    // Three times 25 minutes are one full hour, and a quarter of the next hour.
    for (const newest of [2, 2, 3, 3, 4]) {
      await added(store)
      await store.upkeep.passMinutes(25)
      expect(await store.upkeep.newestAgo(0)).toBe(newest === 2 ? 2 : newest === 3 ? 5 : 7)
    }
  })

  test(`${name}: work that is due impossibly late, because the clock was ahead, runs now`, async () => {
    let nowMs = START_MS + 64 * 365 * DAY_MS
    await using opened = await open(() => nowMs)
    const { store } = opened
    expect(await store.upkeep.takeTimer("retention", 60_000)).toBe(true)
    nowMs = START_MS
    expect(await store.upkeep.takeTimer("retention", 60_000)).toBe(true)
  })

  test(`${name}: after any thinning the remaining moves are legal, and the last update shows the item`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ item: fc.integer({ min: 0, max: 2 }), move: fc.nat(9) }), { maxLength: 40 }),
        fc.record({ perItem: fc.integer({ min: 0, max: 6 }), limit: fc.integer({ min: 1, max: 5 }) }),
        async (steps, limits) => {
          await using opened = await open()
          const { store } = opened
          const ids = [await added(store), await added(store), await added(store)]
          for (const { item, move } of steps) {
            const id = ids[item] ?? 0
            const { status } = await store.item(id)
            const to = status === "completed" || status === "failed" ? undefined : MOVES[status][move]
            await put(store, id, to === undefined ? { message: "a word" } : { status: to })
          }
          await thinned(store, limits)
          for (const id of ids) {
            const left = await kept(store, id)
            const moves = left.slice(1).map(([, status], i) => [left[i]?.[1] ?? "queued", status] as const)
            expect(moves.filter(([from, to]) => from !== to && !MOVES[from].includes(to))).toEqual([])
            expect(left.at(-1)?.[0]).toBe((await store.latestOfItem(id)).update.id)
            expect(left[0]?.[1]).toBe("queued")
          }
          const { stored } = await store.bounds()
          expect(stored).toBe(await store.count(0, await store.head()))
        },
      ),
      { numRuns: 25 },
    )
  }, 30_000)
}
