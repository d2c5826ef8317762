import { closeSync, openSync, readSync } from "node:fs"

import { openAsItIs } from "./connect.ts"

/** How a database is recognised: a name for its whole life, and a number that each start raises. */
export interface Mark {
  /** Given when the database was created. */
  readonly name: string
  /** How many starts there were. */
  readonly starts: number
  /** SQLite's number for the present tables; it changes with every change of them. */
  readonly tables: number
}

/**
 * How many starts the database may be ahead of what the lock file remembers, which is not synced when it is
 * written.
 */
const MOST_AHEAD = 2

/** A mark from the database's text; undefined for anything else. */
export function markOf(text: string | null | undefined): Omit<Mark, "tables"> | undefined {
  const [, name, starts] = /^([0-9a-f-]+)\.(\d{1,15})$/.exec(text ?? "") ?? []
  return name === undefined ? undefined : { name, starts: Number(starts) }
}

/** A mark as the database stores it. */
export const textOfMark = ({ name, starts }: Mark): string => `${name}.${starts}`

/** What a backup carries in place of a mark: a restore puts it back, and gives its history another name. */
export const BACKUP_MARK = "backup"

/** The mark lies in one of the first pages, which are no longer than this together. */
const BEGINNING_BYTES = 1024 * 1024

/**
 * The mark in the database file itself, without what its write-ahead log would add; undefined if it bears none, or not
 * the one of `remembered` where SQLite cannot read it.
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

/**
 * Looks for a remembered mark, or one of the next, without SQLite. That reads no file that is shorter than it should be,
 * and the end of one may be in its log alone: while somebody reads an old state, the log is not written into the file as
 * a whole.
 */
function foundIn(path: string, { name, starts }: Mark): string | undefined {
  const descriptor = openSync(path, "r")
  try {
    const beginning = Buffer.alloc(BEGINNING_BYTES)
    const bytes = beginning.subarray(0, readSync(descriptor, beginning, 0, BEGINNING_BYTES, 0))
    const marks = Array.from({ length: MOST_AHEAD + 1 }, (_, ahead) => `${name}.${starts + ahead}`)
    return marks.find((mark) => bytes.includes(mark))
  } finally {
    closeSync(descriptor)
  }
}

/** Whether a database with this mark is the one that is remembered. */
export function isMarkOf({ name, starts }: Mark, text: string | undefined): boolean {
  const mark = markOf(text)
  const ahead = mark?.name === name ? mark.starts - starts : -1
  return ahead >= 0 && ahead <= MOST_AHEAD
}

/** The mark that a database gets which is no longer at its path: no copy that was made of it before carries it. */
export const movedOn = (mark: Mark): Mark => ({ ...mark, starts: mark.starts + MOST_AHEAD + 1 })
