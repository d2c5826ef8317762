import { AppError } from "../errors.ts"
import type { QueueItem } from "./item.ts"
import type { Moment } from "./moment.ts"
import { isWaiting } from "./moves.ts"
import { OWN_MESSAGES } from "./own-messages.ts"
import { endOrStatus } from "./state-in-one-word.ts"
import type { Change, Stored } from "./stored.ts"

/** The place of an item among the waiting ones of its priority. */
const turnOf = ({ turn, id }: QueueItem): number => turn ?? id

const mustWait = (item: QueueItem): void => {
  if (isWaiting(item.status)) return
  throw new AppError(
    "illegal_move",
    `queue item ${item.id} is ${endOrStatus(item)}; only a waiting item has a place in the queue`,
  )
}

/**
 * Moves an item directly before another one. `ahead` is the turn of the item that is directly before that one
 * now, null if there is none.
 * @throws AppError `invalid` if they are the same item, `illegal_move` if one of them does not wait
 */
export function placed(
  { item, work }: Stored,
  before: QueueItem,
  ahead: number | null,
  { time }: Moment,
): Change {
  if (item.id === before.id)
    throw new AppError(
      "invalid",
      `queue item ${item.id} cannot be moved before itself; name another waiting item`,
    )
  mustWait(item)
  mustWait(before)
  const { priority } = before
  const last = turnOf(before)
  const isThere = (turn: number): boolean => (ahead === null || ahead < turn) && turn < last
  if (item.priority === priority && isThere(turnOf(item))) return { item, work, quiet: true }
  const turn = ahead === null ? last - 1 : (ahead + last) / 2
  if (!isThere(turn)) {
    throw new AppError(
      "illegal_move",
      `there is no more room before queue item ${before.id}; give queue item ${item.id} another priority`,
    )
  }
  return { item: { ...item, priority, turn, message: OWN_MESSAGES.moved, updated_at: time }, work }
}
