/** The most kinds of lines that are distinguished. */
const MOST = 200
/** How often a percentage must go on while its count goes up. */
const PASSES = 2
/** How many values of one counted thing must have come, so that its own percentage would have been near its end. */
const VALUES = 3

/** A percentage and its count over time. */
interface CountBeside {
  n: number
  fraction: number
  /** How many values came since the count went up. */
  values: number
  passes: number
  hasFallen: boolean
}

/**
 * Finds percentages that go on when the count beside them goes up: "step 2 of 4: 49%", "step 3 of 4: 50%". They are of
 * everything that is counted, and not of the present thing.
 */
export class PercentageOfAll {
  readonly #kinds = new Map<string, CountBeside>()

  /** Whether the percentages of this kind of line are of all that is counted; `fraction` is the one of this line, 0 to 1. */
  isSo(kind: string, { n, total }: { n: number; total: number }, fraction: number): boolean {
    const known = this.#kinds.get(kind)
    const beside = known ?? { n, fraction, values: 0, passes: 0, hasFallen: false }
    if (!known && this.#kinds.size < MOST) this.#kinds.set(kind, beside)
    beside.hasFallen ||= fraction < beside.fraction || n < beside.n
    if (n > beside.n) {
      const isNear =
        fraction - beside.fraction <= 1 / (2 * total) && Math.abs(fraction - n / total) <= 1 / total
      if (isNear && beside.values >= VALUES) beside.passes += 1
      beside.values = 0
    }
    if (fraction !== beside.fraction || beside.values === 0) beside.values += 1
    beside.n = n
    beside.fraction = fraction
    return beside.passes >= PASSES && !beside.hasFallen
  }
}
