import type { Database } from "bun:sqlite"
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs"
import { dirname } from "node:path"

import type { SQL } from "bun"
import { getTableName } from "drizzle-orm"
import { getTableConfig, type PgTable } from "drizzle-orm/pg-core"

import { AppError } from "../../errors.ts"
import { shortLook } from "../../item/estimate/look.ts"
import { shownDatabase } from "../database-address.ts"
import { lastNumber, setLastNumber } from "../sqlite/autoincrement.ts"
import { sync } from "../sqlite/backup.ts"
import { needsOf as keyOf } from "../sqlite/claim-by-tags.ts"
import { DATABASE_PARTS, giveToOwner, realPathOf, refuseMissing } from "../sqlite/database-path.ts"
import { Lock } from "../sqlite/lock.ts"
import { openDatabase } from "../sqlite/open.ts"
import { isUnused } from "../sqlite/unused-path.ts"
import { needsOf } from "./columns.ts"
import { isConnectionLost, isUndone, StatementError } from "./faults.ts"
import { type OpeningOptions, openPostgres } from "./open.ts"
import { unlimited } from "./pool-settings.ts"
import {
  deliveries,
  history,
  hours,
  idempotencyKeys,
  outputs,
  queueCounts,
  queueItems,
  runs,
  tickets,
  tokens,
  updates,
  webhooks,
} from "./schema.ts"

/** How long sessions of a server that has just ended may still exist. */
const CLOSED_MS = 2000
const PAUSE_MS = 50
/** How long a move waits for another program that uses the tables. A server that starts waits behind it. */
const LOCKED_MS = 2000

/** Rows that are sent at a time. */
const PAGE_ROWS = 1000

/** The tables that both databases have, each after those that it refers to; the history comes last. */
const TABLES = [
  queueItems,
  updates,
  outputs,
  idempotencyKeys,
  hours,
  runs,
  webhooks,
  deliveries,
  tokens,
  tickets,
]
/** Numbers that continue after the move, and the sequence of each in PostgreSQL. */
const NUMBERED = {
  queue_items: "queue_items_ids",
  runs: "runs_ids",
  deliveries: "deliveries_ids",
  tokens: "tokens_ids",
}
/**
 * Columns that exist only in PostgreSQL: where event IDs continue, on which timeline, and which are lost; the fence, and
 * which instance sends which delivery.
 */
const ONLY_HERE = ["floor", "timeline", "lost", "version", "printed", "taken_until"]

type OnWaiting = OpeningOptions["onWaiting"]

/** What was moved. */
export interface Moved {
  /** How many items, deleted ones among them. */
  readonly items: number
  /** How many updates. */
  readonly updates: number
}

type Value = string | number | null
type MovedRow = Record<string, Value>

/** The names of the columns that are moved, and which of them are booleans. */
function columnsOf(table: PgTable): {
  readonly names: readonly string[]
  readonly isBoolean: ReadonlySet<string>
} {
  const columns = getTableConfig(table).columns.filter(
    ({ name, generated }) => generated === undefined && !ONLY_HERE.includes(name),
  )
  const isBoolean = columns.filter(({ columnType }) => columnType === "PgBoolean").map(({ name }) => name)
  return { names: columns.map(({ name }) => name), isBoolean: new Set(isBoolean) }
}

/** @throws AppError `unavailable` if a server runs on the database */
async function checkUnused(tx: SQL, url: string): Promise<void> {
  // A session that was just closed stays in the list for a moment.
  for (const untilMs = performance.now() + CLOSED_MS; ; await Bun.sleep(PAUSE_MS)) {
    // The list of sessions stays the same within a transaction unless it is cleared.
    await tx.unsafe("SELECT pg_stat_clear_snapshot()")
    const [row]: { n: number }[] = await tx.unsafe(
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'track-studio'",
    )
    if ((row?.n ?? 0) === 0) return
    if (performance.now() > untilMs) break
  }
  throw new AppError("unavailable", `a server runs on ${shownDatabase(url)}; stop it, then move`)
}

/** @throws AppError `unavailable` if another program uses them for longer than a moment */
async function lockTables(tx: SQL, url: string): Promise<void> {
  await tx.unsafe(`SET LOCAL lock_timeout = ${LOCKED_MS}`)
  try {
    await tx.unsafe("LOCK TABLE history, queue_items, updates IN ACCESS EXCLUSIVE MODE")
  } catch (error) {
    if (!isUndone(error)) throw error
    const message = `another program, for example a backup, has used ${shownDatabase(url)} for ${LOCKED_MS / 1000} s; wait until it has ended, then move`
    throw new AppError("unavailable", message, { cause: new StatementError(error) })
  }
}

/** The error of a source in which no server has begun a queue; perhaps it has another name. */
const holdsNone = (shown: string): AppError =>
  new AppError("unavailable", `${shown} holds no queue; name the database that a server has used`)

