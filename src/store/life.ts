import type { Clock } from "../item/moment.ts"

/** The time by which the database lives, and when a server last used it. */
export interface Life {
  /** The clocks by which decisions are made. */
  readonly clock: Clock

  /** When a server was last known to be alive, in milliseconds of the steady clock; null if never. */
  aliveAt(): Promise<number | null>

  /** Stores a sign of life, unless one was stored within the last 5 s. */
  alive(): Promise<void>
}
