import type { StoredUpdate } from "../../item/stored.ts"
import type { DeliveryStatus, Notice } from "../../item/webhook-notice.ts"

/** How long a delivery stays listed after it was settled, in milliseconds: seven days. */
export const KEPT_MS = 7 * 24 * 60 * 60 * 1000
/** No delivery waits for this long: a time that is further ahead was set while a clock was wrong. */
export const AHEAD_MS = 24 * 60 * 60_000

/** One update on its way to one webhook. Times are RFC 3339 UTC. */
export interface Delivery {
  /** The ID of the delivery. IDs ascend in the order in which deliveries were added. */
  readonly id: number
  /** The URL of the webhook. */
  readonly url: string
  /** The reason why the webhook is called. */
  readonly notice: Notice
  /** The event ID of the update. */
  readonly update_id: number
  /** The ID of the update's item. */
  readonly queue_id: number
  /** The update as it was stored: a ProgressUpdate as JSON. */
  readonly data: string
  /** Whether it is pending, delivered or given up. */
  readonly status: DeliveryStatus
  /** How often it was sent. */
  readonly attempts: number
  /** When it is sent next, RFC 3339 UTC; null when it was delivered or given up. */
  readonly next_attempt_at: string | null
  /** The HTTP status of the last reply; null if none came. */
  readonly answer: number | null
  /** Why the last attempt failed; empty if it did not. */
  readonly error: string
  /** When it was added, RFC 3339 UTC. */
  readonly created_at: string
  /** When it was delivered or given up, RFC 3339 UTC; null while it is pending. */
  readonly finished_at: string | null
}

/** The result of posting a delivery. */
export interface Settlement {
  /** Whether the delivery is over; a pending one is sent again. */
  readonly status: DeliveryStatus
  /** When a pending delivery is sent again, RFC 3339 UTC; null for any other. */
  readonly nextAttemptAt: string | null
  /** The HTTP status of the reply; null if none came. */
  readonly answer: number | null
  /** Why it failed; empty if it did not. */
  readonly error: string
}

/** Which deliveries to list, the newest first. */
export interface DeliveriesQuery {
  /** Only those with this status; undefined for all. */
  readonly status?: DeliveryStatus | undefined
  /** At most this many. */
  readonly limit: number
  /** The `next` of the page before; undefined for the first page. */
  readonly before?: number | undefined
}

/**
 * The deliveries to webhooks, and how far each webhook has followed the history: its cursor is the last event
 * ID that was examined for it. Each method is one transaction.
 */
export interface Deliveries {
  /**
   * Follows the history for these URLs, new ones from now on. Others are forgotten, with their pending deliveries,
   * unless another instance follows them.
   */
  follow(urls: readonly string[]): Promise<void>

  /** The lowest cursor of all URLs; null if no URL is followed. */
  cursor(): Promise<number | null>

  /**
   * Adds a delivery of each update for each URL whose cursor is below the update, and moves all cursors up to
   * `upTo`. If several instances have examined an update, it is added once.
   */
  add(
    notices: readonly { readonly notice: Notice; readonly update: StoredUpdate }[],
    upTo: number,
  ): Promise<void>

  /**
   * Takes the due deliveries to a URL, those that have waited longest first. A delivery that waits for a time
   * more than `AHEAD_MS` away is due at once. No other instance takes them for `forMs` milliseconds, unless
   * they are settled or given back before. A program that ends gives back all of its deliveries.
   */
  take(url: string, limit: number, forMs: number): Promise<readonly Delivery[]>

  /** Gives back a delivery that was taken and not sent. */
  giveBack(id: number): Promise<void>

  /**
   * Counts one more attempt at a delivery, and stores its result. A delivery that is over stays as it is:
   * another instance has sent it, because this one stood still for longer than it had taken the delivery for.
   */
  settle(id: number, settlement: Settlement): Promise<void>

  /** The newest delivery to a URL that failed and is tried again; undefined if there is none, or a newer one was delivered. */
  failing(url: string): Promise<Pick<Delivery, "id" | "url" | "error"> | undefined>

  /** How many deliveries are kept, by status. */
  standing(): Promise<Readonly<Record<DeliveryStatus, number>>>

  /** One page of the deliveries; those that ended more than a week ago are forgotten. */
  list(
    query: DeliveriesQuery,
  ): Promise<{ readonly deliveries: readonly Delivery[]; readonly next: number | null }>
}

/** A page of deliveries, made from rows. One row more than the page may have shows that there are more. */
export function deliveriesPage(
  rows: readonly Delivery[],
  limit: number,
): { readonly deliveries: readonly Delivery[]; readonly next: number | null } {
  const deliveries = rows.slice(0, limit)
  return { deliveries, next: rows.length > limit ? (deliveries.at(-1)?.id ?? null) : null }
}

/** How many deliveries of each status there are, made from counts that were read. */
export function deliveryCounts(
  rows: readonly { readonly status: string; readonly count: number }[],
): Readonly<Record<DeliveryStatus, number>> {
  const of = (status: DeliveryStatus): number => rows.find((row) => row.status === status)?.count ?? 0
  return { pending: of("pending"), delivered: of("delivered"), failed: of("failed") }
}
