import { readFileSync } from "node:fs"
import { join } from "node:path"

import { getTableName } from "drizzle-orm"

import { AppError } from "../../errors.ts"
import { START_MS } from "../contract/life.ts"
import type { AwaitedDatabase, FoundDatabase } from "../contract/store.ts"
import { shownDatabase } from "../database-address.ts"
import { type ConnectionsOptions, PostgresConnections } from "./connections.ts"
import {
  isConnectionLost,
  isOfDatabase,
  isOfTls,
  isUndone,
  READ_ONLY,
  serverError,
  StatementError,
  stateOf,
  UNKNOWN_PARAMETER,
} from "./faults.ts"
import { pool, unlimited } from "./pool-settings.ts"
import { TABLES } from "./schema.ts"

/** After this time a start says that it waits. */
const SAID_MS = 1000
const OLDEST_SERVER = 15
/** Connections for reads, and for the writes that no group takes. */
const READERS = 4
/** The SQLSTATE of a user who lacks a right. */
const NO_RIGHT = "42501"
/** How long migrations wait for a table that another program uses. */
const TABLE_MS = 2000
/** The SQLSTATE of a lock that was not given in time. */
const NO_LOCK = "55P03"
/** The advisory lock under which a database is prepared. */
const PREPARING = 7_446_291

/** In the binary all such folders are side by side, so each needs its own name. */
const migrationsFolder = join(import.meta.dir, "postgres-migrations")

/** An open database. */
export interface Opened {
  /** The one connection of the groups. */
  readonly writing: PostgresConnections
  /** Connections for everything else. */
  readonly reading: PostgresConnections
  /** The name of the history. */
  readonly historyId: string
  /** See `RolledBackCheck`. */
  readonly era: number
  /** The last sign of life of a server, in milliseconds of the database; null if there was none. */
  readonly aliveMs: number | null
  /** The database's time, and when it was requested on the clock of `performance.now()`. */
  readonly time: { readonly serverMs: number; readonly askedMs: number }
  /** What was there. */
  readonly found: FoundDatabase
}

/** What is called while a database is opened. */
export interface OpeningOptions extends Pick<ConnectionsOptions, "onDoubt"> {
  /** Called before an empty database is prepared. It stays empty if this throws. Absent for no call. */
  readonly onEmpty?: (() => void) | undefined
  /** Called once if the server is still unavailable after a second; absent for no call. */
  readonly onWaiting?: ((waiting: AwaitedDatabase) => void) | undefined
}

interface Server {
  readonly version: number
  readonly encoding: string
  readonly read_only: string
  /** Whether sessions run no triggers: the user, the database or the server has a setting for copying rows. */
  readonly is_replica: boolean
  readonly free: number
}

/** The first statement to a server. Its connection is one of those that the server keeps. */
const SERVER = `SELECT current_setting('server_version_num')::int / 10000 AS version, current_setting('server_encoding') AS encoding,
  current_setting('transaction_read_only') AS read_only,
  current_setting('session_replication_role') = 'replica' AS is_replica,
  (current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
    - (SELECT sum(numbackends) FROM pg_stat_database))::int AS free`

/** How many of some tables ($1) this user may not read or change. */
const DENIED = `SELECT count(*)::int AS n FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY($1::text[])
  AND EXISTS (SELECT FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) act WHERE NOT has_table_privilege(c.oid, act))`

/** Connections that a server takes: for groups, for everything else, and two of a bell. */
const CONNECTIONS = 1 + READERS + 2

/**
 * Opens the PostgreSQL database at `url`, and brings it up to date; waits up to 30 s for an unavailable
 * server.
 * @throws AppError `unavailable` if it cannot be reached or written, a pooler is in front of it, or it is too
 * old
 */
export async function openPostgres(
  url: string,
  { onDoubt, onEmpty = () => undefined, onWaiting = () => undefined }: OpeningOptions,
): Promise<Opened> {
  // The connection of the groups comes first: if there are few, writes must not wait for reads to end.
  const writing = new PostgresConnections({
    open: (onReopened) => pool(url, 1, onReopened),
    onDoubt,
    // The one that took none may go on answering reads, with what it had before another server took over.
    onTakesWrites: () => reading.reopen(),
  })
  const reading = new PostgresConnections({
    open: (onReopened) => pool(url, READERS, onReopened),
    onDoubt,
    isForReads: true,
  })
  const database = shownDatabase(url)
  const waiting = setTimeout(
    () => onWaiting({ database, seconds: START_MS / 1000, code: writing.lostBy ?? "" }),
    SAID_MS,
  )
  const untilMs = performance.now() + START_MS
  try {
    const free = await checkServer(writing, url, untilMs).finally(() => clearTimeout(waiting))
    // The server may restart at this moment, too.
    const ready = await writing.patiently(() => prepared(writing, url, onEmpty), untilMs)
    return { ...ready, writing, reading, found: { ...ready.found, warning: tooFew(free) } }
  } catch (error) {
    await Promise.all([writing.close(), reading.close()])
    throw explained(error, url)
  }
}

