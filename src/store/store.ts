import type { Change, QueueItem, Status, Stored, StoredUpdate } from "../item/item.ts"
import type { Deliveries } from "./deliveries.ts"

/** A queue item before the database has given it an id. */
export type Draft = Omit<QueueItem, "id">

/** What makes a repeated `add` the same one: the key, and a digest of the body it came with. */
export interface Idempotency {
  readonly key: string
  readonly digest: string
}

/** Which queue items to list; `after` is the `next` of the page before. */
export interface ListQuery {
  readonly status?: Status | undefined
  readonly songId?: number | undefined
  readonly limit: number
  readonly after?: string | undefined
}

/**
 * Which processing items are due: those whose lease ran out by `by` (and, with `after`, not before), or those not yet
 * stalled whose share has not moved since `by`. Milliseconds of the steady clock.
 */
export type Due =
  | { readonly due: "lease"; readonly by: number; readonly after?: number }
  | { readonly due: "stall"; readonly by: number }

/** Decides on one row. May be called more than once; throws an AppError to refuse. `now` is RFC 3339 UTC. */
export type Decide = (stored: Stored, now: string) => Change

/** Which updates to read: those with an event ID above `after`, of one item or of all, ascending. */
export interface PageQuery {
  readonly after: number
  readonly queueId?: number | undefined
  readonly limit: number
}

/** A piece of the history; `more` tells that it was cut by a limit. */
export interface Page {
  readonly updates: readonly StoredUpdate[]
  readonly more: boolean
}

/**
 * Whose latest update is asked for: every item not terminal, or every item, perhaps just one, that was changed after
 * an event ID (deleted and terminal ones too).
 */
export type LatestOf =
  | { readonly of: "open" }
  | { readonly of: "changed"; readonly after: number; readonly queueId?: number | undefined }

/** Event IDs of latest updates, ascending, and the newest event ID, all of one moment. */
export interface Latest {
  readonly ids: readonly number[]
  readonly head: number
}

/** First and last event ID of the history that is kept; `oldest` is `newest + 1` when none is. */
export interface Bounds {
  readonly oldest: number
  readonly newest: number
  readonly stored: number
}

/**
 * The queue and its history. Each method is one transaction.
 *
 * A write resolves once it is durable: it survives a power cut from then on. Decisions come in as pure synchronous
 * functions, which may be called more than once and throw an AppError to refuse; a refused write changes nothing
 * and fails alone. Event IDs are given in commit order, ascending, and never again; a reader that has seen an event
 * ID never later finds a smaller one that is new. When a commit fails, all writes that shared it reject with
 * AppError `unavailable`.
 */
export interface Store {
  /** Name of this history, given when the database was made: event IDs of another history mean nothing here. */
  readonly historyId: string

  /** What is sent to webhooks. */
  readonly deliveries: Deliveries

  /**
   * Adds an item and its first update.
   * The same idempotency key and digest within 24 hours answer what the first call answered and add nothing.
   * @throws AppError `idempotency_mismatch` when the key was used with another digest
   */
  add(draft: Draft, idempotency?: Idempotency): Promise<{ item: QueueItem; added: boolean }>

  /**
   * Changes one item and appends exactly one update, or none for a quiet change.
   * @throws AppError `not_found`, and whatever `decide` throws
   */
  change(id: number, decide: Decide): Promise<QueueItem>

  /**
   * Changes the item that is first in the queue's order and claimable now: waiting, its `available_at` past, and
   * all its tags among `tags`. Null when there is none.
   */
  claim(tags: readonly string[], decide: Decide): Promise<QueueItem | null>

  /** Changes every item that is due, at most 100 a call; answers how many there were. */
  sweep(due: Due, decide: Decide): Promise<number>

  /** When a server was last known to be alive, in milliseconds of the steady clock; null when none ever was. */
  aliveAt(): Promise<number | null>

  /** Remembers that a server is alive. */
  setAlive(steadyMs: number): Promise<void>

  /** Whether an item was deleted, as opposed to never having been. */
  wasDeleted(id: number): Promise<boolean>

  /** @throws AppError `not_found` */
  item(id: number): Promise<QueueItem>

  /**
   * Processing items, then waiting ones by priority and age, then terminal ones, newest first: at most `limit`, and
   * about 4 MB; at least one where there is one.
   * @throws AppError `invalid` for an `after` that no page gave
   */
  list(query: ListQuery): Promise<{ items: QueueItem[]; next: string | null }>

  /** The item that a claim with these tags would take now, if any; without tags, one with all of them. */
  nextWaiting(tags?: readonly string[]): Promise<QueueItem | null>

  /** At most `limit` updates and about 256 KiB; at least one where there is one. */
  page(query: PageQuery): Promise<Page>

  /** Whose latest updates make up a snapshot. */
  latest(which: LatestOf): Promise<Latest>

  /**
   * The latest update of one item, and the newest event ID of all, of one moment.
   * @throws AppError `not_found`
   */
  latestOfItem(id: number): Promise<{ update: StoredUpdate; head: number }>

  /** The updates with these event IDs (at most 256), ascending, those that are still kept; cut as `page` is. */
  updates(ids: readonly number[]): Promise<Page>

  /** The update of the same item before this one, if that is kept. */
  previous(update: StoredUpdate): Promise<StoredUpdate | null>

  /** How many updates lie in `(after, upTo]`, of one item or of all. */
  count(after: number, upTo: number, queueId?: number): Promise<number>

  bounds(): Promise<Bounds>

  /** How many items there are, deleted ones aside. */
  items(): Promise<number>

  /** The newest event ID; 0 in an empty history. */
  head(): Promise<number>

  /** Waits for writes under way, writes everything into the database file, and lets go of it. */
  close(): Promise<void>
}
