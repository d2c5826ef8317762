import type { Draft, QueueItem, Status } from "../../item/item.ts"
import type { Moment } from "../../item/moment.ts"
import type { Change, Stored } from "../../item/stored.ts"

/** How many items one sweep changes at most. */
export const SWEEP_ROWS = 100

/** How long the answer of an `add` or a `claim` is kept, in case the request is repeated. */
export const IDEMPOTENCY_MS = 24 * 60 * 60 * 1000

/** How a repeated `add` is recognised: by its key and a digest of its body. */
export interface Idempotency {
  /** The key that the client chose. */
  readonly key: string
  /** A digest of the body: equal for equal bodies. */
  readonly digest: string
}

/** How a repeated claim is recognised, and how it gets its item again. */
export interface Repeatable {
  /** Equal for a claim and its repetitions. No key of an `add` may be equal to it. */
  readonly key: string
  /** Decides on the item of the earlier claim, whose lease had this token. Refuses if that lease is no longer held. */
  readonly again: (token: string) => Decide
}

/** Which queue items to list. */
export interface ListQuery {
  /** Only items with this status; undefined for any status. */
  readonly status?: Status | undefined
  /** Only items of this song; undefined for any song. */
  readonly songId?: number | undefined
  /** At most this many items. */
  readonly limit: number
  /** The `next` of the page before; undefined for the first page. */
  readonly after?: string | undefined
  /**
   * Words that must all occur in an item's number, song, title, error, worker, tags or metadata, in any case;
   * undefined for any item.
   */
  readonly search?: string | undefined
  /** When it has aborted, a search reads no further slice, and ends with what it has found; absent for a whole search. */
  readonly signal?: AbortSignal | undefined
}

/** One page of the queue. */
export interface ListPage {
  /** The items, in the order of the queue. */
  readonly items: QueueItem[]
  /** What leads to the next page as `after`; null on the last page. */
  readonly next: string | null
  /** How many slices of the queue a search read; 0 without a search. */
  readonly slices: number
}

/**
 * Which processing items are due: those whose lease ran out before `by`, or those that have not moved since
 * `by` and are not yet marked as stalled. `by` is in milliseconds of the steady clock.
 */
export type Due =
  { readonly due: "lease"; readonly by: number } | { readonly due: "stall"; readonly by: number }

/** Decides about one item. May be called more than once; throws an AppError to refuse. */
export type Decide = (stored: Stored, moment: Moment) => Change

/**
 * Decides how an item gets its place before another one. `ahead` is the turn of the item that is directly
 * before the other one now; null if there is none.
 */
export type Placing = (stored: Stored, before: QueueItem, ahead: number | null, moment: Moment) => Change

/** Makes a new item. May be called more than once. */
export type Create = (moment: Moment) => Draft

/**
 * The queue items: all methods that change an item, and the reads of their present state. Each method is one
 * transaction.
 *
 * A write resolves when it is durable: from then on it survives a power failure. A decision is a pure
 * synchronous function that runs inside the transaction. It may run more than once, and throws an AppError to
 * refuse. A refused write changes nothing and fails alone. If a commit fails, every write that shared it
 * rejects with AppError `unavailable`.
 */
export interface Items {
  /**
   * Adds an item and its first update.
   * A call with the same idempotency key and digest within 24 hours returns the result of the first call and
   * adds nothing.
   * @throws AppError `idempotency_mismatch` if the key was used with another digest
   */
  add(create: Create, idempotency?: Idempotency): Promise<{ item: QueueItem; added: boolean }>

  /**
   * Changes one item and appends exactly one update, or none for a quiet change. Returns what was decided. A claim of
   * one item may be `repeatable`, as in `claim`.
   * @throws AppError `not_found`, and whatever `decide` throws
   */
  change(id: number, decide: Decide, repeatable?: Repeatable): Promise<Change>

  /**
   * Moves one item directly before another one in the queue's order, and appends one update.
   * @throws AppError `not_found` for either of them, and whatever `decide` throws
   */
  place(id: number, before: number, decide: Placing): Promise<Change>

  /**
   * Changes the first item in the queue's order that is claimable now: it waits, its `available_at` is past,
   * all its tags are among `tags`, and the queue is not paused. A store with one item per song also skips
   * items of a song if another item of that song is leased. Null if no item is claimable.
   *
   * A call with the same key within 24 hours, by any program that uses the database, changes the item of the first call
   * again as `repeatable` decides, at most 5 times; if that refuses because the lease is no longer held, it is a new call.
   */
  claim(tags: readonly string[], decide: Decide, repeatable?: Repeatable): Promise<Change | null>

  /** What a `claim` that is repeated with this key gets; null if it would be a new one. */
  claimedBefore(repeatable: Repeatable): Promise<Change | null>

  /** Changes every item that is due, at most 100 per call; returns how many it changed. */
  sweep(due: Due, decide: Decide): Promise<number>

  /** Whether a worker holds a lease now. */
  isAnyLeased(): Promise<boolean>

  /** Whether an item with this ID existed and was deleted; with `lease`, only if it was its last, or the last that was revoked. */
  wasDeleted(id: number, lease?: string): Promise<boolean>

  /** @throws AppError `not_found` */
  item(id: number): Promise<QueueItem>

  /**
   * An item with what is stored beside it, as it is in the database now. It is only read, so no writer waits. @throws
   * AppError `not_found`
   */
  stored(id: number): Promise<Stored>

  /**
   * One page of the queue: processing items, then waiting ones by priority and turn, then finished ones, newest first.
   * It holds at most `limit` items and about 4 MB, and at least one item if any follows. A search reads the queue in
   * slices, each of which is its own transaction.
   * @throws AppError `invalid` for an `after` that is not the `next` of a page
   */
  list(query: ListQuery): Promise<ListPage>

  /**
   * Pauses the queue until `resume`, also over restarts: no item is claimable. Returns since when it is
   * paused.
   */
  pause(): Promise<string>

  /** Resumes the queue: items are claimable again. */
  resume(): Promise<void>

  /** Since when the queue is paused, RFC 3339 UTC; null if it is not. */
  pausedAt(): Promise<string | null>

  /**
   * The item that a claim with these tags would take now, or null. Without tags, items with any tags are
   * accepted.
   */
  nextWaiting(tags?: readonly string[]): Promise<QueueItem | null>

  /** How many items there are; deleted ones do not count. */
  items(): Promise<number>
}
