import type { QueueItem, Stored, Work } from "../item/item.ts"

/** A row as the domain knows it: the item, and what is stored beside it. */
export function storedOf(row: QueueItem & Work): Stored {
  const { lease_token, lease_holder, verdict, lease_ms, lease_expires_at, ...some } = row
  const { rescues, done, rate, attempt_at, moved_at, is_set_back, has_inner, steps_begun, course, ...item } =
    some
  const lease = { lease_token, lease_holder, verdict, lease_ms, lease_expires_at, rescues }
  const pace = { done, rate, attempt_at, moved_at, is_set_back, has_inner, steps_begun, course }
  return { item, work: { ...lease, ...pace } }
}
