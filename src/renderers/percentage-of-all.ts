/** How often a percentage must go on while its count goes up. */
const PASSES = 2
/** How many values of one counted thing must have come, so that its own percentage would have been near its end. */
const VALUES = 3

/**
 * A percentage and its count over time. If it goes on when the count beside it goes up, as in "step 2 of 4: 49%",
 * "step 3 of 4: 50%", it is of everything that is counted, and not of the present thing.
 */
export class PercentageOfAll {
  #n: number
  #fraction: number
  /** How many values came since the count went up. */
  #values = 0
  #passes = 0
  #hasFallen = false

  /** The number of the count, and the percentage (0 to 1), in the first line. */
  constructor(n: number, fraction: number) {
    this.#n = n
    this.#fraction = fraction
  }

  /** Whether the percentage is of all that is counted; `fraction` is the one of this line, 0 to 1. */
  isSo({ n, total }: { n: number; total: number }, fraction: number): boolean {
    this.#hasFallen ||= fraction < this.#fraction || n < this.#n
    if (n > this.#n) {
      const isNear =
        fraction - this.#fraction <= 1 / (2 * total) && Math.abs(fraction - n / total) <= 1 / total
      if (isNear && this.#values >= VALUES) this.#passes += 1
      this.#values = 0
    }
    if (fraction !== this.#fraction || this.#values === 0) this.#values += 1
    this.#n = n
    this.#fraction = fraction
    return this.#passes >= PASSES && !this.#hasFallen
  }
}
