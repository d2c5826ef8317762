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

/** A bar while it is the one that counts. */
class Turn {
  readonly startedMs: number
  fraction = 0
  /** Whether it was full at once, or is not a bar after all, and so does not count. */
  isVoid = false

  constructor(startedMs: number) {
    this.startedMs = startedMs
  }
}

/**
 * Makes one fraction of bars that follow one another.
 *
 * If their number is known, bar k at fraction f stands at (k - 1 + f) of that number. Otherwise the first bar is
 * taken for the whole, until a second one proves that wrong. Then the fraction is set back, once, to what is proven
 * and grows from there: at most (k - 1 + f) / (k + 1), and never above 0.89.
 */
export class BarsInSequence {
  readonly #options: TurnsOptions
  #turn: Turn | undefined
  #fraction = 0
  #ended = 0
  #sum = 0
  #isSetBack = false

  constructor(options: TurnsOptions) {
    this.#options = options
  }

  /** How far the whole is, 0 to 1. It goes down once at most. */
  get fraction(): number {
    return this.#fraction
  }

  /** Whether the current bar can still be the whole. */
  get isFirst(): boolean {
    return this.#ended === 0 && !this.#isSetBack
  }

  /** How many bars came, if there were several; undefined otherwise. */
  get bars(): number | undefined {
    return this.#ended > 0 ? this.#ended + 1 : undefined
  }

  /** Whether the current bar does not count: it was full at once, or is not a bar. */
  get isVoid(): boolean {
    return this.#turn?.isVoid ?? false
  }

  /** A bar begins, after the one in hand. `startedMs` is when that was; now by default. */
  begin(startedMs = this.#options.now()): void {
    const before = this.#turn
    // One that never moved was no bar.
    if (before && before.fraction > 0 && !before.isVoid && !this.#isYoung(before)) {
      this.#ended += 1
      this.#sum += before.fraction
    }
    this.#turn = new Turn(startedMs)
    // Of a number that is known the bars before are done; otherwise less is proven than was shown.
    if (this.#options.bars !== undefined) this.#grow(this.#proven(0))
    else this.#setBack(this.#proven(0))
  }

  /**
   * The bar in hand is this far, 0 to 1. A lower fraction than before changes nothing. `isWhole` means that it is
   * around all others: then it counts as it is.
   */
  move(fraction: number, isWhole = false): void {
    this.#turn ??= new Turn(this.#options.now())
    const turn = this.#turn
    turn.fraction = Math.max(turn.fraction, fraction)
    if (turn.fraction >= 1 && this.#isYoung(turn)) this.drop()
    // The one step back was used: the progress of this bar could not be taken back.
    else if (!turn.isVoid && !(this.#isSetBack && this.#isYoung(turn))) {
      const most = this.#isSetBack ? MOST_UNKNOWN : 1
      this.#grow(isWhole ? Math.min(most, fraction) : this.#proven(turn.fraction))
    }
  }

  /** The bar in hand says nothing of the whole: its progress is taken back. */
  drop(): void {
    if (!this.#turn) return
    this.#turn.isVoid = true
    this.#setBack(this.#proven(0))
  }

  /** The bar in hand is inside of another that is this far, 0 to 1, and will count from now on. */
  enclose(fraction: number): void {
    if (this.#turn) {
      this.#turn.fraction = fraction
      this.#turn.isVoid = false
    }
    if (fraction < this.#fraction) this.#setBack(fraction)
  }

  #grow(fraction: number): void {
    this.#fraction = Math.max(this.#fraction, fraction)
  }

  /** Whether a bar is so young that it may turn out not to be work. */
  #isYoung({ startedMs }: Turn): boolean {
    const { bars, countsQuick, now } = this.#options
    return !countsQuick && bars === undefined && now() - startedMs < QUICK_MS
  }

  /** What is proven while the current bar is this far. */
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
