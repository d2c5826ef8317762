/** How large lanes are drawn: one alone, a few, or many. */
export type Size = "one" | "few" | "many"

/** The size changes once the number of lanes has called for another one for this long. */
const REST_MS = 5000

const sizeOf = (lanes: number): Size => (lanes > 6 ? "many" : lanes === 1 ? "one" : "few")

/**
 * The size of the lanes, which changes at rest only: between two items of a worker the number of lanes differs by one
 * for a moment, and all that is drawn below must not jump for it.
 */
export class LaneSize {
  #size: Size = "few"
  #wanted: Size | undefined
  #sinceMs = 0
  #lanesMs = Number.NEGATIVE_INFINITY

  /** The size for this many lanes at this time, in milliseconds of any one clock. */
  sizeAt(lanes: number, nowMs: number): Size {
    // An empty list calls for no size: if it was empty for long, the first lane gets its own size at once.
    if (lanes === 0) return this.#size
    const isFirst = nowMs - this.#lanesMs > REST_MS
    this.#lanesMs = nowMs
    const wanted = sizeOf(lanes)
    if (wanted !== this.#wanted) {
      this.#wanted = wanted
      this.#sinceMs = nowMs
    }
    if (isFirst || nowMs - this.#sinceMs >= REST_MS) this.#size = wanted
    return this.#size
  }
}
