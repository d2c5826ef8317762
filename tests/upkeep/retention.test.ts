import { Database } from "bun:sqlite"
import { expect, setDefaultTimeout, spyOn, test } from "bun:test"
import { statSync } from "node:fs"
import { join } from "node:path"

import { LocalBus } from "../../src/bus/bus.ts"
import { retried } from "../../src/item/add-cancel-retry-delete.ts"
import { changed } from "../../src/item/change-by-put.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { removeFinished } from "../../src/upkeep/remove-finished.ts"
import { Retention, type RetentionOptions } from "../../src/upkeep/retention.ts"
import { added, put, START_MS } from "../contracts/store.contract.ts"
import { temporaryFolder } from "../server.ts"
import { pass } from "./hours.ts"

// These tests start programs or wait for the disk, and the machine may be busy.
setDefaultTimeout(180_000)

const DAY_MS = 86_400_000

function fail(error: unknown): never {
  throw error
}

/** A store whose clock the test moves, with a retention that runs without pauses. */
async function opened(more: Partial<RetentionOptions> = {}) {
  const folder = temporaryFolder()
  const path = join(folder.path, "test.db")
  const clock = { nowMs: START_MS }
  const now = (): number => clock.nowMs
  const store = new SqliteStore(path, () => ({ now, steadyMs: now }))
  const bus = new LocalBus()
  const limits = {
    updatesMs: 7 * DAY_MS,
    perItem: 0,
    itemsMs: 0,
    now,
    awayMs: () => 0,
    sleep: async () => undefined,
    onError: fail,
    ...more,
  }
  /** How a start of the server begins after a time in which none ran. */
  const begun = async (awayMs = 0): Promise<Retention> => {
    const retention = new Retention(store.upkeep, store, bus, { ...limits, awayMs: () => awayMs })
    await retention.start()
    return retention
  }
  const retention = await begun()
  return {
    folder,
    path,
    clock,
    store,
    bus,
    retention,
    begun,
    /** Lets days pass while a server runs. */
    async days(count: number): Promise<void> {
      clock.nowMs += count * DAY_MS
      await pass(store, 24 * count + 1)
    },
    async [Symbol.asyncDispose]() {
      await retention.stop()
      await store.close()
      folder[Symbol.dispose]()
    },
  }
}

async function rendered(store: SqliteStore, reports: number): Promise<number> {
  const id = await added(store)
  await put(store, id, { status: "processing" })
  for (let i = 0; i < reports; i += 1) await put(store, id, { message: `report ${i}` })
  await put(store, id, { status: "completed" })
  return id
}

const left = async (store: SqliteStore, queueId: number): Promise<number> =>
  (await store.page({ after: 0, queueId, limit: 1000 })).updates.length

test("updates of a finished item go after their time, but for those of the newest 64 completed items", async () => {
  await using kit = await opened()
  const { store, clock, retention } = kit
  const first = await rendered(store, 5)
  const later: number[] = []
  for (let i = 0; i < 64; i += 1) {
    clock.nowMs += 1
    later.push(await rendered(store, 1))
  }
  await kit.days(7)
  clock.nowMs -= 65
  await retention.round()
  expect(await left(store, first)).toBe(8)
  clock.nowMs += 2
  await retention.round()
  expect(await left(store, first)).toBe(3)
  for (const id of later) expect(await left(store, id)).toBe(4)
})

test("the newest 10,000 runs are remembered, each song with a kind of its own, also if two rounds overlap", async () => {
  await using kit = await opened()
  const { store, retention } = kit
  const run = { look: "2 steps, Draw", worker: "", queue_id: 1, seconds: 9, steps: [] }
  const ended_at = new Date(START_MS).toISOString()
  await store.runs.addLearned(
    Array.from({ length: 10_600 }, (_, at) => ({ ...run, kind: `song ${at}`, ended_at })),
  )
  await Promise.all([retention.round(), retention.round()])
  const known = await store.runs.kinds(20_000)
  expect([known.length, known[0]?.kind, known.at(-1)?.kind]).toEqual([10_000, "song 10599", "song 600"])
})

