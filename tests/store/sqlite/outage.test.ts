import { Database } from "bun:sqlite"
import { expect, test } from "bun:test"
import { join } from "node:path"

import { claimed, completed } from "../../../src/item/lease.ts"
import { reported } from "../../../src/item/report.ts"
import { LearnedDurations } from "../../../src/queue/learned-durations.ts"
import { SqliteStore } from "../../../src/store/sqlite/sqlite.ts"
import { added, put, START_MS } from "../../contracts/store.contract.ts"
import { temporaryFolder } from "../../server.ts"

const onError = (error: unknown): void => expect(error).toBeUndefined()

test.each([
  { outageMs: 60_000, seconds: undefined },
  { outageMs: 0, seconds: 24 },
])(
  "nothing is learned from a render during which no server ran, also if the server was started once more before its next report: %j",
  async ({ outageMs, seconds }) => {
    using folder = temporaryFolder()
    let nowMs = START_MS
    const clock = { now: () => nowMs, steadyMs: () => nowMs }
    const opened = () => {
      const store = new SqliteStore(join(folder.path, "test.db"), () => clock)
      const learned = new LearnedDurations(store, onError)
      const close = async () => {
        // What it reads in the background must not meet a closed database.
        await learned.stop()
        await store.close()
      }
      return { store, learned, close }
    }
    const first = opened()
    const ids = [await added(first.store), await added(first.store)]
    const by = { worker: "w", token: "lease", leaseMs: 60_000, kind: "song" }
    for (const id of ids)
      await first.store.change(
        id,
        first.learned.follow((stored, moment) => claimed(stored, by, moment)),
      )
    nowMs += 12_000
    const [id = 0] = ids
    await first.store.change(
      id,
      first.learned.follow((stored, moment) => reported(stored, "lease", { progress: 40 }, moment)),
    )
    await first.close()
    nowMs += outageMs
    const second = opened()
    await second.store.alive()
    await second.close()
    const third = opened()
    await third.store.alive()
    nowMs += 12_000
    for (const each of ids) {
      const change = await third.store.change(
        each,
        third.learned.follow((stored, moment) => completed(stored, "lease", {}, moment)),
      )
      // The control: without an outage the run is remembered.
      expect(change.run?.seconds).toBe(seconds)
    }
    await third.close()
  },
)

test("a sign of life is stored once a second: beside another write, and otherwise alone", async () => {
  using folder = temporaryFolder()
  let nowMs = START_MS
  const path = join(folder.path, "test.db")
  const store = new SqliteStore(path, () => ({ now: () => nowMs, steadyMs: () => nowMs }))
  using reader = new Database(path, { readonly: true })
  const stored = reader.query<{ alive_at: number }, []>("SELECT alive_at FROM history")
  const id = await added(store)
  const writes = [() => store.alive(), () => put(store, id, { message: "still there" })]
  for (const [round, write] of writes.entries()) {
    nowMs = START_MS + 1000 * round + 999
    await write()
    expect(stored.get()?.alive_at).toBe(START_MS + 1000 * round)
    nowMs += 1
    await write()
    expect(stored.get()?.alive_at).toBe(nowMs)
  }
  await store.close()
})

test("the course of a render goes on after a restart where its last report has left it", async () => {
  using folder = temporaryFolder()
  let nowMs = START_MS
  const opened = () =>
    new SqliteStore(join(folder.path, "test.db"), () => ({ now: () => nowMs, steadyMs: () => nowMs }))
  const first = opened()
  const learned = new LearnedDurations(first, onError)
  const id = await added(first)
  const by = { worker: "w", token: "lease", leaseMs: 60_000, kind: "song" }
  await first.change(
    id,
    learned.follow((stored, moment) => claimed(stored, by, moment)),
  )
  // Its pace changes in between, which its course keeps.
  for (const progress of [10, 12, 14, 70, 72, 74, 90]) {
    nowMs += 3000
    await first.change(
      id,
      learned.follow((stored, moment) => reported(stored, "lease", { progress }, moment)),
    )
  }
  const linesOf = async (store: SqliteStore) => (await store.stored(id)).work.course?.trace.lines.percent
  const lines = await linesOf(first)
  expect(lines?.length).toBeGreaterThan(2)
  await learned.stop()
  await first.close()
  const second = opened()
  expect(await linesOf(second)).toEqual(lines)
  await second.close()
})