/** Brings the database up to date, checks the rights of this user, and reads its history. */
async function prepared(
  writing: PostgresConnections,
  url: string,
  onEmpty: () => void,
): Promise<Omit<Opened, "writing" | "reading">> {
  try {
    const found = await migrated(url, writing, onEmpty)
    await checkRights(writing)
    const askedMs = performance.now()
    const [row] = await writing.ask<{ id: string; era: number; alive: number | null; now: number }>(
      "SELECT id, resumed_id::float8 AS era, alive_at::float8 AS alive, (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now FROM history",
    )
    if (!row) throw new AppError("unavailable", `the database ${shownDatabase(url)} has no history`)
    const time = { serverMs: row.now, askedMs }
    return { historyId: row.id, era: row.era, aliveMs: row.alive, time, found }
  } catch (error) {
    // Waiting helps only if the connection was lost.
    throw isConnectionLost(error) ? error : explained(error, url)
  }
}

/**
 * What to say of a database with so many free connections beside the one that asks; undefined if they suffice for a
 * server.
 */
export const tooFew = (free: number): string | undefined =>
  free + 1 >= CONNECTIONS
    ? undefined
    : `PostgreSQL has ${free} connections left, and a server takes up to ${CONNECTIONS}: raise its max_connections`

/**
 * Returns how many connections are left. Waits for a server that is unavailable or accepts no writes, but not
 * for one that denies this program access, because a person must correct that.
 */
async function checkServer(link: PostgresConnections, url: string, untilMs: number): Promise<number> {
  const look = async (): Promise<Server> => {
    const [server] = await link.ask<Server>(SERVER).catch((error: unknown) => {
      throw FINAL.includes(stateOf(error)) || isOfTls(error) ? explained(error, url) : error
    })
    if (server?.read_only === "off") return server
    throw serverError(READ_ONLY)
  }
  const { version, encoding, is_replica: isReplica, free } = await link.patiently(look, untilMs)
  if (version < OLDEST_SERVER) {
    const message = `${shownDatabase(url)} is PostgreSQL ${version}; version ${OLDEST_SERVER} or newer is needed`
    throw new AppError("unavailable", message)
  }
  // The triggers count items and refuse illegal moves.
  if (isReplica) {
    const message = `sessions at ${shownDatabase(url)} have session_replication_role = replica, with which no trigger runs; reset it for this user, the database or the server`
    throw new AppError("unavailable", message)
  }
  if (encoding !== "UTF8") {
    const message = `the database ${shownDatabase(url)} is encoded in ${encoding}, which cannot hold every text; make one with createdb --template template0 --encoding UTF8`
    throw new AppError("unavailable", message)
  }
  return free
}

/** @throws SQL.PostgresError if this user lacks a right, which otherwise the first write would find */
async function checkRights(link: PostgresConnections): Promise<void> {
  const [denied] = await link.ask<{ n: number }>(DENIED, [TABLES.map((table) => getTableName(table))])
  if (denied && denied.n > 0) throw serverError(NO_RIGHT)
}

/** How many migrations this binary knows. */
function knownMigrations(): number {
  const path = join(migrationsFolder, "meta/_journal.json")
  const journal: { entries: unknown[] } = JSON.parse(readFileSync(path, "utf8"))
  return journal.entries.length
}

type AskDatabase = <T>(text: string) => Promise<T[]>

/** How many migrations a database has seen. */
async function appliedMigrations(ask: AskDatabase): Promise<number> {
  const [table] = await ask<{ is: string | null }>(
    "SELECT to_regclass('drizzle.__drizzle_migrations')::text AS is",
  )
  if (!table?.is) return 0
  const [row] = await ask<{ n: number }>("SELECT count(*)::int AS n FROM drizzle.__drizzle_migrations")
  return row?.n ?? 0
}

