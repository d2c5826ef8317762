import type { StoredUpdate } from "../../item/stored.ts"

/** The approximate size of a page of the history, in bytes, so that reading a page takes little time. */
export const PAGE_BYTES = 256 * 1024

/** Which updates to read, ascending by event ID. */
export interface PageQuery {
  /** Only updates after this event ID; 0 for all. */
  readonly after: number
  /** Only updates of this item; undefined for all. */
  readonly queueId?: number | undefined
  /** At most this many updates. */
  readonly limit: number
}

/** A piece of the history. */
export interface Page {
  /** Ascending by event ID. */
  readonly updates: readonly StoredUpdate[]
  /** Whether others may follow. */
  readonly more: boolean
}

/**
 * Whose latest updates to read: of every item that is not finished, or of every item (or one item) that
 * changed after an event ID, including deleted and finished items.
 */
export type LatestOf =
  | { readonly of: "open" }
  /** All items that changed after an update, or one of them; deleted ones too. */
  | { readonly of: "changed"; readonly after: number; readonly queueId?: number | undefined }

/** The event IDs of latest updates, and the newest event ID, both at the same moment. */
export interface LatestIds {
  /** The event IDs, ascending. */
  readonly ids: readonly number[]
  /** The newest event ID of the history. */
  readonly head: number
}

/** A range of event IDs whose updates are lost. None of these IDs is given to another update. */
export interface Lost {
  /** The last event ID before them. */
  readonly after: number
  /** The last event ID of them. */
  readonly upTo: number
  /** The reason: a backup was restored, or the database lost acknowledged updates, as a late standby does. */
  readonly reason: "restored" | "rolled_back"
}

/** Which part of the history is kept. */
export interface Bounds {
  /**
   * The lowest event ID from which on every update is kept, of all items or of one; `newest + 1` if none is.
   */
  readonly oldest: number
  /** The newest event ID that was given. */
  readonly newest: number
  /** The event IDs of lost updates, ascending; empty if none were lost. The history goes on after each range. */
  readonly lost: readonly Lost[]
  /** How many updates of all items are kept: those after `oldest`, and the moves of items before it. */
  readonly stored: number
}

/**
 * The history of updates, for reading only. Streams and webhooks know only this part of the store.
 *
 * Event IDs ascend in commit order and are never given twice: a reader that has seen an event ID never later
 * finds a new update with a lower one.
 */
export interface History {
  /**
   * The name of this history, given when the database was created. Event IDs of another history mean nothing
   * here.
   */
  readonly historyId: string

  /** Reads at most `limit` updates and about 256 KiB; at least one update if any follows. */
  page(query: PageQuery): Promise<Page>

  /** The event IDs of the updates that make up a snapshot. */
  latest(which: LatestOf): Promise<LatestIds>

  /**
   * The latest update of one item and the newest event ID of the history, both of one moment.
   * @throws AppError `not_found`
   */
  latestOfItem(id: number): Promise<{ update: StoredUpdate; head: number }>

  /** The updates with these event IDs (at most 256) that are still stored, ascending; cut like a `page`. */
  updates(ids: readonly number[]): Promise<Page>

  /** The update of the same item before this one; null if there is none, or if it is no longer stored. */
  previous(update: StoredUpdate): Promise<StoredUpdate | null>

  /** How many updates are kept with event IDs above `after` and up to `upTo`. Default: of all items. */
  count(after: number, upTo: number, queueId?: number): Promise<number>

  /** Which part of the history is kept. Default: of all items. */
  bounds(queueId?: number): Promise<Bounds>

  /** The newest event ID; 0 in an empty history. */
  head(): Promise<number>
}
