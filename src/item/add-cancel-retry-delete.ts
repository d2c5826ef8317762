import { AppError } from "../errors.ts"
import { blank } from "./blank-item.ts"
import type { Draft, NewItem } from "./item.ts"
import { cancelledItem, ended, fresh, isLeased } from "./lease.ts"
import { later, type Moment } from "./moment.ts"
import { isFinished } from "./moves.ts"
import { OWN_MESSAGES } from "./own-messages.ts"
import { endOrStatus } from "./state-in-one-word.ts"
import { type Change, IDLE, type Stored } from "./stored.ts"

/** Creates an item. */
export function created({ song_id, available_in, ...given }: NewItem, moment: Moment): Draft {
  const available_at = available_in === undefined ? null : later(moment, available_in * 1000)
  return { ...blank(song_id, moment.time), ...given, available_at }
}

/**
 * Cancels an item: at once if no worker holds it, otherwise its worker is asked to stop. A second cancel changes
 * nothing.
 * @throws AppError `illegal_move` if the item is finished and was not cancelled
 */
export function cancelled(stored: Stored, moment: Moment): Change {
  const { item, work } = stored
  if (item.outcome === "cancelled" || item.cancel_requested_at !== null) return { item, work, quiet: true }
  if (isFinished(item.status)) {
    throw new AppError(
      "illegal_move",
      `queue item ${item.id} is ${endOrStatus(item)}: it can no longer be cancelled`,
    )
  }
  if (!isLeased(stored)) return { item: cancelledItem(item, moment), work: ended(work, null) }
  const { time } = moment
  return {
    item: { ...item, cancel_requested_at: time, message: OWN_MESSAGES.cancelRequested, updated_at: time },
    work,
  }
}

/**
 * Puts a finished or retrying item back into the queue as if it were new, but for what people gave it; its history
 * stays.
 * @throws AppError `illegal_move`
 */
export function retried({ item, work }: Stored, { time }: Moment): Change {
  if (!isFinished(item.status) && item.status !== "retrying") {
    throw new AppError(
      "illegal_move",
      `queue item ${item.id} is ${item.status}; only a completed, failed or retrying item can be retried`,
    )
  }
  const { id, song_id, title, priority, flag, queued_at, max_attempts, kind, totals, tags, metadata } = item
  const { video_file_path, video_file_size, thumbnail_path } = item
  const kept = { title, priority, flag, queued_at, max_attempts, kind, totals, tags, metadata }
  const files = { video_file_path, video_file_size, thumbnail_path }
  return {
    item: {
      id,
      ...blank(song_id, time),
      ...kept,
      ...files,
      requeued_at: time,
      message: OWN_MESSAGES.retried,
    },
    work: fresh(work),
  }
}

/**
 * Deletes an item. Viewers of an item that was not finished see it cancelled. The tokens of its leases
 * are kept: only a worker that shows one learns that the item was deleted.
 */
export function removed({ item, work }: Stored, moment: Moment): Change {
  const last = isFinished(item.status)
    ? { ...item, message: OWN_MESSAGES.deleted, updated_at: moment.time }
    : cancelledItem(item, moment)
  return { item: last, work: { ...IDLE, lease_token: work.lease_token }, deleted: true }
}