test("an update stays for a day, however short the settings are", async () => {
  await using kit = await opened({ updatesMs: 1, perItem: 1 })
  const { store, clock, retention } = kit
  const id = await added(store)
  await put(store, id, { status: "processing" })
  for (let i = 0; i < 5; i += 1) await put(store, id, { message: `report ${i}` })
  await pass(store, 24)
  clock.nowMs += 2 * DAY_MS
  await retention.round()
  expect(await left(store, id)).toBe(7)
  await pass(store, 1)
  await retention.round()
  expect(await left(store, id)).toBe(3)
})

test("an item that took days keeps all of its updates for a day after its end, however short the settings are", async () => {
  await using kit = await opened({ updatesMs: 1 })
  const { store, clock, retention } = kit
  const id = await added(store)
  await put(store, id, { status: "processing" })
  for (let i = 0; i < 5; i += 1) await put(store, id, { message: `report ${i}` })
  await kit.days(3)
  await put(store, id, { status: "failed" })
  await kit.days(1)
  clock.nowMs -= 1
  await retention.round()
  expect(await left(store, id)).toBe(8)
  clock.nowMs += 2
  await retention.round()
  expect(await left(store, id)).toBe(3)
})

test("finished items are deleted after their time, as by a person, and unfinished ones never", async () => {
  await using kit = await opened({ itemsMs: 30 * DAY_MS })
  const { store, clock, retention, bus } = kit
  let rings = 0
  bus.listen(() => (rings += 1))
  const old = await rendered(store, 1)
  const waiting = await added(store)
  await kit.days(30)
  clock.nowMs += 1
  const young = await rendered(store, 1)
  await retention.round()
  expect(await store.wasDeleted(old)).toBeTrue()
  expect((await store.item(waiting)).status).toBe("queued")
  expect((await store.item(young)).status).toBe("completed")
  expect(rings).toBe(1)
  const { updates } = await store.page({ after: 0, queueId: old, limit: 100 })
  expect(JSON.parse(updates.at(-1)?.data ?? "")).toMatchObject({ status: "completed", deleted: true })
  await kit.days(8)
  await retention.round()
  expect(await left(store, old)).toBe(0)
})

test("an item that was put back since it was found stays, also when it has finished again; one that was deleted is no fault", async () => {
  await using kit = await opened()
  const { store, clock, bus } = kit
  const [gone, again, waiting] = [
    await rendered(store, 1),
    await rendered(store, 1),
    await rendered(store, 1),
  ]
  clock.nowMs += 30 * DAY_MS
  const ended = { fromMs: 0, toMs: clock.nowMs, upTo: Number.MAX_SAFE_INTEGER }
  // Meanwhile somebody deletes the first and retries the others.
  const found = {
    finished: async (): Promise<number[]> => {
      clock.nowMs += 1000
      await store.change(gone, (stored) => ({ ...stored, deleted: true }))
      for (const id of [again, waiting]) await store.change(id, retried)
      await put(store, again, { status: "processing" })
      await put(store, again, { status: "completed" })
      return [gone, again, waiting]
    },
  }
  await removeFinished(found, store, bus, [ended], 10)
  expect((await store.item(again)).status).toBe("completed")
  expect((await store.item(waiting)).status).toBe("queued")
})

test("items with more moves than an item may keep updates, and young ones, are not looked at again and again", async () => {
  await using kit = await opened({ updatesMs: 0, perItem: 2 })
  const { store, retention } = kit
  const many = (): Promise<number[]> => Promise.all(Array.from({ length: 150 }, () => rendered(store, 1)))
  const [old = 0] = await many()
  await kit.days(2)
  const [young = 0] = await many()
  await retention.round()
  expect([await left(store, old), await left(store, young)]).toEqual([3, 4])
  using query = spyOn(Database.prototype, "query")
  await retention.round()
  expect(query.mock.calls.length).toBeLessThan(100)
  query.mockRestore()
  await kit.days(1)
  await retention.round()
  expect(await left(store, young)).toBe(3)
})

