import { Database } from "bun:sqlite"
import { expect, setDefaultTimeout, test } from "bun:test"
import { statSync } from "node:fs"
import { join } from "node:path"

import { LocalBus } from "../../src/bus/bus.ts"
import { AppError } from "../../src/errors.ts"
import { removed } from "../../src/item/add-cancel-retry-delete.ts"
import { LearnedDurations } from "../../src/queue/learned-durations.ts"
import { Queue } from "../../src/queue/queue.ts"
import { RefuseWhenFull } from "../../src/queue/refuse-when-full.ts"
import { Workers } from "../../src/queue/workers.ts"
import type { Items } from "../../src/store/contract/items.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { type Fill, SizeLimit } from "../../src/upkeep/size-limit.ts"
import { added, put, START_MS } from "../contracts/store.contract.ts"
import { start, temporaryFolder, type TestServer } from "../server.ts"
import { openSqlite } from "../store/sqlite/open.ts"
import { pass } from "./hours.ts"

// These tests start programs or wait for the disk, and the machine may be busy.
setDefaultTimeout(180_000)

const DAY_MS = 86_400_000
const TEXT = "x".repeat(8000)

function fail(error: unknown): never {
  throw error
}

/** A store with a limit of 2 MB, whose clock the test moves. */
function limited() {
  const folder = temporaryFolder()
  const clock = { nowMs: START_MS }
  const now = (): number => clock.nowMs
  const store = new SqliteStore(join(folder.path, "test.db"), () => ({ now, steadyMs: now }))
  const bus = new LocalBus()
  const room = new RefuseWhenFull()
  const looks: Fill[] = []
  const restsMs: number[] = []
  const resting = { during: async (): Promise<void> => undefined }
  const space = new SizeLimit(store.upkeep, store, bus, {
    mostBytes: 2_000_000,
    now,
    sleep(ms) {
      restsMs.push(ms)
      return resting.during()
    },
    onLook(fill) {
      room.isFarTooLarge = fill === "far too large"
      room.isFull = fill === "full" || room.isFarTooLarge
      looks.push(fill)
    },
    onFilled() {
      room.isFull = true
    },
    onError: fail,
  })
  return {
    clock,
    store,
    bus,
    room,
    space,
    looks,
    restsMs,
    resting,
    /** A finished item with this many reports of 8 kB. */
    async rendered(reports: number): Promise<number> {
      const id = await added(store)
      await put(store, id, { status: "processing" })
      for (let i = 0; i < reports; i += 1) await put(store, id, { message: `${i}${TEXT}` })
      await put(store, id, { status: "completed", message: "" })
      return id
    },
    async [Symbol.asyncDispose]() {
      await space.stop()
      await store.close()
      folder[Symbol.dispose]()
    },
  }
}

test("room is made from the oldest finished history first, and nothing of the last day goes", async () => {
  await using kit = limited()
  const { store, clock, space, looks, restsMs } = kit
  const old = await kit.rendered(260)
  clock.nowMs += 2 * DAY_MS
  await pass(store, 25)
  const young = await kit.rendered(20)
  const left = async (id: number): Promise<number> => store.count(0, await store.head(), id)
  // The start of the server and its end do not wait for it, however much is to be removed.
  await space.start()
  expect(await left(old)).toBe(263)
  await space.round()
  expect(await left(old)).toBeLessThan(263)
  expect(restsMs.length).toBeGreaterThan(0)
  expect(await left(young)).toBe(23)
  expect((await store.item(old)).status).toBe("completed")
  expect(["low", "near"]).toContain(looks.at(-1) ?? "")
})

test("room is made for a while: a tenth of what is allowed is free then, where so much may go", async () => {
  await using kit = limited()
  const { store, clock, space, looks } = kit
  await kit.rendered(195)
  // The rest of a deleted item is removed first, and that alone would be enough for a moment.
  await store.change(await kit.rendered(20), removed)
  clock.nowMs += 2 * DAY_MS
  await pass(store, 25)
  const used = async (): Promise<number> => {
    await store.upkeep.checkpoint()
    return (await store.upkeep.size()).used
  }
  expect(await used()).toBeWithin(2_000_000, 2_150_000)
  await space.round()
  expect(await used()).toBeLessThan(0.9 * 2_000_000)
  expect(looks.at(-1)).toEqual("low")
})

