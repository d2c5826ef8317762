/** How many items one call checks; most items have nothing to remove. */
export const ITEMS_A_CALL = 64

/** Items that ended within a time, and were not changed after an update. */
export interface Ended {
  /** Only items that ended at this time or later, in epoch milliseconds. */
  readonly fromMs: number
  /** Only items that ended at this time or earlier, in epoch milliseconds. */
  readonly toMs: number
  /** Only items whose last update has this event ID or a lower one. */
  readonly upTo: number
}

/** Which part of the history may be removed. */
export interface Thinning {
  /** Updates of items that finished within one of these times may be removed; empty if age is no reason. */
  readonly finished: readonly Ended[]
  /** How many updates one item keeps at most; the oldest are removed first. 0: no limit. */
  readonly perItem: number
  /** Only updates up to this event ID may be removed, whatever the other limits say. */
  readonly upTo: number
  /** How many of the newest completed items keep all of their updates. */
  readonly keepCompleted: number
  /** How many updates one call removes at most. */
  readonly limit: number
}

/** How much room the database takes, in bytes. */
export interface DatabaseSize {
  /** The bytes of the file that are in use, plus those of the log beside it. */
  readonly used: number
  /** The bytes of the log beside the file, which a checkpoint empties. */
  readonly wal: number
  /** The bytes of the file that are no longer used and can be given back to the disk. */
  readonly free: number
}

/**
 * Keeps the database small. Each method is one short transaction. It is called again and again until there is
 * nothing left to do, so that writers and streams never wait long for it.
 *
 * The first update of an item, the updates of its moves, and its last update stay as long as the item.
 * Updates that the slowest webhook has not examined stay, too.
 */
export interface Upkeep {
  /**
   * When removing may begin, in epoch milliseconds. For a new database it is now; for a database that existed
   * before, it is `graceMs` after the first call, so that the owner can change the settings. It is stored at
   * the first call.
   */
  beginsAt(graceMs: number): Promise<number>

  /**
   * Whether this server does some work now that only one of all servers of the database does at a time, once in
   * `everyMs`. `name` is the name of the work. Always true if there is only one server.
   */
  takeTimer(name: string, everyMs: number): Promise<boolean>

  /**
   * Notes that servers have run on the database for this many more minutes (1 to 60). At the end of each hour
   * it also notes the newest update. So the age of an update is known, whatever the machine's clock said when
   * it was stored.
   */
  passMinutes(minutes: number): Promise<void>

  /**
   * The event ID of the newest update, or of an older one, from the time when servers had run for this many
   * hours less than now; 0 if they have not run for that long.
   */
  newestAgo(hours: number): Promise<number>

  /**
   * Removes updates that may be removed, and outputs of finished items. Returns how much was done, checks
   * included, and 0 when nothing is left to do.
   */
  thin(thinning: Thinning): Promise<number>

  /**
   * Removes the rest of items that were deleted within one of these times, and answers of `POST /queue` from
   * these times; at most about `limit` rows. Returns how many, and 0 when nothing is left.
   */
  purge(deleted: readonly Ended[], limit: number): Promise<number>

  /**
   * Forgets the oldest of the runs that are remembered beyond the newest `keep`, at most `limit` of them. Returns how
   * many, and 0 when nothing is left.
   */
  forgetRuns(keep: number, limit: number): Promise<number>

  /** How many items there are, and how many were deleted whose rest is still stored. */
  items(): Promise<{ readonly present: number; readonly deleted: number }>

  /** Items that finished within this time, the oldest first. */
  finished(ended: Ended, limit: number): Promise<readonly number[]>

  /** How many bytes the database takes. */
  size(): Promise<DatabaseSize>

  /** Copies the log into the file and empties it, unless a reader still needs it. */
  checkpoint(): Promise<void>

  /**
   * Gives unused bytes of the file back to the disk, at most this many per call. Returns how many are left.
   */
  shrink(bytes: number): Promise<number>
}
