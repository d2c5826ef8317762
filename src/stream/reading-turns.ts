import type { Owner } from "./stream-limits.ts"

/** How many stints may read the history at the same time; the others wait in line. */
const MOST_AT_ONCE = 8

/** The stints of one owner. */
interface StintsOfOwner {
  running: number
  readonly waiting: (() => void)[]
}

/**
 * Shares the reading of the history among streams. However many streams read it, one page is read per tick of
 * the event loop, so other work goes on between two pages, and few streams read at a time. Owners take turns,
 * so that an owner with many replays does not hold up the others.
 */
export class ReadingTurns {
  readonly #mostOfOwner: number
  /** Sorted by their next turn. */
  readonly #lines = new Map<Owner | undefined, StintsOfOwner>()
  #running = 0
  #pages: Promise<void> = Promise.resolve()

  /**
   * `mostOfOwner` is how many stints of one owner may run at the same time; 0 (the default) for no such
   * limit.
   */
  constructor(mostOfOwner = 0) {
    this.#mostOfOwner = mostOfOwner
  }

  /**
   * Runs a stint, which reads one page so that the others come soon, as soon as fewer stints than the limit are
   * running. The stints of one owner run in order. If there is no owner, or the owner is not limited, only the limit for
   * all applies.
   */
  async stint<T>(owner: Owner | undefined, run: () => Promise<T>): Promise<T> {
    const line = this.#lines.get(owner) ?? { running: 0, waiting: [] }
    this.#lines.set(owner, line)
    await new Promise<void>((resolve) => {
      line.waiting.push(resolve)
      this.#next()
    })
    try {
      return await run()
    } finally {
      this.#running -= 1
      line.running -= 1
      if (line.running === 0 && line.waiting.length === 0) this.#lines.delete(owner)
      this.#next()
    }
  }

  /** Whether nobody reads the history, or waits to read it. */
  get isIdle(): boolean {
    return this.#running === 0
  }

  /** Resolves when the next page may be read. */
  page(): Promise<void> {
    this.#pages = this.#pages.then(() => new Promise((resolve) => void setImmediate(resolve)))
    return this.#pages
  }

  /** Begins the stint whose turn it is, if one may run. */
  #next(): void {
    if (this.#running >= MOST_AT_ONCE) return
    for (const [owner, line] of this.#lines) {
      const isFree = owner?.isLimited !== true || this.#mostOfOwner === 0 || line.running < this.#mostOfOwner
      const begin = isFree ? line.waiting.shift() : undefined
      if (!begin) continue
      this.#running += 1
      line.running += 1
      this.#lines.delete(owner)
      this.#lines.set(owner, line)
      return begin()
    }
  }
}