test("where no history is left to remove, only as many finished items go as have to, before the limit is reached", async () => {
  await using kit = limited()
  const { store, clock, space, looks } = kit
  const used = async (): Promise<number> => {
    await store.upkeep.checkpoint()
    return (await store.upkeep.size()).used
  }
  const all = 104
  const render = async (): Promise<void> => {
    const id = await added(store)
    await put(store, id, { status: "processing" })
    await put(store, id, { status: "completed", message: TEXT })
  }
  await Promise.all(Array.from({ length: all }, render))
  expect(await used()).toBeWithin(0.95 * 2_000_000, 2_000_000)
  clock.nowMs += 2 * DAY_MS
  await pass(store, 25)
  // What a deleted item takes is not free at once. Meanwhile no others go.
  for (let round = 0; round < 3; round += 1) await space.round()
  const { present, deleted } = await store.upkeep.items()
  expect([present + deleted, looks.at(-1)]).toEqual([all, "near"])
  expect(deleted).toBeWithin(5, 11)
  clock.nowMs += 11 * 60_000
  await space.round()
  expect(await store.upkeep.items()).toEqual({ present, deleted: 0 })
  expect(await used()).toBeLessThan(0.95 * 2_000_000)
})

test("a full database is said to be full also while finished items are deleted, which frees nothing at first", async () => {
  await using kit = limited()
  const { store, clock, space, looks, resting } = kit
  for (let i = 0; i < 3; i += 1) await kit.rendered(0)
  const open = await added(store)
  for (let i = 0; i < 250; i += 1) await put(store, open, { message: `${i}${TEXT}` })
  clock.nowMs += 2 * DAY_MS
  await pass(store, 25)
  const during: unknown[] = []
  resting.during = async () => void during.push(looks.at(-1))
  await space.round()
  expect(during).toEqual(["far too large"])
})

test("a clock that is far ahead makes no room of what is young", async () => {
  await using kit = limited()
  const { store, clock, space, looks } = kit
  const id = await kit.rendered(250)
  clock.nowMs += 64 * 365 * DAY_MS
  await pass(store, 24)
  await space.round()
  expect([await store.count(0, await store.head(), id), looks.at(-1)]).toEqual([253, "far too large"])
})

test("while room is made the limit is near and not reached, and a stop on the way reports nothing", async () => {
  await using kit = limited()
  const { store, clock, space, looks, resting } = kit
  await kit.rendered(400)
  clock.nowMs += 2 * DAY_MS
  await pass(store, 25)
  resting.during = () => space.stop()
  await space.round()
  expect(looks).toEqual(["near"])
})

