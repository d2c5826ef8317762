import { Database } from "bun:sqlite"
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs"
import { dirname } from "node:path"

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

/**
 * Makes a backup of the database at `path`: a copy that was checked, under its name, or where a link of that name leads, only
 * once it is whole and on the disk.
 * @throws AppError `unavailable` if the file exists, the copy cannot be written, or it is not whole
 */
export function backupDatabase(path: string, name: string): CheckResult {
  const file = realPathOf(name)
  if (!existsSync(path)) throw new AppError("unavailable", `there is no database at ${path}`)
  if (existsSync(file)) throw new AppError("unavailable", `${name} exists; name a new file for the backup`)
  const unfinished = `${file}.unfinished`
  try {
    remove(unfinished)
    copyDatabase(path, unfinished)
    markAsBackup(unfinished)
    const checked = checkDatabase(unfinished)
    const [fault] = checked.faults
    if (fault !== undefined) throw new AppError("unavailable", `the copy is not whole: ${fault}`)
    renameSync(unfinished, file)
    sync(dirname(file))
    return checked
  } catch (error) {
    remove(unfinished)
    if (error instanceof AppError) throw error
    const reason = reasonOf(error)
    throw new AppError("unavailable", `no backup of ${path} was made in ${name}: ${reason}`, { cause: error })
  }
}