test("a database that was there before is left alone for a day", async () => {
  using folder = temporaryFolder()
  const clock = { nowMs: START_MS }
  const now = (): number => clock.nowMs
  const store = new SqliteStore(join(folder.path, "test.db"), () => ({ now, steadyMs: now }))
  const id = await rendered(store, 5)
  for (let i = 0; i < 64; i += 1) {
    clock.nowMs += 1
    await rendered(store, 0)
  }
  clock.nowMs += 100 * DAY_MS
  await pass(store, 100 * 24)
  const options = {
    updatesMs: DAY_MS,
    perItem: 0,
    itemsMs: 0,
    now,
    awayMs: () => 0,
    sleep: async () => undefined,
    onError: fail,
  }
  const retention = new Retention(store.upkeep, store, new LocalBus(), options)
  await retention.start()
  clock.nowMs += DAY_MS - 1
  await retention.round()
  expect(await left(store, id)).toBe(8)
  await retention.stop()
  // The day counts from the first start, not from each start.
  const again = new Retention(store.upkeep, store, new LocalBus(), options)
  await again.start()
  clock.nowMs += 2
  await again.round()
  expect(await left(store, id)).toBe(3)
  await again.stop()
  await store.close()
})

/** By how many years the clock of a machine can be wrong before it has reached its time server. */
const YEARS_MS = 64 * 365 * DAY_MS

test("a box that starts in a far future before it knows the time loses nothing that is younger than a day of service", async () => {
  await using kit = await opened({ updatesMs: 1, perItem: 1, itemsMs: 30 * DAY_MS })
  const { store, clock, retention } = kit
  const id = await rendered(store, 5)
  clock.nowMs += YEARS_MS
  await pass(store, 23)
  await retention.round()
  expect([await left(store, id), await store.wasDeleted(id)]).toEqual([8, false])
})

test("what ended while the clock was far ahead goes after its time of service, and not after the years", async () => {
  await using kit = await opened({ itemsMs: 30 * DAY_MS })
  const { store, clock, retention } = kit
  clock.nowMs += YEARS_MS
  const id = await rendered(store, 5)
  const gone = await rendered(store, 2)
  await store.change(gone, (stored) => ({ ...stored, deleted: true }))
  clock.nowMs -= YEARS_MS
  for (let i = 0; i < 64; i += 1) await rendered(store, 0)
  await kit.days(6)
  await retention.round()
  expect([await left(store, id), await left(store, gone)]).toEqual([8, 6])
  await kit.days(24)
  await retention.round()
  expect([await store.wasDeleted(id), await left(store, gone)]).toEqual([true, 0])
})

test("what ended before the clock was put right from 1970 is kept for its time of service", async () => {
  await using kit = await opened({ itemsMs: 30 * DAY_MS, perItem: 3 })
  const { store, clock, retention } = kit
  const rightMs = clock.nowMs
  clock.nowMs = 1000
  const id = await rendered(store, 5)
  clock.nowMs = rightMs
  await retention.round()
  expect([await left(store, id), await store.wasDeleted(id)]).toEqual([8, false])
  await kit.days(29)
  await retention.round()
  expect([await left(store, id), await store.wasDeleted(id)]).toEqual([3, false])
  await kit.days(1)
  await retention.round()
  expect(await store.wasDeleted(id)).toBeTrue()
})

