import { expect, test } from "bun:test"

import { AppError, type ErrorCode } from "../../src/errors.ts"
import { blank } from "../../src/item/blank-item.ts"
import type { Draft, ItemChange, QueueItem } from "../../src/item/item.ts"
import { transition } from "../../src/item/moves.ts"
import { placed } from "../../src/item/reorder.ts"
import type { Change } from "../../src/item/stored.ts"
import type { Page } from "../../src/store/contract/history.ts"
import type { Store } from "../../src/store/contract/store.ts"

/** A store with an empty history, which ends with the test. */
export interface OpenStore extends AsyncDisposable {
  readonly store: Store
}

/**
 * Opens an empty store. `now` is its clock, in epoch milliseconds. `steadyMs` is the steady clock; by default
 * the same clock.
 */
export type Open = (now?: () => number, steadyMs?: () => number) => Promise<OpenStore>

export const START_MS = Date.parse("2026-01-02T03:04:05.678Z")
const HOUR_MS = 3_600_000
const REFUSAL = new AppError("illegal_move", "refused by the test")

/** A queue item as `Queue` drafts it. */
export function draft(given: Partial<Draft> = {}): Draft {
  return { ...blank(1, new Date(START_MS).toISOString()), ...given }
}

/** Adds an item and returns its ID. */
export const added = async (store: Store, given: Partial<Draft> = {}): Promise<number> =>
  (await store.add(() => draft(given))).item.id

/** Changes an item as a PUT does. */
export const put = async (store: Store, id: number, change: ItemChange): Promise<QueueItem> => {
  const { item } = await store.change(id, (stored, { time }) => ({
    ...stored,
    item: transition(stored.item, change, time),
  }))
  return item
}

/** Text of this many emoji that does not compress. Another `seed` gives other text. */
export const uncommon = (seed: string, length: number): string =>
  Array.from({ length }, (_, i) =>
    String.fromCodePoint(0x1f300 + (Bun.hash.crc32(`${seed} ${i}`) % 512)),
  ).join("")

const refused = (store: Store, id: number): Promise<Change> =>
  store.change(id, () => {
    throw REFUSAL
  })

const remove = (store: Store, id: number): Promise<Change> =>
  store.change(id, ({ item, work }) => ({
    item: { ...item, status: "failed", outcome: "cancelled" },
    work,
    deleted: true,
  }))

/** The whole history, read page by page. */
async function all(store: Store, queueId?: number, limit = 1000): Promise<Page["updates"]> {
  const found: Page["updates"][number][] = []
  for (;;) {
    const { updates, more } = await store.page({ after: found.at(-1)?.id ?? 0, queueId, limit })
    found.push(...updates)
    if (!more) return found
  }
}

const from1 = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)
const ids = (updates: Page["updates"]): number[] => updates.map(({ id }) => id)

/** The error code of a promise that rejects. */
export async function codeOf(promise: Promise<unknown>): Promise<ErrorCode | "none"> {
  try {
    await promise
    return "none"
  } catch (error) {
    if (error instanceof AppError) return error.code
    throw error
  }
}

