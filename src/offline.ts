import { digest, randomText } from "./access/secret.ts"
import type { Access } from "./store/access.ts"
import type { Checked } from "./store/sqlite/check.ts"
import type { Compacted } from "./store/sqlite/compact.ts"
import type { Restored } from "./store/sqlite/restore.ts"

/** The tokens of a database. */
export interface OpenAccess {
  /** The tokens themselves. */
  readonly access: Access
  /** SHA-256 of a text, in hex. */
  readonly digest: (text: string) => string
  /** A new token. */
  readonly newSecret: () => string
  /** Closes the database. */
  close(): void
}

/**
 * Opens the tokens of a database file for a command, beside a server that may be running on it.
 * @throws AppError `unavailable`
 */
export async function openAccess(database: string): Promise<OpenAccess> {
  // Loaded here, so that commands that talk to a server do not pay for it.
  const { openAccessBeside } = await import("./store/sqlite/beside.ts")
  const { access, close } = openAccessBeside(database)
  return { access, close, digest, newSecret: () => `tsk_${randomText()}` }
}

/**
 * Makes a backup of a database, beside a server that may be running on it.
 * @throws AppError `unavailable`
 */
export async function backup(database: string, file: string): Promise<Checked> {
  const { backupDatabase } = await import("./store/sqlite/backup.ts")
  return backupDatabase(database, file)
}

/**
 * Puts a backup in the place of a database.
 * @throws AppError `unavailable` if a server runs on it, or the backup is not whole
 */
export async function restore(database: string, file: string): Promise<Restored> {
  const { restoreDatabase } = await import("./store/sqlite/restore.ts")
  return restoreDatabase(database, file)
}

/**
 * Checks a database, beside a server that may be running on it.
 * @throws AppError `unavailable` if it cannot be read
 */
export async function check(database: string): Promise<Checked> {
  const { checkDatabase } = await import("./store/sqlite/check.ts")
  return checkDatabase(database)
}

/**
 * Rewrites a database without the room that it does not use, beside a server that may be running on it.
 * @throws AppError `unavailable`
 */
export async function compact(database: string): Promise<Compacted> {
  const { compactDatabase } = await import("./store/sqlite/compact.ts")
  return compactDatabase(database)
}
