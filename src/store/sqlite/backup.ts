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
import { dirname, join } from "node:path"

import { AppError, reasonOf } from "../../errors.ts"
import { checkDatabase, type CheckResult } from "./check.ts"
import { openToRead, waitForWriters } from "./connect.ts"
import { BACKUP_MARK } from "./database-mark.ts"
import { realPathOf, refuseMissing } from "./database-path.ts"

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
 * Removes a file if it exists. Without this check, the removal of a file that does not exist is an error if
 * its folder does not exist or the disk takes no writes.
 */
export function remove(path: string): void {
  if (existsSync(path)) rmSync(path, { force: true })
}

/**
 * Writes the present state into a new file, as one read of the database. A server may run on the database
 * meanwhile. Only the owner may read the new file.
 */
export function copyDatabase(from: string, to: string): void {
  const client = openToRead(from)
  try {
    waitForWriters(client)
    // A file that SQLite creates would be readable for others until the copy is complete.
    closeSync(openSync(to, "wx", 0o600))
    client.query("VACUUM INTO ?").run(to)
  } finally {
    client.close()
  }
  sync(to)
}

/** Marks the copy as a backup, so that no server starts on it as it is. */
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

/** If nothing was written to an unfinished copy for this time, its backup was killed. */
const LEFT_BEHIND_MS = 3_600_000
const END = ".unfinished"
/** The end of the name of an unfinished copy, which no other program gives. */
const COPY = /\.[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\.unfinished(?:-journal)?$/

/** Removes the unfinished copies that killed backups left behind in a folder: the next one may have another name. */
function removeLeftBehind(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (!COPY.test(name)) continue
    const path = join(folder, name)
    try {
      if (statSync(path).mtimeMs < Date.now() - LEFT_BEHIND_MS) remove(path)
    } catch {
      // It is another user's, or it was removed meanwhile. This backup can be made anyway.
    }
  }
}

const isThere = (name: string): AppError =>
  new AppError("unavailable", `${name} exists; name a new file for the backup`)

/** Gives a finished copy its name. Another backup may have taken that name meanwhile. */
function giveName(copy: string, file: string, name: string): void {
  try {
    // Unlike a rename, a link replaces nothing.
    linkSync(copy, file)
  } catch {
    // The name is taken, or the file system has no links.
    if (existsSync(file)) throw isThere(name)
    renameSync(copy, file)
  }
  remove(copy)
}

/**
 * Makes a backup of the database at `path`. The copy is checked, and it gets its name only when it is
 * complete and on the disk. If the name is a link, the backup is written to the target of the link. Several
 * backups may be made at once, also into one file: then one of them gets the name.
 * @throws AppError `unavailable` if the file exists, the copy cannot be written, or it is damaged or incomplete
 */
export function backupDatabase(path: string, name: string): CheckResult {
  const file = realPathOf(name)
  refuseMissing(path)
  if (existsSync(file)) throw isThere(name)
  const copy = `${file}.${crypto.randomUUID()}${END}`
  try {
    removeLeftBehind(dirname(file))
    copyDatabase(path, copy)
    markAsBackup(copy)
    const checked = checkDatabase(copy, path)
    const [fault] = checked.faults
    if (fault !== undefined) throw new AppError("unavailable", `the copy is damaged or incomplete: ${fault}`)
    giveName(copy, file, name)
    sync(dirname(file))
    return checked
  } catch (error) {
    remove(copy)
    remove(`${copy}-journal`)
    if (error instanceof AppError) throw error
    const reason = reasonOf(error)
    throw new AppError("unavailable", `no backup of ${path} was made in ${name}: ${reason}`, { cause: error })
  }
}
