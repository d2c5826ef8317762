import type { QueueItem } from "../item/item.ts"
import { hasFailed } from "../item/state-in-one-word.ts"
import type { Figures, Finished, Standings } from "../store/contract/figures.ts"
import type { Items } from "../store/contract/items.ts"
import type { Life } from "../store/contract/life.ts"
import { startOfDay, startOfWeek, startOfYear, unknownZone } from "./calendar.ts"
import { SharedReadings } from "./shared-readings.ts"

const HOUR_MS = 3_600_000
/** How many of the latest items an overview shows. */
const LATEST = 10

/** The items that finished since a moment. */
export interface Period extends Finished {
  /** The moment, RFC 3339 UTC. */
  readonly since: string
}

/** The figures of the whole queue. */
export interface QueueFigures {
  /** How many items there are now, by standing. */
  readonly standing: Standings
  /** Since when the queue is paused, RFC 3339 UTC; null if it is not. */
  readonly pausedAt: string | null
  /** What finished in the last 60 minutes. */
  readonly lastHour: Period
  /** What finished since midnight. */
  readonly today: Period
  /** What finished since Monday. */
  readonly thisWeek: Period
}

/**
 * Reads figures in a time zone. An unknown zone is refused like any wrong parameter. @throws AppError
 * `invalid`
 */
function inZone<T>(timeZone: string, read: () => T): T {
  try {
    return read()
  } catch {
    throw unknownZone(timeZone)
  }
}

/** A summary of the queue for a front end. */
export interface Overview {
  /** How many songs have ever been in the queue. */
  readonly songs: number
  /** How many items there are now, by standing. */
  readonly standing: Standings
  /** What finished since midnight. */
  readonly today: Period
  /** What finished since the first of January. */
  readonly thisYear: Period
  /** The latest completed items, newest first. */
  readonly completed: readonly QueueItem[]
  /** The latest items that failed or lost their workers, newest first. */
  readonly failed: readonly QueueItem[]
}

/** Counts the whole queue. */
export class QueueTotals {
  readonly #store: Items & Life
  readonly #figures: Figures
  readonly #counts = new SharedReadings<QueueFigures>()
  readonly #overviews = new SharedReadings<Overview>()

  constructor(store: Items & Life, figures: Figures) {
    this.#store = store
    this.#figures = figures
  }

  /**
   * The figures of now; days and weeks begin at midnight in `timeZone`.
   * @throws AppError `invalid` if there is no such zone
   */
  counts(timeZone: string): Promise<QueueFigures> {
    return this.#counts.of(timeZone, () => this.#readCounts(timeZone))
  }

  /** The summary for a front end; see `counts`. @throws AppError `invalid` */
  overview(timeZone: string): Promise<Overview> {
    return this.#overviews.of(timeZone, () => this.#readOverview(timeZone))
  }

  async #readCounts(timeZone: string): Promise<QueueFigures> {
    const nowMs = this.#store.clock.now()
    const dayMs = inZone(timeZone, () => startOfDay(nowMs, timeZone))
    return {
      standing: await this.#figures.standing(),
      pausedAt: await this.#store.pausedAt(),
      lastHour: await this.#since(nowMs - HOUR_MS),
      today: await this.#since(dayMs),
      thisWeek: await this.#since(startOfWeek(nowMs, timeZone)),
    }
  }

  async #readOverview(timeZone: string): Promise<Overview> {
    const nowMs = this.#store.clock.now()
    const dayMs = inZone(timeZone, () => startOfDay(nowMs, timeZone))
    const [completed, failed] = await Promise.all([
      this.#store.list({ status: "completed", limit: LATEST }),
      this.#store.list({ status: "failed", limit: LATEST * 5 }),
    ])
    return {
      songs: await this.#figures.songs(),
      standing: await this.#figures.standing(),
      today: await this.#since(dayMs),
      thisYear: await this.#since(startOfYear(nowMs, timeZone)),
      completed: completed.items,
      failed: failed.items.filter(hasFailed).slice(0, LATEST),
    }
  }

  async #since(sinceMs: number): Promise<Period> {
    return { since: new Date(sinceMs).toISOString(), ...(await this.#figures.finished(sinceMs)) }
  }
}
