import type { Batch } from "./batch.ts"
import type { Seat } from "./seat.ts"
import { ThinningBeat } from "./thinning.ts"

/** The taken seats, by what they watch. */
export class Seats {
  /** By queue item ID; seats of streams that watch everything are under undefined. */
  readonly #byItem = new Map<number | undefined, Set<Seat>>()
  /** The seats that get few updates, by how many per item and second. */
  readonly #byBeat = new Map<number, ThinningBeat>()
  readonly #wake: (seats: readonly Seat[]) => void
  #size = 0

  /** `wake` wakes the streams of one beat. */
  constructor(wake: (seats: readonly Seat[]) => void) {
    this.#wake = wake
  }

  /** How many there are. */
  get size(): number {
    return this.#size
  }

  /** Adds a seat. */
  put(seat: Seat): void {
    this.#size += 1
    if (seat.thin > 0) {
      const beat = this.#byBeat.get(seat.thin) ?? new ThinningBeat(seat.thin, this.#wake)
      this.#byBeat.set(seat.thin, beat)
      beat.seats.add(seat)
      seat.beat = beat
      return
    }
    const seats = this.#byItem.get(seat.queueId)
    if (seats) seats.add(seat)
    else this.#byItem.set(seat.queueId, new Set([seat]))
  }

  /** Gives a seat up; answers whether it was taken. */
  remove(seat: Seat): boolean {
    const beat = this.#byBeat.get(seat.thin)
    const seats = beat ? beat.seats : this.#byItem.get(seat.queueId)
    if (!seats?.delete(seat)) return false
    this.#size -= 1
    if (seats.size > 0) return true
    beat?.stop()
    if (beat) this.#byBeat.delete(seat.thin)
    else this.#byItem.delete(seat.queueId)
    return true
  }

  /** All seats. */
  *all(): Generator<Seat> {
    for (const seats of this.#byItem.values()) yield* seats
    for (const { seats } of this.#byBeat.values()) yield* seats
  }

  /** The seats that are woken for a batch at once. */
  *concerned(batch: Batch): Generator<Seat> {
    yield* this.#byItem.get(undefined) ?? []
    if (this.#byItem.size === (this.#byItem.has(undefined) ? 1 : 0)) return
    for (const queueId of batch.byItem.keys()) yield* this.#byItem.get(queueId) ?? []
  }

  /** The beats that wake all other seats. */
  beats(): Iterable<ThinningBeat> {
    return this.#byBeat.values()
  }
}
