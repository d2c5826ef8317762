import { existsSync, readdirSync } from "node:fs"
import { basename, dirname, join } from "node:path"

const PART = ".before-"
/** Its digits sort as the time does. */
const TIME = /^\d{8}T\d{9}Z$/

/** The path to which a restore moves the database at `path` now, before it puts the backup there. */
export function setAsideNow(path: string): string {
  return `${path}${PART}${new Date().toISOString().replaceAll(/[-:.]/g, "")}`
}

/** The names in a folder; none if this user may write there, but may not read the names. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** The database that the latest restore moved away from `path`; undefined if there is none, or its name cannot be read. */
export function setAside(path: string): string | undefined {
  const start = basename(path) + PART
  const [latest] = namesIn(dirname(path))
    .filter((name) => name.startsWith(start) && TIME.test(name.slice(start.length)))
    .toSorted()
    .toReversed()
  return latest === undefined ? undefined : join(dirname(path), latest)
}

/** What to do if a restore was killed before the backup had replaced the database that it had moved. */
export function wayBack(path: string, former: string): string {
  const log = existsSync(`${former}-wal`) ? `, and ${former}-wal to ${path}-wal` : ""
  return `rename ${former} to ${path}${log}`
}
