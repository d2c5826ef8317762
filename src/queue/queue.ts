import type { Bus } from "../bus/bus.ts"
import { AppError, isRefusal } from "../errors.ts"
import { isObject } from "../is-object.ts"
import { cancelled, created, removed, retried } from "../item/add-cancel-retry-delete.ts"
import { changed } from "../item/change-by-put.ts"
import { changesIn } from "../item/changes-in-whole-item.ts"
import type { ItemChange, NewItem, ProgressUpdate, QueueItem } from "../item/item.ts"
import { isFinished } from "../item/moves.ts"
import { placed } from "../item/reorder.ts"
import { checkReporter } from "../item/report.ts"
import { type AttemptName, checkUnderWay } from "../item/same-attempt.ts"
import type { StoredUpdate } from "../item/stored.ts"
import { updateIn } from "../item/update.ts"
import type { History, Page } from "../store/contract/history.ts"
import type { Decide, Idempotency, Items, ListPage, ListQuery } from "../store/contract/items.ts"
import type { LearnedDurations } from "./learned-durations.ts"
import { RefuseWhenFull } from "./refuse-when-full.ts"

/** How many changes of a batch share a commit. Between two commits other requests have their turn. */
const CHANGED_AT_ONCE = 100
const PAGE_UPDATES = 1000
/** How many of the latest updates are searched for the one that was read. */
const MAX_LOOKED_AT = 500
/** How many characters of JSON one answer has at most. */
const HISTORY_SIZE = 4 * 1024 * 1024

/**
 * The body with its keys in order, so that equal bodies have the same digest, whatever the order of their
 * keys is.
 */
async function digestOf(body: NewItem): Promise<string> {
  const sorted = JSON.stringify(body, (_key, value: unknown) =>
    isObject(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value,
  )
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(sorted))
  return new Uint8Array(bytes).toHex()
}

/** The results of the same change for many items. */
interface BatchResults {
  readonly done: number[]
  readonly refused: { readonly id: number; readonly reason: AppError }[]
}

/** Whether an item failed or lost its worker. A cancelled item was ended on purpose. */
const isUnwanted = ({ outcome }: QueueItem): boolean => outcome === "failed" || outcome === "lost"

/**
 * The render queue: what people and programs do with queue items.
 *
 * A pure function decides each change; the store writes it with its update in one transaction; then the bus announces
 * it. When a method resolves, its change is on the disk.
 */
export class Queue {
  readonly #store: Items & History
  readonly #bus: Bus
  readonly #learned: LearnedDurations
  readonly #room: RefuseWhenFull

  constructor(store: Items & History, bus: Bus, learned: LearnedDurations, room = new RefuseWhenFull()) {
    this.#room = room
    this.#store = store
    this.#bus = bus
    this.#learned = learned
  }

  /**
   * Adds an item. The same `idempotencyKey` with the same body, within 24 hours, returns the first item again and adds
   * nothing.
   * @throws AppError `idempotency_mismatch`, `unavailable`
   */
  async add(body: NewItem, idempotencyKey?: string): Promise<QueueItem> {
    this.#room.check()
    const idempotency: Idempotency | undefined =
      idempotencyKey === undefined ? undefined : { key: idempotencyKey, digest: await digestOf(body) }
    const { item, added } = await this.#store.add((moment) => created(body, moment), idempotency)
    if (added) this.#bus.notify()
    return item
  }

