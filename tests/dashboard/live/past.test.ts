import { afterAll, beforeAll, expect, jest, spyOn, test } from "bun:test"

import { ServerError } from "../../../src/client/client.ts"
import { ItemHistory } from "../../../src/dashboard/live/item-history.ts"
import { server } from "../../../src/dashboard/live/server.ts"
import type { StreamUpdate } from "../../../src/dashboard/model/hub-messages.ts"
import { update } from "../items.ts"

const PAGE = 1000

/** The updates of item 1 that the server has; undefined if the server refuses. */
let stored: StreamUpdate[] | ServerError = []
/** Called when the server has read a page, before its answer arrives. */
let underWay: () => void = () => undefined

beforeAll(() => {
  jest.useFakeTimers()
  spyOn(server, "history").mockImplementation(async (_id, after = 0, limit = PAGE) => {
    if (!Array.isArray(stored)) throw stored
    // They begin with 1 and have no gap.
    const updates = stored.slice(after, after + limit)
    await Promise.resolve()
    underWay()
    return { updates, next: null }
  })
})
afterAll(() => {
  jest.useRealTimers()
  jest.restoreAllMocks()
})

const upTo = (last: number): StreamUpdate[] => Array.from({ length: last }, (_, i) => update(i + 1))

test("the history of an item is read page by page, and what the stream says meanwhile follows it", async () => {
  stored = upTo(2500)
  let changes = 0
  const past = new ItemHistory(
    1,
    () => (changes += 1),
    () => true,
  )
  underWay = () => past.hear([update(2501), update(2502, { queue_id: 2 })])
  await past.read()
  expect([past.timeline.points.length, past.timeline.lastId, past.truncated]).toEqual([2501, 2501, false])
  expect(changes).toBe(3)
  underWay = () => undefined
  past.hear([update(2503)])
  expect(past.timeline.lastId).toBe(2503)
})

test("a history that ends with the last page that is kept is whole, and a longer one is cut", async () => {
  const most = upTo(100 * PAGE + 1)
  stored = most.slice(0, 100 * PAGE - 1)
  const whole = new ItemHistory(
    1,
    () => undefined,
    () => true,
  )
  await whole.read()
  expect(whole.truncated).toBe(false)
  stored = most
  const cut = new ItemHistory(
    1,
    () => undefined,
    () => true,
  )
  await cut.read()
  expect([cut.truncated, cut.timeline.lastId]).toEqual([true, 100 * PAGE])
}, 180_000)

test("an answer of a history that is gone is dropped, and the new one is read from its beginning", async () => {
  stored = upTo(20)
  const past = new ItemHistory(
    1,
    () => undefined,
    () => true,
  )
  underWay = () => {
    underWay = () => undefined
    stored = upTo(3)
    past.hear([update(21)])
    past.reset()
  }
  await past.read()
  expect([past.timeline.points.length, past.timeline.lastId]).toEqual([3, 3])
})

test("an item that is not there is missing, but one that was deleted while it was shown is not", async () => {
  stored = upTo(1)
  const past = new ItemHistory(
    1,
    () => undefined,
    () => true,
  )
  await past.read()
  stored = new ServerError(404, "no such item", { code: "not_found" })
  await past.read()
  expect(past.missing).toBe(false)
  const none = new ItemHistory(
    2,
    () => undefined,
    () => true,
  )
  await none.read()
  expect(none.missing).toBe(true)
  // In another history it may be there.
  none.reset()
  expect(none.missing).toBe(false)
})

test("a history that could not be read is asked for again after a second, while somebody looks at it", async () => {
  for (const isWanted of [true, false]) {
    stored = new ServerError(0, "no answer", { code: "unreachable" })
    const past = new ItemHistory(
      1,
      () => undefined,
      () => isWanted,
    )
    await past.read()
    expect(past.missing).toBe(false)
    stored = upTo(2)
    jest.advanceTimersByTime(1000)
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve()
    expect(past.timeline.lastId).toBe(isWanted ? 2 : 0)
  }
})
