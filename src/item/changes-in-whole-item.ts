import type { ItemChange, ProgressUpdate, QueueItem } from "./item.ts"

const inUpdates = [
  "status",
  "current_step",
  "progress",
  "message",
  "error_message",
  "song_id",
  "title",
] as const

const isEqual = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other)

/**
 * The keys that a person changed in an item that was read and is sent back whole. `read` are the updates of the
 * moment at which it was read, and `now` is the item as it is. A key that still has its old or its current
 * value does not count as changed.
 */
export function changesIn(given: ItemChange, read: readonly ProgressUpdate[], now: QueueItem): ItemChange {
  const isUnchanged = (key: string, value: unknown): boolean => {
    if (isEqual(value, Object.entries(now).find(([name]) => name === key)?.[1])) return true
    const carried = inUpdates.find((one) => one === key)
    // An update leaves out empty values.
    return carried !== undefined && read.some((update) => (update[carried] ?? "") === value)
  }
  return Object.fromEntries(Object.entries(given).filter(([key, value]) => !isUnchanged(key, value)))
}
