import { dirname, resolve } from "node:path"

import { AppError } from "../errors.ts"
import { freeBytes, freeReserved } from "../machine/machine.ts"
import type { ServeSettings } from "../settings/read-settings.ts"
import type { AwaitedDatabase, Observed, Store } from "../store/contract/store.ts"
import { isPostgres } from "../store/database-address.ts"
import { realPathOf, sizeOf } from "../store/sqlite/database-path.ts"
import { explained } from "../store/sqlite/fault-sentences.ts"
import { SqliteStore } from "../store/sqlite/sqlite.ts"
import { FULL_BYTES } from "../upkeep/ballast-for-full-disk.ts"

/** What is called while a database is opened and used. */
interface ObservedOpening extends Observed {
  /** Called before an empty PostgreSQL database is prepared. It stays empty if this throws. */
  readonly onEmpty: () => void
  /** Called once if a PostgreSQL is still unavailable after a second. */
  readonly onWaiting: (waiting: AwaitedDatabase) => void
}

/** The file that keeps room for results beside a database; `path` is the database's real path. */
export const ballastFileOf = (path: string): string => `${path}.ballast`

/**
 * Empties the ballast of a database if its disk is full. A start needs some room itself, and a server that was killed may
 * not have come to that. `freeOf` returns the free bytes on the disk of a folder.
 */
export function makeRoomToStart(database: string, freeOf = freeBytes): void {
  try {
    const path = realPathOf(database)
    const file = ballastFileOf(path)
    if (sizeOf(file) > 0 && freeOf(dirname(path)) < FULL_BYTES) freeReserved(file)
  } catch {
    // The start says what is wrong with the disk or the path.
  }
}

/**
 * Opens the database that the configuration names. `observed` is called when something is committed. The code
 * for PostgreSQL is loaded only if it is needed.
 * @throws AppError `unavailable` if the database cannot be opened, `invalid` if its address has unknown
 * settings
 */
export async function openStore(settings: ServeSettings, observed: ObservedOpening): Promise<Store> {
  const { database, newDatabase: isNewAllowed, onePerSong } = settings
  if (!isPostgres(database)) {
    makeRoomToStart(database)
    return new SqliteStore(database, undefined, { isNewAllowed, onePerSong, ...observed })
  }
  if (settings.backupDir !== undefined) {
    throw new AppError("invalid", "--backup-dir copies a SQLite file; back up PostgreSQL by pg_dump")
  }
  if (isNewAllowed) {
    throw new AppError(
      "invalid",
      "--new-database is for a SQLite file; with PostgreSQL --database alone says which one",
    )
  }
  if (settings.maxDatabaseMb > 0) {
    throw new AppError(
      "invalid",
      "--max-database-mb is for a SQLite file; with PostgreSQL limit the history by --retain-updates and --retain-items",
    )
  }
  const { PostgresStore } = await import("../store/postgres/postgres.ts")
  return PostgresStore.open(database, { onePerSong, ...observed })
}

/** An error of the database that the configuration names, as a sentence that names it; other errors unchanged. */
export async function explainedFault(error: unknown, { database }: ServeSettings): Promise<unknown> {
  if (!isPostgres(database)) return explained(error, resolve(database))
  const { explainedStart } = await import("../store/postgres/open.ts")
  return explainedStart(error, database)
}
