import { rmSync } from "node:fs"
import { join } from "node:path"

import { SQL } from "bun"

import { found, startPostgres } from "../engines.ts"
import { row, type Scenario } from "./bench.ts"
import { Readers, write } from "./load.ts"
import { cpu, freePort, run, sleep } from "./machine.ts"
import { inQuiet } from "./noise.ts"
import { addItems, databaseFolder, ours, paths, serveCommand, updateBody } from "./ours.ts"
import { Process, ready, Target } from "./processes.ts"

/** The name of the column for one server on SQLite. */
const SQLITE = "ours, SQLite"
const INSTANCES = [1, 2, 3]
const WRITERS = [16, 64]
const VIEWERS = 100
const RETURNING = 1000
const PER_SECOND = 50
const BEHIND = 40
/** PostgreSQL updates its counters with this delay. */
const COUNTED_MS = 1500

const PROTOCOL = {
  stream: { path: paths.stream, live: true },
  write: { method: "PUT", path: paths.item, body: updateBody(`ts=%T${"x".repeat(120)}`) },
} as const

/** A database that servers use, and the servers that were started on it. */
interface Fleet extends AsyncDisposable {
  readonly database: string
  readonly targets: readonly Target[]
}

async function served(database: string, count: number): Promise<Target[]> {
  const targets: Target[] = []
  for (let number = 0; number < count; number += 1) {
    const port = freePort()
    const args = ["--requests-per-address", "0", "--streams-per-client", "0", "--replays-per-client", "0"]
    const process = Process.start(`${ours}-${number}`, serveCommand(port, database, args), { on: "server" })
    await ready(port, [process])
    targets.push(new Target(ours, port, PROTOCOL, [process]))
  }
  return targets
}

async function onSqlite(): Promise<Fleet> {
  const home = databaseFolder()
  const database = join(home, "track-studio.db")
  const targets = await served(database, 1)
  return {
    database,
    targets,
    async [Symbol.asyncDispose]() {
      for (const target of targets) await target.stop()
      rmSync(home, { recursive: true, force: true })
    },
  }
}

/**
 * Some servers on a PostgreSQL that writes to the disk before it answers. PostgreSQL may use both CPUs, and
 * the servers use one.
 */
async function onPostgres(count: number): Promise<Fleet> {
  const engine = await startPostgres(found("postgres") ?? "", { fsync: "on" })
  run(["taskset", "-apc", `${cpu.server},${cpu.client}`, `${engine.pid}`])
  const targets = await served(engine.url, count)
  return {
    database: engine.url,
    targets,
    async [Symbol.asyncDispose]() {
      for (const target of targets) await target.stop()
      await engine[Symbol.asyncDispose]()
    },
  }
}

/**
 * Updates per second that all servers accept together, each from this many writers, each of which changes its
 * own item.
 */
async function taken(open: () => Promise<Fleet>, writers: number, seconds: number): Promise<number> {
  await using fleet = await open()
  const [first] = fleet.targets
  if (!first) return 0
  await addItems(first, writers * fleet.targets.length)
  const each = fleet.targets.map((target, at) =>
    write(target, { connections: writers, seconds, items: writers, offset: at * writers }),
  )
  return (await Promise.all(each)).reduce((sum, { per_s, bad, neterr }) => {
    if (bad + neterr > 0) throw new Error(`${bad + neterr} writes failed`)
    return sum + per_s
  }, 0)
}

interface Seen {
  readonly p50: number
  readonly p99: number
  readonly faults: string[]
}

/** From sending an update to one server until 100 viewers of the last server have it, in milliseconds. */
async function seen(open: () => Promise<Fleet>, seconds: number): Promise<Seen> {
  await using fleet = await open()
  const [first, last] = [fleet.targets[0], fleet.targets.at(-1)]
  if (!first || !last) throw new Error("no server")
  await addItems(first, 1)
  const readers = await Readers.open(last, { count: VIEWERS, warmupSeconds: 1 })
  const { ok, bad, neterr } = await write(first, { connections: 2, perSecond: PER_SECOND, seconds })
  await sleep(500)
  const { lat_us, min, max, holes, disorder } = await readers.finish()
  const faults =
    bad + neterr + holes + disorder > 0 || min !== ok || max !== ok
      ? [`${ok} sent, ${min} to ${max} seen`]
      : []
  return { p50: lat_us.p50 / 1000, p99: lat_us.p99 / 1000, faults }
}