test("a start while the clock was far ahead puts off no removing, and an hour is 60 rounds", async () => {
  using folder = temporaryFolder()
  const clock = { nowMs: START_MS + YEARS_MS }
  const now = (): number => clock.nowMs
  const store = new SqliteStore(join(folder.path, "test.db"), () => ({ now, steadyMs: now }))
  await added(store)
  const limits = {
    updatesMs: DAY_MS,
    perItem: 1,
    itemsMs: 0,
    now,
    awayMs: () => 0,
    sleep: async () => undefined,
    onError: fail,
  }
  const retention = new Retention(store.upkeep, store, new LocalBus(), limits)
  await retention.start()
  clock.nowMs = START_MS
  const id = await rendered(store, 5)
  // An hour is stored as a whole, and counts when it has ended: an update of that hour is as old as the
  // hour's end.
  for (let round = 0; round < 25 * 60 - 1; round += 1) await retention.round()
  expect(await left(store, id)).toBe(8)
  for (let round = 0; round < 61; round += 1) await retention.round()
  expect(await left(store, id)).toBe(3)
  await retention.stop()
  await store.close()
})

/** A machine that is started this often, each time after a pause, and runs for this many minutes. */
async function started(
  { begun }: Awaited<ReturnType<typeof opened>>,
  starts: number,
  minutes: number,
  awayMs = 0,
) {
  for (let start = 0; start < starts; start += 1) {
    const retention = await begun(awayMs)
    for (let round = 0; round < minutes; round += 1) await retention.round()
    await retention.stop()
  }
}

test("on a box that runs for ten minutes a day updates grow old by an hour a day", async () => {
  await using kit = await opened({ perItem: 3 })
  const id = await rendered(kit.store, 5)
  await started(kit, 20, 10, DAY_MS)
  expect(await left(kit.store, id)).toBe(8)
  await started(kit, 5, 10, DAY_MS)
  expect(await left(kit.store, id)).toBe(3)
})

test("on a box that never runs for long, and whose clock stands still meanwhile, updates grow old by what it runs", async () => {
  await using kit = await opened({ perItem: 3 })
  const id = await rendered(kit.store, 5)
  await started(kit, (24 * 60) / 10, 10)
  expect(await left(kit.store, id)).toBe(8)
  await started(kit, (8 * 60) / 10, 10)
  expect(await left(kit.store, id)).toBe(3)
})

test("starts age nothing by themselves, nor does a clock that is years ahead at some of them", async () => {
  await using kit = await opened({ perItem: 3 })
  const id = await rendered(kit.store, 5)
  await started(kit, 100, 1)
  await started(kit, 20, 1, YEARS_MS)
  expect(await left(kit.store, id)).toBe(8)
})

test("a stop ends a removal after the step under way", async () => {
  await using kit = await opened({ perItem: 3, sleep: () => kit.retention.stop() })
  const ids = [await rendered(kit.store, 5), await rendered(kit.store, 5)]
  await kit.days(2)
  await kit.retention.round()
  expect(await Promise.all(ids.map((id) => left(kit.store, id)))).toEqual([3, 8])
})

test("minutes beyond an hour are stored with the next ones", async () => {
  await using kit = await opened()
  const passed = spyOn(kit.store.upkeep, "passMinutes")
  await started(kit, 1, 6, DAY_MS)
  expect(passed.mock.calls).toEqual([[60], [5]])
})

test("a file that was large gives its room back to the disk", async () => {
  const kit = await opened()
  const { store, retention, path } = kit
  const id = await added(store)
  const text = "x".repeat(10_000)
  for (let i = 0; i < 300; i += 1)
    await store.change(id, (stored, at) => changed(stored, { message: text }, at))
  await store.change(id, ({ item, work }) => ({ item, work, deleted: true }))
  const { used } = await store.upkeep.size()
  expect(used).toBeGreaterThan(3_000_000)
  await kit.days(8)
  await retention.round()
  const size = await store.upkeep.size()
  expect(size.free).toBe(0)
  expect(size.used - size.wal).toBeLessThan(500_000)
  // The file itself is cut by a checkpoint, which happens when it is closed.
  await retention.stop()
  await store.close()
  expect(statSync(path).size).toBeLessThan(500_000)
  kit.folder[Symbol.dispose]()
})
