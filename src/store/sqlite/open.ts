import { Database } from "bun:sqlite"
import { chmodSync, existsSync, mkdirSync, readdirSync, type Stats, statSync } from "node:fs"
import { dirname, join, resolve } from "node:path"

import { drizzle } from "drizzle-orm/bun-sqlite"

import { AppError, codeOf } from "../../errors.ts"
import type { FoundDatabase } from "../contract/store.ts"
import { openToRead, waitForWriters } from "./connect.ts"
import { type Mark, markOf, textOfMark } from "./database-mark.ts"
import { DATABASE_PARTS, realPathOf, reservePrivately, sizeOf } from "./database-path.ts"
import { isDamage, refusalOf } from "./fault-sentences.ts"
import { Lock } from "./lock.ts"
import { faultOfSchema, knownMigrations, migrationsFolder } from "./schema-of-version.ts"

/** The write-ahead log is cut to this size whenever SQLite starts it from its beginning. */
export const WAL_BYTES = 32 * 1024 * 1024

/** SQLite's number for `auto_vacuum = INCREMENTAL`. */
const INCREMENTAL = 2

/** How many migrations a database has seen. */
export function appliedMigrations(client: Database): number {
  const table = client.query("SELECT 1 FROM sqlite_master WHERE name = '__drizzle_migrations'").get()
  if (table === null) return 0
  return client.query<{ n: number }, []>("SELECT count(*) AS n FROM __drizzle_migrations").get()?.n ?? 0
}

/** Whether the file records where its pages belong, so that unused ones can be given back. */
export const canShrink = (client: Database): boolean =>
  client.query<{ auto_vacuum: number }, []>("PRAGMA auto_vacuum").get()?.auto_vacuum === INCREMENTAL

interface Before {
  readonly isNew: boolean
  /** How many migrations it has, and how many this binary knows. */
  readonly applied: number
  readonly newest: number
}

function inspect(client: Database, path: string): Before {
  const before = appliedMigrations(client)
  // If a first start was interrupted, the migrator's own table is left; it is empty.
  const tables =
    client
      .query<{ n: number }, []>(
        "SELECT count(*) AS n FROM sqlite_master WHERE tbl_name <> '__drizzle_migrations'",
      )
      .get()?.n ?? 0
  if (before === 0 && tables > 0) {
    throw new AppError(
      "unavailable",
      `${path} is a database of another program; name another file with --database`,
    )
  }
  const newest = knownMigrations()
  if (before > newest) {
    throw new AppError(
      "unavailable",
      `${path} was made by a newer version (schema ${before}, this binary knows ${newest}); start that version`,
    )
  }
  return { isNew: tables === 0, applied: before, newest }
}

/**
 * Why a server could not use what is in a database file: it is damaged at its beginning, another program's, or of a newer
 * version. Undefined if it could, as far as its beginning tells. The file is only read, also beside a running server.
 */
export function refusalOfFile(path: string): AppError | undefined {
  let client: Database | undefined
  try {
    client = openToRead(path)
    inspect(client, path)
    return undefined
  } catch (error) {
    // Other errors pass, such as that of a server that is being stopped.
    const isRefused = error instanceof AppError || isDamage(codeOf(error))
    return isRefused ? refusalOf(error, path, `cannot open the database ${path}`) : undefined
  } finally {
    client?.close()
  }
}

function prepare(client: Database, before: Before): void {
  // Before the first write: a file that was written without this setting gives room back only after a
  // compaction. SQLite writes and syncs the setting even if the file has it, and the start would wait for that.
  if (!canShrink(client)) client.run("PRAGMA auto_vacuum = INCREMENTAL")
  // SQLite also opens a file that is read-only. Then the first write would fail.
  client.run("BEGIN IMMEDIATE")
  client.run("ROLLBACK")
  client.run("PRAGMA journal_mode = WAL")
  // FULL: each commit reaches the disk before it is answered, so an acknowledged write survives a power cut.
  client.run("PRAGMA synchronous = FULL")
  client.run("PRAGMA foreign_keys = ON")
  client.run("PRAGMA wal_autocheckpoint = 4000")
  client.run(`PRAGMA journal_size_limit = ${WAL_BYTES}`)
  client.run("PRAGMA cache_size = -16000")
  if (before.applied === before.newest) return
  // Loaded only for a migration: it loads node:crypto, which takes a tenth of a start.
  const {
    migrate,
  }: typeof import("drizzle-orm/bun-sqlite/migrator") = require("drizzle-orm/bun-sqlite/migrator")
  migrate(drizzle(client), { migrationsFolder })
}

