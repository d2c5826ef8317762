import type { ProgressUpdate, QueueItem, Status } from "./item.ts"

/** The outcome of a finished item, or the status of another one. */
export type EndOrStatus = Status | "cancelled" | "lost"

/** The outcome of an item if it says more than its status: a cancelled or lost item has the status `failed`. */
export const endOrStatus = ({
  status,
  outcome,
}: Pick<QueueItem, "status" | "outcome"> | Pick<ProgressUpdate, "status" | "outcome">): EndOrStatus =>
  outcome === "cancelled" || outcome === "lost" ? outcome : status

/**
 * The state of an item in one word: its outcome if that says more than its status, and for a running item whether it
 * is stalled or being cancelled.
 */
export type Standing = EndOrStatus | "cancelling" | "stalled"

/** The standing of an item. */
export function standingOf({
  status,
  outcome,
  cancel_requested_at,
  stalled,
}: Pick<QueueItem, "status" | "outcome" | "cancel_requested_at" | "stalled">): Standing {
  if (status === "processing" && cancel_requested_at !== null) return "cancelling"
  if (status === "processing" && stalled) return "stalled"
  return endOrStatus({ status, outcome })
}

/** Whether an item has failed. A cancelled item has the status `failed`, too, but did not fail. */
export const hasFailed = ({ status, outcome }: Pick<QueueItem, "status" | "outcome">): boolean =>
  status === "failed" && outcome !== "cancelled"
