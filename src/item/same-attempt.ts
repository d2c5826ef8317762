import { AppError } from "../errors.ts"
import type { QueueItem } from "./item.ts"
import { endOrStatus } from "./state-in-one-word.ts"
import type { Stored } from "./stored.ts"

/** What distinguishes an attempt from all others of its item: after a retry its number alone comes again. */
export type AttemptName = Pick<QueueItem, "attempt" | "started_at">

/** Whether two names are those of one attempt of an item. */
export const isSameAttempt = (one: AttemptName, other: AttemptName): boolean =>
  one.attempt === other.attempt && one.started_at === other.started_at

/**
 * Checks that this attempt of an item is still under way.
 * @throws AppError `illegal_move` if it is not
 */
export function checkUnderWay(item: QueueItem, expected: AttemptName): void {
  if (item.status === "processing" && isSameAttempt(item, expected)) return
  throw new AppError("illegal_move", `${hasEnded(item.id, expected)}: the item is ${endOrStatus(item)}`)
}

/**
 * The number of an attempt whose output is still stored: the last of it may come after its end. @throws AppError
 * `illegal_move` once another one has begun
 */
export function printingOf({ item }: Stored, expected: AttemptName): number {
  if (isSameAttempt(item, expected)) return item.attempt
  throw new AppError("illegal_move", hasEnded(item.id, expected))
}

const hasEnded = (id: number, { attempt }: AttemptName): string =>
  `attempt ${attempt} of queue item ${id} has ended`