/** What every Store promises about writing. */
export function storeWrites(name: string, open: Open): void {
  test(`${name}: an added item has an id, reads back as it was given, and has its first update`, async () => {
    await using opened = await open()
    const { store } = opened
    const given = draft({
      song_id: 7,
      title: "A\r\nsong 😀",
      priority: -3,
      tags: ["gpu", "4k"],
      metadata: { deep: [1, { a: null }] },
      available_at: "2026-01-02T03:04:05.679Z",
    })
    const { item, added: isNew } = await store.add(() => given)
    expect(isNew).toBe(true)
    expect(item).toEqual({ id: 1, ...given })
    expect(await store.item(1)).toEqual(item)
    expect(Object.keys(await store.item(1))).toEqual(Object.keys(item))
    const [update, ...others] = await all(store)
    expect(others).toEqual([])
    expect(update).toMatchObject({ id: 1, queue_id: 1, song_id: 7, status: "queued" })
    expect(JSON.parse(update?.data ?? "")).toMatchObject({ queue_id: 1, title: "A\r\nsong 😀" })
  })

  test(`${name}: a change stores the item and appends exactly one update, also when nothing changes`, async () => {
    let now = START_MS
    await using opened = await open(() => now)
    const { store } = opened
    const id = await added(store)
    now += 1234
    const changed = await put(store, id, { status: "processing", metadata: { a: 1 }, progress: 5 })
    expect(changed).toMatchObject({
      status: "processing",
      attempt: 1,
      updated_at: "2026-01-02T03:04:06.912Z",
    })
    expect(await store.item(id)).toEqual(changed)
    await put(store, id, {})
    await put(store, id, { status: "completed" })
    expect((await store.item(id)).completed_at).toBe("2026-01-02T03:04:06.912Z")
    expect((await all(store)).map(({ status }) => status)).toEqual([
      "queued",
      "processing",
      "processing",
      "completed",
    ])
  })

  test(`${name}: every key of an item can change and is stored`, async () => {
    await using opened = await open()
    const { store } = opened
    const id = await added(store)
    const next: QueueItem = {
      id,
      ...draft({
        song_id: 2,
        title: "t",
        status: "processing",
        priority: 9,
        current_step: "s",
        progress: 1,
        message: "m",
        error_message: "e",
        retry_count: 1,
        video_file_path: "v",
        video_file_size: 2 ** 40,
        thumbnail_path: "p",
        flag: "lyrics_issue",
        queued_at: "2026-02-02T00:00:00.000Z",
        started_at: "2026-02-02T00:00:00.001Z",
        completed_at: "2026-02-02T00:00:00.002Z",
        updated_at: "2026-02-02T00:00:00.003Z",
        attempt: 4,
        max_attempts: 5,
        outcome: "lost",
        worker: "w",
        available_at: "2026-02-02T00:00:00.004Z",
        cancel_requested_at: "2026-02-02T00:00:00.005Z",
        eta_seconds: 1.5,
        stalled: true,
        tags: ["x"],
        metadata: { k: "v" },
      }),
    }
    for (const key of Object.keys(draft()) as (keyof Draft)[]) {
      const before = await store.item(id)
      const one = { ...before, [key]: next[key] }
      expect((await store.change(id, ({ work }) => ({ item: one, work }))).item).toEqual(one)
      expect(await store.item(id)).toEqual(one)
    }
    expect(await store.item(id)).toEqual(next)
    // What was set can be unset.
    for (const steps of [["a", "b"], null]) {
      const before = await store.item(id)
      await store.change(id, ({ work }) => ({ item: { ...before, steps }, work }))
      expect((await store.item(id)).steps).toEqual(steps)
    }
  })

  test(`${name}: a refused change rejects with its reason, changes nothing and uses no event ID`, async () => {
    await using opened = await open()
    const { store } = opened
    const id = await added(store)
    const before = await store.item(id)
    await expect(refused(store, id)).rejects.toBe(REFUSAL)
    expect(await store.item(id)).toEqual(before)
    expect(await store.head()).toBe(1)
    await put(store, id, { message: "next" })
    expect(ids(await all(store))).toEqual([1, 2])
  })

  test(`${name}: a refused change fails alone among those that share its commit`, async () => {
    await using opened = await open()
    const { store } = opened
    const id = await added(store)
    const results = await Promise.allSettled([
      put(store, id, { message: "first" }),
      refused(store, id),
      put(store, 99, {}),
      store.change(id, () => {
        throw new RangeError("a defect")
      }),
      put(store, id, { status: "completed" }),
      put(store, id, { message: "last" }),
    ])
    expect(results.map(({ status }) => status)).toEqual([
      "fulfilled",
      "rejected",
      "rejected",
      "rejected",
      "rejected",
      "fulfilled",
    ])
    expect((await store.item(id)).message).toBe("last")
    expect(ids(await all(store))).toEqual([1, 2, 3])
  })

  test(`${name}: changes of one tick build upon each other: none is lost`, async () => {
    await using opened = await open()
    const { store } = opened
    const id = await added(store)
    const increment = () =>
      store.change(id, ({ item, work }) => ({ item: { ...item, retry_count: item.retry_count + 1 }, work }))
    const results = await Promise.all(Array.from({ length: 100 }, increment))
    expect(results.map(({ item }) => item.retry_count).sort((a, b) => a - b)).toEqual(from1(100))
    expect((await store.item(id)).retry_count).toBe(100)
  })

  test(`${name}: event IDs ascend without holes, whatever was refused in between`, async () => {
    await using opened = await open()
    const { store } = opened
    const item = await added(store)
    for (let round = 0; round < 10; round += 1) {
      const work = from1(30).map((i) =>
        i % 3 === 0 ? refused(store, item) : i % 3 === 1 ? put(store, item, {}) : added(store),
      )
      await Promise.allSettled(work)
    }
    expect(ids(await all(store))).toEqual(from1(1 + 10 * 20))
    expect(await store.head()).toBe(201)
  })

  test(`${name}: an illegal move is refused by the store itself, whatever decided on it`, async () => {
    await using opened = await open()
    const { store } = opened
    const id = await added(store)
    const illegal = store.change(id, ({ item, work }) => ({ item: { ...item, status: "completed" }, work }))
    await expect(illegal).rejects.toThrow()
    expect((await store.item(id)).status).toBe("queued")
    expect(await store.head()).toBe(1)
  })

  test(`${name}: an unknown item is not_found, and so is a deleted one`, async () => {
    await using opened = await open()
    const { store } = opened
    const id = await added(store)
    await remove(store, id)
    for (const missing of [id, 4711]) {
      expect(await codeOf(store.item(missing))).toBe("not_found")
      expect(await codeOf(store.latestOfItem(missing))).toBe("not_found")
      expect(await codeOf(put(store, missing, {}))).toBe("not_found")
    }
  })

  test(`${name}: a deleted item is gone from all reads, its history stays`, async () => {
    await using opened = await open()
    const { store } = opened
    const [gone, stays] = [await added(store, { priority: 1 }), await added(store)]
    await remove(store, gone)
    expect(await store.items()).toBe(1)
    expect((await store.nextWaiting())?.id).toBe(stays)
    expect((await store.list({ limit: 10 })).items.map(({ id }) => id)).toEqual([stays])
    expect(ids(await all(store, gone))).toEqual([1, 3])
    expect(JSON.parse((await all(store, gone)).at(-1)?.data ?? "")).toMatchObject({ deleted: true })
  })

  test(`${name}: a finished item is deleted although nothing else of it changes`, async () => {
    await using opened = await open()
    const { store } = opened
    const id = await added(store)
    const before = await put(store, id, { status: "failed" })
    await store.change(id, ({ item, work }) => ({ item, work, deleted: true }))
    expect(await codeOf(store.item(id))).toBe("not_found")
    expect(await store.items()).toBe(0)
    const [last] = (await all(store, id)).slice(-1)
    expect(JSON.parse(last?.data ?? "")).toMatchObject({
      status: "failed",
      message: before.message,
      deleted: true,
    })
  })

  test(`${name}: a move learns which item is before the other one, the moved one left out`, async () => {
    await using opened = await open()
    const { store } = opened
    const [first = 0, second = 0, third = 0] = await Promise.all(from1(3).map(() => added(store)))
    /** The turn before `before`, as the move of `id` learns it. */
    const aheadOf = async (id: number, before: number): Promise<number | null | undefined> => {
      let found: number | null | undefined
      await store.place(id, before, (stored, _before, ahead) => {
        found = ahead
        return { ...stored, quiet: true }
      })
      return found
    }
    expect(await aheadOf(first, third)).toBe(second)
    expect(await aheadOf(second, third)).toBe(first)
    expect(await aheadOf(third, first)).toBeNull()
    await store.place(third, first, placed)
    expect(await aheadOf(first, third)).toBeNull()
    expect(await aheadOf(second, first)).toBe(first - 1)
    // A move sees what the moves before it have done, also with another write between them.
    const moves = await Promise.all([
      store.place(second, third, placed),
      put(store, third, { message: "between" }),
      store.place(first, third, placed),
    ])
    expect([moves[0].item.turn, moves[2].item.turn]).toEqual([first - 2, first - 1.5])
  })

  test(`${name}: an idempotency key answers the first answer again for 24 hours, and adds nothing`, async () => {
    let now = START_MS
    await using opened = await open(() => now)
    const { store } = opened
    const key = { key: "k", digest: "d" }
    const first = await store.add(() => draft({ title: "first" }), key)
    await put(store, first.item.id, { title: "changed since" })
    now += 24 * HOUR_MS - 1
    expect(await store.add(() => draft({ title: "second" }), key)).toEqual({ item: first.item, added: false })
    expect(await codeOf(store.add(() => draft(), { key: "k", digest: "other" }))).toBe("idempotency_mismatch")
    expect(await store.head()).toBe(2)
    now += 1
    const again = await store.add(() => draft({ title: "third" }), { key: "k", digest: "other" })
    expect(again).toMatchObject({ added: true, item: { id: 2, title: "third" } })
    now += 24 * HOUR_MS - 1
    const repeated = await store.add(() => draft(), { key: "k", digest: "other" })
    expect(repeated).toEqual({ item: again.item, added: false })
  })

  test(`${name}: two calls with one idempotency key at the same time add one item`, async () => {
    await using opened = await open()
    const { store } = opened
    const key = { key: "k", digest: "d" }
    const results = await Promise.all(from1(5).map(() => store.add(() => draft(), key)))
    expect(results.map(({ item }) => item.id)).toEqual([1, 1, 1, 1, 1])
    expect(results.filter((result) => result.added)).toHaveLength(1)
    expect(await store.items()).toBe(1)
  })
}
