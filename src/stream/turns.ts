/** Stints that read the history at once; the others wait in line. */
const MOST_AT_ONCE = 8

/**
 * Shares out the reading of the history: however many streams read it, one page is read per turn of the event loop, so
 * all other work goes on between two pages, and few streams read at a time.
 */
export class Turns {
  #running = 0
  readonly #waiting: (() => void)[] = []
  #line: Promise<void> = Promise.resolve()

  /** Runs a stint, which may read several pages, once fewer than the most at once are running; the first come first. */
  async stint<T>(run: () => Promise<T>): Promise<T> {
    if (this.#running >= MOST_AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#running += 1
    try {
      return await run()
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#running -= 1
    }
  }

  /** Resolves when the next page may be read. */
  page(): Promise<void> {
    this.#line = this.#line.then(() => new Promise((resolve) => void setImmediate(resolve)))
    return this.#line
  }
}
