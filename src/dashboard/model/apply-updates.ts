import type { QueueItem } from "../../item/item.ts"
import { isFinished, isWaiting } from "../../item/moves.ts"
import type { ReadItem } from "../../wire/forecast.ts"
import type { StreamUpdate } from "./hub-messages.ts"
import { ALL_KNOWN, type Ends, type ListName } from "./lists.ts"

/** If there are more finished items than this, the oldest ones are forgotten. */
const MAX_FINISHED = 1500

/** What an update does not say if it is so. */
const UNSAID = {
  title: "",
  error_message: "",
  error_cause: "",
  attempt: 0,
  outcome: null,
  worker: "",
  cancel_requested_at: null,
  eta_seconds: null,
  eta_low_seconds: null,
  eta_high_seconds: null,
  eta_runs: 0,
  time_progress: null,
  basis: null,
  steps: null,
  step: null,
  unit: null,
  media: null,
  stalled: false,
  stalled_since: null,
} satisfies Partial<ReadItem>

/** The item after an update, as far as the update has its values. */
export function after(item: QueueItem, update: StreamUpdate): QueueItem {
  const { id: _event, queue_id: id, timestamp, deleted: _deleted, ...said } = update
  const { status } = said
  const isStart = status === "processing" && (item.status !== status || item.attempt !== update.attempt)
  const isEnd = isFinished(status) && !isFinished(item.status)
  return {
    ...item,
    ...UNSAID,
    ...said,
    id,
    started_at: isStart ? timestamp : item.started_at,
    completed_at: isEnd ? timestamp : isFinished(status) ? item.completed_at : null,
    updated_at: timestamp,
  }
}

/** What changed in a step of the state: the items, and whether any came, went, or moved to another list. */
export interface Changed {
  /** The items that have changed. */
  readonly ids: ReadonlySet<number>
  /** Whether any item came, went, or moved to another list. */
  readonly lists: boolean
}

/**
 * The queue as this browser knows it: it is read once, and then updates keep it current. Updates are applied
 * in the order of the stream, so the last update of an item decides, whatever was read meanwhile.
 */
export class State {
  /** All items that are kept, by ID. */
  readonly items = new Map<number, QueueItem>()
  /** How far its lists are known. */
  ends = ALL_KNOWN

  /** Begins again with these items. */
  replace(items: readonly QueueItem[], ends = ALL_KNOWN): void {
    this.items.clear()
    for (const item of items) this.items.set(item.id, item)
    this.ends = ends
  }

  /** Adds items that follow the known ones. */
  extend(items: readonly QueueItem[], ends: Ends): void {
    // An item that is known already may be newer.
    for (const item of items) if (!this.items.has(item.id)) this.items.set(item.id, item)
    this.ends = ends
  }

  /**
   * Applies updates in their order. `unsure` are items that the updates do not describe completely: new
   * items, and items that are not simply in progress, because an update has neither the priority nor the
   * times of an item.
   */
  apply(updates: readonly StreamUpdate[]): Changed & { readonly unsure: ReadonlySet<number> } {
    const ids = new Set<number>()
    const unsure = new Set<number>()
    let lists = false
    for (const update of updates) {
      const id = update.queue_id
      const known = this.items.get(id)
      if (update.deleted) {
        unsure.delete(id)
        lists = this.items.delete(id) || lists
      } else if (known) {
        const next = after(known, update)
        this.items.set(id, next)
        ids.add(id)
        if (known.status !== next.status) lists = true
        if (known.status !== "processing" || next.status !== "processing") unsure.add(id)
      } else {
        unsure.add(id)
      }
    }
    return { ids, lists, unsure }
  }

  /** Takes items as the server has them now, and drops those that it no longer has. */
  put(items: readonly QueueItem[], removed: readonly number[]): Changed {
    for (const id of removed) this.items.delete(id)
    for (const item of items) this.items.set(item.id, item)
    this.#forget()
    return { ids: new Set(items.map(({ id }) => id)), lists: true }
  }

