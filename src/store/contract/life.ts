import type { Clock } from "../../item/moment.ts"
import type { Outages } from "../outages.ts"

/** How old a sign of life becomes before a write stores the next. */
export const ALIVE_MS = 1000

/** What can be wrong with a database while a server uses it; `/health` says what each means. */
export const FAULTS = ["database_unwritable", "database_damaged", "file_replaced", "wal_pinned"] as const

/** One of `FAULTS`. */
export type StoreFault = (typeof FAULTS)[number]

/** The time by which the database lives, and the times in which it did not. */
export interface Life {
  /** The clocks that decisions use. */
  readonly clock: Clock

  /**
   * The outages. One begins when a commit fails, or at the last sign of life of the server before; it ends with the next
   * commit, which first makes every lease longer by what it took, and the wait of items for their workers after a restore.
   */
  readonly outages: Outages

  /** Stores a sign of life, unless one was stored within the last second and no outage is under way. */
  alive(): Promise<void>

  /**
   * What is wrong with the database now. Once it is found not to be at its path any more, every write is refused with
   * AppError `unavailable`.
   */
  faults(): readonly StoreFault[]

  /**
   * The database's code for the failure of the last commit, such as SQLITE_FULL, or for why it is
   * unavailable; otherwise empty.
   */
  readonly failure: string
}
