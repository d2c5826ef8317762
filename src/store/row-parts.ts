import { QueueItem } from "../item/item.ts"
import { IDLE, type Stored, type Work } from "../item/stored.ts"

/** How many rows a store keeps in memory, in the form in which they are stored. */
export const RECENT_ITEMS = 1000

/** Some of the values of an object, in the order of the keys. */
export function picked<T, Key extends keyof T>(all: T, keys: readonly Key[]): Pick<T, Key> {
  // Object.fromEntries forgets which keys they are.
  return Object.fromEntries(keys.map((key) => [key, all[key]])) as Pick<T, Key>
}

// Object.keys forgets it, too.
const ITEM_KEYS = Object.keys(QueueItem.properties) as (keyof QueueItem)[]
const WORK_KEYS = Object.keys(IDLE) as (keyof Work)[]

/** Of the columns of a table those of a queue item, in the wire's order. */
export const itemOf = <Columns extends Readonly<Record<keyof QueueItem, unknown>>>(columns: Columns) =>
  picked(columns, ITEM_KEYS)

/** Of the columns of a table, those with the values that are stored beside a queue item. */
export const workOf = <Columns extends Readonly<Record<keyof Work, unknown>>>(columns: Columns) =>
  picked(columns, WORK_KEYS)

/** A row as the domain knows it: the item, and what is stored beside it. */
export function storedOf(row: QueueItem & Work): Stored {
  const { lease_token, lease_holder, verdict, lease_ms, lease_expires_at, ...some } = row
  const { rescues, done, rate, attempt_at, moved_at, is_set_back, has_inner, steps_begun, course, ...item } =
    some
  const lease = { lease_token, lease_holder, verdict, lease_ms, lease_expires_at, rescues }
  const pace = { done, rate, attempt_at, moved_at, is_set_back, has_inner, steps_begun, course }
  return { item, work: { ...lease, ...pace } }
}

/**
 * The columns of an item that every store computes from the others, as SQL. The schemas say what they mean (`queueItems`).
 */
export const COLUMNS = {
  section:
    "CASE WHEN deleted_at IS NOT NULL THEN NULL WHEN status = 'processing' THEN 0 WHEN status IN ('queued', 'retrying') THEN 1 ELSE 2 END",
  rank: "CASE WHEN status = 'processing' THEN 0 WHEN status IN ('queued', 'retrying') THEN -priority ELSE -coalesce(completed_at, 0) END",
  place: "CASE WHEN status IN ('queued', 'retrying') THEN coalesce(turn, id) ELSE id END",
  thin_at:
    "CASE WHEN deleted_at IS NULL AND status IN ('completed', 'failed') AND thinned_id <> last_update_id THEN completed_at END",
} as const
