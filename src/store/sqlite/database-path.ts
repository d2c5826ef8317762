import {
  chownSync,
  closeSync,
  existsSync,
  lstatSync,
  openSync,
  readlinkSync,
  realpathSync,
  statSync,
} from "node:fs"
import { dirname, resolve } from "node:path"

import { AppError, codeOf } from "../../errors.ts"

/** The system itself follows this many links, one after the other. */
const MOST_LINKS = 40

/** Whether there is a link at a path. False also if the path cannot exist, for example below a file. */
function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink()
  } catch {
    return false
  }
}

/**
 * The real path of a database, after all links in its name: one database has one path. If a link has no
 * target, this is the path at which the database is to be created.
 */
export function realPathOf(path: string): string {
  let named = resolve(path)
  for (let links = 0; links < MOST_LINKS && !existsSync(named); links += 1) {
    if (!isLink(named)) return named
    named = resolve(dirname(named), readlinkSync(named))
  }
  return existsSync(named) ? realpathSync(named) : named
}

/** What is added to the path of a database for each file that is kept there: itself, SQLite's, and the lock. */
export const DATABASE_PARTS = ["", "-wal", "-shm", ".lock"] as const

/**
 * If root created files of the database at `path` for a service, this gives the files to the owner of their
 * folder, so that the service can use them.
 */
export function giveToOwner(path: string): void {
  const { uid, gid } = statSync(dirname(path))
  for (const file of DATABASE_PARTS.map((part) => path + part)) {
    if (process.getuid?.() !== 0 || uid === 0 || !existsSync(file)) continue
    if (statSync(file).uid !== uid) chownSync(file, uid, gid)
  }
}

/**
 * Makes an empty file that only its owner can open, if there is no file: SQLite would make one that others
 * can open until it is complete.
 */
export function reservePrivately(path: string): void {
  if (existsSync(path)) return
  try {
    closeSync(openSync(path, "ax", 0o600))
  } catch {
    // SQLite gives the reason why the file cannot be made.
  }
}

/** The size of the file at a path, in bytes; 0 if there is none. */
export const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0

/** Whether this user may not see what is at a path. */
function isHidden(path: string): boolean {
  try {
    statSync(path, { throwIfNoEntry: false })
    return false
  } catch (error) {
    return codeOf(error) === "EACCES"
  }
}

/**
 * Refuses a path without a database, or whose folder this user may not look into. `wayOut` ends the sentence of the
 * first; default nothing.
 * @throws AppError `unavailable`
 */
export function refuseMissing(path: string, wayOut = ""): void {
  if (existsSync(path)) return
  const says = isHidden(path)
    ? `this user may not look for a database at ${path}: run this with sudo, or as the user of the server`
    : `there is no database at ${path}${wayOut}`
  throw new AppError("unavailable", says)
}
