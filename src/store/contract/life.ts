import type { Clock } from "../../item/moment.ts"
import type { Outages } from "../outages-extend-leases.ts"

/** A write stores a new sign of life if the last one is older than this. */
export const ALIVE_MS = 1000

/** How long a start waits for a database on another machine, from its beginning until the server listens, in milliseconds. */
export const START_MS = 30_000

/** What can be wrong with a database while a server uses it; `/health` says what each fault means. */
export const FAULTS = ["database_unwritable", "database_damaged", "file_replaced", "wal_pinned"] as const

/** One of `FAULTS`. */
export type StoreFault = (typeof FAULTS)[number]

/** The time that the database uses, and the times in which it was not usable. */
export interface Life {
  /** The clocks that decisions use. */
  readonly clock: Clock

  /**
   * The outages. An outage begins when a commit fails, or at the last sign of life of the former server. It
   * ends with the next commit, which first extends every lease, and the wait of items for their workers after
   * a restore, by the length of the outage.
   */
  readonly outages: Outages

  /** Stores a sign of life, unless one was stored within the last second and no outage is under way. */
  alive(): Promise<void>

  /**
   * The present faults of the database. When it is found that the file is no longer at its path, every write is refused
   * with AppError `unavailable`. On PostgreSQL `file_replaced` means that the database has the history of another one.
   */
  faults(): readonly StoreFault[]

  /** Notes an error that a request or a part of the server has met: damage of the database is a fault from then on. */
  noteError(error: unknown): void

  /**
   * The database's code for the failure of the last commit, such as SQLITE_FULL, or for why it is
   * unavailable; otherwise empty.
   */
  readonly failure: string
}
