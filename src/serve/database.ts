import type { Config } from "../config/config.ts"
import { AppError } from "../errors.ts"
import type { Observed, Store } from "../store/contract/store.ts"
import { isPostgres } from "../store/database-address.ts"
import { SqliteStore } from "../store/sqlite/sqlite.ts"

/**
 * Opens the database that the configuration names; `observed` is called at its commits. What PostgreSQL needs is
 * loaded only if it is asked for.
 * @throws AppError `unavailable` if it cannot be had, `invalid` for settings that it does not know
 */
export async function openStore(config: Config, observed: Observed): Promise<Store> {
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
