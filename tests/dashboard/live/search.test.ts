import { afterEach, beforeEach, expect, jest, spyOn, test } from "bun:test"

import { ServerError } from "../../../src/client/client.ts"
import { ListReading } from "../../../src/dashboard/live/list-reading.ts"
import { Search } from "../../../src/dashboard/live/search.ts"
import { server } from "../../../src/dashboard/live/server.ts"
import { EVERYTHING } from "../../../src/dashboard/model/query.ts"
import type { QueueItem, Status } from "../../../src/item/item.ts"
import { item, time, update } from "../items.ts"

const PAGE = 500

/** The items of the server. */
let items: QueueItem[] = []
/** The requests to the server: the status, and where the page begins. */
let asked: string[] = []
/** The status whose next page cannot be read. */
let failing: Status | undefined
/** The answers are held back until this resolves; undefined if they arrive at once. */
let held: Promise<void> | undefined

async function settled(): Promise<void> {
  for (let turn = 0; turn < 60; turn += 1) await Promise.resolve()
}

beforeEach(() => {
  jest.useFakeTimers()
  Object.assign(globalThis, { document: { hidden: false } })
  ;[items, asked, failing, held] = [[], [], undefined, undefined]
  spyOn(server, "list").mockImplementation(async ({ status, after, q }) => {
    asked.push(`${status} ${after ?? "-"}${q === undefined ? "" : ` ${q}`}`)
    if (status !== undefined && status === failing) {
      failing = undefined
      throw new ServerError(0, "no answer", { code: "unreachable" })
    }
    const found = items.filter((one) => one.status === (status ?? one.status) && one.title.includes(q ?? ""))
    const from = Number(after ?? 0)
    const next = from + PAGE < found.length ? String(from + PAGE) : null
    await held
    return { queue: found.slice(from, from + PAGE), next }
  })
})
afterEach(() => {
  jest.useRealTimers()
  jest.restoreAllMocks()
})

/** This many items with this status, in the server's order. */
const many = (count: number, status: Status, first: number): QueueItem[] =>
  Array.from({ length: count }, (_, i) => {
    const isOver = status === "completed" || status === "failed"
    return item({ id: first + i, status, ...(isOver && { outcome: status, completed_at: time(-i) }) })
  })

test("all running items are read, and the beginning of the other lists; a list ends where its first status ends", async () => {
  items = [...many(1200, "processing", 1), ...many(700, "queued", 2000), ...many(600, "retrying", 2300)]
  const reading = new ListReading()
  const found = await reading.begin()
  expect(found.filter(({ status }) => status === "processing")).toHaveLength(1200)
  expect(found.filter(({ status }) => status !== "processing")).toHaveLength(1000)
  // Both are known up to this place: the page of the other status goes beyond it.
  expect(reading.ends).toMatchObject({ running: null, waiting: { id: 2499 } })
  await reading.more("waiting")
  expect(reading.ends.waiting).toBeNull()
})

test("a page that fails is asked for again with all that was asked for beside it", async () => {
  items = [...many(700, "queued", 1), ...many(100, "retrying", 5000)]
  const reading = new ListReading()
  failing = "queued"
  await expect(reading.more("waiting")).rejects.toThrow("no answer")
  expect(await reading.more("waiting")).toHaveLength(600)
  expect(asked).toEqual(["queued -", "retrying -", "queued -", "retrying -"])
  expect(await reading.more("waiting")).toHaveLength(200)
  expect(await reading.more("waiting")).toEqual([])
  expect(asked.slice(4)).toEqual(["queued 500"])
})

test("if few items of a list match, pages are read until one is found", async () => {
  items = many(1600, "failed", 1).map((one) =>
    one.id === 1550 ? { ...one, outcome: "cancelled" as const } : one,
  )
  const reading = new ListReading({ text: "", which: "cancelled" })
  expect((await reading.begin()).map(({ id }) => id)).toEqual([1550])
  expect(asked).toEqual(["failed -", "failed 500", "failed 1000", "failed 1500"])
})

test("a list to which no wanted item can belong is known without being read", async () => {
  const reading = new ListReading({ ...EVERYTHING, which: "failed" })
  await reading.begin()
  expect(asked).toEqual(["failed -"])
  expect(reading.ends).toEqual({ running: null, waiting: null, finished: null })
})

