import type { QueueItem, Status } from "../../item/item.ts"
import { LONGEST_SEARCH } from "../../item/search.ts"
import { hasFailed } from "../../item/state-in-one-word.ts"

/** Which items are shown: all, or those of one standing. */
export type Which = "all" | "running" | "waiting" | "completed" | "failed" | "cancelled"

/** Which part of the queue the reader wants to see. */
export interface Query {
  /** Words that must all occur in an item; empty for any item. */
  readonly text: string
  /** How the items stand. */
  readonly which: Which
}

/** The whole queue. */
export const EVERYTHING: Query = { text: "", which: "all" }

const WHICH: readonly Which[] = ["all", "running", "waiting", "completed", "failed", "cancelled"]

/** The statuses that the items of each choice may have. */
export const CHOSEN_STATUSES: Readonly<Record<Which, readonly Status[]>> = {
  all: ["processing", "queued", "retrying", "completed", "failed"],
  running: ["processing"],
  waiting: ["queued", "retrying"],
  completed: ["completed"],
  failed: ["failed"],
  cancelled: ["failed"],
}

/** Whether an item has the wanted standing. Only the server can tell whether its words match. */
export function isWanted(item: QueueItem, { which }: Query): boolean {
  if (which === "failed") return hasFailed(item)
  if (which === "cancelled") return item.outcome === "cancelled"
  return CHOSEN_STATUSES[which].includes(item.status)
}

/** The query in an address: `?q=lights&status=failed`. */
export function queryIn(address: string): Query {
  const query = new URLSearchParams(address)
  const status = query.get("status")
  const text = (query.get("q") ?? "").trim().slice(0, LONGEST_SEARCH)
  return { text, which: WHICH.find((which) => which === status) ?? "all" }
}

/** The part of an address for this query, such as `?q=lights`; empty for everything. */
export function searchOf({ text, which }: Query): string {
  const query = new URLSearchParams()
  if (text !== "") query.set("q", text)
  if (which !== "all") query.set("status", which)
  return query.size === 0 ? "" : `?${query}`
}

/** The heading of the finished items that are shown, and the text if there are none. */
export const ENDED: Readonly<Record<Which, readonly [name: string, none: string]>> = {
  all: ["Finished", "Nothing is finished."],
  running: ["Finished", "Nothing is rendering."],
  waiting: ["Finished", "Nothing is waiting."],
  completed: ["Completed", "No completed renders."],
  failed: ["Failed", "No failed renders."],
  cancelled: ["Cancelled", "No cancelled renders."],
}
