import { Database } from "bun:sqlite"
import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"

import { LocalBus } from "../../../src/bus/bus.ts"
import { cancelled } from "../../../src/item/add-cancel-retry-delete.ts"
import { LearnedDurations } from "../../../src/queue/learned-durations.ts"
import { RescueAndStall } from "../../../src/queue/rescue-and-stall.ts"
import { Workers } from "../../../src/queue/workers.ts"
import { SqliteStore } from "../../../src/store/sqlite/sqlite.ts"
import { Retention } from "../../../src/upkeep/retention.ts"
import { under } from "../../contracts/repeated-claims.contract.ts"
import { added, codeOf, put, START_MS } from "../../contracts/store.contract.ts"
import { storedOf, taking, takingBack, working } from "../../contracts/work.contract.ts"
import { temporaryFolder } from "../../server.ts"

const onError = (error: unknown): never => {
  throw error
}

test("a server at rest writes nothing, though a sign of life is due; the next write stores one", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "test.db")
  let nowMs = START_MS
  const now = (): number => nowMs
  const store = new SqliteStore(path, () => ({ now, steadyMs: now }))
  const bus = new LocalBus()
  const rescue = new RescueAndStall(store, bus, { stallAfterMs: 120_000, maxRescues: 5, onError })
  const limits = { updatesMs: 604_800_000, perItem: 10_000, itemsMs: 86_400_000, awayMs: () => 0 }
  const retention = new Retention(store.upkeep, store, bus, { ...limits, now, sleep: Bun.sleep, onError })
  // On a database that has items it would begin a day later.
  await retention.start()
  // The first check writes the mark of this start to the disk.
  store.faults()
  const id = await added(store)
  await put(store, id, { status: "processing" })
  await put(store, id, { status: "completed" })
  // What it must still check after a start, and its first minutes, which are stored earlier than after an
  // hour.
  for (let minute = 0; minute < 33; minute += 1) await retention.round()
  const files = (): string[] => [path, `${path}-wal`].map((file) => Bun.hash(readFileSync(file)).toString())
  const before = files()
  const aliveAt = (): number => {
    const other = new Database(path, { readonly: true })
    const { alive_at } = other.query<{ alive_at: number }, []>("SELECT alive_at FROM history").get() ?? {
      alive_at: 0,
    }
    other.close()
    return alive_at
  }
  expect(aliveAt()).toBe(START_MS)
  for (let second = 0; second < 120; second += 1) {
    nowMs += 1000
    await rescue.round()
    if (second % 60 === 0) await retention.round()
    store.faults()
  }
  expect(files()).toEqual(before)
  await put(store, id, { title: "x" })
  expect([files()[1] === before[1], aliveAt()]).toEqual([false, nowMs])
  // Within a second one sign of life is enough, however much is written.
  const saidMs = nowMs
  nowMs += 999
  await put(store, id, { title: "y" })
  expect(aliveAt()).toBe(saidMs)
  nowMs += 1
  await put(store, id, { title: "z" })
  expect(aliveAt()).toBe(nowMs)
  await retention.stop()
  await store.close()
})

test("the first minutes of service are stored after five of them, and nothing is written before", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "test.db")
  const now = (): number => START_MS
  const store = new SqliteStore(path, () => ({ now, steadyMs: now }))
  const limits = { updatesMs: 604_800_000, perItem: 10_000, itemsMs: 86_400_000, awayMs: () => 0 }
  const retention = new Retention(store.upkeep, store, new LocalBus(), {
    ...limits,
    now,
    sleep: Bun.sleep,
    onError,
  })
  await retention.start()
  const files = (): string[] => [path, `${path}-wal`].map((file) => Bun.hash(readFileSync(file)).toString())
  const before = files()
  for (let minute = 1; minute < 5; minute += 1) await retention.round()
  expect(files()).toEqual(before)
  await retention.round()
  expect(files()).not.toEqual(before)
  await retention.stop()
  await store.close()
})

test("a sign of life that is asked for is stored at once", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "test.db")
  let nowMs = START_MS
  const now = (): number => nowMs
  const alive: number[] = []
  const store = new SqliteStore(path, (aliveMs) => (alive.push(aliveMs), { now, steadyMs: now }))
  await store.alive()
  nowMs += 5000
  await store.alive()
  const other = new Database(path, { readonly: true })
  const aliveAt = (): unknown => other.query("SELECT alive_at FROM history").get()
  expect(aliveAt()).toEqual({ alive_at: nowMs })
  // A server that starts after a crash must not count an outage that has made the leases longer.
  store.outages.begin(nowMs)
  nowMs += 60_000
  await expect(store.change(1, (stored) => ({ ...stored, quiet: true }))).rejects.toThrow("1")
  expect(aliveAt()).toEqual({ alive_at: nowMs })
  other.close()
  await store.close()
  // The clock of the next server does not begin before it.
  await new SqliteStore(path, (aliveMs) => (alive.push(aliveMs), { now, steadyMs: now })).close()
  expect(alive).toEqual([0, nowMs])
})

test("a repetition of a claim that holds nothing any more writes nothing", async () => {
  using folder = temporaryFolder()
  let commits = 0
  const store = new SqliteStore(join(folder.path, "test.db"), undefined, {
    onCommit: () => void (commits += 1),
  })
  const id = await added(store)
  await store.claim([], taking("a"), under("one"))
  await store.change(id, takingBack)
  await store.pause()
  commits = 0
  expect(await store.claimedBefore(under("one"))).toBeNull()
  expect(await store.claim([], taking("b"), under("one"))).toBeNull()
  expect(commits).toBe(0)
  await store.close()
})

test("a look at a lease writes nothing, tells whether to go on, and is refused with another lease", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "test.db")
  let nowMs = START_MS
  const now = (): number => nowMs
  let commits = 0
  const store = new SqliteStore(path, () => ({ now, steadyMs: now }), { onCommit: () => void (commits += 1) })
  const workers = new Workers(store, new LocalBus(), new LearnedDurations(store, onError), {
    random: Math.random,
    token: () => "token",
    onError,
  })
  const id = await added(store)
  await workers.claim({ worker: "w", tags: [], leaseMs: 60_000 }, AbortSignal.abort())
  const log = (): string => Bun.hash(readFileSync(`${path}-wal`)).toString()
  const [before, committed] = [log(), commits]
  nowMs += 30_000
  expect(await workers.look(id, "token")).toBe("continue")
  expect(await codeOf(workers.look(id, "another"))).toBe("lease_lost")
  expect([log(), commits]).toEqual([before, committed])
  await store.change(id, cancelled)
  expect(await workers.look(id, "token")).toBe("cancel")
  // It was not renewed, so it ends as if nobody had waited.
  nowMs += 30_000
  const rescue = new RescueAndStall(store, new LocalBus(), { stallAfterMs: 120_000, maxRescues: 5, onError })
  await rescue.round()
  expect(await codeOf(workers.look(id, "token"))).toBe("lease_lost")
  await workers.stop()
  await store.close()
})

test("the time in which no server ran makes the leases longer, also if a start was refused meanwhile", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "test.db")
  let nowMs = START_MS
  const now = (): number => nowMs
  const opened = (): SqliteStore => new SqliteStore(path, () => ({ now, steadyMs: now }))
  const first = opened()
  const id = await working(first, { lease_expires_at: START_MS + 1000 })
  await first.close()
  nowMs += 60_000
  await opened().close()
  nowMs += 60_000
  const last = opened()
  await last.alive()
  expect((await storedOf(last, id)).work.lease_expires_at).toBe(START_MS + 121_000)
  await last.close()
})
