import { chownSync, existsSync, realpathSync, statSync } from "node:fs"
import { dirname, resolve } from "node:path"

/** The real path of a database, whichever links its name leads through: one database has one path. */
export function realPathOf(path: string): string {
  const named = resolve(path)
  return existsSync(named) ? realpathSync(named) : named
}

/**
 * Gives files of the database at `path` that root has made for a service to the owner of their folder, so that the
 * service can use them.
 */
export function giveToOwner(path: string): void {
  const { uid, gid } = statSync(dirname(path))
  for (const file of [path, `${path}-wal`, `${path}-shm`, `${path}.lock`]) {
    if (process.getuid?.() !== 0 || uid === 0 || !existsSync(file)) continue
    if (statSync(file).uid !== uid) chownSync(file, uid, gid)
  }
}
