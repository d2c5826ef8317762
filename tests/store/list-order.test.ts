import { Database } from "bun:sqlite"
import { expect, test } from "bun:test"

import { drizzle } from "drizzle-orm/bun-sqlite"

import { blank } from "../../src/item/blank-item.ts"
import { pageOf, type PlacedItem, type Slices } from "../../src/store/list-order.ts"
import { itemColumns } from "../../src/store/sqlite/columns.ts"
import { rowsOf } from "../../src/store/sqlite/rows-of-columns.ts"
import { queueItems } from "../../src/store/sqlite/schema.ts"
import { added } from "../contracts/store.contract.ts"
import { openSqlite } from "./sqlite/open.ts"

/** Waiting items with titles of these lengths. */
function slices(lengths: readonly number[]): Slices {
  const rows = lengths.map((length, at): PlacedItem => {
    const item = { ...blank(1, "2026-01-02T03:04:05.678Z"), id: at + 1, title: "x".repeat(length) }
    return { ...item, section: 1, rank: 0, place: at + 1 }
  })
  return {
    rows: async (_query, limit, { start }) => rows.filter(({ id }) => id > (start?.id ?? 0)).slice(0, limit),
    end: async () => undefined,
  }
}

const MIB = 1024 * 1024

test("a page has at most some 4 MiB, but at least one item, and the pages have all items", async () => {
  const all = slices([5 * MIB, 3 * MIB, MIB / 2, MIB, 6 * MIB, 7])
  const pages: number[][] = []
  for (let after: string | null | undefined; after !== null;) {
    const { items, next } = await pageOf({ limit: 100, after }, all)
    pages.push(items.map(({ id }) => id))
    after = next
  }
  expect(pages).toEqual([[1], [2, 3], [4], [5], [6]])
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
