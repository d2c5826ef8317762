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

/** The database as it was found when it was opened. */
export interface FoundDatabase {
  /** The database as it may be shown: an absolute path, or a URL without its password. */
  readonly path: string
  /** Whether there was no database, so that a new one was created. */
  readonly isNew: boolean
  /** How many migrations were applied to an older database. */
  readonly migrated: number
  /** A problem that will come, as a sentence; absent if none is known. */
  readonly warning?: string | undefined
  /**
   * Whether it gives unused space back to the disk by itself; a file of an older version must be compacted
   * first.
   */
  readonly canShrink: boolean
}

/** A database that was unavailable when it was to be opened. */
export interface AwaitedDatabase {
  /** The database, without its password. */
  readonly database: string
  /** After how many seconds it is given up. */
  readonly seconds: number
  /** The SQLSTATE, or the code of Bun's client; empty if nothing has answered yet. */
  readonly code: string
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

/** What is known when the database has gone back, or another server has taken over. */
export interface RolledBack {
  /** The event ID above which new ones begin. */
  readonly idsBeginAbove: number
  /** The event IDs of the updates that are known to be lost, both included; null if none is. */
  readonly lost: { readonly from: number; readonly to: number } | null
}

/** Callbacks for the transactions of a store. */
export interface Observed {
  /** Called after each commit that changed something; absent for no call. */
  readonly onCommit?: (commit: Commit) => void
  /**
   * Called with the database's code when a transaction could not begin or be committed; absent for no call.
   */
  readonly onFailure?: (code: string) => void
  /** Called when the database has gone back, or another server has taken over. Absent for no call. */
  readonly onRolledBack?: (back: RolledBack) => void
}

/**
 * Everything that one database stores. Only the composition root knows all of it. Each service gets only the
 * parts that it needs, so streams, which get a `History`, cannot write.
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

  /** From now on a write fails at once if another program holds the write lock. */
  drain(): void

  /**
   * Waits for writes under way, writes everything into the database file if possible, and releases the file.
   */
  close(): Promise<void>
}
