import type { QueueItem, Status } from "../../item/item.ts"
import type { Counts } from "../../wire/answers.ts"
import { CHOSEN_STATUSES, type Query } from "./query.ts"

/** The lists of the page. */
export const LISTS = ["running", "waiting", "finished"] as const

/** A list of the page. */
export type ListName = (typeof LISTS)[number]

/**
 * How far each list is known: the last item up to which all of it are known; null for one that is known to its end,
 * and `unread` for one of which nothing was read.
 */
export type Ends = Readonly<Record<ListName, QueueItem | "unread" | null>>

/** All lists are known to their ends. */
export const ALL_KNOWN: Ends = { running: null, waiting: null, finished: null }

/**
 * The statuses of the items that a query shows in each list. A list that the query does not show has none.
 */
export function statusesOf({ which }: Query): Readonly<Record<ListName, readonly Status[]>> {
  const among = (...statuses: Status[]): readonly Status[] =>
    statuses.filter((status) => CHOSEN_STATUSES[which].includes(status))
  return {
    running: among("processing"),
    waiting: among("queued", "retrying"),
    finished: among("completed", "failed"),
  }
}

/** Whether the server has more results for a query than the page knows. */
export const isCut = (ends: Ends, query: Query): boolean => {
  const statuses = statusesOf(query)
  return LISTS.some((list) => statuses[list].length > 0 && ends[list] !== null)
}

/**
 * How many items of the whole queue belong in each list that a query shows, without regard to the query's
 * words.
 */
export function totalsOf({ status, outcome }: Counts, { which }: Query): Readonly<Record<ListName, number>> {
  const { completed, failed, cancelled, lost } = outcome
  const ended = {
    completed,
    failed: failed + lost,
    cancelled,
    all: completed + failed + cancelled + lost,
    running: 0,
    waiting: 0,
  }
  return { running: status.processing, waiting: status.queued + status.retrying, finished: ended[which] }
}
