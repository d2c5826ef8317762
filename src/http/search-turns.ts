/** How many searches of one client run at the same time. */
const MOST_AT_ONCE = 2

/** The searches of one client. */
interface SearchesOfClient {
  running: number
  /** The functions that begin its next searches. */
  readonly waiting: (() => void)[]
}

/**
 * Lets each client search with few searches at a time, and the others of the same client wait in line: a client with
 * hundreds of searches must not make the search of another client wait for all of them.
 */
export class SearchTurns {
  readonly #lines = new Map<string, SearchesOfClient>()

  /** Runs a search of this client when it is its turn; at once if the client is undefined, because then no limit applies. */
  async run<T>(client: string | undefined, search: () => Promise<T>): Promise<T> {
    if (client === undefined) return search()
    const line = this.#lines.get(client) ?? { running: 0, waiting: [] }
    this.#lines.set(client, line)
    // One that has ended gives its place to the next one.
    if (line.running < MOST_AT_ONCE) line.running += 1
    else await new Promise<void>((begin) => void line.waiting.push(begin))
    try {
      return await search()
    } finally {
      const next = line.waiting.shift()
      if (next) next()
      else line.running -= 1
      if (line.running === 0) this.#lines.delete(client)
    }
  }
}
