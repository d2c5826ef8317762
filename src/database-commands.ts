import { AppError } from "./errors.ts"
import type { OpenAccess } from "./store/contract/access.ts"
import type { AwaitedDatabase } from "./store/contract/store.ts"
import { isPostgres, shownDatabase } from "./store/database-address.ts"
import type { Moved } from "./store/postgres/move-database.ts"
import type { CheckResult } from "./store/sqlite/check.ts"
import type { Compacted } from "./store/sqlite/compact.ts"
import type { Restored } from "./store/sqlite/restore.ts"

/**
 * Opens the tokens of a database for a command, beside a server that may be running on it. A file that does not exist is
 * created only if `isNewAllowed`. `onWaiting` is called if a PostgreSQL is unavailable.
 * @throws AppError `unavailable`
 */
export async function openAccess(
  database: string,
  isNewAllowed: boolean,
  onWaiting: (waiting: AwaitedDatabase) => void,
): Promise<OpenAccess> {
  // Loaded only here, because commands that talk to a server do not need it.
  if (isPostgres(database)) {
    const { PostgresStore } = await import("./store/postgres/postgres.ts")
    const store = await PostgresStore.open(database, { onWaiting })
    return { access: store.access, created: null, close: () => store.close() }
  }
  const { openAccessBeside } = await import("./store/sqlite/open-tokens.ts")
  return openAccessBeside(database, isNewAllowed)
}

/** @throws AppError `invalid` for a database on PostgreSQL, which has its own programs for this */
function checkFile(database: string, command: string): void {
  if (!isPostgres(database)) return
  throw new AppError(
    "invalid",
    `track-studio ${command} is for a SQLite file; for ${shownDatabase(database)} use pg_dump and pg_restore`,
  )
}

/**
 * Moves a database from a SQLite file to PostgreSQL, or back. `onWaiting` is called if PostgreSQL is unavailable.
 * @throws AppError `invalid` unless one is a file and the other is not, `unavailable` if a server runs on either, or
 * there is something in the target
 */
export async function moveDatabase(
  from: string,
  to: string,
  onWaiting: (waiting: AwaitedDatabase) => void,
): Promise<Moved> {
  if (isPostgres(from) === isPostgres(to)) {
    throw new AppError(
      "invalid",
      "a database moves from a SQLite file to postgres://..., or back; copy a file with track-studio backup, and PostgreSQL with pg_dump",
    )
  }
  const { moveDown, moveUp } = await import("./store/postgres/move-database.ts")
  return isPostgres(to) ? moveUp(from, to, onWaiting) : moveDown(from, to, onWaiting)
}

/**
 * Makes a backup of a database, beside a server that may be running on it.
 * @throws AppError `unavailable`
 */
export async function backup(database: string, file: string): Promise<CheckResult> {
  checkFile(database, "backup")
  const { backupDatabase } = await import("./store/sqlite/backup.ts")
  return backupDatabase(database, file)
}

/**
 * Replaces a database with a backup.
 * @throws AppError `unavailable` if a server runs on it, or the backup is damaged or incomplete
 */
export async function restore(database: string, file: string): Promise<Restored> {
  checkFile(database, "restore")
  const { restoreDatabase } = await import("./store/sqlite/restore.ts")
  return restoreDatabase(database, file)
}

/**
 * Checks a database, beside a server that may be running on it.
 * @throws AppError `unavailable` if it cannot be read
 */
export async function check(database: string): Promise<CheckResult> {
  checkFile(database, "check")
  const { checkDatabase } = await import("./store/sqlite/check.ts")
  return checkDatabase(database)
}

/**
 * Rewrites a database without its unused room, beside a server that may be running on it.
 * @throws AppError `unavailable`
 */
export async function compact(database: string): Promise<Compacted> {
  checkFile(database, "compact")
  const { compactDatabase } = await import("./store/sqlite/compact.ts")
  return compactDatabase(database)
}
