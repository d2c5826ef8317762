import { DATABASE_PARTS, realPathOf, sizeOf } from "./database-path.ts"
import { setAside } from "./set-aside-by-restore.ts"

/**
 * Whether there is no database at a path, and nothing that was left of one: a start would begin an empty queue there.
 * False if that cannot be seen.
 */
export function isUnused(path: string): boolean {
  try {
    const absolute = realPathOf(path)
    const isEmpty = DATABASE_PARTS.every((part) => sizeOf(`${absolute}${part}`) === 0)
    return isEmpty && setAside(absolute) === undefined
  } catch {
    return false
  }
}
