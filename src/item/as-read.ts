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
 * What somebody changes who read an item and gives all of it back: the keys that differ from what they read. `read` are
 * the updates of the moment at which it was read; keys that updates do not carry are compared with the item of now.
 */
export function changesIn(given: ItemChange, read: readonly ProgressUpdate[], now: QueueItem): ItemChange {
  const isUnchanged = (key: string, value: unknown): boolean => {
    const carried = inUpdates.find((one) => one === key)
    if (carried === undefined) return isEqual(value, Object.entries(now).find(([name]) => name === key)?.[1])
    // An update leaves out what is empty.
    return read.some((update) => (update[carried] ?? "") === value)
  }
  return Object.fromEntries(Object.entries(given).filter(([key, value]) => !isUnchanged(key, value)))
}
