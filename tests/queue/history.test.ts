import { expect, test } from "bun:test"
import { join } from "node:path"

import { LocalBus } from "../../src/bus/bus.ts"
import { Learned } from "../../src/queue/learned.ts"
import { Queue } from "../../src/queue/queue.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { added, put } from "../contracts/store.contract.ts"
import { temporaryFolder } from "../server.ts"

test("a page of an item's updates ends where it was asked to, and says whether others follow", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const queue = new Queue(store, new LocalBus(), new Learned(store, console.error))
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
