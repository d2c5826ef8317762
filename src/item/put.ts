import { AppError } from "../errors.ts"
import type { ItemChange } from "./item.ts"
import { ended, isLeased, started } from "./lease.ts"
import type { Moment } from "./moment.ts"
import { MOVING, transition } from "./moves.ts"
import { etaOf, paced } from "./pace.ts"
import type { Change, Stored } from "./stored.ts"

/**
 * Changes an item by PUT. While a worker holds the lease, only that worker may write the status, the
 * progress, the step and the message.
 * @throws AppError `leased`, `illegal_move`
 */
export function changed(stored: Stored, change: ItemChange, moment: Moment): Change {
  const { item: before, work: known } = stored
  const reserved = (["status", "progress", "current_step", "message"] as const).filter((key) => key in change)
  if (isLeased(stored) && reserved.length > 0) {
    throw new AppError(
      "leased",
      `queue item ${before.id} is leased to worker "${before.worker}": only its lease may change ${reserved.join(", ")}; cancel it by POST /queue/${before.id}/cancel`,
    )
  }
  const next = transition(before, change, moment.time)
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
