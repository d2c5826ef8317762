import type { Config } from "../config/config.ts"
import { AppError } from "../errors.ts"
import type { AwaitedDatabase, Observed, Store } from "../store/contract/store.ts"
import { isPostgres } from "../store/database-address.ts"
import { SqliteStore } from "../store/sqlite/sqlite.ts"

/** What is called while a database is opened and used. */
interface ObservedOpening extends Observed {
  /** Called once if a PostgreSQL is still unavailable after a second. */
  readonly onWaiting: (waiting: AwaitedDatabase) => void
}

/**
 * Opens the database that the configuration names. `observed` is called when something is committed. The code
 * for PostgreSQL is loaded only if it is needed.
 * @throws AppError `unavailable` if the database cannot be opened, `invalid` if its address has unknown
 * settings
 */
export async function openStore(config: Config, observed: ObservedOpening): Promise<Store> {
  const { database, newDatabase: isNewAllowed, onePerSong } = config
  if (!isPostgres(database)) {
    return new SqliteStore(database, undefined, { isNewAllowed, onePerSong, ...observed })
  }
  if (config.backupDir !== undefined) {
    throw new AppError("invalid", "--backup-dir copies a SQLite file; back up PostgreSQL by pg_dump")
  }
  if (isNewAllowed) {
    throw new AppError(
      "invalid",
      "--new-database is for a SQLite file; with PostgreSQL --database alone says which one",
    )
  }
  if (config.maxDatabaseMb > 0) {
    throw new AppError(
      "invalid",
      "--max-database-mb is for a SQLite file; with PostgreSQL limit the history by --retain-updates and --retain-items",
    )
  }
  const { PostgresStore } = await import("../store/postgres/postgres.ts")
  return PostgresStore.open(database, { onePerSong, ...observed })
}
