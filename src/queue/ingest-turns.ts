/** The part of the server's time in which the outputs of all renderers may be read. */
const READING_PART = 0.25
/** How long they may be read without a rest after a pause, in milliseconds. */
const MOST_SAVED_MS = 50
/** After this time in one tick of the event loop no further slice is read, in milliseconds. */
const TICK_MS = 2

/**
 * Shares the reading of outputs among all ingests. However many renderers print however much, other work waits
 * for some milliseconds at a time, and most of the server's time is left to it. Clients take turns, and so do
 * the ingests of one client.
 */
export class IngestTurns {
  readonly #now: () => number
  /** The functions that read a slice, by client. The client whose turn is next comes first. */
  readonly #lines = new Map<string | undefined, (() => void)[]>()
  /** How long outputs may be read before a rest is due, in milliseconds. At 0 or below, a rest is due. */
  #savedMs = MOST_SAVED_MS
  #savedAtMs: number
  /** How long outputs were read in this tick, in milliseconds. */
  #spentMs = 0
  #isTickDue = false
  #isReading = false

  /** `now` is a clock in milliseconds that never goes back; default: that of the machine. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
    this.#savedAtMs = now()
  }

  /** How many slices of this client wait to be read. */
  waiting(client: string | undefined): number {
    return this.#lines.get(client)?.length ?? 0
  }

  /**
   * Calls `read` once: at once if no other slice waits and there is time for it, otherwise in a later tick of
   * the event loop. `read` reads one slice of an output. It throws nothing.
   */
  take(client: string | undefined, read: () => void): void {
    const line = this.#lines.get(client) ?? []
    this.#lines.set(client, line)
    line.push(read)
    if (!this.#isReading) this.#read()
  }

  #read(): void {
    this.#isReading = true
    let startedMs = this.#now()
    this.#savedMs = Math.min(MOST_SAVED_MS, this.#savedMs + (startedMs - this.#savedAtMs) * READING_PART)
    this.#savedAtMs = startedMs
    while (this.#spentMs < TICK_MS && this.#savedMs > 0) {
      const read = this.#next()
      if (!read) break
      read()
      const endedMs = this.#now()
      this.#spentMs += endedMs - startedMs
      this.#savedMs -= endedMs - startedMs
      startedMs = endedMs
    }
    this.#isReading = false
    this.#tickLater()
  }

  /** Takes out the slice whose turn it is. */
  #next(): (() => void) | undefined {
    for (const [client, line] of this.#lines) {
      const read = line.shift()
      this.#lines.delete(client)
      // The client goes to the end.
      if (line.length > 0) this.#lines.set(client, line)
      return read
    }
    return undefined
  }

  #tickLater(): void {
    if (this.#isTickDue) return
    this.#isTickDue = true
    const tick = (): void => {
      this.#isTickDue = false
      this.#spentMs = 0
      if (this.#lines.size > 0) this.#read()
    }
    if (this.#savedMs > 0) setImmediate(tick)
    else setTimeout(tick, -this.#savedMs / READING_PART)
  }
}
