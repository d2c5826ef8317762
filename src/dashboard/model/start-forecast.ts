/** When an item that waits starts, in milliseconds of the server's clock. */
export interface StartsAt {
  /** What is expected. */
  readonly aboutMs: number
  /** With a chance of four in five it starts no sooner. */
  readonly lowMs: number
  /** With a chance of four in five it starts no later. */
  readonly highMs: number
}

/** What is foreseen of the queue. */
export interface PageForecast {
  /** By the items' numbers. */
  readonly starts: ReadonlyMap<number, StartsAt>
  /** When everything is done; null while that is unknown. */
  readonly doneMs: number | null
}

/** The forecast while nothing is known. */
export const NO_FORECAST: PageForecast = { starts: new Map(), doneMs: null }
