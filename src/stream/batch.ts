import type { StoredUpdate } from "../item/stored.ts"
import { type UpdateFrame, updateFrames } from "../wire/frames.ts"

/**
 * The updates that were new in one tick of the event loop: their event IDs are above `previous` and up to
 * `head`.
 */
export class Batch {
  /** The newest event ID before this batch. */
  readonly previous: number
  /** The event ID of its last update. */
  readonly head: number
  /** Its updates, ascending. Streams share this list, so that an encoding encodes it once. */
  readonly frames: readonly UpdateFrame[]
  /** How many characters of JSON it holds. */
  readonly size: number
  #byItem: Map<number, readonly UpdateFrame[]> | undefined

  constructor(previous: number, head: number, updates: readonly StoredUpdate[]) {
    this.previous = previous
    this.head = head
    this.frames = updateFrames(updates)
    this.size = updates.reduce((sum, { data }) => sum + data.length, 0)
  }

  /** The updates by queue item, grouped at the first call. */
  get byItem(): ReadonlyMap<number, readonly UpdateFrame[]> {
    this.#byItem ??= Map.groupBy(this.frames, ({ update }) => update.queue_id)
    return this.#byItem
  }
}
