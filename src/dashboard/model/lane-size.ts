/** The sizes of lanes: for one lane, for a few, or for many. */
export type Size = "one" | "few" | "many"

/** The size changes when the number of lanes has required another size for this long, in milliseconds. */
const REST_MS = 5000

const sizeOf = (lanes: number): Size => (lanes > 6 ? "many" : lanes === 1 ? "one" : "few")

/**
 * The size of the lanes. It changes only when the number of lanes is stable: between two items of a worker
 * the number differs by one for a moment, and the page below must not jump because of that.
 */
export class LaneSize {
  #size: Size = "few"
  #wanted: Size | undefined
  #sinceMs = 0
  #lanesMs = Number.NEGATIVE_INFINITY

  /** The size for this many lanes at this time, in milliseconds of any one clock. */
  sizeAt(lanes: number, nowMs: number): Size {
    // An empty list requires no size. If it was empty for long, the first lane gets its own size at once.
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
