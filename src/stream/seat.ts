import type { Owner } from "./stream-limits.ts"

/** Why a waiting stream was woken. */
export type WakeReason = "batch" | "keepalive" | "asked" | "over"

/**
 * The purpose of a seat: a stream of everything, a stream of one item, or a held answer, which does not count
 * as a stream.
 */
export type SeatKind = "global" | "item" | "held"

/** Why a stream ended, for the metrics; `slow` means that the client had not read for about a minute. */
export type Leaving = "client" | "slow" | "finished" | "drain" | "revoked" | "error"

/** The broadcaster, as far as a seat knows it. */
export interface Keeper {
  /** Gives the seat up; a second call does nothing. */
  leave(seat: Seat): void
}

/** Wakes streams that want few updates, as far as a seat knows it. */
interface Beat {
  isDue(tookMs: number): boolean
  again(): void
}

/**
 * What the broadcaster has of a stream: its cursor, and how it waits.
 *
 * `cursor` is the last event ID that the stream has examined. It may be behind only while the stream does not wait.
 */
export class Seat {
  /** What the seat is for. */
  readonly kind: SeatKind
  /** At most this many updates per item and second are wanted after `live`; 0 for all. */
  readonly thin: number
  /** The ID of the one item that is watched; undefined for all items, or for a selection. */
  queueId: number | undefined
  /** The last event ID that the stream has examined. */
  cursor = 0
  /** The broadcaster that this seat has joined, if any. A reference is cheaper than a closure per stream. */
  keeper: Keeper | undefined
  /** The signal to which the seat listens; undefined for none. */
  signal: AbortSignal | undefined
  /** The owner of the stream; undefined if nobody may end the stream and no limit of owners applies. */
  readonly owner: Owner | undefined
  /** Wakes the stream, if it wants few updates. */
  beat: Beat | undefined
  /** When a stream that wants few updates last took some, in milliseconds of `performance.now()`. */
  tookMs = -Infinity
  /** When the seat was taken, in milliseconds of `performance.now()`. */
  readonly openedMs = performance.now()
  /** When the stream last said something, in milliseconds of `performance.now()`. */
  saidMs = this.openedMs
  #wake: ((why: WakeReason) => void) | undefined

  constructor(kind: SeatKind, queueId: number | undefined, owner?: Owner, thin = 0) {
    this.thin = thin
    this.kind = kind
    this.queueId = queueId
    this.owner = owner
  }

  /** Whether the stream waits for something to do. */
  get waiting(): boolean {
    return this.#wake !== undefined
  }

  /** Whether a keepalive may be sent now. */
  get isIdle(): boolean {
    return this.waiting
  }

  /** Why the stream ends, if it must end now. */
  get leaving(): Leaving {
    return "client"
  }

  /** Resolves when there is something to do. Only a stream that has examined everything may wait. */
  wait(): Promise<WakeReason> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  /** Gives the seat up when the client's signal aborts; the seat itself is the listener. */
  handleEvent(): void {
    this.keeper?.leave(this)
  }

  /** Wakes the stream if it waits; `examined` is the event ID up to which nothing concerned it. */
  wake(why: WakeReason, examined = 0): void {
    const wake = this.#wake
    if (!wake) return
    this.#wake = undefined
    // A stream that has just read the history can be ahead of the batch that wakes it.
    // Between two beats there may be updates that a thinned stream has not examined.
    if (examined > this.cursor && this.thin === 0) this.cursor = examined
    wake(why)
  }
}
