import { shortCauseOf } from "../failure-cause.ts"
import { safeJson } from "../text.ts"
import type { ProgressUpdate } from "./item.ts"
import type { Change, StoredUpdate } from "./stored.ts"

/** An update as it is stored and sent: JSON on one line, in which nothing can steer a terminal that shows it raw. */
export const encodeUpdate = (change: Change): string => safeJson(updateOf(change))

/** Rows that were parsed, for as long as the rows are in memory. */
const parsed = new WeakMap<StoredUpdate, ProgressUpdate>()

/**
 * The update that a row of the history holds. Its text is parsed at the first call only, so all boards of a server
 * share the result; streams send the text and never parse it. Not to be changed.
 */
export function updateIn(row: StoredUpdate): ProgressUpdate {
  const known = parsed.get(row)
  if (known) return known
  const update: ProgressUpdate = JSON.parse(row.data)
  parsed.set(row, update)
  return update
}

/** An update that is being made. */
type Making = { -readonly [Key in keyof ProgressUpdate]: ProgressUpdate[Key] }

/** What viewers receive of an item after a change. */
export function updateOf({ item, deleted }: Pick<Change, "item" | "deleted">): ProgressUpdate {
  const { id: queue_id, song_id, status, current_step, progress, message, error_message } = item
  const { updated_at: timestamp } = item
  const said = { queue_id, song_id, status, current_step, progress, message }
  const update: Making =
    error_message === ""
      ? { ...said, timestamp }
      : { ...said, error_message, error_cause: shortCauseOf(error_message), timestamp }
  // Key by key: an object literal with as many optional parts takes twice as long, and this is done for each report.
  if (item.title !== "") update.title = item.title
  if (item.attempt > 0) update.attempt = item.attempt
  if (item.outcome !== null) update.outcome = item.outcome
  if (item.worker !== "") update.worker = item.worker
  if (item.cancel_requested_at !== null) update.cancel_requested_at = item.cancel_requested_at
  if (item.eta_seconds !== null) update.eta_seconds = item.eta_seconds
  if (item.eta_low_seconds !== null) update.eta_low_seconds = item.eta_low_seconds
  if (item.eta_high_seconds !== null) update.eta_high_seconds = item.eta_high_seconds
  if (item.eta_runs > 0) update.eta_runs = item.eta_runs
  if (item.time_progress !== null) update.time_progress = item.time_progress
  if (item.basis !== null) update.basis = item.basis
  if (item.steps !== null) update.steps = item.steps
  if (item.step !== null) update.step = item.step
  if (item.unit !== null) update.unit = item.unit
  if (item.media !== null) update.media = item.media
  if (item.stalled) update.stalled = true
  if (item.stalled_since !== null) update.stalled_since = item.stalled_since
  if (deleted) update.deleted = true
  return update
}
