import { SQLiteError } from "bun:sqlite"

import { AppError, reasonOf } from "../../errors.ts"

/** SQLite's codes in words for people, with advice. The first entry with which a code begins is used. */
const ADVICE: readonly (readonly [code: string, is: string, advice: string])[] = [
  ["SQLITE_FULL", "has no room on its disk", "free some and start again"],
  ["SQLITE_BUSY", "is being written by another program", "end that program and start again"],
  ["SQLITE_LOCKED", "is being written by another program", "end that program and start again"],
  ["SQLITE_READONLY", "may not be written", "give this user the right to write the file and its folder"],
  ["SQLITE_PERM", "may not be opened", "give this user the right to read and write the file and its folder"],
  ["SQLITE_AUTH", "may not be opened", "give this user the right to read and write the file and its folder"],
  [
    "SQLITE_CANTOPEN",
    "cannot be opened",
    "check that the path is a file in a folder that this user may write, or name another with --database",
  ],
  [
    "SQLITE_NOTADB",
    "is not a database, or its beginning was overwritten",
    "put a backup in its place, or name another file with --database",
  ],
  [
    "SQLITE_IOERR",
    "cannot be read or written: its disk is full or fails",
    "free some room, check the disk, and start again",
  ],
  [
    "SQLITE_",
    "is damaged",
    "put a backup in its place, or name another file with --database to begin an empty queue",
  ],
]

/**
 * The consequence if SQLite has ended a transaction by itself. SQLite does this when the disk is full or
 * fails.
 */
const ENDED_BY_SQLITE = "cannot rollback - no transaction is active"

/** Whether SQLite's code says that the file is damaged. Later successful work does not repair it. */
export const isDamage = (code: string): boolean => /^SQLITE_(?:CORRUPT|NOTADB)/.test(code)

/** The SQLite error inside an error; undefined if there is none. */
export function faultOf(error: unknown): SQLiteError | undefined {
  if (error instanceof SQLiteError) return error
  return error instanceof Error && error.cause !== undefined ? faultOf(error.cause) : undefined
}

/**
 * An error as the sentence of a start that failed: the file, the fault, and advice. If an error is not about
 * the database, or is such a sentence already, it stays as it is.
 */
export function explained(error: unknown, path: string): unknown {
  const fault = faultOf(error)
  if (!fault) return error
  const known = fault.message === ENDED_BY_SQLITE ? "SQLITE_IOERR" : (fault.code ?? "SQLITE_")
  const [, is, advice] = ADVICE.find(([code]) => known.startsWith(code)) ?? []
  return new AppError("unavailable", `the database ${path} ${is}; ${advice} (${fault.message})`, {
    cause: error,
  })
}

/**
 * The refusal of what was done with a database, for an error that stopped it. `failed` says what was not done, if the
 * error is neither a refusal nor a fault of the database.
 */
export function refusalOf(error: unknown, path: string, failed: string): AppError {
  if (error instanceof AppError) return error
  const explanation = explained(error, path)
  if (explanation instanceof AppError) return explanation
  return new AppError("unavailable", `${failed}: ${reasonOf(error)}`, { cause: error })
}
