import { Database } from "bun:sqlite"
import { closeSync, openSync, readSync } from "node:fs"

import { openAsItIs } from "./connect.ts"

/** How a database is recognised: a name for its whole life, and a number that each start raises. */
export interface Mark {
  /** Given when the database was created. */
  readonly name: string
  /** The number of starts. */
  readonly starts: number
  /** SQLite's number for the present tables; it changes with every change of them. */
  readonly tables: number
}

/**
 * The database may be this many starts ahead of the record in the lock file, which is not synced when it is
 * written.
 */
const MOST_AHEAD = 2

/** A mark, read from the text in the database; undefined for any other text. */
export function markOf(text: string | null | undefined): Omit<Mark, "tables"> | undefined {
  const [, name, starts] = /^([0-9a-f-]+)\.(\d{1,15})$/.exec(text ?? "") ?? []
  return name === undefined ? undefined : { name, starts: Number(starts) }
}

/** A mark as the database stores it. */
export const textOfMark = ({ name, starts }: Omit<Mark, "tables">): string => `${name}.${starts}`

/**
 * A backup has this text instead of a mark. A restore writes a mark again, and gives its history another
 * name.
 */
export const BACKUP_MARK = "backup"

/** The mark lies in one of the first pages. Together, these pages are at most this long. */
const BEGINNING_BYTES = 1024 * 1024

/**
 * The mark in the database file itself, without the contents of its write-ahead log. Undefined if there is
 * none. If SQLite cannot read the file, only the mark of `remembered`, or one of the next starts, is found.
 */
export function markIn(path: string, remembered: Mark | null, hasLog: boolean): string | undefined {
  try {
    using client = openAsItIs(path)
    return client.query<{ mark: string | null }, []>("SELECT mark FROM history").get()?.mark ?? undefined
  } catch {
    // Opening the database explains a damaged file.
    return remembered && hasLog ? foundIn(path, remembered) : undefined
  }
}

/** The mark of a database with the contents of its write-ahead log; undefined if that cannot be read. The log stays. */
function markWithLog(path: string): string | undefined {
  try {
    using client = new Database(path, { readonly: true })
    // With a statement that is left, the connection would hold the log and its index after it is closed.
    using statement = client.prepare<{ mark: string | null }, []>("SELECT mark FROM history")
    return statement.get()?.mark ?? undefined
  } catch {
    return undefined
  }
}

/**
 * Whether the write-ahead log beside a database belongs to another database, or to another state of this one: SQLite would
 * mix the two. Each log has the mark of the start that wrote it, and only the mark of the next start may be in the log
 * alone. `text` is the mark in the file itself.
 */
export function isLogOfAnother(path: string, text: string | undefined): boolean {
  const [own, logged] = [markOf(text), markOf(markWithLog(path))]
  if (!own || !logged) return false
  return logged.name !== own.name || logged.starts < own.starts || logged.starts > own.starts + 1
}

/**
 * Searches for a remembered mark, or for one of the next starts, without SQLite. SQLite reads no file that is
 * shorter than its first page says. While a reader uses an old state, only a part of the log is written into
 * the file, so its end may exist only in the log.
 */
function foundIn(path: string, { name, starts }: Mark): string | undefined {
  const descriptor = openSync(path, "r")
  try {
    const beginning = Buffer.alloc(BEGINNING_BYTES)
    const bytes = beginning.subarray(0, readSync(descriptor, beginning, 0, BEGINNING_BYTES, 0))
    const marks = Array.from({ length: MOST_AHEAD + 1 }, (_, ahead) =>
      textOfMark({ name, starts: starts + ahead }),
    )
    return marks.find((mark) => bytes.includes(mark))
  } finally {
    closeSync(descriptor)
  }
}

/** Whether a database with this mark is the remembered one. */
export function isMarkOf({ name, starts }: Mark, text: string | undefined): boolean {
  const mark = markOf(text)
  const ahead = mark?.name === name ? mark.starts - starts : -1
  return ahead >= 0 && ahead <= MOST_AHEAD
}

/** A database that is no longer at its path gets this mark. No earlier copy of the database carries it. */
export const movedOn = (mark: Mark): Mark => ({ ...mark, starts: mark.starts + MOST_AHEAD + 1 })
