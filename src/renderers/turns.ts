/** A bar that is full so soon after its start measured no work worth showing: models load, an index is read. */
const QUICK_MS = 5000
/** The most that is shown while it is unknown how many bars follow. */
const MOST_UNKNOWN = 0.89

/** How bars that follow one another are counted. */
export interface TurnsOptions {
  /** How many bars there are; undefined while unknown. */
  readonly bars: number | undefined
  /** Whether a bar that is full within 5 s counts like any other. */
  readonly countsQuick: boolean
  /** Milliseconds from an arbitrary start, never going back. */
  readonly now: () => number
}

/**
 * Makes one fraction of bars that follow one another.
 *
 * If their number is known, bar k at fraction f stands at (k - 1 + f) of that number. Otherwise the first bar is
 * taken for the whole, until a second one proves that wrong. Then the fraction is set back, once, to what is proven
 * and grows from there: at most (k - 1 + f) / (k + 1), and never above 0.89.
 */
export class Turns {
  readonly #options: TurnsOptions
  #fraction = 0
  #ended = 0
  #sum = 0
  #isSetBack = false
  #current = 0
  #startedMs: number | undefined
  /** Whether the bar in hand was full at once, and so tells nothing. */
  #isVoid = false

  constructor(options: TurnsOptions) {
    this.#options = options
  }

  /** How far the whole is, 0 to 1. It goes down once at most. */
  get fraction(): number {
    return this.#fraction
  }

  /** Whether the bar in hand can still be the whole. */
  get isFirst(): boolean {
    return this.#ended === 0 && !this.#isSetBack
  }

  /** The bar in hand is this far, 0 to 1. A lower fraction than before changes nothing. */
  move(fraction: number): void {
    this.#startedMs ??= this.#options.now()
    this.#current = Math.max(this.#current, fraction)
    if (this.#current >= 1 && this.#isYoung) this.#isVoid = true
    if (this.#isVoid) this.#setBack(this.#proven(0))
    // The step back is spent: what this bar would move could not be taken back.
    else if (!this.#isSetBack || !this.#isYoung) this.grow(this.#proven(this.#current))
  }

  /** Another bar begins. */
  next(): void {
    if (!this.#isVoid && !this.#isYoung) {
      this.#ended += 1
      this.#sum += this.#current
    }
    this.#isVoid = false
    this.#current = 0
    this.#startedMs = this.#options.now()
    this.#setBack(this.#proven(0))
  }

  /** The whole is at least this far, whatever the bars say. */
  grow(fraction: number): void {
    this.#fraction = Math.max(this.#fraction, fraction)
  }

  /** Whether the bar in hand is so young that it may turn out to be no work. */
  get #isYoung(): boolean {
    const { bars, countsQuick, now } = this.#options
    if (countsQuick || bars !== undefined || this.#startedMs === undefined) return false
    return now() - this.#startedMs < QUICK_MS
  }

  /** What is proven while the bar in hand is this far. */
  #proven(current: number): number {
    const { bars } = this.#options
    if (bars !== undefined) return (Math.min(this.#ended, bars - 1) + current) / bars
    if (this.isFirst) return current
    const parts = (this.#ended + current) / (this.#ended + 2)
    return Math.min(MOST_UNKNOWN, parts, this.#sum + current)
  }

  #setBack(fraction: number): void {
    if (fraction >= this.#fraction || this.#isSetBack || this.#options.bars !== undefined) return
    this.#isSetBack = true
    this.#fraction = fraction
  }
}
