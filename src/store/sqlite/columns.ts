import { getTableColumns } from "drizzle-orm"

import type { Stored } from "../../item/item.ts"
import { queueItems } from "./schema.ts"

const {
  last_update_id,
  deleted_at,
  available_ms,
  needs,
  section,
  rank,
  place,
  pruned_id: _pruned,
  thinned_id: _thinned,
  thin_at: _thinAt,
  lease_token,
  lease_holder,
  verdict,
  lease_ms,
  lease_expires_at,
  rescues,
  done,
  rate,
  attempt_at,
  moved_at,
  is_set_back,
  has_inner,
  steps_begun,
  course,
  ...items
} = getTableColumns(queueItems)

/** The columns of a queue item, in the wire's order. */
export const itemColumns = items
/** The columns of what is stored beside an item. */
const workColumns = {
  lease_token,
  lease_holder,
  verdict,
  lease_ms,
  lease_expires_at,
  rescues,
  done,
  rate,
  attempt_at,
  moved_at,
  is_set_back,
  has_inner,
  steps_begun,
  course,
}
/** Everything of a row that the domain knows. */
export const rowColumns = { ...itemColumns, ...workColumns }
export {
  available_ms,
  course,
  deleted_at,
  last_update_id,
  lease_expires_at,
  moved_at,
  needs,
  place,
  rank,
  section,
}

const {
  current_step,
  progress,
  message,
  error_message,
  eta_seconds,
  eta_low_seconds,
  eta_high_seconds,
  eta_runs,
  time_progress,
  stalled,
  basis,
  step,
  unit,
  media,
  updated_at,
} = itemColumns
/** What a report changes beside an item; a renewed lease changes no more than this. */
export const pacedColumns = { done, rate, moved_at, lease_expires_at }
/**
 * What a report changes of an item and beside it. Written alone it leaves the indexes of the queue's order untouched,
 * and takes a fifth of the time.
 */
export const reportColumns = {
  current_step,
  progress,
  message,
  error_message,
  eta_seconds,
  eta_low_seconds,
  eta_high_seconds,
  eta_runs,
  time_progress,
  stalled,
  basis,
  step,
  unit,
  media,
  updated_at,
  ...pacedColumns,
}

const keysBeside = <K extends string>(all: Record<K, unknown>, some: object): K[] =>
  // Object.keys forgets which keys they are.
  (Object.keys(all) as K[]).filter((key) => !(key in some))
const otherItemKeys = keysBeside(itemColumns, reportColumns)
// The course has a statement of its own.
const otherWorkKeys = keysBeside(workColumns, { ...reportColumns, course })

/** Whether a change touches nothing but what a report may change. */
export const isReport = (before: Stored, { item, work }: Stored): boolean =>
  otherItemKeys.every((key) => item[key] === before.item[key]) &&
  otherWorkKeys.every((key) => work[key] === before.work[key])
