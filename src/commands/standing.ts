import type { QueueItem, Status } from "../item/item.ts"
import type { Tone } from "../terminal/terminal.ts"

/** How an item stands, in one word: its status, or more exactly `cancelling`, `stalled`, `cancelled`, `lost`. */
export function standingOf(
  item: Pick<QueueItem, "status" | "outcome" | "cancel_requested_at" | "stalled">,
): string {
  const { status, outcome } = item
  if (status === "processing" && item.cancel_requested_at !== null) return "cancelling"
  if (status === "processing" && item.stalled) return "stalled"
  return outcome === "cancelled" || outcome === "lost" ? outcome : status
}

const TONES: Partial<Record<Status, Tone>> = {
  processing: "bar",
  completed: "good",
  failed: "bad",
  retrying: "warn",
}

/** The colour of a standing; a cancelled item is no failure. */
export function toneOf(item: QueueItem): Tone | undefined {
  if (item.outcome === "cancelled") return "dim"
  if (item.status === "processing" && (item.stalled || item.cancel_requested_at !== null)) return "warn"
  return TONES[item.status]
}