test("a full database grows by a tenth at most, whatever workers and people repeat, and may be rendered empty until then", async () => {
  await using kit = limited()
  const { store, bus, room, space, looks } = kit
  const learned = new LearnedDurations(store, fail)
  const queue = new Queue(store, bus, learned, room)
  const workers = new Workers(store, bus, learned, { random: () => 0, token: () => "t", room, onError: fail })
  const codeOf = (promise: Promise<unknown>): Promise<string> =>
    promise.then(
      () => "none",
      (error: unknown) => (error instanceof AppError ? error.code : "other"),
    )
  const [first, second] = [await added(store), await added(store)]
  const { id } = await queue.add({ song_id: 1 })
  const by = { worker: "w", leaseMs: 60_000 }
  const never = AbortSignal.abort()
  const used = async (): Promise<number> => {
    await space.round()
    await store.upkeep.checkpoint()
    return (await store.upkeep.size()).used
  }
  while ((await used()) < 2_000_000) {
    for (let i = 0; i < 10; i += 1) await put(store, first, { message: `${i}${TEXT}` })
  }
  expect(looks.at(-1)).toEqual("full")
  expect(await codeOf(queue.move(id, second))).toBe("unavailable")
  await workers.take(id, by)
  expect(await codeOf(workers.declareSteps(id, "t", ["a"]))).toBe("unavailable")
  expect(await codeOf(workers.fail(id, "t", { error_message: "", retryable: false }))).toBe("none")
  expect(await codeOf(queue.retry(id))).toBe("unavailable")
  expect(await codeOf(queue.retryFailed())).toBe("unavailable")
  expect(await codeOf(queue.batch("retry", [id]))).toBe("unavailable")
  expect(await codeOf(queue.batch("delete", [id]))).toBe("none")
  // A worker that claims and releases again and again.
  await workers.take(first, by)
  await workers.release(first, "t")
  while ((await used()) < 2_200_000) await put(store, first, { message: TEXT.repeat(2) })
  expect(await codeOf(workers.claim({ ...by, tags: [] }, never))).toBe("unavailable")
  expect(await codeOf(workers.take(first, by))).toBe("unavailable")
  // New work would use the room that a full disk has for results; a worker that lost its lease has work in hand.
  Object.assign(room, { isFull: false, isFarTooLarge: false, isDiskFull: true })
  expect(await codeOf(workers.claim({ ...by, tags: [] }, never))).toBe("unavailable")
  await workers.take(first, by)
  await workers.release(first, "t")
  room.isDiskFull = false
  expect(await codeOf(workers.claim({ ...by, tags: [] }, never))).toBe("none")
})

/** When the lease of an item runs out. */
async function leaseEnd(store: Items, id: number): Promise<number> {
  let ends = 0
  await store.change(id, ({ item, work }) => {
    ends = work.lease_expires_at ?? 0
    return { item, work, quiet: true }
  })
  return ends
}

test("where nothing may go, adding and reporting are refused, and what ends a render is stored", async () => {
  await using kit = limited()
  const { store, bus, room, space, looks } = kit
  const learned = new LearnedDurations(store, fail)
  const queue = new Queue(store, bus, learned, room)
  const workers = new Workers(store, bus, learned, { random: () => 0, token: () => "t", room, onError: fail })
  const { id } = await queue.add({ song_id: 1 })
  await workers.take(id, { worker: "w", leaseMs: 60_000 })
  const other = await added(store)
  const third = await added(store)
  for (let i = 0; i < 250; i += 1) await put(store, other, { message: `${i}${TEXT}` })
  await space.round()
  expect(looks.at(-1)).toEqual("far too large")
  const codeOf = (promise: Promise<unknown>): Promise<string> =>
    promise.then(
      () => "none",
      (error: unknown) => (error instanceof AppError ? error.code : "other"),
    )
  expect(await codeOf(queue.add({ song_id: 2 }))).toBe("unavailable")
  const before = await leaseEnd(store, id)
  kit.clock.nowMs += 20_000
  expect(await codeOf(workers.report(id, "t", { progress: 5 }))).toBe("unavailable")
  // It is a sign of life nevertheless, even if the disk or the database is full.
  expect(await leaseEnd(store, id)).toBe(before + 20_000)
  Object.assign(room, { isFull: false, isDiskFull: true })
  kit.clock.nowMs += 20_000
  expect(await codeOf(workers.report(id, "t", { progress: 5 }))).toBe("unavailable")
  expect(await leaseEnd(store, id)).toBe(before + 40_000)
  Object.assign(room, { isFull: true, isDiskFull: false })
  expect(await codeOf(queue.update(other, { message: "more" }))).toBe("unavailable")
  expect(await codeOf(workers.heartbeat(id, "t"))).toBe("none")
  expect(await codeOf(workers.complete(id, "t", {}))).toBe("none")
  expect(await codeOf(queue.cancel(other))).toBe("none")
  expect(await codeOf(queue.update(third, { status: "processing" }))).toBe("unavailable")
  expect(await codeOf(queue.update(third, { status: "failed" }))).toBe("none")
})

