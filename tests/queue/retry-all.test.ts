import { expect, spyOn, test } from "bun:test"
import { join } from "node:path"

import { LocalBus } from "../../src/bus/bus.ts"
import { transition } from "../../src/item/moves.ts"
import { LearnedDurations } from "../../src/queue/learned-durations.ts"
import { Queue } from "../../src/queue/queue.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { added, put } from "../contracts/store.contract.ts"
import { temporaryFolder } from "../server.ts"

test("a retry of all failed items skips those that were retried, rendered or deleted meanwhile", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const queue = new Queue(store, new LocalBus(), new LearnedDurations(store, console.error))
  const ids: number[] = []
  for (let at = 0; at < 5; at += 1) {
    const id = await added(store)
    await put(store, id, { status: "processing" })
    await put(store, id, { status: "failed" })
    ids.push(id)
  }
  const [first = 0, retried = 0, rendered = 0, deleted = 0, last = 0] = ids
  const list = store.list.bind(store)
  const looked = spyOn(store, "list").mockImplementationOnce(async (query) => {
    const page = await list(query)
    await queue.retry(retried)
    await queue.retry(rendered)
    await put(store, rendered, { status: "processing" })
    await queue.remove(deleted)
    return page
  })
  expect((await queue.retryFailed()).toSorted((a, b) => a - b)).toEqual([first, last])
  looked.mockRestore()
  expect((await store.item(rendered)).status).toBe("processing")
  await store.close()
})

test("a retry of all failed items takes those that failed or were lost, and leaves those that were cancelled", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const queue = new Queue(store, new LocalBus(), new LearnedDurations(store, console.error))
  for (const outcome of ["failed", "lost", "cancelled"] as const) {
    const id = await added(store)
    await put(store, id, { status: "processing" })
    await store.change(id, ({ item, work }, { time }) => ({
      item: { ...transition(item, { status: "failed" }, time), outcome },
      work,
    }))
  }
  // A page may be shorter than what was asked for.
  const list = store.list.bind(store)
  using _short = spyOn(store, "list").mockImplementation((query) => list({ ...query, limit: 1 }))
  expect((await queue.retryFailed()).toSorted((a, b) => a - b)).toEqual([1, 2])
  await store.close()
})
