import type { QueueItem } from "../../item/item.ts"
import { isFinished } from "../../item/moves.ts"
import type { StartsAt } from "../../item/progress-words.ts"
import { type Lists, listsOf, State } from "./apply-updates.ts"
import { type Tallies, talliesOf } from "./counts.ts"
import {
  CONNECTING,
  type Connection,
  type Counts,
  type FromHub,
  type MissedUpdates,
  type Stats,
  type StreamUpdate,
} from "./hub-messages.ts"
import type { LiveQueue } from "./known-queue.ts"
import { totalsOf } from "./lists.ts"
import { EVERYTHING } from "./query.ts"
import type { ReaderRights, Right } from "./rights.ts"
import { NO_FORECAST, type PageForecast } from "./start-forecast.ts"
import type { Unread } from "./unread.ts"
import { nameOf } from "./wording.ts"
import { type ListedWorkers, UNKNOWN_WORKERS } from "./workers.ts"

/** What has changed since the last frame. */
export interface Changes {
  /** The items that have changed. */
  readonly ids: ReadonlySet<number>
  /** Items came, went, or moved. */
  readonly lists: boolean
  /** Everything was loaded again. */
  readonly all: boolean
}

/** Up to this number of lanes, bars move by themselves. */
const MAX_GLIDING = 40
/**
 * The hub sends a message every 2 s. If it is silent for longer, nothing is known about the server any more.
 */
const HUB_SILENCE_MS = 7000

type HubState = Extract<FromHub, { type: "state" }>

/** The callbacks of the model. */
interface Ears {
  /** Called when there is something new to show. */
  readonly changed: () => void
  readonly updates: (updates: readonly StreamUpdate[]) => void
  /** Items were read again. */
  readonly items: (items: readonly QueueItem[], removed: readonly number[]) => void
  readonly gap: (gap: MissedUpdates) => void
  /** The server has another history: an action that was begun on an item would now act on another one. */
  readonly turned: () => void
  /** An item has finished while the reader was looking. */
  readonly ended: (text: string) => void
}

/** What this tab knows, and which part of it has not been shown yet. */
export class Model implements LiveQueue {
  readonly state = new State()
  /** The figures of the streams; null before the first probe. */
  stats: Stats | null = null
  /** The figures of the queue; null while they are not known. */
  counts: Counts | null = null
  /** The forecast of the queue. */
  foreseen: PageForecast = NO_FORECAST
  #workers = UNKNOWN_WORKERS
  #rights: ReaderRights
  /** Whether any list of the queue has been read. */
  loaded = false
  /** What the hub cannot load. */
  unread: readonly Unread[] = []
  readonly #ears: Ears
  readonly #openedMs = Date.now()
  #hubHeardMs = Date.now()
  #connection = CONNECTING
  #history = ""
  #lists: Lists | undefined
  #runningChanged = false
  #ids = new Set<number>()
  #listsChanged = true
  #all = true

  /** `rights` are the reader's rights until the server has sent them. */
  constructor(ears: Ears, rights: ReaderRights) {
    this.#ears = ears
    this.#rights = rights
  }

