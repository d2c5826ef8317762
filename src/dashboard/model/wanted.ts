import type { QueueItem, Status } from "../../item/item.ts"
import type { Counts } from "../../wire/answers.ts"

/** Which items are shown: all, or those that stand in one way. */
export type Which = "all" | "running" | "waiting" | "completed" | "failed" | "cancelled"

/** What of the queue the reader wants to see. */
export interface Wanted {
  /** Words that must all occur in an item; empty for any item. */
  readonly text: string
  /** How they stand. */
  readonly which: Which
}

/** The whole queue. */
export const EVERYTHING: Wanted = { text: "", which: "all" }

const WHICH: readonly Which[] = ["all", "running", "waiting", "completed", "failed", "cancelled"]

const LISTS = ["running", "waiting", "finished"] as const
/** A list of the page. */
export type ListName = (typeof LISTS)[number]

/**
 * How far each list is known: the last item up to which all of it are known; null for one that is known to its end.
 */
export type Ends = Readonly<Record<ListName, QueueItem | null>>

/** All lists are known to their ends. */
export const WHOLE: Ends = { running: null, waiting: null, finished: null }

/** The statuses of the items in each list of what is wanted; a list that is not wanted has none. */
export function statusesOf({ which }: Wanted): Readonly<Record<ListName, readonly Status[]>> {
  const isAll = which === "all"
  return {
    running: isAll || which === "running" ? ["processing"] : [],
    waiting: isAll || which === "waiting" ? ["queued", "retrying"] : [],
    finished: isAll
      ? ["completed", "failed"]
      : which === "completed"
        ? ["completed"]
        : which === "failed" || which === "cancelled"
          ? ["failed"]
          : [],
  }
}

/** Whether there is more of what is wanted than is known. */
export const isCut = (ends: Ends, wanted: Wanted): boolean => {
  const statuses = statusesOf(wanted)
  return LISTS.some((list) => statuses[list].length > 0 && ends[list] !== null)
}

/** Whether an item has failed, and was not cancelled. */
export const hasFailed = ({ status, outcome }: Pick<QueueItem, "status" | "outcome">): boolean =>
  status === "failed" && outcome !== "cancelled"

/** Whether an item stands as wanted; what it says is the server's to judge. */
export function isWanted(item: QueueItem, wanted: Wanted): boolean {
  if (wanted.which === "failed") return hasFailed(item)
  if (wanted.which === "cancelled") return item.outcome === "cancelled"
  return Object.values(statusesOf(wanted)).some((statuses) => statuses.includes(item.status))
}

/** What an address asks for: `?q=lights&status=failed`. */
export function wantedIn(search: string): Wanted {
  const query = new URLSearchParams(search)
  const status = query.get("status")
  return { text: (query.get("q") ?? "").trim(), which: WHICH.find((which) => which === status) ?? "all" }
}

/** The query of an address that asks for it; empty for everything. */
export function searchOf({ text, which }: Wanted): string {
  const query = new URLSearchParams()
  if (text !== "") query.set("q", text)
  if (which !== "all") query.set("status", which)
  return query.size === 0 ? "" : `?${query}`
}

/** How many items each list of what is wanted has in the whole queue, whatever words they hold. */
export function totalsOf({ status, outcome }: Counts, { which }: Wanted): Readonly<Record<ListName, number>> {
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
