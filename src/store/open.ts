import { Database, SQLiteError } from "bun:sqlite"
import { mkdirSync, readFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"

import { drizzle } from "drizzle-orm/bun-sqlite"
import { migrate } from "drizzle-orm/bun-sqlite/migrator"

import { AppError } from "../errors.ts"

/** What was at the path when the database was opened. */
export interface Found {
  /** Absolute. */
  readonly path: string
  readonly isNew: boolean
  /** How many migrations were applied to an older database. */
  readonly migrated: number
}

const migrationsFolder = join(import.meta.dir, "migrations")

function known(): number {
  const journal: { entries: unknown[] } = JSON.parse(
    readFileSync(join(migrationsFolder, "meta/_journal.json"), "utf8"),
  )
  return journal.entries.length
}

function applied(client: Database): number {
  const table = client.query("SELECT 1 FROM sqlite_master WHERE name = '__drizzle_migrations'").get()
  if (table === null) return 0
  return client.query<{ n: number }, []>("SELECT count(*) AS n FROM __drizzle_migrations").get()?.n ?? 0
}

function prepare(client: Database, path: string): Omit<Found, "path"> {
  // A database that is not ours must not be touched, so look before the first write.
  const before = applied(client)
  const tables = client.query<{ n: number }, []>("SELECT count(*) AS n FROM sqlite_master").get()?.n ?? 0
  if (before === 0 && tables > 0) {
    throw new AppError(
      "unavailable",
      `${path} is a database of another program; name another file with --database`,
    )
  }
  const newest = known()
  if (before > newest) {
    throw new AppError(
      "unavailable",
      `${path} was made by a newer version (schema ${before}, this binary knows ${newest}); start that version`,
    )
  }
  client.run("PRAGMA journal_mode = WAL")
  // FULL: each commit reaches the disk before it is answered, so an acknowledged write survives a power cut.
  client.run("PRAGMA synchronous = FULL")
  client.run("PRAGMA foreign_keys = ON")
  // SQLite's own wait would block the event loop; the group commit waits by timer instead.
  client.run("PRAGMA busy_timeout = 0")
  client.run("PRAGMA wal_autocheckpoint = 4000")
  client.run("PRAGMA cache_size = -16000")
  if (before < newest) migrate(drizzle(client), { migrationsFolder })
  return { isNew: tables === 0, migrated: tables === 0 ? 0 : newest - before }
}

/**
 * Opens the SQLite database at `path`, makes it where there is none, and brings an older one up to date.
 * @throws AppError `unavailable` when it cannot be opened or written, is another program's, or was made by a newer
 * version
 */
export function openDatabase(path: string): { client: Database; found: Found } {
  const absolute = resolve(path)
  let client: Database | undefined
  try {
    mkdirSync(dirname(absolute), { recursive: true })
    client = new Database(absolute, { create: true, readwrite: true })
    return { client, found: { path: absolute, ...prepare(client, absolute) } }
  } catch (error) {
    client?.close()
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
