import { expect, test } from "bun:test"

import type { StoredUpdate } from "../../src/item/stored.ts"
import type { Delivery } from "../../src/store/contract/deliveries.ts"
import type { Store } from "../../src/store/contract/store.ts"
import { added, type Open, put, START_MS } from "./store.contract.ts"

const ONE = "https://one.example/hook"
const TWO = "https://two.example/hook"
const DAY_MS = 86_400_000
const TAKEN_MS = 30_000

const at = (ms: number): string => new Date(START_MS + ms).toISOString()

/** Fails an item, and returns its last update. */
async function failing(store: Store): Promise<StoredUpdate> {
  const id = await added(store)
  await put(store, id, { status: "failed" })
  return (await store.latestOfItem(id)).update
}

const ids = (deliveries: readonly Delivery[]): number[] => deliveries.map(({ update_id }) => update_id)

/** What every Store promises about deliveries to webhooks. */
export function storeDeliveries(name: string, open: Open): void {
  test(`${name}: the deliveries that are kept are counted by status`, async () => {
    await using opened = await open()
    const { deliveries } = opened.store
    await deliveries.follow([ONE, TWO])
    expect(await deliveries.standing()).toEqual({ pending: 0, delivered: 0, failed: 0 })
    const update = await failing(opened.store)
    await deliveries.add([{ notice: "failed", update }], update.id)
    const [first] = await deliveries.take(ONE, 1, TAKEN_MS)
    await deliveries.settle(first?.id ?? 0, {
      status: "delivered",
      nextAttemptAt: null,
      answer: 200,
      error: "",
    })
    expect(await deliveries.standing()).toEqual({ pending: 1, delivered: 1, failed: 0 })
  })

  test(`${name}: of each webhook the newest delivery that failed and waits is named, unless a newer one was delivered`, async () => {
    await using opened = await open()
    const { store } = opened
    const { deliveries } = store
    await deliveries.follow([ONE, TWO])
    const settle = (id: number, error: string): Promise<void> =>
      deliveries.settle(
        id,
        error === ""
          ? { status: "delivered", nextAttemptAt: null, answer: 200, error }
          : { status: "pending", nextAttemptAt: at(DAY_MS / 2), answer: null, error },
      )
    for (let i = 0; i < 3; i += 1) {
      const update = await failing(store)
      await deliveries.add([{ notice: "failed", update }], update.id)
    }
    // Of the first URL there are the deliveries 1, 3 and 5.
    const both = async (): Promise<unknown> => [await deliveries.failing(ONE), await deliveries.failing(TWO)]
    expect(await both()).toEqual([undefined, undefined])
    await settle(1, "first")
    await settle(2, "other")
    await settle(3, "second")
    const other = { id: 2, url: TWO, error: "other" }
    const second = { id: 3, url: ONE, error: "second" }
    expect(await both()).toEqual([second, other])
    await settle(1, "")
    expect(await both()).toEqual([second, other])
    await settle(5, "")
    expect(await both()).toEqual([undefined, other])
    await deliveries.follow([])
    expect(await both()).toEqual([undefined, undefined])
  })

  test(`${name}: a webhook follows from the head on, and goes on where it was`, async () => {
    await using opened = await open()
    const { store } = opened
    const { deliveries } = store
    expect(await deliveries.cursor()).toBe(null)
    const before = await failing(store)
    await deliveries.follow([ONE])
    expect(await deliveries.cursor()).toBe(before.id)
    const update = await failing(store)
    await deliveries.add([{ notice: "failed", update }], update.id)
    await deliveries.follow([ONE, TWO])
    const later = await failing(store)
    await deliveries.follow([TWO, ONE])
    expect(await deliveries.cursor()).toBe(update.id)
    // An update that comes only now has nothing to do with the one that was too late.
    await deliveries.add(
      [update, later].map((one) => ({ notice: "failed", update: one })),
      later.id,
    )
    expect(ids(await deliveries.take(ONE, 10, TAKEN_MS))).toEqual([update.id, later.id])
    expect(ids(await deliveries.take(TWO, 10, TAKEN_MS))).toEqual([later.id])
    expect(await deliveries.cursor()).toBe(later.id)
    await deliveries.add([], 1)
    expect(await deliveries.cursor()).toBe(later.id)
    // A webhook that is new does not move those that have not examined what came before it.
    await failing(store)
    await deliveries.follow([ONE, TWO, `${TWO}/new`])
    expect(await deliveries.cursor()).toBe(later.id)
  })

  test(`${name}: a delivery is due at its time, and not once it is over`, async () => {
    let nowMs = START_MS
    await using opened = await open(() => nowMs)
    const { store } = opened
    const { deliveries } = store
    await deliveries.follow([ONE])
    const update = await failing(store)
    await deliveries.add([{ notice: "failed", update }], update.id)
    const [first] = await deliveries.take(ONE, 10, TAKEN_MS)
    expect(first).toEqual({
      id: 1,
      url: ONE,
      notice: "failed",
      update_id: update.id,
      queue_id: update.queue_id,
      data: update.data,
      status: "pending",
      attempts: 0,
      next_attempt_at: at(0),
      answer: null,
      error: "",
      created_at: at(0),
      finished_at: null,
    })
    const failed = { answer: 500, error: "it answered 500" }
    await deliveries.settle(1, { status: "pending", nextAttemptAt: at(5000), ...failed })
    nowMs += 4999
    expect(await deliveries.take(ONE, 10, TAKEN_MS)).toEqual([])
    nowMs += 1
    const [again] = await deliveries.take(ONE, 10, TAKEN_MS)
    expect(again).toMatchObject({ attempts: 1, status: "pending", finished_at: null, ...failed })
    await deliveries.settle(1, { status: "delivered", nextAttemptAt: null, answer: 200, error: "" })
    expect(await deliveries.take(ONE, 10, TAKEN_MS)).toEqual([])
    const { deliveries: all } = await deliveries.list({ limit: 10 })
    expect(all).toMatchObject([{ status: "delivered", attempts: 2, finished_at: at(5000) }])
  })

  test(`${name}: a clock that was far ahead leaves no delivery waiting, and no record, for years`, async () => {
    let nowMs = START_MS + 64 * 365 * DAY_MS
    await using opened = await open(() => nowMs)
    const { store } = opened
    const { deliveries } = store
    await deliveries.follow([ONE])
    const add = async (): Promise<StoredUpdate> => {
      const update = await failing(store)
      await deliveries.add([{ notice: "failed", update }], update.id)
      return update
    }
    const update = await add()
    const failed = { answer: 500, error: "it answered 500" }
    await deliveries.take(ONE, 10, TAKEN_MS)
    const nextAttemptAt = new Date(nowMs + 60_000).toISOString()
    await deliveries.settle(1, { status: "pending", nextAttemptAt, ...failed })
    nowMs = START_MS
    expect(ids(await deliveries.take(ONE, 10, TAKEN_MS))).toEqual([update.id])
    nowMs += 64 * 365 * DAY_MS
    await deliveries.settle(1, { status: "delivered", nextAttemptAt: null, answer: 200, error: "" })
    nowMs = START_MS
    const later = await add()
    expect(ids((await deliveries.list({ limit: 10 })).deliveries)).toEqual([later.id])
  })

  test(`${name}: a taken delivery cannot be taken again until its time is over or it is given back`, async () => {
    let nowMs = START_MS
    await using opened = await open(() => nowMs)
    const { store } = opened
    const { deliveries } = store
    await deliveries.follow([ONE])
    const notices = [await failing(store), await failing(store), await failing(store)].map(
      (update) => ({ notice: "failed", update }) as const,
    )
    await deliveries.add(notices, 6)
    await deliveries.add(notices, 6)
    const taken = async (limit: number): Promise<number[]> =>
      (await deliveries.take(ONE, limit, TAKEN_MS)).map(({ id }) => id)
    expect(await taken(1)).toEqual([1])
    expect(await taken(1)).toEqual([2])
    await deliveries.giveBack(1)
    expect(await taken(9)).toEqual([1, 3])
    expect(await taken(9)).toEqual([])
    await deliveries.settle(2, { status: "delivered", nextAttemptAt: null, answer: 200, error: "" })
    nowMs += TAKEN_MS
    expect(await taken(9)).toEqual([1, 3])
    // An instance that stood still in the meantime reports the result of its attempt too late.
    await deliveries.settle(1, { status: "delivered", nextAttemptAt: null, answer: 200, error: "" })
    const late = { status: "pending", nextAttemptAt: at(0), answer: null, error: "no answer" } as const
    await deliveries.settle(1, late)
    nowMs += TAKEN_MS
    expect(await taken(9)).toEqual([3])
    const [, , one] = (await deliveries.list({ limit: 10 })).deliveries
    expect(one).toMatchObject({ id: 1, status: "delivered", attempts: 1, answer: 200, error: "" })
  })

  test(`${name}: a delivery is nobody else's until its result is stored`, async () => {
    await using opened = await open()
    const { store } = opened
    const { deliveries } = store
    await deliveries.follow([ONE])
    const update = await failing(store)
    await deliveries.add([{ notice: "failed", update }], update.id)
    expect(ids(await deliveries.take(ONE, 1, TAKEN_MS))).toEqual([update.id])
    const settled = { status: "delivered", nextAttemptAt: null, answer: 200, error: "" } as const
    const settling = deliveries.settle(1, settled)
    expect(await deliveries.take(ONE, 1, TAKEN_MS)).toEqual([])
    await settling
    expect(await deliveries.take(ONE, 1, TAKEN_MS)).toEqual([])
  })

  test(`${name}: no more deliveries are taken than were asked for, whatever is taken for another webhook`, async () => {
    await using opened = await open()
    const { store } = opened
    const { deliveries } = store
    await deliveries.follow([ONE, TWO])
    const updates = [await failing(store), await failing(store), await failing(store)]
    await deliveries.add(
      updates.map((update) => ({ notice: "failed", update }) as const),
      6,
    )
    expect((await deliveries.take(ONE, 3, TAKEN_MS)).length).toBe(3)
    expect(ids(await deliveries.take(TWO, 1, TAKEN_MS))).toEqual(updates.slice(0, 1).map(({ id }) => id))
  })

  test(`${name}: a webhook that is followed no more keeps the record of its deliveries for a week, and gets nothing`, async () => {
    let nowMs = START_MS
    await using opened = await open(() => nowMs)
    const { store } = opened
    const { deliveries } = store
    await deliveries.follow([ONE, TWO])
    const update = await failing(store)
    await deliveries.add([{ notice: "failed", update }], update.id)
    await deliveries.settle(2, { status: "delivered", nextAttemptAt: null, answer: 200, error: "" })
    await deliveries.follow([])
    expect(await deliveries.cursor()).toBe(null)
    expect(await deliveries.take(ONE, 10, TAKEN_MS)).toEqual([])
    const { deliveries: all } = await deliveries.list({ limit: 10 })
    expect(all.map(({ url, status }) => [url, status])).toEqual([
      [TWO, "delivered"],
      [ONE, "failed"],
    ])
    // They are over, and forgotten like others that are.
    nowMs += 8 * DAY_MS
    await deliveries.add([], 0)
    expect((await deliveries.list({ limit: 10 })).deliveries).toEqual([])
  })

  test(`${name}: deliveries are listed in pages, the newest first, and forgotten a week after they are over`, async () => {
    let nowMs = START_MS
    await using opened = await open(() => nowMs)
    const { store } = opened
    const { deliveries } = store
    await deliveries.follow([ONE])
    for (let i = 0; i < 3; i += 1) {
      const update = await failing(store)
      await deliveries.add([{ notice: "failed", update }], update.id)
    }
    await deliveries.settle(1, { status: "delivered", nextAttemptAt: null, answer: 200, error: "" })
    const page = await deliveries.list({ limit: 2 })
    expect([page.deliveries.map(({ id }) => id), page.next]).toEqual([[3, 2], 2])
    const rest = await deliveries.list({ limit: 1, before: 2 })
    expect([rest.deliveries.map(({ id }) => id), rest.next]).toEqual([[1], null])
    const pending = await deliveries.list({ limit: 10, status: "pending" })
    expect(pending.deliveries.map(({ id }) => id)).toEqual([3, 2])
    nowMs += 7 * DAY_MS - 1000
    await deliveries.add([], 0)
    expect((await deliveries.list({ limit: 10 })).deliveries.map(({ id }) => id)).toEqual([3, 2, 1])
    nowMs += 2000
    await deliveries.add([], 0)
    expect((await deliveries.list({ limit: 10 })).deliveries.map(({ id }) => id)).toEqual([3, 2])
  })

  test(`${name}: the update before another one is found within the same item`, async () => {
    await using opened = await open()
    const { store } = opened
    const first = await added(store)
    await added(store)
    await put(store, first, { progress: 1 })
    const { update } = await store.latestOfItem(first)
    const before = await store.previous(update)
    expect(before).toMatchObject({ id: 1, queue_id: first })
    expect(before && (await store.previous(before))).toBe(null)
  })
}
