/**
 * If a bar is full this soon after its start, in milliseconds, it measured no real work: models load, or an
 * index is read.
 */
const QUICK_MS = 5000
/** The highest fraction that is shown while the number of bars is unknown. */
const MOST_UNKNOWN = 0.89

/** What is known of bars that follow one another. */
export interface SequenceOptions {
  /** How many bars there are; undefined while unknown. */
  readonly bars: number | undefined
  /** Whether a bar that is full within 5 s counts like any other bar. */
  readonly countsQuick: boolean
  /** Milliseconds from an arbitrary start, never going back. */
  readonly now: () => number
}

/** A bar while it is the current one. */
class CurrentBar {
  readonly startedMs: number
  fraction = 0
  /** Whether it does not count, because it was full at once or turned out not to be a bar. */
  isVoid = false
  /** Whether others will follow it, as its number says. */
  isOneOfSeveral = false

  constructor(startedMs: number) {
    this.startedMs = startedMs
  }
}

/**
 * Makes one fraction of bars that follow one another.
 *
 * If their number is known, bar k at fraction f stands at (k - 1 + f) of that number. Otherwise the first bar
 * counts as the whole until a second bar proves that wrong. Then the fraction is set back, once, to the part
 * that is proven, and grows from there: at most to (k - 1 + f) / (k + 1), and never above 0.89.
 */
export class BarsInSequence {
  readonly #options: SequenceOptions
  #current: CurrentBar | undefined
  #fraction = 0
  #ended = 0
  #sum = 0
  #isSetBack = false
  /** Whether the progress was set back because the first bar failed and began once more. */
  #isRepeated = false

  constructor(options: SequenceOptions) {
    this.#options = options
  }

  /** The progress of the whole, 0 to 1. It goes down at most once. */
  get fraction(): number {
    return this.#fraction
  }

  /** Whether the current bar can still be the whole. */
  get isFirst(): boolean {
    return this.#ended === 0 && !this.#isSetBack && !this.#current?.isOneOfSeveral
  }

  /** How many bars came, if there were several; undefined otherwise. */
  get bars(): number | undefined {
    return this.#ended > 0 ? this.#ended + 1 : undefined
  }

  /** Whether the current bar does not count: it was full at once, or is not a bar. */
  get isVoid(): boolean {
    return this.#current?.isVoid ?? false
  }

  /**
   * A bar begins after the current one, at `startedMs`; default: now. `isAgain` means that the current one failed and
   * begins once more, unless it is nearly full.
   */
  begin(startedMs = this.#options.now(), isAgain = false): void {
    const before = this.#current
    const isRepeated = isAgain && before !== undefined && before.fraction < MOST_UNKNOWN
    // A bar that never moved was not a bar.
    if (before && !isRepeated && before.fraction > 0 && !before.isVoid && !this.#isYoung(before)) {
      this.#ended += 1
      this.#sum += before.fraction
    }
    this.#current = new CurrentBar(startedMs)
    // If the number of bars is known, the previous ones are done. Otherwise the proven part is less than the
    // shown one.
    if (this.#options.bars !== undefined) return this.#grow(this.#proven(0))
    const wasSetBack = this.#isSetBack
    this.#setBack(this.#proven(0))
    if (isRepeated && !wasSetBack) this.#isRepeated = this.#isSetBack
  }

  /**
   * The current bar has reached this fraction, 0 to 1. A lower fraction than before changes nothing.
   * `isWhole` means that it contains all others: then its fraction counts as it is. `isOneOfSeveral` means that others
   * will follow: then it is not the whole, even if it is the first.
   */
  move(fraction: number, isWhole = false, isOneOfSeveral = false): void {
    this.#current ??= new CurrentBar(this.#options.now())
    const current = this.#current
    current.isOneOfSeveral = isOneOfSeveral
    current.fraction = Math.max(current.fraction, fraction)
    if (current.fraction >= 1 && this.#isYoung(current)) this.drop()
    // The one step back was already made, so the progress of this bar could not be removed later.
    else if (!current.isVoid && !(this.#isSetBack && !this.#isRepeated && this.#isYoung(current))) {
      const most = this.#isSetBack ? MOST_UNKNOWN : 1
      this.#grow(isWhole ? Math.min(most, fraction) : this.#proven(current.fraction))
    }
  }

  /** The current bar says nothing about the whole: its progress is removed. */
  drop(): void {
    if (!this.#current) return
    this.#current.isVoid = true
    this.#setBack(this.#proven(0))
  }

  /**
   * The current bar is inside another one, which has reached this fraction, 0 to 1, and counts from now on.
   */
  enclose(fraction: number): void {
    if (this.#current) {
      this.#current.fraction = fraction
      this.#current.isVoid = false
    }
    if (fraction < this.#fraction) this.#setBack(fraction)
  }

  #grow(fraction: number): void {
    this.#fraction = Math.max(this.#fraction, fraction)
  }

  /** Whether a bar is so young that it may turn out not to be work. */
  #isYoung({ startedMs }: CurrentBar): boolean {
    const { bars, countsQuick, now } = this.#options
    return !countsQuick && bars === undefined && now() - startedMs < QUICK_MS
  }

  /** The proven part of the whole while the current bar has reached this fraction. */
  #proven(current: number): number {
    const { bars } = this.#options
    if (bars !== undefined) return (Math.min(this.#ended, bars - 1) + current) / bars
    if (this.isFirst) return current
    if (this.#isRepeated && this.#ended === 0) return Math.min(MOST_UNKNOWN, current)
    const parts = (this.#ended + current) / (this.#ended + 2)
    return Math.min(MOST_UNKNOWN, parts, this.#sum + current)
  }

  #setBack(fraction: number): void {
    if (fraction >= this.#fraction || this.#isSetBack || this.#options.bars !== undefined) return
    this.#isSetBack = true
    this.#fraction = fraction
  }
}
