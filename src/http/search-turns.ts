import { AppError } from "../errors.ts"
import { timeLimit } from "./time-limit-of-held-answer.ts"

/** How many searches of one client run at the same time. */
const MOST_AT_ONCE = 2
/** A search may take this long, with the wait for its turn: a connection with no answer is closed after a minute. */
const MOST_MS = 45_000
/** After this time a search that took too long may be repeated. */
const RETRY_MS = 10_000

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
  readonly #mostMs: number

  /** A search may take `mostMs` milliseconds. */
  constructor(mostMs = MOST_MS) {
    this.#mostMs = mostMs
  }

  /**
   * Runs a search of this client when it is its turn; at once if the client is undefined, because then no limit applies.
   * The signal of the search aborts when the client has `gone`, or when the search has taken too long.
   * @throws AppError `unavailable` if it has taken too long
   */
  async run<T>(
    client: string | undefined,
    gone: AbortSignal,
    search: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    using limit = timeLimit(gone, this.#mostMs)
    const found = await this.#inTurn(client, () => search(limit.signal))
    if (!limit.signal.aborted || gone.aborted) return found
    const took = `the search did not end in ${this.#mostMs / 1000} s, because the server does much else`
    throw new AppError("unavailable", `${took}; try again later`, { retryAfterMs: RETRY_MS })
  }

  async #inTurn<T>(client: string | undefined, search: () => Promise<T>): Promise<T> {
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