/** Statements of a database so far. */
async function statements(client: SQL): Promise<number> {
  await sleep(COUNTED_MS)
  const [row] =
    await client`SELECT xact_commit::float8 AS n FROM pg_stat_database WHERE datname = current_database()`
  return row.n
}

/** Statements for each of 1,000 viewers that reconnect to another server while updates go on. */
async function reads(): Promise<number> {
  await using fleet = await onPostgres(2)
  const [first, last] = fleet.targets
  if (!first || !last) throw new Error("no server")
  await addItems(first, 16)
  const client = new SQL({ url: fleet.database, max: 1 })
  const staying = await Readers.open(last, { count: 10 })
  const writing = write(first, { connections: 2, perSecond: PER_SECOND, seconds: 14, items: 16 })
  await sleep(2000)
  const [beganMs, began] = [performance.now(), await statements(client)]
  await sleep(4000)
  const [quietMs, quiet] = [performance.now(), await statements(client)]
  const lastEventId = await headOf(last)
  const returned = await Readers.open(last, { count: RETURNING, lastEventId: lastEventId - BEHIND })
  const [endMs, end] = [performance.now(), await statements(client)]
  await writing
  for (const readers of [staying, returned]) await readers.finish()
  await client.close()
  const without = ((quiet - began) / (quietMs - beganMs)) * (endMs - quietMs)
  return Math.max(0, end - quiet - without) / RETURNING
}

async function headOf({ port }: Target): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${port}${paths.stats}`)
  const { updates }: { updates: { newest_id: number } } = await answer.json()
  return updates.newest_id
}

/** Measures several ways in turn, each `runs` times. */
async function inTurns<Result>(
  runs: number,
  ways: Readonly<Record<string, () => Promise<Result>>>,
  tell: (result: Result) => string,
): Promise<Map<string, Result[]>> {
  const results = new Map<string, Result[]>()
  for (let number = 1; number <= runs; number += 1) {
    for (const [name, measure] of Object.entries(ways)) {
      const { result } = await inQuiet(measure)
      results.set(name, [...(results.get(name) ?? []), result])
      console.error(`  Q ${number}/${runs} ${name}: ${tell(result)}`)
    }
  }
  return results
}

/** Servers that share a PostgreSQL, beside one on SQLite. */
export const fleet: Scenario = {
  letter: "Q",
  name: "fleet",
  title: "a fleet on PostgreSQL beside one server on SQLite",
  async measure({ plan, ours: contender }) {
    if (!contender || found("postgres") === null) return []
    const about = (measure: string, unit: string) => ({ scenario: "Q", measure, unit })
    const rows = []
    for (const writers of WRITERS) {
      const onCount = (count: number) => () => taken(() => onPostgres(count), writers, plan.writeSeconds)
      const ways = {
        [SQLITE]: () => taken(onSqlite, writers, plan.writeSeconds),
        ...Object.fromEntries(INSTANCES.map((count) => [`${count}`, onCount(count)])),
      }
      const results = await inTurns(plan.runs, ways, (perSecond) => `${Math.round(perSecond)} updates/s`)
      for (const count of INSTANCES) {
        const both = new Map([
          [ours, results.get(`${count}`) ?? []],
          [SQLITE, results.get(SQLITE) ?? []],
        ])
        const what = `durable PUT, ${count} server${count > 1 ? "s" : ""} with ${writers} writers each`
        rows.push(row(both, (perSecond) => perSecond, about(what, "1/s")))
      }
    }
    const ways = {
      [ours]: () => seen(() => onPostgres(2), plan.latencySeconds),
      [SQLITE]: () => seen(onSqlite, plan.latencySeconds),
    }
    const results = await inTurns(plan.runs, ways, ({ p50, p99 }) => `p50 ${p50} ms, p99 ${p99} ms`)
    const faults = [...results.values()].flat().flatMap((one) => one.faults)
    const what = `${PER_SECOND} updates/s to ${VIEWERS} viewers of another server`
    const bar = { kind: "at most", limit: 3, times: SQLITE } as const
    rows.push(row(results, ({ p50 }) => p50, about(`${what}: p50`, "ms"), faults))
    rows.push(row(results, ({ p99 }) => p99, { ...about(`${what}: p99`, "ms"), bar }, faults))
    const read = await inTurns(
      plan.runs,
      { [ours]: reads },
      (each) => `${each.toFixed(3)} statements a viewer`,
    )
    const most = { kind: "at most", limit: 0.1 } as const
    rows.push(
      row(read, (each) => each, { ...about("statements for each viewer that comes back", "1"), bar: most }),
    )
    return rows
  },
}