test("found items are requested again, as far as they were read, at most once a second after updates", async () => {
  items = many(1300, "queued", 1)
  const search = new Search(EVERYTHING, () => undefined)
  await settled()
  await search.more("waiting")
  expect([search.isLoaded, search.state.items.size]).toEqual([true, 1000])
  asked = []
  search.hear([update(1, { queue_id: 4, status: "completed" })])
  search.hear([update(2, { queue_id: 5, status: "completed" })])
  await settled()
  expect(asked).toEqual([])
  jest.advanceTimersByTime(1000)
  await settled()
  expect(asked.filter((one) => one.startsWith("queued"))).toEqual(["queued -", "queued 500"])
  expect(search.state.items.size).toBe(1000)
  search.end()
})

test("a report on an item that was not found is no reason to ask again, but a new item is", async () => {
  const search = new Search({ text: "lights", which: "all" }, () => undefined)
  await settled()
  expect(asked).toContain("queued - lights")
  asked = []
  search.hear([update(1, { queue_id: 9, status: "processing" })])
  search.put([item({ id: 9 })], [])
  jest.advanceTimersByTime(3000)
  await settled()
  expect([asked, search.state.items.size]).toEqual([[], 0])
  search.hear([update(2, { queue_id: 10, status: "queued" })])
  jest.advanceTimersByTime(1000)
  await settled()
  expect(asked).toContain("queued - lights")
  search.end()
})

test("results of another history are not shown while the new ones are asked for", async () => {
  items = many(3, "queued", 1)
  const search = new Search(EVERYTHING, () => undefined)
  await settled()
  expect(search.state.items.size).toBe(3)
  items = many(1, "queued", 1)
  search.forget()
  expect(search.state.items.size).toBe(0)
  jest.advanceTimersByTime(1000)
  await settled()
  expect(search.state.items.size).toBe(1)
  search.end()
})

test("a search in a tab that is hidden, or that has ended, asks for nothing", async () => {
  const search = new Search(EVERYTHING, () => undefined)
  await settled()
  asked = []
  Object.assign(globalThis, { document: { hidden: true } })
  search.forget()
  jest.advanceTimersByTime(5000)
  await settled()
  expect(asked).toEqual([])
  Object.assign(globalThis, { document: { hidden: false } })
  jest.advanceTimersByTime(2000)
  await settled()
  expect(asked).not.toEqual([])
  asked = []
  search.end()
  search.refresh()
  jest.advanceTimersByTime(5000)
  await settled()
  expect(asked).toEqual([])
})

test("after a quiet time a search is asked for at once, and what the stream says meanwhile counts over the answer", async () => {
  items = many(3, "queued", 1)
  const search = new Search(EVERYTHING, () => undefined)
  await settled()
  jest.advanceTimersByTime(5000)
  asked = []
  const { promise, resolve } = Promise.withResolvers<void>()
  held = promise
  search.hear([update(1, { queue_id: 9, status: "queued" })])
  jest.advanceTimersByTime(1)
  search.hear([update(2, { queue_id: 2, status: "processing", progress: 42 })])
  resolve()
  await settled()
  expect(asked).toContain("queued -")
  expect(search.state.items.get(2)).toMatchObject({ status: "processing", progress: 42 })
  search.end()
})

test("a search without an answer is made again after two seconds", async () => {
  items = many(1, "queued", 1)
  failing = "queued"
  const search = new Search(EVERYTHING, () => undefined)
  await settled()
  expect(search.isLoaded).toBe(false)
  jest.advanceTimersByTime(2000)
  await settled()
  expect([search.isLoaded, search.state.items.size]).toEqual([true, 1])
  search.end()
})

test("if nothing has the wanted standing, the server is asked whether other items have the words", async () => {
  items = [item({ id: 1, title: "lights", status: "queued" })]
  for (const [text, isElsewhere] of [
    ["lights", true],
    ["dark", false],
  ] as const) {
    const search = new Search({ text, which: "failed" }, () => undefined)
    await settled()
    expect([search.isLoaded, search.isElsewhere]).toEqual([true, isElsewhere])
    search.end()
  }
  asked = []
  const search = new Search({ text: "lights", which: "waiting" }, () => undefined)
  await settled()
  expect([asked.length, search.isElsewhere]).toEqual([2, false])
  search.end()
})

test("a page of a list that was read before the search was asked again is left out", async () => {
  items = many(1300, "queued", 1)
  const search = new Search(EVERYTHING, () => undefined)
  await settled()
  const { promise, resolve } = Promise.withResolvers<void>()
  held = promise
  const late = search.more("waiting")
  held = undefined
  items = many(3, "queued", 1)
  search.forget()
  jest.advanceTimersByTime(1000)
  await settled()
  resolve()
  await late
  expect(search.state.items.size).toBe(3)
  search.end()
})