/**
 * Brings the database up to date. A newer database does not change: migrations only add, and older instances
 * go on.
 */
async function migrated(url: string, link: PostgresConnections, onEmpty: () => void): Promise<FoundDatabase> {
  const newest = knownMigrations()
  const path = shownDatabase(url)
  const found = await appliedMigrations((text) => link.ask(text))
  if (found >= newest) return { path, isNew: false, migrated: 0, canShrink: true }
  if (found === 0) onEmpty()
  // Loaded only when there is something to migrate. It uses its own session, which waits for the lock as long
  // as another instance needs for its migrations.
  const [{ drizzle }, { migrate }] = await Promise.all([
    import("drizzle-orm/bun-sql"),
    import("drizzle-orm/bun-sql/migrator"),
  ])
  const client = unlimited(url, "track-studio")
  try {
    await client.unsafe("SELECT pg_advisory_lock($1)", [PREPARING])
    const before = await appliedMigrations(async (text) => [...(await client.unsafe(text))])
    // A migration that waits for a table holds up the servers that use it.
    await client.unsafe(`SET lock_timeout = ${TABLE_MS}`)
    if (before < newest) await migrate(drizzle({ client }), { migrationsFolder })
    return {
      path,
      canShrink: true,
      isNew: before === 0,
      migrated: before === 0 ? 0 : Math.max(0, newest - before),
    }
  } finally {
    await client.close({ timeout: 0 })
  }
}

const pooler = (url: string): AppError =>
  new AppError(
    "unavailable",
    `${shownDatabase(url)} is a connection pooler such as pgbouncer, behind which answers get mixed up; name the PostgreSQL server itself with --database`,
  )

/** The message of a start that failed, by SQLSTATE: what is wrong, and what to do. */
const ADVICE: Readonly<Record<string, string>> = {
  "28P01": "refuses the password; check the user and the password in the URL",
  "28000":
    "refuses the user; check the user in the URL and the server's pg_hba.conf, which may want ?sslmode=require",
  "3D000": "does not exist; create it with createdb, or name another with --database",
  [NO_RIGHT]: "may not be changed by this user; make the user its owner",
  [READ_ONLY]:
    "takes no writes: it is a standby, or default_transaction_read_only is on for the database or the user",
  [NO_LOCK]:
    "cannot be brought up to date while another program uses it, for example a backup; start again when that has ended",
  "3F000":
    "has no schema public; make one with CREATE SCHEMA public, or name another database with --database",
  "42P01":
    "has lost its tables; put a backup back, or drop it and create it again (without a backup the queue is empty)",
  "53100": "has no room left on its disk; make room there, and start again",
  "53300": "has no connection left; raise max_connections, or start fewer servers (each takes up to 7)",
}

/** The SQLSTATEs of faults for which no start waits. */
const FINAL = ["28P01", "28000", "3D000", NO_RIGHT, UNKNOWN_PARAMETER]
/** The client's error for a server that accepts no encrypted connections. */
const NO_TLS = "ERR_POSTGRES_TLS_NOT_AVAILABLE"

/** What is wrong with a database, and what to do. */
function adviceFor(error: unknown, { state, code }: StatementError): string {
  const known = ADVICE[state]
  if (known !== undefined) return known
  if (code === NO_TLS)
    return "does not accept encrypted connections; turn ssl on there, or leave sslmode out of the URL"
  if (isOfTls(error))
    return "has a certificate that is not accepted; NODE_EXTRA_CA_CERTS names the file of its authority"
  if (isUndone(error)) return "does not finish this: it is too busy, or another program holds a lock on it"
  return isConnectionLost(error) ? "cannot be reached" : "cannot be used"
}

/** An error of the database, however it is wrapped, as the sentence of a start that failed; other errors unchanged. */
export const explainedStart = (error: unknown, url: string): unknown =>
  isOfDatabase(error) ? explained(error, url) : error

/** An error as the sentence of a start that failed. */
function explained(error: unknown, url: string): unknown {
  // If the database is not its cause, its message already says what is wrong.
  if (error instanceof AppError && !isOfDatabase(error)) return error
  const cause = new StatementError(error)
  if (cause.state === UNKNOWN_PARAMETER) return pooler(url)
  const message = `the database ${shownDatabase(url)} ${adviceFor(error, cause)} (${cause.message})`
  return new AppError("unavailable", message, { cause })
}
