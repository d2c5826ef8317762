import type { StoredUpdate } from "../item/item.ts"
import type { DeliveryStatus, Notice } from "../item/notice.ts"

/** One update on its way to one webhook. Times are RFC 3339 UTC. */
export interface Delivery {
  readonly id: number
  readonly url: string
  readonly notice: Notice
  /** The event ID of the update. */
  readonly update_id: number
  readonly queue_id: number
  /** The update as it was stored. */
  readonly data: string
  readonly status: DeliveryStatus
  readonly attempts: number
  /** Null once it is over. */
  readonly next_attempt_at: string | null
  /** The HTTP status of the last attempt; null where nobody answered. */
  readonly answer: number | null
  /** Why the last attempt failed; empty where it did not. */
  readonly error: string
  readonly created_at: string
  readonly finished_at: string | null
}

/** What an attempt came to. A pending delivery is tried again at `nextAttemptAt`, RFC 3339 UTC. */
export interface Attempt {
  readonly status: DeliveryStatus
  readonly nextAttemptAt: string | null
  readonly answer: number | null
  readonly error: string
}

/** Which deliveries to list, the newest first; `before` is the `next` of the page before. */
export interface DeliveriesQuery {
  readonly status?: DeliveryStatus | undefined
  readonly limit: number
  readonly before?: number | undefined
}

/**
 * What is to be sent to webhooks, and how far each has followed the history: its cursor is the last event ID that was
 * examined for it. Each method is one transaction.
 */
export interface Deliveries {
  /** Follows the history for these URLs, new ones from now on. Others are forgotten, with what was still to be sent. */
  follow(urls: readonly string[]): Promise<void>

  /** The lowest cursor: all that came after it is still to be examined for somebody. Null where nobody follows. */
  cursor(): Promise<number | null>

  /** Adds a delivery of each update for each URL whose cursor is below it, and moves all cursors up to `upTo`. */
  add(
    notices: readonly { readonly notice: Notice; readonly update: StoredUpdate }[],
    upTo: number,
  ): Promise<void>

  /** The pending deliveries to a URL that are due, those that wait longest first. */
  due(url: string, limit: number): Promise<readonly Delivery[]>

  /** Counts an attempt, and stores what it came to. */
  settle(id: number, attempt: Attempt): Promise<void>

  /** A page of all deliveries, those over for a week aside. */
  list(
    query: DeliveriesQuery,
  ): Promise<{ readonly deliveries: readonly Delivery[]; readonly next: number | null }>
}
