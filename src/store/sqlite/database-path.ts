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

/** As many links as the system itself follows, one after the other. */
const MOST_LINKS = 40

/** Whether a link is at a path; false also if the path cannot exist, such as one below a file. */
function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink()
  } catch {
    return false
  }
}

/**
 * The real path of a database, whichever links its name leads through: one database has one path. If a link leads to
 * nothing, this is where the database is to be created.
 */
export function realPathOf(path: string): string {
  let named = resolve(path)
  for (let links = 0; links < MOST_LINKS && !existsSync(named); links += 1) {
    if (!isLink(named)) return named
    named = resolve(dirname(named), readlinkSync(named))
  }
  return existsSync(named) ? realpathSync(named) : named
}

/**
 * If root created files of the database at `path` for a service, gives them to the owner of their folder, so that the
 * service can use them.
 */
export function giveToOwner(path: string): void {
  const { uid, gid } = statSync(dirname(path))
  for (const file of [path, `${path}-wal`, `${path}-shm`, `${path}.lock`]) {
    if (process.getuid?.() !== 0 || uid === 0 || !existsSync(file)) continue
    if (statSync(file).uid !== uid) chownSync(file, uid, gid)
  }
}

/** Makes an empty file for its owner alone, if none is there: SQLite would make one that others can open until it is done. */
export function reservePrivately(path: string): void {
  if (existsSync(path)) return
  try {
    closeSync(openSync(path, "ax", 0o600))
  } catch {
    // SQLite says why it cannot be made.
  }
}
