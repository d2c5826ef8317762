import type { UpdateFrame } from "../wire/frames.ts"
import type { Batch } from "./batch.ts"
import type { Seat } from "./seat.ts"
import type { Wanted } from "./selection.ts"

/** How much is kept, in characters of JSON. */
const KEPT_SIZE = 2 * 1024 * 1024
/** How much is taken at once, in characters of JSON: larger chunks save writes, up to the size of the socket's buffer. */
const TAKEN_SIZE = 256 * 1024

/** The newest batches, kept at hand for streams that are a little behind. */
export class Tail {
  #batches: Batch[] = []
  #size = 0

  /** Adds the newest batch, which begins where the one before it ends, and drops the oldest ones beyond the size. */
  push(batch: Batch): void {
    this.#batches.push(batch)
    this.#size += batch.size
    while (this.#size > KEPT_SIZE && this.#batches.length > 1) this.#size -= this.#batches.shift()?.size ?? 0
  }

  /** Drops all batches. */
  clear(): void {
    this.#batches = []
    this.#size = 0
  }

  /**
   * Takes the updates after the seat's cursor, up to about 256 KiB, and moves the cursor. They come as lists, which are
   * the same for all seats that take whole batches. Null if the tail does not reach back to the cursor: then they must
   * be read from the history.
   */
  take(seat: Seat, wanted?: Wanted): readonly (readonly UpdateFrame[])[] | null {
    const batches = this.#batches
    let at = batches.length
    while (at > 0 && (batches[at - 1]?.head ?? 0) > seat.cursor) at -= 1
    const first = batches[at]
    if (!first || first.previous > seat.cursor) return null
    const lists: (readonly UpdateFrame[])[] = []
    for (let size = 0; at < batches.length && size < TAKEN_SIZE; at += 1) {
      const batch = batches[at]
      if (!batch) break
      const list = selected(batch, seat, wanted)
      if (list.length > 0) lists.push(list)
      size +=
        list === batch.frames ? batch.size : list.reduce((sum, { update }) => sum + update.data.length, 0)
      seat.cursor = batch.head
    }
    return lists
  }
}

/** The updates of a batch that a seat has not examined and wants: a list of the batch itself if they are all of it. */
function selected(batch: Batch, { queueId, cursor }: Seat, wanted: Wanted): readonly UpdateFrame[] {
  const frames = queueId === undefined ? batch.frames : (batch.byItem.get(queueId) ?? [])
  if (cursor <= batch.previous && !wanted) return frames
  return frames.filter(({ update }) => update.id > cursor && (wanted?.(update) ?? true))
}