const schemaVersion = (client: Database): number =>
  client.query<{ schema_version: number }, []>("PRAGMA schema_version").get()?.schema_version ?? 0

const damaged = (path: string, reason: string): AppError =>
  new AppError(
    "unavailable",
    `the database ${path} is damaged: ${reason}; put a backup in its place, or name another file with --database`,
  )

/**
 * Reads the rows behind which the next item and the next update are stored. A server that cannot read them could store
 * nothing.
 * @throws SQLiteError
 */
function readEnds(client: Database): void {
  client.query("SELECT (SELECT max(id) FROM queue_items), (SELECT max(id) FROM updates)").get()
}

/**
 * Writes the write-ahead log into the file, and returns whether all of it is there: readers of an old state prevent that.
 * With `isLast` it also empties the log, if nobody reads it.
 */
export function writeLog(client: Database, isLast = false): boolean {
  const how = isLast ? "TRUNCATE" : "PASSIVE"
  const done = client.query<{ log: number; checkpointed: number }, []>(`PRAGMA wal_checkpoint(${how})`).get()
  return done !== null && done.log === done.checkpointed && done.log >= 0
}

/**
 * Gives the database a new mark, in the file itself. The file is not synced here, because the start would
 * wait for the disk. For about the first second, the lock still records the previous mark. While the file does not
 * carry the previous mark, as after starts that were killed, it gets no other one: the lock must not know one that the
 * file lacks, and the file must not be far ahead of the lock.
 */
function mark(client: Database, lock: Lock, path: string, tables: number): Mark {
  const row = client.query<{ mark: string | null }, []>("SELECT mark FROM history").get()
  if (!row) throw damaged(path, "the name of its history is missing")
  const known = markOf(row.mark)
  const before = { ...(known ?? { name: crypto.randomUUID(), starts: 0 }), tables }
  // The contents of the write-ahead log of an earlier server must be on the disk before the log begins again.
  const isClean = sizeOf(`${path}-wal`) === 0
  if (known && !isClean && !writeLog(client)) return before
  if (known) lock.remember(before)
  const now = { ...before, starts: before.starts + 1 }
  if (isClean) client.run("PRAGMA synchronous = OFF")
  client.run("UPDATE history SET mark = ?", [textOfMark(now)])
  const isWritten = writeLog(client)
  client.run("PRAGMA synchronous = FULL")
  // The lock must not know a name that the file does not carry: on a full disk the writes above can fail.
  if (!known && isWritten) lock.remember(before)
  return now
}

/** Makes the files private, so that only the owner can read or write them, if they are ours. */
function keepPrivate(path: string): void {
  for (const part of DATABASE_PARTS) {
    const file = statSync(`${path}${part}`, { throwIfNoEntry: false })
    if (file && file.uid === process.getuid?.() && (file.mode & 0o077) !== 0)
      chmodSync(`${path}${part}`, 0o600)
  }
}

/** An open database, and the lock on it. */
export interface Opened {
  /** The connection. */
  readonly client: Database
  /** The lock; it is held until the database is closed. */
  readonly lock: Lock
  /** The mark that this start gave it. */
  readonly mark: Mark
  /** What was at the path before. */
  readonly found: FoundDatabase
  /** The path as it was given. The links in it may have other targets now. */
  readonly named: string
}

