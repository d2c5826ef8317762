import { dirname } from "node:path"

import type { Reasons } from "../degraded-reasons.ts"
import { freeBytes, mostDescriptors, openDescriptors } from "../machine/machine.ts"
import type { Metrics } from "../metrics/metrics.ts"
import type { Workers } from "../queue/workers.ts"
import type { Store } from "../store/contract/store.ts"
import { isPostgres } from "../store/database-address.ts"
import type { Streams } from "../stream/streams.ts"
import type { EventLoop } from "../upkeep/event-loop-and-clock.ts"
import { commit, version } from "../version.ts"

/** The parts from which the gauges are read. */
export interface Sources {
  /** The database. */
  readonly store: Store
  /** The path of its file. */
  readonly database: string
  /** The open streams. */
  readonly streams: Streams
  /** The claims that wait. */
  readonly workers: Workers
  /** What is wrong with the server. */
  readonly reasons: Reasons
  /** How late the event loop is. */
  readonly loop: EventLoop
  /** When the latest backup was made, in epoch milliseconds; 0 if that is not known. */
  readonly backedUpMs: () => number
}

/** A sample for each key of a record. */
const byKey = (record: Readonly<Record<string, number>>) =>
  Object.entries(record).map(([key, value]) => ({ labels: [key], value }))

function ofStore(metrics: Metrics, { store, database }: Sources): void {
  const { figures, deliveries, upkeep, clock } = store
  metrics.read("queue_items", async () => byKey(await figures.standing()))
  metrics.read("queue_oldest_waiting_seconds", async () => {
    const at = await figures.oldestWaiting()
    return at === null ? 0 : Math.max(0, (clock.now() - Date.parse(at)) / 1000)
  })
  metrics.read("leases", () => figures.leases())
  metrics.read("webhook_deliveries", async () => byKey(await deliveries.standing()))
  metrics.read("database_bytes", async () => (await upkeep.size()).used)
  metrics.read("wal_bytes", async () => (await upkeep.size()).wal)
  metrics.read("database_free_bytes", async () => (await upkeep.size()).free)
  metrics.read("database_writable", () => (store.failure === "" ? 1 : 0))
  metrics.read("disk_free_bytes", () => (isPostgres(database) ? [] : freeBytes(dirname(database))))
}

function ofProcess(metrics: Metrics): void {
  const startedS = Date.now() / 1000 - process.uptime()
  metrics.read("process_start_time_seconds", () => startedS)
  metrics.read("process_cpu_seconds_total", () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  })
  metrics.read("process_resident_memory_bytes", () => process.memoryUsage.rss())
  metrics.read("process_open_fds", openDescriptors)
  metrics.read("process_max_fds", () => mostDescriptors() ?? 0)
}

/** Says for each gauge how it is read. */
export function gauges(metrics: Metrics, sources: Sources): void {
  const { streams, workers, reasons, loop, backedUpMs } = sources
  metrics.read("build_info", () => [{ labels: [version, commit], value: 1 }])
  metrics.read("degraded", () => reasons.current.map((reason) => ({ labels: [reason], value: 1 })))
  metrics.read("streams", () =>
    streams.byFormat().map(({ kind, format, count }) => ({ labels: [kind, format], value: count })),
  )
  metrics.read("claims_waiting", () => workers.presence.waiting.length)
  metrics.read("event_loop_lag_seconds", () => loop.lagMs / 1000)
  metrics.read("backup_last_success_timestamp_seconds", () => {
    const ms = backedUpMs()
    return ms === 0 ? [] : ms / 1000
  })
  ofStore(metrics, sources)
  ofProcess(metrics)
}