/**
 * Does work on a PostgreSQL database that no server uses, in one transaction. `onEmpty` is called before an empty one is
 * prepared. @throws AppError `unavailable`, and what `onEmpty` throws
 */
async function inTransaction<T>(
  url: string,
  { onWaiting, onEmpty }: Pick<OpeningOptions, "onWaiting" | "onEmpty">,
  work: (tx: SQL) => Promise<T>,
): Promise<T> {
  // Brings the database up to date.
  const opened = await openPostgres(url, { onDoubt: () => undefined, onWaiting, onEmpty })
  await Promise.all([opened.writing.close(), opened.reading.close()])
  const client = unlimited(url, "track-studio move")
  let isToCommit = false
  try {
    return await client.begin(async (tx) => {
      // A move that waits for its lock would hold a running server up.
      await checkUnused(tx, url)
      await lockTables(tx, url)
      // One may have started in the meantime. From here on none can read which history it serves.
      await checkUnused(tx, url)
      const result = await work(tx)
      isToCommit = true
      return result
    })
  } catch (error) {
    if (error instanceof AppError) throw error
    const cause = new StatementError(error)
    const database = shownDatabase(url)
    const message =
      isToCommit && isConnectionLost(error)
        ? `the connection to ${database} was lost as the move ended, so it is not known whether everything or nothing was moved; repeat it: it is refused as not empty if everything was`
        : `the move failed, and nothing was changed in ${database}: ${cause.message}`
    throw new AppError("unavailable", message, { cause })
  } finally {
    await client.close({ timeout: 0 })
  }
}

/** The rows of a table of SQLite, page by page. */
function* pagesOf(client: Database, name: string, names: readonly string[]): Generator<MovedRow[]> {
  const query = client.query<MovedRow & { rowid_: number }, [number, number]>(
    `SELECT rowid AS rowid_, ${names.join(", ")} FROM ${name} WHERE rowid > ? ORDER BY rowid LIMIT ?`,
  )
  for (let last = -1; ;) {
    const page = query.all(last, PAGE_ROWS)
    const end = page.at(-1)
    if (!end) return
    last = end.rowid_
    yield page.map(({ rowid_: _rowid, ...row }) => row)
  }
}

async function fill(tx: SQL, client: Database, table: PgTable): Promise<number> {
  const { names, isBoolean } = columnsOf(table)
  const name = getTableName(table)
  const own = names.filter((column) => column !== "needs")
  const given = (row: MovedRow) => ({
    ...Object.fromEntries(
      Object.entries(row).map(([key, value]) => [key, isBoolean.has(key) ? value === 1 : value]),
    ),
    ...(name === "queue_items" && { needs: needsOf(JSON.parse(String(row["tags"]))) }),
    ...(name === "runs" && { kind: shortLook(String(row["kind"])), look: shortLook(String(row["look"])) }),
  })
  let rows = 0
  for (const page of pagesOf(client, name, own)) {
    await tx.unsafe(
      `INSERT INTO ${name} (${names.join(", ")}) SELECT ${names.join(", ")} FROM json_populate_recordset(NULL::${name}, $1::text::json)`,
      [JSON.stringify(page.map(given))],
    )
    rows += page.length
  }
  return rows
}

/**
 * Moves a SQLite database to an empty PostgreSQL database in one transaction, byte for byte, with the name of
 * the history and all numbers, so that viewers resume where they were. The file is brought up to date, as by the
 * start of a server; nothing that it holds is removed or changed. `onWaiting` is called if PostgreSQL is unavailable.
 * @throws AppError `unavailable` if a server runs on either database, the target is not empty, or the file is
 */
export async function moveUp(file: string, url: string, onWaiting?: OnWaiting): Promise<Moved> {
  refuseMissing(file)
  if (isUnused(file)) throw holdsNone(file)
  const { client, lock } = openDatabase(file)
  try {
    return await inTransaction(url, { onWaiting }, async (tx) => {
      const [used]: { is: boolean }[] = await tx.unsafe(
        "SELECT EXISTS (SELECT FROM queue_items) OR EXISTS (SELECT FROM updates) OR EXISTS (SELECT FROM tokens) OR (SELECT floor > 0 FROM history) AS is",
      )
      if (used?.is)
        throw new AppError("unavailable", `${shownDatabase(url)} is not empty; name an empty database`)
      // Counting each row as it comes would touch the same few rows again and again.
      await tx.unsafe("ALTER TABLE queue_items DISABLE TRIGGER queue_items_counted")
      await tx.unsafe("DELETE FROM hours")
      const counts = new Map<string, number>()
      for (const table of TABLES) counts.set(getTableName(table), await fill(tx, client, table))
      await tx.unsafe("DELETE FROM queue_counts")
      await fill(tx, client, queueCounts)
      await tx.unsafe("ALTER TABLE queue_items ENABLE TRIGGER queue_items_counted")
      await tx.unsafe("DELETE FROM history")
      await fill(tx, client, history)
      await tx.unsafe("UPDATE history SET floor = $1", [lastNumber(client, "updates")])
      for (const [table, sequence] of Object.entries(NUMBERED)) {
        const last = lastNumber(client, table)
        await tx.unsafe(`SELECT setval('${sequence}', $1, $2)`, [Math.max(1, last), last > 0])
      }
      return { items: counts.get("queue_items") ?? 0, updates: counts.get("updates") ?? 0 }
    })
  } finally {
    client.close()
    lock.close()
  }
}

