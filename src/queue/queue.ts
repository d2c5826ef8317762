import type { Bus } from "../bus.ts"
import { IDLE, type ItemChange, type NewItem, type QueueItem, type StoredUpdate } from "../item/item.ts"
import { cancelled, changed, retried } from "../item/lease.ts"
import { isFinished, transition } from "../item/moves.ts"
import type { History, Page } from "../store/history.ts"
import type { Draft, Idempotency, Items, ListQuery } from "../store/items.ts"

const PAGE_UPDATES = 1000
/** Characters of JSON that one answer holds. */
const HISTORY_SIZE = 4 * 1024 * 1024

/** The body with its keys in order, so that the same body has the same digest however it was written. */
async function digest(body: NewItem): Promise<string> {
  const sorted = JSON.stringify(body, (_key, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  )
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(sorted))
  return new Uint8Array(bytes).toHex()
}

/**
 * The render queue: what can be done with queue items.
 *
 * Each change is decided by a pure function, stored durably with its update in one transaction, and then announced.
 * A method that resolves has been acknowledged by the disk.
 */
export class Queue {
  readonly #store: Items & History
  readonly #bus: Bus
  readonly #now: () => number
  readonly #steadyMs: () => number

  /** `now` is the clock, in epoch milliseconds, and `steadyMs` the one of leases (see `Moment`). */
  constructor(store: Items & History, bus: Bus, now: () => number, steadyMs: () => number) {
    this.#store = store
    this.#bus = bus
    this.#now = now
    this.#steadyMs = steadyMs
  }

  /**
   * Adds an item. The same `idempotencyKey` with the same body, within 24 hours, answers the first item again and
   * adds nothing.
   * @throws AppError `idempotency_mismatch`, `unavailable`
   */
  async add(body: NewItem, idempotencyKey?: string): Promise<QueueItem> {
    const nowMs = this.#now()
    const time = new Date(nowMs).toISOString()
    const { available_in } = body
    const idempotency: Idempotency | undefined =
      idempotencyKey === undefined ? undefined : { key: idempotencyKey, digest: await digest(body) }
    const draft: Draft = {
      song_id: body.song_id,
      title: body.title ?? "",
      status: "queued",
      priority: body.priority ?? 0,
      current_step: "",
      progress: 0,
      message: "Queue item created",
      error_message: "",
      retry_count: 0,
      video_file_path: "",
      video_file_size: 0,
      thumbnail_path: "",
      flag: null,
      queued_at: time,
      started_at: null,
      completed_at: null,
      updated_at: time,
      attempt: 0,
      max_attempts: body.max_attempts ?? 3,
      outcome: null,
      worker: "",
      available_at: available_in === undefined ? null : new Date(nowMs + available_in * 1000).toISOString(),
      cancel_requested_at: null,
      eta_seconds: null,
      stalled: false,
      step: null,
      unit: null,
      media: null,
      tags: body.tags ?? [],
      metadata: body.metadata ?? {},
    }
    const { item, added } = await this.#store.add(draft, idempotency)
    if (added) this.#bus.notify()
    return item
  }

  /**
   * Merges `change` into an item: keys that are absent stay as they are.
   * @throws AppError `not_found`, `illegal_move`, `leased`, `unavailable`
   */
  async update(id: number, change: ItemChange): Promise<QueueItem> {
    return this.#announced(
      await this.#store.change(id, (stored, time) =>
        changed(stored, change, { time, steadyMs: this.#steadyMs() }),
      ),
    )
  }

  /**
   * Calls an item off: at once when no worker holds it, else its worker is told to stop. Again, it changes nothing.
   * @throws AppError `not_found`, `illegal_move`, `unavailable`
   */
  async cancel(id: number): Promise<QueueItem> {
    return this.#announced(
      await this.#store.change(id, (stored, time) => cancelled(stored, { time, steadyMs: this.#steadyMs() })),
    )
  }

  /**
   * Puts a terminal or retrying item back into the queue with a clean slate; its history stays.
   * @throws AppError `not_found`, `illegal_move`, `unavailable`
   */
  async retry(id: number): Promise<QueueItem> {
    return this.#announced(
      await this.#store.change(id, (stored, time) => retried(stored, { time, steadyMs: this.#steadyMs() })),
    )
  }

  /**
   * Removes an item from all reads; its history stays. Viewers of an item that was not terminal see it cancelled.
   * @throws AppError `not_found`, `unavailable`
   */
  async remove(id: number): Promise<void> {
    await this.#store.change(id, ({ item }, now) => {
      if (isFinished(item.status)) {
        return {
          item: { ...item, message: "Queue item deleted", updated_at: now },
          work: IDLE,
          deleted: true,
        }
      }
      const off = transition(item, { status: "failed", message: "Queue item cancelled" }, now)
      return { item: { ...off, outcome: "cancelled" }, work: IDLE, deleted: true }
    })
    this.#bus.notify()
  }

  #announced(item: QueueItem): QueueItem {
    this.#bus.notify()
    return item
  }

  /** @throws AppError `not_found` */
  get(id: number): Promise<QueueItem> {
    return this.#store.item(id)
  }

  /**
   * One page of the queue in its order; `next` is the cursor of the page after, or null.
   * @throws AppError `invalid` for an unknown cursor
   */
  list(query: ListQuery): Promise<{ items: QueueItem[]; next: string | null }> {
    return this.#store.list(query)
  }

  /** The item a claim would take, or null. */
  next(): Promise<QueueItem | null> {
    return this.#store.nextWaiting()
  }

  /**
   * The updates of one item with an event ID above `after`, ascending: at most `limit`, and about 4 MB. `more` tells
   * that others follow.
   * @throws AppError `not_found`
   */
  async history(id: number, after: number, limit: number): Promise<Page> {
    await this.#store.item(id)
    const found: StoredUpdate[] = []
    let size = 0
    for (let from = after; ; from = found.at(-1)?.id ?? from) {
      const rest = limit - found.length
      const { updates, more } = await this.#store.page({
        after: from,
        queueId: id,
        limit: Math.min(rest, PAGE_UPDATES),
      })
      found.push(...updates)
      size += updates.reduce((sum, { data }) => sum + data.length, 0)
      if (!more || found.length >= limit || size > HISTORY_SIZE) return { updates: found, more }
    }
  }
}
