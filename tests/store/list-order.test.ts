import { Database } from "bun:sqlite"
import { expect, test } from "bun:test"

import { drizzle } from "drizzle-orm/bun-sqlite"

import { blank } from "../../src/item/blank-item.ts"
import { endOfSlice, pageOf, type PlacedItem, type Slices } from "../../src/store/list-order.ts"
import { itemColumns } from "../../src/store/sqlite/columns.ts"
import { rowsOf } from "../../src/store/sqlite/rows-of-columns.ts"
import { queueItems } from "../../src/store/sqlite/schema.ts"
import { added } from "../contracts/store.contract.ts"
import { openSqlite } from "./sqlite/open.ts"

const MIB = 1024 * 1024

/** Waiting items with titles of these lengths. `read` is called with each that is read. */
function slices(lengths: readonly number[], read: (id: number) => void = () => undefined): Slices {
  const rows = lengths.map((length, at): PlacedItem => {
    const item = { ...blank(1, "2026-01-02T03:04:05.678Z"), id: at + 1, title: "x".repeat(length) }
    return { ...item, section: 1, rank: 0, place: at + 1 }
  })
  const weighed = rows.map((row) => ({ ...row, bytes: row.title.length }))
  const after = <T extends PlacedItem>(all: readonly T[], start: { readonly id: number } | undefined): T[] =>
    all.filter(({ id }) => id > (start?.id ?? 0))
  return {
    async rows(_query, limit, { start, end }) {
      const found = after(rows, start).filter(({ id }) => id <= (end?.id ?? rows.length))
      for (const { id } of found.slice(0, limit)) read(id)
      return found.slice(0, limit)
    },
    end: async (_query, start, most = { items: 2, least: 1, bytes: MIB }) =>
      endOfSlice(after(weighed, start).slice(0, most.items + 1), most),
  }
}

test.each([100, 1000])(
  "a page has at most some 4 MiB, but at least one item, and the pages of %p have all items",
  async (limit) => {
    const all = slices([5 * MIB, 3 * MIB, MIB / 2, MIB, 6 * MIB, 7])
    const pages: number[][] = []
    for (let after: string | null | undefined; after !== null;) {
      const { items, next } = await pageOf({ limit, after }, all)
      pages.push(items.map(({ id }) => id))
      after = next
    }
    expect(pages).toEqual([[1], [2, 3], [4], [5], [6]])
  },
)

test("a page of very long items reads no more of them than it shows", async () => {
  const read: number[] = []
  const all = slices(
    Array.from({ length: 500 }, () => MIB / 10),
    (id) => read.push(id),
  )
  const { items, next } = await pageOf({ limit: 1000 }, all)
  expect(items.length).toBeWithin(35, 41)
  expect(read.length).toBeLessThanOrEqual(40)
  // What was read and did not fit is on the next page.
  const following = await pageOf({ limit: 1000, after: next ?? "" }, all)
  expect(following.items[0]?.id).toBe(items.length + 1)
})

test("a search whose client has left ends after the slice that it reads", async () => {
  const [read, left]: [number[], AbortController] = [[], new AbortController()]
  const all = slices(
    Array.from({ length: 20 }, () => 1),
    (id) => read.push(id) === 4 && left.abort(),
  )
  const page = await pageOf({ limit: 100, search: "no", signal: left.signal }, all)
  expect(read).toEqual([1, 2, 3, 4])
  expect(page.slices).toBe(2)
})

test("a search whose client has left before its turn reads nothing", async () => {
  const read: number[] = []
  const all = slices([1, 1, 1], (id) => read.push(id))
  const page = await pageOf({ limit: 100, search: "no", signal: AbortSignal.abort() }, all)
  expect(read).toEqual([])
  expect(page).toEqual({ items: [], next: null, slices: 0 })
})

test("a page whose items were all removed while it was read leads to the items after them", async () => {
  const all = slices([1, 1, 1])
  const removed: Slices = {
    rows: async (query, limit, slice) => (await all.rows(query, limit, slice)).filter(({ id }) => id > 2),
    end: async () => ({ section: 1, rank: 0, place: 2, id: 2 }),
  }
  const { items, next } = await pageOf({ limit: 1000 }, removed)
  expect([items.length, next]).toEqual([0, "1.0.2.2"])
})

test("an item that moves on while a search reads the queue is found once, as it is now", async () => {
  const all = slices([1, 1, 1, 1])
  const moving: Slices = {
    ...all,
    async rows(query, limit, slice) {
      const rows = await all.rows(query, limit, slice)
      return rows.map((row) => (row.id === 4 ? { ...row, id: 1, status: "completed" } : row))
    },
  }
  const { items } = await pageOf({ limit: 100, search: "x" }, moving)
  expect(items.map(({ id, status }) => [id, status])).toEqual([
    [2, "queued"],
    [3, "queued"],
    [1, "completed"],
  ])
})

test("a list of one status goes on after the place of any item, in whatever section that is", async () => {
  await using opened = await openSqlite()
  const { store } = opened
  const ids = [await added(store), await added(store)]
  const after = async (place: string): Promise<number[]> =>
    (await store.list({ status: "queued", limit: 10, after: place })).items.map(({ id }) => id)
  expect(await after("0.0.9.9")).toEqual(ids)
  expect(await after(`1.0.${ids[0]}.${ids[0]}`)).toEqual(ids.slice(1))
  expect(await after("2.0.1.1")).toEqual([])
})

test("many rows are read as drizzle reads them, with every kind of column, empty or not", async () => {
  await using opened = await openSqlite()
  const id = await added(opened.store, { tags: ["gpu"], metadata: { n: [1, "two"] } })
  await added(opened.store)
  const time = "2026-01-02T03:04:05.678Z"
  const step = { index: 1, total: 2, name: "Images" }
  await opened.store.change(id, ({ item, work }) => ({
    item: { ...item, stalled: true, stalled_since: time, eta_seconds: 1.5, step },
    work,
  }))
  using client = new Database(opened.path)
  const selected = drizzle(client).select(itemColumns).from(queueItems)
  const read = rowsOf(itemColumns)(selected.values())
  expect(read).toEqual(selected.all())
  expect(Object.keys(read[0] ?? {})).toEqual(Object.keys(itemColumns))
  expect(read[0]).toMatchObject({ stalled: true, stalled_since: time, step, metadata: { n: [1, "two"] } })
})