/** Writes the rows of a table of PostgreSQL into SQLite; answers how many there were. */
async function empty(tx: SQL, client: Database, table: PgTable): Promise<number> {
  const { names } = columnsOf(table)
  const name = getTableName(table)
  const key = getTableConfig(table).columns.find(({ primary }) => primary)?.name ?? "queue_id, attempt, until"
  await tx.unsafe(`DECLARE rows CURSOR FOR SELECT row_to_json(t)::text AS row FROM
    (SELECT ${names.join(", ")} FROM ${name} ORDER BY ${key}) t`)
  const insert = client.query(
    `INSERT INTO ${name} (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`,
  )
  let count = 0
  for (;;) {
    const page: { row: string }[] = await tx.unsafe(`FETCH ${PAGE_ROWS} FROM rows`)
    if (page.length === 0) break
    for (const { row } of page) {
      const values: Record<string, Value | boolean> = JSON.parse(row)
      const needs = name === "queue_items" ? keyOf(JSON.parse(String(values["tags"]))) : null
      insert.run(...names.map((column) => (column === "needs" ? needs : (values[column] ?? null))))
    }
    count += page.length
  }
  await tx.unsafe("CLOSE rows")
  return count
}

/** Moves a PostgreSQL database into a SQLite file that nobody else knows. */
async function emptyInto(url: string, copy: string, onWaiting: OnWaiting): Promise<Moved> {
  const { client, lock } = openDatabase(copy)
  const onEmpty = (): void => {
    throw holdsNone(shownDatabase(url))
  }
  try {
    return await inTransaction(url, { onWaiting, onEmpty }, async (tx) => {
      client.run("BEGIN")
      const counts = new Map<string, number>()
      const mark = client.query<{ mark: string }, []>("SELECT mark FROM history").get()?.mark ?? null
      client.run("DELETE FROM history")
      client.run("DELETE FROM hours")
      for (const table of [...TABLES, history])
        counts.set(getTableName(table), await empty(tx, client, table))
      for (const [table, sequence] of Object.entries(NUMBERED)) {
        const [row]: { last: number }[] = await tx.unsafe(
          `SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END::float8 AS last FROM ${sequence}`,
        )
        setLastNumber(client, table, row?.last ?? 0)
      }
      // By this mark the next server recognises that the file was there before.
      client.query("UPDATE history SET mark = ?").run(mark)
      const [head]: { id: number }[] = await tx.unsafe("SELECT (take_turn())::float8 AS id")
      setLastNumber(client, "updates", head?.id ?? 0)
      client.run("COMMIT")
      // From here on only the file is the database.
      const log = client.query<{ busy: number }, []>("PRAGMA wal_checkpoint(TRUNCATE)").get()
      if (log?.busy !== 0) throw new AppError("unavailable", `${copy} is in use by another program`)
      return { items: counts.get("queue_items") ?? 0, updates: counts.get("updates") ?? 0 }
    })
  } finally {
    if (client.inTransaction) client.run("ROLLBACK")
    client.close()
    lock.close()
  }
}

function removeDatabase(database: string): void {
  for (const part of DATABASE_PARTS) rmSync(`${database}${part}`, { force: true })
}

/**
 * Moves a PostgreSQL database to a new SQLite file, like `moveUp` in the other direction. The database is
 * brought up to date, and otherwise does not change. The file appears only when it is complete, so an interrupted
 * move leaves nothing that a server would use as its queue.
 * @throws AppError `unavailable` if a server runs on it, it holds no queue, or the file exists
 */
export async function moveDown(url: string, file: string, onWaiting?: OnWaiting): Promise<Moved> {
  const target = realPathOf(file)
  if (existsSync(target)) throw new AppError("unavailable", `${file} is there already; name a new file`)
  mkdirSync(dirname(target), { recursive: true })
  const copy = `${target}.moving`
  // No server can begin a queue there in the meantime, and no second move can start.
  const lock = new Lock(target)
  let isFree = false
  try {
    lock.check(true)
    isFree = true
    removeDatabase(copy)
    const moved = await emptyInto(url, copy, onWaiting)
    giveToOwner(copy)
    sync(copy)
    renameSync(copy, target)
    sync(dirname(target))
    return moved
  } finally {
    lock.close()
    if (isFree) {
      // The next server makes its own mark.
      rmSync(`${target}.lock`, { force: true })
      removeDatabase(copy)
    }
  }
}