  /**
   * Merges `change` into an item: absent keys stay as they are. With `attempt`, the change is refused if that
   * attempt has ended.
   * @throws AppError `not_found`, `illegal_move`, `leased`, `unavailable`
   */
  async update(id: number, change: ItemChange, attempt?: AttemptName): Promise<QueueItem> {
    // The end of a render is stored even if the database is full.
    if (change.status === undefined || !isFinished(change.status)) this.#room.check()
    return this.#change(id, (stored, moment) => {
      if (attempt !== undefined) checkUnderWay(stored.item, attempt)
      return changed(stored, change, moment)
    })
  }

  /**
   * The keys that were changed in an item that was read at `readAt` (its `updated_at`) and is sent back
   * whole.
   * @throws AppError `not_found`
   */
  async changesIn(id: number, given: ItemChange, readAt: string): Promise<ItemChange> {
    const { update: latest } = await this.#store.latestOfItem(id)
    const read: ProgressUpdate[] = []
    let stored: StoredUpdate | null = latest
    for (let looked = 0; stored && looked < MAX_LOOKED_AT; looked += 1) {
      const update = updateIn(stored)
      if (update.timestamp === readAt) read.push(update)
      else if (read.length > 0) break
      stored = await this.#store.previous(stored)
    }
    return changesIn(given, read, await this.#store.item(id))
  }

  /**
   * Cancels an item: at once if no worker holds it, otherwise its worker is asked to stop. A second cancel changes
   * nothing.
   * @throws AppError `not_found`, `illegal_move`, `unavailable`
   */
  cancel(id: number): Promise<QueueItem> {
    return this.#change(id, cancelled)
  }

  /**
   * Puts a finished or retrying item back into the queue as if it were new; its history stays.
   * @throws AppError `not_found`, `illegal_move`, `unavailable`
   */
  async retry(id: number): Promise<QueueItem> {
    this.#room.check()
    return this.#change(id, retried)
  }

  /**
   * Moves a waiting item directly before another one.
   * @throws AppError `invalid`, `not_found`, `illegal_move`, `unavailable`
   */
  async move(id: number, before: number): Promise<QueueItem> {
    this.#room.check()
    const { item, quiet } = await this.#store.place(id, before, placed)
    if (!quiet) this.#bus.notify()
    return item
  }

  /**
   * Puts all items that failed or lost their workers back into the queue; cancelled items stay. Returns their
   * IDs. When it is repeated, it finds none.
   * @throws AppError `unavailable`
   */
  async retryFailed(): Promise<number[]> {
    this.#room.check()
    const ids: number[] = []
    let after: string | undefined
    do {
      const { items, next } = await this.#store.list({ status: "failed", limit: CHANGED_AT_ONCE, after })
      // All of them share a commit.
      const unwanted = items.filter(isUnwanted)
      const changes = await Promise.all(unwanted.map(({ id }) => this.#retryUnwanted(id)))
      ids.push(...unwanted.filter((_, at) => changes[at]).map(({ id }) => id))
      after = next ?? undefined
    } while (after !== undefined)
    return ids
  }

  /** Retries an item unless it was retried or deleted since it was listed. */
  async #retryUnwanted(id: number): Promise<boolean> {
    try {
      const change = await this.#store.change(id, (stored, moment) =>
        isUnwanted(stored.item) ? retried(stored, moment) : { ...stored, quiet: true },
      )
      if (!change.quiet) this.#bus.notify()
      return !change.quiet
    } catch (error) {
      if (isRefusal(error, "not_found")) return false
      throw error
    }
  }

  /**
   * Pauses the queue: workers get no items until `resume`, over restarts too. A claim by ID still works. Returns since
   * when it is paused.
   * @throws AppError `unavailable`
   */
  async pause(): Promise<string> {
    const since = await this.#store.pause()
    this.#bus.notify()
    return since
  }

  /** Lets workers claim items again. @throws AppError `unavailable` */
  async resume(): Promise<void> {
    await this.#store.resume()
    // There is something to claim now.
    this.#bus.notify()
  }

  /**
   * Removes an item from all reads; its history stays. Viewers of an item that was not finished see it cancelled.
   * @throws AppError `not_found`, `unavailable`
   */
  async remove(id: number): Promise<void> {
    await this.#change(id, removed)
  }

  /**
   * Does the same to many items. An item whose change is refused stays as it is, and the others are changed.
   * @throws AppError `unavailable`
   * @throws Error that is no refusal
   */
  async batch(act: "cancel" | "retry" | "delete", ids: readonly number[]): Promise<BatchResults> {
    if (act === "retry") this.#room.check()
    const decide = { cancel: cancelled, retry: retried, delete: removed }[act]
    const batch: BatchResults = { done: [], refused: [] }
    for (let at = 0; at < ids.length; at += CHANGED_AT_ONCE) {
      const some = ids.slice(at, at + CHANGED_AT_ONCE)
      const results = await Promise.allSettled(some.map((id) => this.#change(id, decide)))
      for (const [i, id] of some.entries()) {
        const result = results[i]
        if (result?.status !== "rejected") batch.done.push(id)
        else if (result.reason instanceof AppError) batch.refused.push({ id, reason: result.reason })
        else throw result.reason
      }
    }
    return batch
  }

  async #change(id: number, decide: Decide): Promise<QueueItem> {
    const change = await this.#store.change(id, this.#learned.follow(decide))
    if (!change.quiet) this.#bus.notify()
    if (change.run) void this.#learned.note(change.run)
    return change.item
  }

  /** An item, for a reporter that has no lease. @throws AppError `not_found`; `leased` if a worker holds the item */
  async unleased(id: number): Promise<QueueItem> {
    const stored = await this.#store.stored(id)
    checkReporter(stored, undefined)
    return stored.item
  }

  /** @throws AppError `not_found` */
  get(id: number): Promise<QueueItem> {
    return this.#store.item(id)
  }

  /**
   * One page of the queue in its order; `next` is the cursor of the page after, or null.
   * @throws AppError `invalid` for an unknown cursor
   */
  list(query: ListQuery): Promise<ListPage> {
    return this.#store.list(query)
  }

  /** The item that a claim would take now, or null. */
  next(): Promise<QueueItem | null> {
    return this.#store.nextWaiting()
  }

  /**
   * The updates of one item with an event ID above `after`, ascending: at most `limit`, and about 4 MB. `more` says
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
