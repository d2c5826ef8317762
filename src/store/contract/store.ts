import type { Status } from "../../item/item.ts"
import type { Access } from "./access.ts"
import type { Deliveries } from "./deliveries.ts"
import type { Figures } from "./figures.ts"
import type { History } from "./history.ts"
import type { Instances } from "./instances.ts"
import type { Items } from "./items.ts"
import type { Life } from "./life.ts"
import type { Outputs } from "./outputs.ts"
import type { Runs } from "./runs.ts"
import type { Upkeep } from "./upkeep.ts"

/** What was there when the database was opened. */
export interface FoundDatabase {
  /** The database as it may be shown: an absolute path, or a URL without its password. */
  readonly path: string
  /** Whether there was no database, so that a new one was created. */
  readonly isNew: boolean
  /** How many migrations were applied to an older database. */
  readonly migrated: number
  /** A coming problem, as a sentence; absent if none is known. */
  readonly warning?: string | undefined
  /**
   * Whether it gives unused space back to the disk by itself; a file of an older version must be compacted
   * first.
   */
  readonly canShrink: boolean
}

/** A transaction that was committed. */
export interface Commit {
  /** How many writes shared the commit. */
  readonly writes: number
  /** How long the commit took, in seconds. */
  readonly seconds: number
  /** The statuses in the updates that it stored. */
  readonly statuses: readonly Status[]
}

/** Callbacks for the transactions of a store. */
export interface Observed {
  /** Called after each commit that changed something; absent for no call. */
  readonly onCommit?: (commit: Commit) => void
  /**
   * Called when a transaction could not begin or be committed, with the database's code; absent if it is not counted.
   */
  readonly onFailure?: (code: string) => void
  /**
   * Called when the database turns out to have gone back, as after a failover, so that acknowledged updates are gone;
   * with the event ID above which new ones begin. Absent if nobody is to learn of it.
   */
  readonly onRolledBack?: (eventId: number) => void
}

/**
 * Everything that one database holds. Only the composition root sees it whole; each service asks for the parts that it
 * needs, so streams, which ask for `History`, cannot write.
 */
export interface Store extends Items, History, Life {
  /** The database that was found when it was opened. */
  readonly found: FoundDatabase

  /** The deliveries to webhooks. */
  readonly deliveries: Deliveries

  /** The figures of the whole queue. */
  readonly figures: Figures

  /** Tokens and tickets. */
  readonly access: Access
  /** The completed attempts that are remembered. */
  readonly runs: Runs

  /** The outputs of the attempts' commands. */
  readonly outputs: Outputs

  /** The servers that use the database. */
  readonly instances: Instances

  /** Keeps the database small. */
  readonly upkeep: Upkeep

  /** From now on a write that another program keeps waiting fails at once. */
  drain(): void

  /**
   * Waits for writes under way, writes everything into the database file as far as it can be written, and releases it.
   */
  close(): Promise<void>
}
