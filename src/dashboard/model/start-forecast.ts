import type { StartsAt } from "../../item/progress-words.ts"

/** The forecast of the queue. Times are in milliseconds of the server's clock. */
export interface PageForecast {
  /** The starts by item ID; an item without a known start is absent. */
  readonly starts: ReadonlyMap<number, StartsAt>
  /** When everything is done; null if that is unknown. */
  readonly doneMs: number | null
}

/** The forecast while nothing is known. */
export const NO_FORECAST: PageForecast = { starts: new Map(), doneMs: null }
