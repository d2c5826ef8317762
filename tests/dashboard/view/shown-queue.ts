import type { LiveQueue } from "../../../src/dashboard/model/known-queue.ts"
import type { QueueItem } from "../../../src/item/item.ts"
import { time } from "../items.ts"

/** The time of a queue that a test gives to parts of the page, in epoch milliseconds. */
export const NOW_MS = Date.parse(time(100))

/** A queue in which these items wait. */
export const queueOf = (waiting: readonly QueueItem[], items = waiting): LiveQueue => ({
  waiting: () => waiting,
  waitingTotal: () => waiting.length,
  item: (id) => items.find((one) => one.id === id),
  startOf: () => undefined,
  missing: () => [],
  may: () => true,
  nowMs: () => NOW_MS,
  isLive: () => true,
  asOfMs: () => NOW_MS,
  isCrowded: () => false,
})
