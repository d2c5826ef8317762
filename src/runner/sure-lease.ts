import { stopwatch } from "./standstill.ts"

/** A renewal whose answer was long on its way counts for at least this part of the lease. */
const LEAST_PART = 1 / 4

/**
 * Whether a lease is surely still ours. It is in doubt once it was not renewed for its whole length, because another
 * worker may then have the item. Only time in which the server was away does not count: no lease ends meanwhile.
 */
export class SureLease {
  readonly #leaseMs: number
  readonly #onDoubt: (isDoubtful: boolean) => void
  /** How long the lease was still ours at the last answer or failure, in milliseconds. */
  #leftMs = Infinity
  /** How long ago that was. */
  #passedMs = stopwatch()
  #wasAway = false
  #isDoubtful = false
  #hasStarted = false
  #timer: ReturnType<typeof setTimeout> | undefined

  /** `onDoubt` is called with true when a doubt begins, and with false when the server has ended it. */
  constructor(leaseMs: number, onDoubt: (isDoubtful: boolean) => void) {
    this.#leaseMs = leaseMs
    this.#onDoubt = onDoubt
  }

  /** Whether another worker may have the item. */
  get isDoubtful(): boolean {
    return this.#isDoubtful
  }

  /** From now on doubts are told of. */
  start(): void {
    this.#hasStarted = true
    this.#look()
  }

  /** No doubt is told of any more. */
  stop(): void {
    this.#hasStarted = false
    clearTimeout(this.#timer)
  }

  /** The server has renewed the lease, at most this long ago. */
  renewed(agoMs: number): void {
    this.#note(Math.max(this.#leaseMs - agoMs, this.#leaseMs * LEAST_PART), false)
    if (this.#isDoubtful) this.#set(false)
    if (this.#timer === undefined) this.#look()
  }

  /** The lease was lost, and it is not known yet whether another worker has the item. */
  lost(): void {
    this.#note(0, false)
    this.#look()
  }

  /** A try to reach the server has failed; `isAway`: the server is away for everybody. */
  failed(isAway: boolean): void {
    this.#note(this.#leftMs - (isAway && this.#wasAway ? 0 : this.#passedMs()), isAway)
  }

  #note(leftMs: number, isAway: boolean): void {
    this.#leftMs = leftMs
    this.#passedMs = stopwatch()
    this.#wasAway = isAway
  }

  /** Begins a doubt if it is time, and otherwise looks again when it may be. */
  #look(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const leftMs = this.#leftMs - this.#passedMs()
    if (!this.#hasStarted || this.#isDoubtful || leftMs === Infinity) return
    const look = (): void => (this.#leftMs > this.#passedMs() ? this.#look() : this.#set(true))
    this.#timer = setTimeout(look, Math.max(0, leftMs))
  }

  #set(isDoubtful: boolean): void {
    this.#timer = undefined
    this.#isDoubtful = isDoubtful
    this.#onDoubt(isDoubtful)
  }
}
