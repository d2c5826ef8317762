import type { QueueItem } from "../../item/item.ts"
import type { StartsAt } from "../../item/progress-words.ts"
import type { Right } from "./rights.ts"

/** What rows, lanes and the actions on an item need to know of the queue. */
export interface KnownQueue {
  /** The items that wait, in their order; of a long queue the first ones. */
  readonly waiting: () => readonly QueueItem[]
  /**
   * How many items wait in all, also those that are not known here, without the delayed ones. Null while this
   * is unknown, or if the reader may not know it.
   */
  readonly waitingTotal: () => number | null
  /** The item as it is known now. */
  readonly item: (id: number) => QueueItem | undefined
  /** When an item that waits starts; undefined while unknown. */
  readonly startOf: (id: number) => StartsAt | undefined
  /** The tags of an item that no worker offers. */
  readonly missing: (tags: readonly string[]) => readonly string[]
  /** Whether the reader may do something. */
  readonly may: (right: Right) => boolean
  /** Milliseconds of the server's clock. */
  readonly nowMs: () => number
}

/** What a bar that moves by itself needs in addition to its item. */
export interface LiveQueue extends KnownQueue {
  /** Whether the shown state is true now. Only then may anything continue to count. */
  readonly isLive: () => boolean
  /**
   * The time until which the shown state is true of what changed at `updated_at`: now, or when it was last confirmed.
   */
  readonly asOfMs: (changed: Pick<QueueItem, "updated_at">) => number
  /** Whether too many items are shown for bars that move by themselves. */
  readonly isCrowded: () => boolean
}
