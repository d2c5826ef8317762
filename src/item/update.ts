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

/** What viewers receive of an item after a change. */
export function updateOf({ item, deleted }: Pick<Change, "item" | "deleted">): ProgressUpdate {
  return {
    queue_id: item.id,
    song_id: item.song_id,
    status: item.status,
    current_step: item.current_step,
    progress: item.progress,
    message: item.message,
    ...(item.error_message !== "" && { error_message: item.error_message }),
    timestamp: item.updated_at,
    ...(item.title !== "" && { title: item.title }),
    ...(item.attempt > 0 && { attempt: item.attempt }),
    ...(item.outcome !== null && { outcome: item.outcome }),
    ...(item.worker !== "" && { worker: item.worker }),
    ...(item.cancel_requested_at !== null && { cancel_requested_at: item.cancel_requested_at }),
    ...(item.eta_seconds !== null && { eta_seconds: item.eta_seconds }),
    ...(item.eta_low_seconds !== null && { eta_low_seconds: item.eta_low_seconds }),
    ...(item.eta_high_seconds !== null && { eta_high_seconds: item.eta_high_seconds }),
    ...(item.eta_runs > 0 && { eta_runs: item.eta_runs }),
    ...(item.time_progress !== null && { time_progress: item.time_progress }),
    ...(item.basis !== null && { basis: item.basis }),
    ...(item.steps !== null && { steps: item.steps }),
    ...(item.step !== null && { step: item.step }),
    ...(item.unit !== null && { unit: item.unit }),
    ...(item.media !== null && { media: item.media }),
    ...(item.stalled && { stalled: true as const }),
    ...(item.stalled_since !== null && { stalled_since: item.stalled_since }),
    ...(deleted && { deleted: true as const }),
  }
}
