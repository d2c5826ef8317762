/** Why a waiting stream was woken. */
export type Wake = "batch" | "keepalive" | "asked" | "over"

/** What kind of watching a seat is for; a held answer is not a stream, and not counted as one. */
export type SeatKind = "global" | "item" | "held"

/** Where a seat is taken. */
export interface Keeper {
  /** Gives the seat up; a seat that was given up before stays so. */
  leave(seat: Seat): void
}

/**
 * A stream's place with the broadcaster: its cursor, and how it waits.
 *
 * `cursor` is the last event ID that the stream has examined. It may be behind only while the stream does not wait.
 */
export class Seat {
  readonly kind: SeatKind
  /** The one item that is watched; undefined for all, or for a choice among all. */
  queueId: number | undefined
  cursor = 0
  /** Who keeps the seat, while it is taken: a closure for each stream to leave by would cost more. */
  keeper: Keeper | undefined
  /** When the stream last said something, in milliseconds of `performance.now()`. */
  saidMs = performance.now()
  #wake: ((why: Wake) => void) | undefined

  constructor(kind: SeatKind, queueId: number | undefined) {
    this.kind = kind
    this.queueId = queueId
  }

  get waiting(): boolean {
    return this.#wake !== undefined
  }

  /** Resolves when there is something to do. Only a stream that has examined everything may wait. */
  wait(): Promise<Wake> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  /** The client has gone. */
  handleEvent(): void {
    this.keeper?.leave(this)
  }

  /** Wakes the stream if it waits; `examined` is the event ID up to which nothing concerned it. */
  wake(why: Wake, examined = 0): void {
    const wake = this.#wake
    if (!wake) return
    this.#wake = undefined
    // A stream that has just read the history can be ahead of the batch that wakes it.
    if (examined > this.cursor) this.cursor = examined
    wake(why)
  }
}
