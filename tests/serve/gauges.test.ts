import { Database } from "bun:sqlite"
import { expect, test } from "bun:test"
import { join } from "node:path"

import { Metrics } from "../../src/metrics/metrics.ts"
import { gauges, type Sources } from "../../src/serve/gauges.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { added } from "../contracts/store.contract.ts"
import { parsed, valueOf } from "../metrics/exposition.ts"
import { temporaryFolder } from "../server.ts"

/** Reads all gauges of a store, and then gives the value of each. */
function reading(store: SqliteStore, backedUpMs = () => 0): () => Promise<(name: string) => number> {
  const sources: unknown = {
    store,
    database: store.found.path,
    streams: { byFormat: () => [] },
    workers: { presence: { waiting: [] } },
    reasons: { current: [] },
    loop: { lagMs: 1500 },
    backedUpMs,
  }
  const metrics = new Metrics()
  gauges(metrics, sources as Sources)
  return async () => {
    const all = parsed(
      await metrics.text((error) => {
        throw error
      }),
    )
    return (name) => valueOf(all, `track_studio_${name}`) ?? valueOf(all, name) ?? Number.NaN
  }
}

test("times are in seconds, whatever the parts count in, and a backup that was never made has none", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "q.db"))
  await added(store)
  let backedUpMs = 0
  const read = reading(store, () => backedUpMs)
  const before = await read()
  const { user, system } = process.cpuUsage()
  expect(before("event_loop_lag_seconds")).toBe(1.5)
  expect(before("process_cpu_seconds_total")).toBeWithin((user + system) / 2e6, (user + system) / 1e6)
  expect(before("process_start_time_seconds")).toBeCloseTo(Date.now() / 1000 - process.uptime(), 0)
  const waitedS = (store.clock.now() - Date.parse((await store.figures.oldestWaiting()) ?? "")) / 1000
  expect(before("queue_oldest_waiting_seconds")).toBeWithin(waitedS - 60, waitedS + 1)
  const { used, wal, free } = await store.upkeep.size()
  expect(["database_bytes", "wal_bytes", "database_free_bytes"].map(before)).toEqual([used, wal, free])
  expect(new Set([used, wal, free]).size).toBe(3)
  expect(before("backup_last_success_timestamp_seconds")).toBeNaN()
  backedUpMs = 1_700_000_000_500
  expect((await read())("backup_last_success_timestamp_seconds")).toBe(1_700_000_000.5)
  await store.close()
})

test("the database is not writable from a commit that failed until one succeeds, whenever it is checked", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "q.db")
  const store = new SqliteStore(path)
  const read = reading(store)
  const isWritable = async () => (await read())("database_writable")
  expect(await isWritable()).toBe(1)
  const other = new Database(path)
  other.run("BEGIN IMMEDIATE")
  store.drain()
  await expect(added(store)).rejects.toThrow("cannot be written")
  expect(await isWritable()).toBe(0)
  other.close()
  await added(store)
  expect(await isWritable()).toBe(1)
  await store.close()
})
