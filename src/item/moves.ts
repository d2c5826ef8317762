import { AppError } from "../errors.ts"
import type { ItemChange, QueueItem, Status } from "./item.ts"
import type { Foreseen } from "./kind.ts"
import { OWN_MESSAGES } from "./own-messages.ts"
import { endOrStatus } from "./state-in-one-word.ts"

/**
 * The legal moves. The database trigger is generated from this table (`store/sqlite/schema.ts`).
 * Only a retry may move a finished item; `transition` refuses to.
 */
export const MOVES: Readonly<Record<Status, readonly Status[]>> = {
  queued: ["processing", "failed"],
  processing: ["completed", "failed", "retrying", "queued"],
  retrying: ["processing", "queued", "failed"],
  completed: ["queued"],
  failed: ["queued"],
}

/** Whether an item of this status is finished. */
export const isFinished = (status: Status): boolean => status === "completed" || status === "failed"

/** Whether an item with this status waits for a worker. */
export const isWaiting = (status: Status): boolean => status === "queued" || status === "retrying"

/** What to do with a finished item, as the end of a sentence. */
const retryIt = (id: number): string => `retry it by POST /queue/${id}/retry`

/** The error for a report about a finished item. */
export const takesNoProgress = (item: Pick<QueueItem, "id" | "status" | "outcome">): AppError =>
  new AppError(
    "illegal_move",
    `queue item ${item.id} is ${endOrStatus(item)}: it accepts no progress; ${retryIt(item.id)}`,
  )

function refuse(item: QueueItem, to: Status): never {
  const { id, status } = item
  const way = isFinished(status) ? retryIt(id) : `it can become ${MOVES[status].join(", ")}`
  throw new AppError(
    "illegal_move",
    `queue item ${id} is ${endOrStatus(item)} and cannot become ${to}; ${way}`,
  )
}

/** The keys of an item for which no end is estimated. */
export const UNFORESEEN: Foreseen = {
  eta_low_seconds: null,
  eta_high_seconds: null,
  eta_runs: 0,
  time_progress: null,
}
/** The values of an item that is not stalled. */
export const MOVING = { stalled: false, stalled_since: null }
/** The values of an item whose pace is unknown; `time_progress` is not one of them. */
function unknownPace() {
  const { time_progress: _, ...noBand } = UNFORESEEN
  return { eta_seconds: null, ...noBand, ...MOVING, step: null, unit: null, media: null }
}
/** The values of an item of which no attempt is under way, or of which one has just begun. */
const beginning = () => ({ progress: 0, basis: null, steps: null, ...unknownPace(), ...UNFORESEEN })

/** What a move sets besides the status, before the caller's own keys are laid over it. */
function moved(item: QueueItem, to: Status, now: string): Partial<QueueItem> {
  switch (to) {
    case "processing":
      return {
        attempt: item.attempt + 1,
        started_at: now,
        available_at: null,
        error_message: "",
        worker: "",
        ...beginning(),
      }
    case "completed":
      return { completed_at: now, outcome: "completed", basis: null, ...unknownPace() }
    case "failed":
      // An item that was not being worked on cannot have failed: it was cancelled.
      return {
        completed_at: now,
        ...unknownPace(),
        // How much of its time would be over is unknown now.
        time_progress: null,
        outcome: item.status === "processing" ? "failed" : "cancelled",
      }
    case "retrying":
      return { retry_count: item.retry_count + 1, requeued_at: now, ...beginning() }
    case "queued":
      return { available_at: null, requeued_at: now, ...beginning() }
  }
}

/**
 * The item after a change, or an AppError.
 *
 * Keys that are absent from the change stay as they are, except `message`, which always belongs to the latest change. A
 * status equal to the current one is not a move. On a finished item `status`, `progress` and `current_step` may only
 * repeat what is stored. `now` is RFC 3339 UTC.
 * @throws AppError `illegal_move`
 */
export function transition(
  item: QueueItem,
  change: Omit<ItemChange, "available_in">,
  now: string,
): QueueItem {
  const to = change.status ?? item.status
  const moves = to !== item.status
  if (moves && (isFinished(item.status) || !MOVES[item.status].includes(to))) refuse(item, to)
  if (isFinished(item.status)) {
    // A "completed" that comes again with the same progress as the first time is a repetition.
    const repeated =
      change.status === "completed" ? (["current_step"] as const) : (["progress", "current_step"] as const)
    for (const key of repeated) {
      if (change[key] !== undefined && change[key] !== item[key]) {
        throw new AppError(
          "illegal_move",
          `queue item ${item.id} is ${endOrStatus(item)}: its ${key} can no longer change; ${retryIt(item.id)}`,
        )
      }
    }
  }
  const message = OWN_MESSAGES.updated
  const next = { ...item, ...(moves ? moved(item, to, now) : {}), message, ...change, updated_at: now }
  return to === "completed" ? { ...next, progress: 100 } : next
}
