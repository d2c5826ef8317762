/** The most numbers that are remembered; of more it is not known in which order they come. */
const MOST = 10_000

/** Numbered things whose output names each one when it is done. If several are made at once, they may be done in any order. */
export class DoneInAnyOrder {
  readonly #seen = new Set<number>()
  #highest = 0
  /** Whether they have come in another order than that of their numbers. */
  #isMixed = false
  #done = 0

  /**
   * How many are done once the one with this number is done: the number itself, as long as they come in order, and
   * never less than before. `isGoingOn` is whether the earlier ones belong to the same work. If they come in order, a number that
   * comes again, below another one, begins other work. If it is more than half of the `total` ahead of all others, the
   * next number decides: they may be made from both ends.
   */
  doneWith(n: number, total: number, isGoingOn: boolean): number {
    const isAhead = this.#highest > 0 && n - this.#highest > total / 2
    const isBack = n < this.#highest
    const isLate = isBack && isGoingOn && !this.#seen.has(n)
    // Of those that come nearly in order, not each needs a line: their highest number says more than how many came.
    if (isLate && n <= this.#highest / 2) this.#isMixed = true
    if (isBack && !isLate && !(isGoingOn && this.#isMixed)) this.#begin()
    this.#highest = Math.max(this.#highest, n)
    if (this.#seen.size < MOST) this.#seen.add(n)
    this.#done = this.#isMixed || isAhead ? Math.max(this.#done, this.#seen.size) : n
    return this.#done
  }

  #begin(): void {
    this.#seen.clear()
    this.#highest = 0
    this.#isMixed = false
    this.#done = 0
  }
}
