import { expect, spyOn, test } from "bun:test"
import { join } from "node:path"

import { LocalBus } from "../../src/bus/bus.ts"
import { LearnedDurations } from "../../src/queue/learned-durations.ts"
import { Queue } from "../../src/queue/queue.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { added, put, START_MS } from "../contracts/store.contract.ts"
import { temporaryFolder } from "../server.ts"
import { openSqlite } from "../store/sqlite/open.ts"

test("a page of an item's updates ends where it was asked to, and says whether others follow", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const queue = new Queue(store, new LocalBus(), new LearnedDurations(store, console.error))
  const id = await added(store)
  for (const message of ["a", "b", "c"]) await put(store, id, { message })
  const pageOf = async (after: number, limit: number): Promise<[number[], boolean]> => {
    const { updates, more } = await queue.history(id, after, limit)
    return [updates.map((update) => update.id), more]
  }
  expect(await pageOf(0, 2)).toEqual([[1, 2], true])
  expect(await pageOf(2, 3)).toEqual([[3, 4], false])
  await store.close()
})

test("a long history comes in pages of some 4 MiB, and whole", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const queue = new Queue(store, new LocalBus(), new LearnedDurations(store, console.error))
  const id = await added(store)
  const long = "x".repeat(16_000)
  const change = { message: long, current_step: long, error_message: long }
  await Promise.all(Array.from({ length: 120 }, () => put(store, id, change)))
  const pages: number[] = []
  let [found, after] = [0, 0]
  for (let isMore = true; isMore;) {
    const { updates, more } = await queue.history(id, after, 1000)
    pages.push(updates.reduce((sum, { data }) => sum + data.length, 0))
    found += updates.length
    after = updates.at(-1)?.id ?? after
    isMore = more
  }
  expect([pages.length, found]).toEqual([2, 121])
  // One more than a page of the store has.
  expect(pages[0]).toBeLessThan(5 * 1024 * 1024)
  await store.close()
})

test("of a long history only the updates since an item was read are looked at", async () => {
  let nowMs = START_MS
  await using opened = await openSqlite(() => nowMs)
  const { store } = opened
  const queue = new Queue(store, new LocalBus(), new LearnedDurations(store, console.error))
  const id = await added(store)
  for (let update = 0; update < 20; update += 1) {
    nowMs += 1000
    await put(store, id, { message: `${update}` })
  }
  const { title, updated_at } = await store.item(id)
  using looks = spyOn(store, "previous")
  expect(await queue.changesIn(id, { title, message: "new" }, updated_at)).toEqual({ message: "new" })
  expect(looks.mock.calls.length).toBeLessThan(3)
})
