import { Database } from "bun:sqlite"
import { expect, spyOn, test } from "bun:test"
import { join } from "node:path"

import { Listing } from "../../../src/store/sqlite/list.ts"
import { SqliteStore } from "../../../src/store/sqlite/sqlite.ts"
import { added } from "../../contracts/store.contract.ts"
import { temporaryFolder } from "../../server.ts"

const ITEMS = 2100
/** Searching them takes this many ticks. */
const SLICES = 2
const SEARCHES = 10

test("however many search at once, others wait for one slice of one search at a time", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  await Promise.all(Array.from({ length: ITEMS }, () => added(store)))
  let ticks = 0
  const searches = Promise.all(
    Array.from({ length: SEARCHES }, () => store.list({ limit: 1, search: "nothing has this" })),
  )
  const isOver = searches.then(() => true)
  while (!(await Promise.race([isOver, new Promise((tick) => void setImmediate(tick, false))]))) ticks += 1
  expect((await searches).map(({ items }) => items)).toEqual(Array.from({ length: SEARCHES }, () => []))
  expect(ticks).toBeGreaterThanOrEqual(SEARCHES * SLICES - 1)
  await store.close()
}, 180_000)

test("a search that takes long for each item looks at fewer in a tick, so that others wait no longer", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const words = Array.from({ length: 60 }, (_, i) => `z${i + 10}`)
  const title = `${"a song of many words ".repeat(400)} ${words.join(" ")}`
  await Promise.all(Array.from({ length: 300 }, () => added(store, { title })))
  let ticks = 0
  const search = store.list({ limit: 1, search: `${words.join(" ")} missing` }).then(() => true)
  while (!(await Promise.race([search, new Promise((tick) => void setImmediate(tick, false))]))) ticks += 1
  expect(ticks).toBeGreaterThan(10)
  await store.close()
}, 180_000)

test("a long word that nearly fits in every place of long texts costs others no more than a moment", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const title = "-".repeat(16_000)
  await Promise.all(Array.from({ length: 100 }, () => added(store, { title, error_message: title })))
  let longestMs = 0
  const search = store.list({ limit: 1, search: `${"-".repeat(199)}x` }).then(() => true)
  for (let beforeMs = performance.now(), isOver = false; !isOver;) {
    isOver = await Promise.race([search, new Promise<false>((tick) => void setImmediate(tick, false))])
    longestMs = Math.max(longestMs, performance.now() - beforeMs)
    beforeMs = performance.now()
  }
  // 100 such items took 12 s, all in one tick.
  expect(longestMs).toBeLessThan(2000)
  await store.close()
}, 180_000)

test("a search that comes from short items to very long ones looks at few of these in a tick", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const ticksOf = async (): Promise<number> => {
    // No tick takes long by this clock, so the search never rests for others.
    using _clock = spyOn(performance, "now").mockReturnValue(performance.now())
    const search = store.list({ limit: 1, search: "nothing has this" }).then(() => true)
    let ticks = 0
    while (!(await Promise.race([search, new Promise((tick) => void setImmediate(tick, false))]))) ticks += 1
    return ticks
  }
  await Promise.all(Array.from({ length: 2000 }, () => added(store)))
  // Now it knows how many short items it can look at in a tick.
  for (let i = 0; i < 10; i += 1) await ticksOf()
  const short = await ticksOf()
  expect(short).toBeLessThan(100)
  const metadata = { a: "x".repeat(16_000), b: "y".repeat(16_000), c: "z".repeat(16_000) }
  await Promise.all(Array.from({ length: 400 }, () => added(store, { metadata })))
  // They have 19 MB.
  expect((await ticksOf()) - short).toBeGreaterThan(15)
  await store.close()
}, 180_000)

test("a search rests between two slices while others are at work, and not if nobody is", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const metadata = { a: "x".repeat(16_000), b: "y".repeat(16_000), c: "z".repeat(16_000) }
  await Promise.all(Array.from({ length: 600 }, () => added(store, { metadata })))
  using rests = spyOn(globalThis, "setTimeout")
  let nowMs = performance.now()
  using clock = spyOn(performance, "now").mockImplementation(() => nowMs)
  const restsOf = async (tickMs: number): Promise<number> => {
    rests.mockClear()
    const search = store.list({ limit: 1, search: "nothing has this" }).then(() => true)
    const tick = (): Promise<false> => new Promise((resolve) => void setImmediate(resolve, false))
    while (!(await Promise.race([search, tick()]))) nowMs += tickMs
    // Timers of other work may begin meanwhile.
    return rests.mock.calls.filter(([, ms]) => ms === 2).length
  }
  expect(await restsOf(0)).toBe(0)
  // So many slices are read.
  expect(await restsOf(1)).toBeGreaterThanOrEqual(28)
  clock.mockRestore()
  await store.close()
}, 180_000)

test("letters that the database cannot fold are distinguished, and every word must be there", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  for (const title of ["Bär Zoë", "Bor Zoo", "Bär Zoo"]) await added(store, { title })
  const found = async (search: string): Promise<string[]> =>
    (await store.list({ limit: 10, search })).items.map(({ title }) => title)
  expect(await found("BÄR")).toEqual(["Bär Zoë", "Bär Zoo"])
  expect(await found("bär zoë")).toEqual(["Bär Zoë"])
  await store.close()
})

test("a false match of the database hides no real match after it", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  for (const title of ["ba", "bb", "bc", "bd", "bä", "be", "bä"]) await added(store, { title })
  const { items } = await store.list({ limit: 2, search: "bä" })
  expect(items.map(({ id }) => id)).toEqual([5, 7])
  await store.close()
})

test("a page of the queue that is not searched makes the slices of searches no shorter", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "test.db")
  const store = new SqliteStore(path)
  await Promise.all(Array.from({ length: 15 }, () => added(store)))
  await store.close()
  using client = new Database(path)
  const listing = new Listing(client)
  expect(await listing.rows({ limit: 1 }, 1, {})).toHaveLength(1)
  // All items are in the first slice.
  expect(await listing.end({ limit: 1 }, undefined)).toBeUndefined()
})

test("a search whose client has left reads nothing of a database that is closed meanwhile", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const left = new AbortController()
  const search = store.list({ limit: 1, search: "nothing has this", signal: left.signal })
  left.abort()
  await store.close()
  expect((await search).items).toEqual([])
})

test("the end of a slice is its last item also if others follow and it has no more than it may", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "test.db")
  const store = new SqliteStore(path)
  for (let i = 0; i < 3; i += 1) await added(store)
  await store.close()
  using client = new Database(path)
  const listing = new Listing(client)
  const endOf = async (items: number): Promise<number | undefined> =>
    (await listing.end({ limit: 1 }, undefined, { items, least: 1, bytes: 1_000_000 }))?.id
  expect(await endOf(2)).toBe(2)
  expect(await endOf(3)).toBeUndefined()
})
