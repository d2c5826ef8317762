import { AppError } from "../errors.ts"
import type { ItemChange, QueueItem } from "./item.ts"
import { ended, isLeased, started } from "./lease.ts"
import { later, type Moment } from "./moment.ts"
import { isWaiting, MOVING, transition } from "./moves.ts"
import { etaOf, paced } from "./pace.ts"
import { endOrStatus } from "./state-in-one-word.ts"
import type { Change, Stored } from "./stored.ts"

/** When workers may take a waiting item by its place, if a change says so. @throws AppError `illegal_move` */
function availability(
  next: QueueItem,
  before: QueueItem,
  inSeconds: number | undefined,
  moment: Moment,
): Partial<QueueItem> {
  if (inSeconds === undefined) return {}
  if (!isWaiting(next.status)) {
    const is = next.status === before.status ? "is" : `is ${before.status} and would be`
    throw new AppError(
      "illegal_move",
      `queue item ${next.id} ${is} ${endOrStatus(next)}; only a waiting item can get a time from which it may start`,
    )
  }
  return { available_at: inSeconds === 0 ? null : later(moment, inSeconds * 1000) }
}

/**
 * Changes an item by PUT. While a worker holds the lease, only that worker may write the status, the
 * progress, the step and the message.
 * @throws AppError `leased`, `illegal_move`
 */
export function changed(stored: Stored, { available_in, ...change }: ItemChange, moment: Moment): Change {
  const { item: before, work: known } = stored
  const reserved = (["status", "progress", "current_step", "message"] as const).filter((key) => key in change)
  if (isLeased(stored) && reserved.length > 0) {
    throw new AppError(
      "leased",
      `queue item ${before.id} is leased to worker "${before.worker}": only its lease may change ${reserved.join(", ")}; cancel it by POST /queue/${before.id}/cancel`,
    )
  }
  const merged = transition(before, change, moment.time)
  const next = { ...merged, ...availability(merged, before, available_in, moment) }
  // Among the items of another priority it has its natural place.
  const item = next.priority === before.priority ? next : { ...next, turn: null }
  if (item.status !== "processing") {
    return { item, work: item.status === before.status ? known : ended(known, null) }
  }
  const isStart = before.status !== "processing"
  // The stored value has decimals. A PUT that repeats the shown value must not remove them.
  if (!isStart && item.progress === before.progress) return { item, work: known }
  const work = paced(isStart ? started(known, moment) : known, item.progress, moment)
  const eta_seconds = etaOf(work, moment)
  return { item: { ...item, basis: null, eta_seconds, ...MOVING }, work }
}
