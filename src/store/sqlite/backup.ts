import { Database } from "bun:sqlite"
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs"
import { basename, dirname, join } from "node:path"

import { AppError, reasonOf } from "../../errors.ts"
import { checkDatabase, type CheckResult } from "./check.ts"
import { openToRead, waitForWriters } from "./connect.ts"
import { realPathOf } from "./database-path.ts"
import { BACKUP_MARK } from "./mark.ts"

/** Makes sure that a file, or the list of a folder's files, is on the disk. */
export function sync(path: string): void {
  const descriptor = openSync(path, "r")
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/**
 * Removes a file, if it is there: where no folder is, or on a disk that takes no writes, to remove what is not there is an
 * error.
 */
export function remove(path: string): void {
  if (existsSync(path)) rmSync(path, { force: true })
}

/**
 * Writes the present state into a new file, as one read of the database; a server may run on it meanwhile. The
 * file is for its owner alone.
 */
export function copyDatabase(from: string, to: string): void {
  const client = openToRead(from)
  try {
    waitForWriters(client)
    // SQLite would make it readable for others, as long as it writes.
    closeSync(openSync(to, "wx", 0o600))
    client.query("VACUUM INTO ?").run(to)
  } finally {
    client.close()
  }
  sync(to)
}

/** Keeps a server from starting on the copy as it is. */
function markAsBackup(file: string): void {
  const client = new Database(file, { readwrite: true })
  try {
    const has = client.query("SELECT 1 FROM pragma_table_info('history') WHERE name = 'mark'").get()
    if (has) client.query("UPDATE history SET mark = ?").run(BACKUP_MARK)
  } finally {
    client.close()
  }
  sync(file)
}

/** An unfinished copy that nothing was written to for so long was left behind by a backup that was killed. */
const LEFT_BEHIND_MS = 3_600_000
const END = ".unfinished"

/** Removes what backups into `file` left behind that were killed. */
function removeLeftBehind(file: string): void {
  const begin = `${basename(file)}.`
  for (const name of readdirSync(dirname(file))) {
    if (!name.startsWith(begin) || ![END, `${END}-journal`].some((end) => name.endsWith(end))) continue
    const path = join(dirname(file), name)
    const { mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? {}
    if (mtimeMs !== undefined && mtimeMs < Date.now() - LEFT_BEHIND_MS) remove(path)
  }
}

const isThere = (name: string): AppError =>
  new AppError("unavailable", `${name} exists; name a new file for the backup`)

/** Gives a finished copy its name, which another backup may have taken meanwhile. */
function place(copy: string, file: string, name: string): void {
  try {
    // Unlike a rename this replaces nothing.
    linkSync(copy, file)
  } catch {
    // The name is taken, or the file system knows no links.
    if (existsSync(file)) throw isThere(name)
    renameSync(copy, file)
  }
  remove(copy)
}

/**
 * Makes a backup of the database at `path`: a copy that was checked, under its name, or where a link of that name leads, only
 * once it is whole and on the disk. Several may be made at once, also into one file, which one of them gets.
 * @throws AppError `unavailable` if the file exists, the copy cannot be written, or it is not whole
 */
export function backupDatabase(path: string, name: string): CheckResult {
  const file = realPathOf(name)
  if (!existsSync(path)) throw new AppError("unavailable", `there is no database at ${path}`)
  if (existsSync(file)) throw isThere(name)
  const copy = `${file}.${crypto.randomUUID()}${END}`
  try {
    removeLeftBehind(file)
    copyDatabase(path, copy)
    markAsBackup(copy)
    const checked = checkDatabase(copy)
    const [fault] = checked.faults
    if (fault !== undefined) throw new AppError("unavailable", `the copy is not whole: ${fault}`)
    place(copy, file, name)
    sync(dirname(file))
    return checked
  } catch (error) {
    remove(copy)
    if (error instanceof AppError) throw error
    const reason = reasonOf(error)
    throw new AppError("unavailable", `no backup of ${path} was made in ${name}: ${reason}`, { cause: error })
  }
}
