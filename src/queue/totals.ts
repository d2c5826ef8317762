import { AppError } from "../errors.ts"
import type { Figures, Finished, Standing } from "../store/figures.ts"
import type { Items } from "../store/items.ts"
import type { Life } from "../store/life.ts"
import { startOfDay, startOfWeek } from "./spans.ts"

const HOUR_MS = 3_600_000

/** What finished since a moment. */
export interface FinishedSince extends Finished {
  /** The moment, RFC 3339 UTC. */
  readonly since: string
}

/** The whole queue in figures. */
export interface Counts {
  /** How many items there are now, by how they stand. */
  readonly standing: Standing
  /** Since when the queue is paused, RFC 3339 UTC; null if it is not. */
  readonly pausedAt: string | null
  /** What finished in the last 60 minutes. */
  readonly lastHour: FinishedSince
  /** What finished since midnight. */
  readonly today: FinishedSince
  /** What finished since Monday. */
  readonly thisWeek: FinishedSince
}

function startsOf(nowMs: number, timeZone: string): readonly [dayMs: number, weekMs: number] {
  try {
    return [startOfDay(nowMs, timeZone), startOfWeek(nowMs, timeZone)]
  } catch {
    throw new AppError(
      "invalid",
      `tz must be the name of a time zone, such as Europe/Berlin, not "${timeZone}"`,
    )
  }
}

/** Counts the whole queue. */
export class Totals {
  readonly #store: Figures & Items & Life

  constructor(store: Figures & Items & Life) {
    this.#store = store
  }

  /**
   * The figures of now; days and weeks begin at midnight in `timeZone`.
   * @throws AppError `invalid` if there is no such zone
   */
  async counts(timeZone: string): Promise<Counts> {
    const nowMs = this.#store.clock.now()
    const [dayMs, weekMs] = startsOf(nowMs, timeZone)
    return {
      standing: await this.#store.standing(),
      pausedAt: await this.#store.pausedAt(),
      lastHour: await this.#since(nowMs - HOUR_MS),
      today: await this.#since(dayMs),
      thisWeek: await this.#since(weekMs),
    }
  }

  async #since(sinceMs: number): Promise<FinishedSince> {
    return { since: new Date(sinceMs).toISOString(), ...(await this.#store.finished(sinceMs)) }
  }
}
