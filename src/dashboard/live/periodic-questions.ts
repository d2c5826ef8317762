import { type ReaderRights, readerRights } from "../model/rights.ts"
import { NO_FORECAST, type PageForecast } from "../model/start-forecast.ts"
import { knownWorkers, type ListedWorkers } from "../model/workers.ts"
import { server } from "./server.ts"
import { unreadHere } from "./unread-parts.ts"

const SOON_MS = 1000

/**
 * Requests something from the server that no stream sends: at intervals while the page is seen, and soon
 * after changes.
 */
export class PeriodicQuestion<T> {
  readonly #ask: () => Promise<T>
  readonly #onAnswer: (answer: T) => void
  readonly #onNone: () => void
  readonly #everyMs: number
  #timer: ReturnType<typeof setTimeout> | undefined
  #dueMs = Number.POSITIVE_INFINITY
  #isAsking = false

  /** `onAnswer` is called with each answer, and `onNone` if there is none. */
  constructor(ask: () => Promise<T>, onAnswer: (answer: T) => void, onNone: () => void, everyMs: number) {
    this.#ask = ask
    this.#onAnswer = onAnswer
    this.#onNone = onNone
    this.#everyMs = everyMs
    // A page that is opened in the background has asked nothing yet.
    document.addEventListener("visibilitychange", () => this.#within(0))
    this.#within(0)
  }

  /** Something has changed on which the answer may depend. */
  soon(): void {
    this.#within(SOON_MS)
  }

  /** Requests an answer after this time at the latest: further changes never delay it. */
  #within(ms: number): void {
    const dueMs = performance.now() + ms
    if (dueMs >= this.#dueMs) return
    clearTimeout(this.#timer)
    this.#dueMs = dueMs
    this.#timer = setTimeout(() => void this.#askNow(), ms)
  }

  async #askNow(): Promise<void> {
    this.#dueMs = Number.POSITIVE_INFINITY
    this.#within(this.#everyMs)
    if (document.hidden || this.#isAsking) return
    this.#isAsking = true
    try {
      this.#onAnswer(await this.#ask())
    } catch {
      this.#onNone()
    } finally {
      this.#isAsking = false
    }
  }
}

/** Requests the start times of waiting items. `nowMs` is the server's clock. */
export const askStarts = (
  nowMs: () => number,
  onForeseen: (foreseen: PageForecast) => void,
): PeriodicQuestion<PageForecast> =>
  new PeriodicQuestion<PageForecast>(
    async () => {
      const { forecast, done_in_seconds } = await unreadHere.note("starts", server.forecast())
      const askedMs = nowMs()
      const at = (seconds: number): number => askedMs + seconds * 1000
      const starts = new Map(
        forecast.map(({ id, starts_in_seconds, starts_low_seconds, starts_high_seconds }) => [
          id,
          { aboutMs: at(starts_in_seconds), lowMs: at(starts_low_seconds), highMs: at(starts_high_seconds) },
        ]),
      )
      return { starts, doneMs: done_in_seconds === null ? null : at(done_in_seconds) }
    },
    onForeseen,
    // Without an answer there is no forecast.
    () => onForeseen(NO_FORECAST),
    10_000,
  )

/**
 * Requests the rights of the reader, which change only with the token. It repeats until there is an answer.
 */
export const askRights = (
  nowMs: () => number,
  onRights: (rights: ReaderRights) => void,
): PeriodicQuestion<ReaderRights> =>
  new PeriodicQuestion(
    async () => readerRights(await server.me(), nowMs()),
    onRights,
    () => undefined,
    30_000,
  )

/** Requests the list of workers. Without an answer, the last list stays. */
export const askWorkers = (onWorkers: (known: ListedWorkers) => void): PeriodicQuestion<ListedWorkers> =>
  new PeriodicQuestion(
    async () => knownWorkers(await unreadHere.note("workers", server.workers())),
    onWorkers,
    () => undefined,
    5000,
  )
