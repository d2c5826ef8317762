import type { UpdateFrame } from "../wire/frames.ts"
import type { Batch } from "./batch.ts"
import type { Seat } from "./seat.ts"
import type { Wanted } from "./selection.ts"
import { thinned } from "./thinning.ts"

/** How much is kept in memory, in characters of JSON. */
const KEPT_SIZE = 2 * 1024 * 1024
/**
 * How much a stream takes at once, in characters of JSON. Larger chunks save writes, up to the size of the
 * socket's buffer.
 */
const TAKEN_SIZE = 256 * 1024

/** The updates that thinned streams of all items take after an event ID. */
interface Thinned {
  readonly after: number
  readonly head: number
  readonly list: readonly UpdateFrame[]
}

/** The newest batches, kept in memory for streams that are a little behind. */
export class Tail {
  #batches: Batch[] = []
  #size = 0
  /** The latest result of thinning: most of these streams take the same. */
  #thinned: Thinned | undefined

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
    this.#thinned = undefined
  }

  /** Whether every update after this event ID is in memory. The event ID must not be above the newest one. */
  reachesTo(eventId: number): boolean {
    const first = this.#batches[0]
    return first !== undefined && first.previous <= eventId
  }

  /** The updates after an event ID, of one item or of all; null if there are more than `most`. */
  after(eventId: number, queueId: number | undefined, most: number): readonly UpdateFrame[] | null {
    const found: UpdateFrame[] = []
    for (let at = this.#indexAfter(eventId); at < this.#batches.length; at += 1) {
      const batch = this.#batches[at]
      if (batch) found.push(...newer(batch, queueId, eventId))
      if (found.length > most) return null
    }
    return found
  }

  /**
   * Like `take`, but up to the newest update, in one thinned list (see `thinned`). All seats that take the
   * same get the same list.
   */
  takeThinned(seat: Seat, wanted?: Wanted): readonly (readonly UpdateFrame[])[] | null {
    const { cursor, queueId } = seat
    const head = this.#batches.at(-1)?.head
    if (head === undefined || !this.reachesTo(cursor)) return null
    seat.cursor = Math.max(cursor, head)
    const isForAll = queueId === undefined && !wanted
    const known = this.#thinned
    if (isForAll && known?.after === cursor && known.head === head) return [known.list]
    const newer = this.after(cursor, queueId, Infinity) ?? []
    const list = thinned(wanted ? newer.filter(({ update }) => wanted(update)) : newer)
    if (isForAll) this.#thinned = { after: cursor, head, list }
    return list.length > 0 ? [list] : []
  }

  /** The index of the first batch that has something after an event ID. */
  #indexAfter(eventId: number): number {
    let at = this.#batches.length
    while (at > 0 && (this.#batches[at - 1]?.head ?? 0) > eventId) at -= 1
    return at
  }

  /**
   * Takes the updates after the seat's cursor, up to about 256 KiB, and moves the cursor. They come as lists, which are
   * the same for all seats that take whole batches. Null if the tail does not reach back to the cursor: then they must
   * be read from the history.
   */
  take(seat: Seat, wanted?: Wanted): readonly (readonly UpdateFrame[])[] | null {
    const batches = this.#batches
    let at = this.#indexAfter(seat.cursor)
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

/**
 * The updates of a batch that a seat has not examined and wants. If these are all updates of the batch, it is
 * the batch's own list.
 */
function selected(batch: Batch, { queueId, cursor }: Seat, wanted: Wanted): readonly UpdateFrame[] {
  const frames = newer(batch, queueId, cursor)
  return wanted ? frames.filter(({ update }) => wanted(update)) : frames
}

/**
 * The updates of a batch after an event ID, of one item or of all. If these are all updates of the batch, it
 * is the batch's own list.
 */
function newer(batch: Batch, queueId: number | undefined, eventId: number): readonly UpdateFrame[] {
  const frames = queueId === undefined ? batch.frames : (batch.byItem.get(queueId) ?? [])
  return eventId <= batch.previous ? frames : frames.filter(({ update }) => update.id > eventId)
}