/**
 * Opens the SQLite database at `path`, creates it if it does not exist, and brings an older one up to date. It waits for
 * some seconds while another program writes the database. With `isNewAllowed` it also takes a database that is not the
 * one that the last server used.
 * @throws AppError `unavailable` if it is not a file, cannot be opened or written, is in use by another server, is
 * damaged, is another program's, was made by a newer version, or is not the one that the last server used
 */
export function openDatabase(path: string, isNewAllowed = false): Opened {
  const named = resolve(path)
  // The database has one lock, even if it is opened by several names.
  const absolute = realPathOf(path)
  let lock: Lock | undefined
  let client: Database | undefined
  try {
    mkdirSync(dirname(absolute), { recursive: true })
    checkKind(absolute)
    lock = new Lock(absolute, isNewAllowed)
    if (isNewAllowed) lock.override()
    else lock.check()
    const warning = lock.loss
    reservePrivately(absolute)
    client = new Database(absolute, { create: true, readwrite: true })
    // This wait blocks the process, which does not listen yet. A signal ends it at once.
    waitForWriters(client)
    // A database of another program must not be changed: so this is checked before the first write.
    const before = inspect(client, absolute)
    keepPrivate(absolute)
    prepare(client, before)
    const tables = schemaVersion(client)
    // The tables of a start that left the same number were checked then.
    const fault = lock.tables === tables ? undefined : faultOfSchema(client, before.newest)
    if (fault !== undefined) throw damaged(absolute, fault)
    readEnds(client)
    const now = mark(client, lock, absolute, tables)
    // SQLite's own wait would block the event loop of a server. Its group commit waits by timer.
    client.run("PRAGMA busy_timeout = 0")
    keepPrivate(absolute)
    lock.watch([named, ...DATABASE_PARTS.map((part) => `${absolute}${part}`)])
    const migrated = before.isNew ? 0 : before.newest - before.applied
    const found = { path: absolute, isNew: before.isNew, migrated, canShrink: canShrink(client), warning }
    return { client, lock, mark: now, found, named }
  } catch (error) {
    client?.close()
    lock?.[Symbol.dispose]()
    throw refusalOf(error, absolute, `cannot open the database ${absolute}`)
  }
}

/** If a server runs as root and makes a device private, nobody else can use the device. */
function checkKind(path: string): void {
  const file = statSync(path, { throwIfNoEntry: false })
  if (file && !file.isFile())
    throw new AppError("unavailable", `the database ${path} is not a file; name one with --database`)
  // Under another name it has another lock file and another write-ahead log.
  if (file && file.nlink > 1 && existsSync("/proc") && isOpenElsewhere(file)) {
    throw new AppError(
      "unavailable",
      `the database ${path} is in use under another name, a hard link; use one name for it`,
    )
  }
  const other = file && file.nlink > 1 && sizeOf(`${path}-wal`) === 0 ? nameWithLog(path, file) : undefined
  if (other !== undefined) {
    throw new AppError(
      "unavailable",
      `the database ${path} is also ${other}, by a hard link, and its newest updates are in ${other}-wal; name ${other} instead`,
    )
  }
}

/** Another name in the same folder of a file, if a write-ahead log lies beside that name. */
function nameWithLog(path: string, { dev, ino }: Stats): string | undefined {
  const folder = dirname(path)
  const others = readdirSync(folder).map((name) => join(folder, name))
  return others.find((other) => {
    const file = statSync(other, { throwIfNoEntry: false })
    return other !== path && file?.dev === dev && file.ino === ino && sizeOf(`${other}-wal`) > 0
  })
}

/** Whether another process has a file open, as far as this process may see that. */
function isOpenElsewhere({ dev, ino }: Stats): boolean {
  const processes = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
  return processes.some((pid) => {
    try {
      return readdirSync(`/proc/${pid}/fd`).some((name) => {
        const file = statSync(`/proc/${pid}/fd/${name}`, { throwIfNoEntry: false })
        return file !== undefined && file.dev === dev && file.ino === ino
      })
    } catch {
      // The process has ended meanwhile, or belongs to another user.
      return false
    }
  })
}