  #forget(): void {
    if (this.items.size <= MAX_FINISHED * 2) return
    const finished = [...this.items.values()].filter(({ status }) => isFinished(status)).sort(byEnd)
    const last = finished[MAX_FINISHED - 1]
    if (!last || finished.length === MAX_FINISHED) return
    for (const { id } of finished.slice(MAX_FINISHED)) this.items.delete(id)
    this.ends = { ...this.ends, finished: last }
  }
}

const text = (a: string | null, b: string | null): number => (a === b ? 0 : (a ?? "") < (b ?? "") ? -1 : 1)

const byStart = (a: QueueItem, b: QueueItem): number => text(a.started_at, b.started_at) || a.id - b.id
const byTurn = (a: QueueItem, b: QueueItem): number =>
  b.priority - a.priority || (a.turn ?? a.id) - (b.turn ?? b.id) || a.id - b.id
/** The order of finished items, the newest first. */
export const byEnd = (a: QueueItem, b: QueueItem): number =>
  text(b.completed_at, a.completed_at) || b.id - a.id

/** The order in which the server gives each list. */
export const ORDERS: Readonly<Record<ListName, (a: QueueItem, b: QueueItem) => number>> = {
  running: (a, b) => a.id - b.id,
  waiting: byTurn,
  finished: (a, b) => text(b.completed_at, a.completed_at) || a.id - b.id,
}

/** When an item may be claimed by its place in the queue, in milliseconds; 0 for at once. */
const availableMs = ({ available_at }: QueueItem): number =>
  available_at === null ? 0 : Date.parse(available_at)

const byDue = (a: QueueItem, b: QueueItem): number => availableMs(a) - availableMs(b) || byTurn(a, b)

/** The lists, each in its order. */
export interface Lists {
  /** By start. */
  readonly running: readonly QueueItem[]
  /** In the order in which workers will take them. */
  readonly waiting: readonly QueueItem[]
  /**
   * Waiting items that no worker takes yet, ordered by the time from which one may; items that no worker
   * takes at all come first.
   */
  readonly delayed: readonly QueueItem[]
  /** The newest first. */
  readonly finished: readonly QueueItem[]
  /**
   * When the first of the delayed items becomes claimable, in milliseconds of the server's clock; Infinity
   * for never.
   */
  readonly dueMs: number
}

/** What the lists need in addition to their items. */
export interface ListOptions {
  /** The time of the server, in epoch milliseconds; default: the time of this machine. */
  readonly nowMs?: number
  /** How far the lists are known; default to their ends. */
  readonly ends?: Ends
  /** Whether any worker takes items with these tags; default: one does. */
  readonly isServed?: (tags: readonly string[]) => boolean
}

/** The lists of these items, as far as each is known. */
export function listsOf(
  items: Iterable<QueueItem>,
  { nowMs = Date.now(), ends = ALL_KNOWN, isServed = () => true }: ListOptions = {},
): Lists {
  const running: QueueItem[] = []
  const waiting: QueueItem[] = []
  const delayed: QueueItem[] = []
  const finished: QueueItem[] = []
  const isKnown = (item: QueueItem, list: ListName): boolean =>
    ends[list] === null || (ends[list] !== "unread" && ORDERS[list](item, ends[list]) <= 0)
  for (const item of items) {
    if (isFinished(item.status)) {
      if (isKnown(item, "finished")) finished.push(item)
    } else if (!isWaiting(item.status)) running.push(item)
    else if (!isKnown(item, "waiting")) continue
    else if (availableMs(item) > nowMs || !isServed(item.tags)) delayed.push(item)
    else waiting.push(item)
  }
  delayed.sort(byDue)
  const due = delayed.find((item) => availableMs(item) > nowMs)
  return {
    running: running.sort(byStart),
    waiting: waiting.sort(byTurn),
    delayed,
    finished: finished.sort(byEnd),
    dueMs: due ? availableMs(due) : Number.POSITIVE_INFINITY,
  }
}
