import { Database, SQLiteError } from "bun:sqlite"
import { existsSync, mkdirSync, readFileSync, realpathSync } from "node:fs"
import { dirname, join, resolve } from "node:path"

import { drizzle } from "drizzle-orm/bun-sqlite"

import { AppError } from "../../errors.ts"

/** What was at the path when the database was opened. */
export interface Found {
  /** Absolute. */
  readonly path: string
  /** Whether nothing was there, so that a new database was made. */
  readonly isNew: boolean
  /** How many migrations were applied to an older database. */
  readonly migrated: number
}

const migrationsFolder = join(import.meta.dir, "migrations")

/** How many migrations this binary knows. */
export function knownMigrations(): number {
  const journal: { entries: unknown[] } = JSON.parse(
    readFileSync(join(migrationsFolder, "meta/_journal.json"), "utf8"),
  )
  return journal.entries.length
}

/** How many migrations a database has seen. */
export function appliedMigrations(client: Database): number {
  const table = client.query("SELECT 1 FROM sqlite_master WHERE name = '__drizzle_migrations'").get()
  if (table === null) return 0
  return client.query<{ n: number }, []>("SELECT count(*) AS n FROM __drizzle_migrations").get()?.n ?? 0
}

interface Before {
  readonly isNew: boolean
  /** How many migrations it has, and how many this binary knows. */
  readonly applied: number
  readonly newest: number
}

function inspect(client: Database, path: string): Before {
  const before = appliedMigrations(client)
  // A first start that was interrupted leaves the migrator's own table behind, empty: nothing to be kept.
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

function prepare(client: Database, before: Before): void {
  // First of all: once anything is written, the file could give no room back without being written anew.
  client.run("PRAGMA auto_vacuum = INCREMENTAL")
  // A file that may only be read is opened all the same, and found out by the first write.
  client.run("BEGIN IMMEDIATE")
  client.run("ROLLBACK")
  client.run("PRAGMA journal_mode = WAL")
  // FULL: each commit reaches the disk before it is answered, so an acknowledged write survives a power cut.
  client.run("PRAGMA synchronous = FULL")
  client.run("PRAGMA foreign_keys = ON")
  // SQLite's own wait would block the event loop; the group commit waits by timer instead.
  client.run("PRAGMA busy_timeout = 0")
  client.run("PRAGMA wal_autocheckpoint = 4000")
  client.run("PRAGMA cache_size = -16000")
  if (before.applied === before.newest) return
  // An older file is written anew once, a second for some 100 MB.
  if (!before.isNew && client.query("PRAGMA auto_vacuum").values()[0]?.[0] === 0) client.run("VACUUM")
  // Loaded when there is something to migrate: it brings node:crypto along, a tenth of a start.
  const {
    migrate,
  }: typeof import("drizzle-orm/bun-sqlite/migrator") = require("drizzle-orm/bun-sqlite/migrator")
  migrate(drizzle(client), { migrationsFolder })
}

/**
 * Claims the database for this process. A lock file is held by a transaction, so it is let go of by whatever ends the
 * process; a second server would show none of the first one's updates, and take its workers for lost.
 */
export function claim(path: string): Database {
  const lock = new Database(`${path}.lock`, { create: true, readwrite: true })
  try {
    lock.run("PRAGMA busy_timeout = 0")
    lock.run("BEGIN EXCLUSIVE")
    return lock
  } catch (error) {
    lock.close()
    throw new AppError(
      "unavailable",
      `the database ${path} is in use by another server; stop that one, or name another file with --database`,
      { cause: error },
    )
  }
}

/**
 * Opens the SQLite database at `path`, makes it where there is none, and brings an older one up to date.
 * @throws AppError `unavailable` when it cannot be opened or written, is in use by another server, is another
 * program's, or was made by a newer version
 */
export function openDatabase(path: string): { client: Database; lock: Database; found: Found } {
  const named = resolve(path)
  // By whatever link it is named, it is one database, with one lock.
  const absolute = existsSync(named) ? realpathSync(named) : named
  let lock: Database | undefined
  let client: Database | undefined
  try {
    mkdirSync(dirname(absolute), { recursive: true })
    client = new Database(absolute, { create: true, readwrite: true })
    // A database that is not ours must not be touched: look before the first write.
    const before = inspect(client, absolute)
    lock = claim(absolute)
    prepare(client, before)
    const migrated = before.isNew ? 0 : before.newest - before.applied
    return { client, lock, found: { path: absolute, isNew: before.isNew, migrated } }
  } catch (error) {
    client?.close()
    lock?.close()
    if (error instanceof AppError) throw error
    const cause = error instanceof Error ? error.message : String(error)
    const busy = error instanceof SQLiteError && error.code === "SQLITE_BUSY"
    throw new AppError(
      "unavailable",
      `cannot ${busy ? "use" : "open"} the database ${absolute}: ${busy ? "another program is writing it" : cause}`,
      { cause: error },
    )
  }
}