test("however fast writers are, the database does not outgrow its limit, and the results of renders are still stored", async () => {
  await using server = await start({ args: ["--max-database-mb", "2"] })
  const { item, lease } = await claimed(server)
  const flooded = await server.add()
  // A request that is on its way when the limit is reached may still be stored.
  const writers = Array.from({ length: 16 }, async () => {
    for (;;) {
      const { status } = await server.api("PUT", `/queue/${flooded}`, { message: TEXT })
      if (status !== 200) return status
    }
  })
  expect(new Set(await Promise.all(writers))).toEqual(new Set([503]))
  const [file, log] = ["", "-wal"].map((part) => statSync(server.database + part).size)
  expect((file ?? 0) + (log ?? 0)).toBeLessThan(2_000_000 + 16 * 3 * TEXT.length + 200_000)
  const done = await server.api("POST", `/queue/${item.id}/complete`, {}, { lease: lease.token })
  expect(done.status).toBe(200)
})

test("nor does it while room is made, however little each step of that frees", async () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "test.db")
  const store = new SqliteStore(database, () => ({ now: () => START_MS, steadyMs: () => START_MS }))
  const render = async (): Promise<void> => {
    const id = await added(store)
    await put(store, id, { status: "processing" })
    await put(store, id, { status: "completed" })
  }
  await Promise.all(Array.from({ length: 1000 }, render))
  const flooded = await added(store)
  const pages = async (): Promise<number> => {
    const { used, wal } = await store.upkeep.size()
    return used - wal
  }
  const some = Array.from({ length: 10 }, () => TEXT)
  while ((await pages()) < 0.95 * 4_000_000) {
    await Promise.all(some.map((message) => put(store, flooded, { message })))
  }
  await pass(store, 25)
  await store.close()
  await using server = await start({ database, args: ["--max-database-mb", "4"] })
  let isFull = false
  const writers = Array.from({ length: 16 }, async () => {
    while (!isFull) await server.api("PUT", `/queue/${flooded}`, { message: TEXT })
  })
  while (!isFull) isFull = (await (await fetch(`${server.url}/health`)).text()).includes("database_full")
  await Promise.all(writers)
  expect(statSync(database).size).toBeLessThan(4_000_000 * (1 + 1 / 32) + 16 * 3 * TEXT.length)
}, 180_000)

/** An item that a worker holds. */
async function claimed(server: TestServer): Promise<{ item: { id: number }; lease: { token: string } }> {
  await server.add()
  return (await server.api("POST", "/queue/claim", { worker: "w" })).json()
}

test("a server that has reached its limit says so in its health", async () => {
  await using server = await start({ args: ["--max-database-mb", "1"] })
  const id = await server.add()
  // The last of these may be refused already.
  for (let i = 0; i < 150; i += 1) await server.api("PUT", `/queue/${id}`, { message: `${i}${TEXT}` })
  for (;;) {
    const health: { status: string; reasons: string[] } = await (await fetch(`${server.url}/health`)).json()
    if (!health.reasons.includes("database_full")) continue
    expect(health.reasons).not.toContain("database_filling")
    break
  }
  const refused = await server.api("POST", "/queue", { song_id: 1 })
  expect([refused.status, await refused.json()]).toEqual([
    503,
    expect.objectContaining({ error: expect.stringContaining("--max-database-mb") }),
  ])
}, 180_000)

test("the room that a database takes is that of its file without free pages, and of the log beside it", async () => {
  await using opened = await openSqlite()
  const { store, path } = opened
  await added(store, { title: "x".repeat(100_000) })
  const { used, wal, free } = await store.upkeep.size()
  expect(wal).toBe(statSync(`${path}-wal`).size)
  expect(wal).toBeGreaterThan(100_000)
  using client = new Database(path, { readonly: true })
  const row = client.query<{ bytes: number }, []>(
    "SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size",
  )
  expect(used + free).toBe((row.get()?.bytes ?? 0) + wal)
})
