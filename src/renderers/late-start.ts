/** A percentage first seen above this fraction, on a line without words of work, may be a measurement and not progress. */
const LATE = 0.1
/** A measured value seldom rises this often, and by this fraction, without a fall. */
const STEADY_RISES = 4
const STEADY_GROWTH = 1 / 3

/** A figure that was first seen too high for progress. It is progress if it comes to its start, or grows steadily. */
export class LateStart {
  readonly #first: number
  #fraction: number
  #rises = 0
  #isOver: boolean
  #hasFallen = false

  /** `isNoun`: its line says nothing of work. `fraction` is its first value, 0 to 1. */
  constructor(isNoun: boolean, fraction: number) {
    this.#isOver = !isNoun || fraction <= LATE
    this.#first = fraction
    this.#fraction = fraction
  }

  /** Reads a later value, 0 to 1. Returns whether it may still be a measured value. */
  doubts(fraction: number): boolean {
    if (this.#isOver) return false
    if (fraction > this.#fraction) this.#rises += 1
    this.#hasFallen ||= fraction < this.#fraction
    this.#fraction = fraction
    const isSteady =
      !this.#hasFallen && this.#rises >= STEADY_RISES && fraction - this.#first >= STEADY_GROWTH
    this.#isOver = fraction <= LATE || isSteady
    return !this.#isOver
  }
}