  get lists(): Lists {
    const { items } = this.state
    if (!this.#lists) this.#lists = this.listsIn(this.state)
    else if (this.#runningChanged) {
      // The order stays: to sort thousands of items at each frame would cost time.
      const running = this.#lists.running.map((item) => items.get(item.id) ?? item)
      this.#lists = { ...this.#lists, running }
    }
    this.#runningChanged = false
    return this.#lists
  }

  /** The lists of a state of items, as of now. */
  listsIn({ items, ends }: State): Lists {
    const isServed = (tags: readonly string[]): boolean => this.missing(tags).length === 0
    return listsOf(items.values(), { nowMs: this.nowMs(), ends, isServed })
  }

  /** The figures of the queue, as of now. */
  get tallies(): Tallies {
    return talliesOf(this.lists, this.nowMs(), { ends: this.state.ends, counts: this.counts })
  }

  /** The workers, as far as they are known. */
  get workers(): ListedWorkers {
    return this.#workers
  }

  /** Takes the workers as the server has just listed them. */
  set workers(workers: ListedWorkers) {
    const isOther = workers.offers !== this.#workers.offers
    this.#workers = workers
    if (isOther) this.#touched([], true)
    this.#ears.changed()
  }

  /** What the reader may do. */
  get rights(): ReaderRights {
    return this.#rights
  }

  /** The reader's rights, as the server sent them. */
  set rights(rights: ReaderRights) {
    const isOther = rights.all !== this.#rights.all
    this.#rights = rights
    if (isOther) this.#touched([], true)
    this.#ears.changed()
  }

  may(right: Right): boolean {
    return this.#rights.may(right)
  }

  /** What is known of the stream; stale once the hub is silent. */
  get connection(): Connection {
    const known = this.#connection
    if (known.state !== "live" || Date.now() - this.#hubHeardMs < HUB_SILENCE_MS) return known
    return {
      ...known,
      state: "stale",
      reason: "The connection shared by this browser's tabs is silent",
      retryAtMs: null,
    }
  }

  nowMs(): number {
    return Date.now() + this.#connection.skewMs
  }

  isLive(): boolean {
    return this.connection.state === "live"
  }

  asOfMs({ updated_at }: Pick<QueueItem, "updated_at">): number {
    if (this.isLive()) return this.nowMs()
    // Before the first stream nothing is confirmed: what is shown was read when the page was opened.
    const { confirmedMs, skewMs } = this.connection
    return Math.max(Date.parse(updated_at), (confirmedMs ?? this.#openedMs) + skewMs)
  }

  isCrowded(): boolean {
    return this.lists.running.length > MAX_GLIDING
  }

  startOf(id: number): StartsAt | undefined {
    return this.foreseen.starts.get(id)
  }

  missing(tags: readonly string[]): readonly string[] {
    return this.#workers.missing(tags)
  }

  waiting(): readonly QueueItem[] {
    return this.lists.waiting
  }

  waitingTotal(): number | null {
    const { waiting, delayed } = this.lists
    if (this.counts === null) return null
    if (this.state.ends.waiting === null) return waiting.length
    return Math.max(waiting.length, totalsOf(this.counts, EVERYTHING).waiting - delayed.length)
  }

  item(id: number): QueueItem | undefined {
    return this.state.items.get(id)
  }

  /** Checks the time: an item that was delayed may be due, and then a frame is needed. */
  tick(): void {
    if (!this.#lists || this.nowMs() < this.#lists.dueMs) return
    this.#touched([], true)
    this.#ears.changed()
  }

  /** The changes since the last call. */
  take(): Changes {
    const changes = { ids: this.#ids, lists: this.#listsChanged, all: this.#all }
    this.#ids = new Set()
    this.#listsChanged = false
    this.#all = false
    return changes
  }

  /** Takes a message of the hub. */
  hear(message: FromHub): void {
    this.#hubHeardMs = Date.now()
    switch (message.type) {
      case "state":
        this.#begin(message)
        break
      case "updates":
        this.#apply(message.updates)
        break
      case "items":
        this.#touched(this.state.put(message.items, message.removed).ids, true)
        this.#ears.items(message.items, message.removed)
        break
      case "more":
        this.state.extend(message.items, message.ends)
        this.#touched([], true)
        break
      case "counts":
        this.counts = message.counts
        this.#listsChanged = true
        break
      case "connection":
        this.#connect(message.connection)
        break
      case "stats":
        this.stats = message.stats
        break
      case "unread":
        this.unread = message.unread
        this.#listsChanged = true
        break
      case "gap":
        this.#ears.gap(message.gap)
    }
    this.#ears.changed()
  }

  #begin({ items, ends, connection, stats, counts, loaded, unread }: HubState): void {
    this.state.replace(items, ends)
    this.#connect(connection)
    this.stats = stats ?? this.stats
    this.counts = counts ?? this.counts
    this.loaded = loaded || this.loaded
    this.unread = unread
    this.#all = true
    this.#touched([], true)
  }

  #connect(connection: Connection): void {
    this.#connection = connection
    const { history } = connection
    if (history === "" || history === this.#history) return
    const isFirst = this.#history === ""
    this.#history = history
    if (isFirst) return
    this.loaded = false
    this.counts = null
    this.#ears.turned()
  }

  #apply(updates: readonly StreamUpdate[]): void {
    const told = new Set<number>()
    for (const update of updates) {
      const before = this.state.items.get(update.queue_id)
      const hasEnded = before && !isFinished(before.status) && isFinished(update.status)
      if (hasEnded && !update.deleted && !told.has(before.id)) {
        // A later update of the same batch, such as a flag, is not a second end.
        told.add(before.id)
        const how =
          update.status === "completed"
            ? "is completed"
            : update.outcome === "cancelled"
              ? "is cancelled"
              : "has failed"
        this.#ears.ended(`${nameOf(before)} ${how}`)
      }
    }
    const { ids, lists } = this.state.apply(updates)
    this.#touched(ids, lists)
    this.#ears.updates(updates)
  }

  #touched(ids: Iterable<number>, lists: boolean): void {
    for (const id of ids) this.#ids.add(id)
    this.#runningChanged = true
    if (!lists) return
    this.#lists = undefined
    this.#listsChanged = true
  }
}
