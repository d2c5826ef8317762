import { AppError } from "../errors.ts"
import type { Bounds, History, Page } from "../store/history.ts"
import { type Frame, tell, type UpdateFrame, updateFrames } from "../wire/frames.ts"
import type { Broadcaster } from "./broadcaster.ts"
import type { Wanted } from "./selection.ts"
import { eventId, type Watch } from "./watch.ts"

/** An opening with more updates than this is not shared: each stream sends it in pages of its own. */
const MOST_UPDATES = 64
/** Openings remembered at once. */
const MOST_OPENINGS = 256
const RETRY_MS = 2000
/** Different reconnection times, from 0.75 to 1.25 of `RETRY_MS`. */
const RETRY_STEPS = 16

/** Whether the client has seen updates that a restored backup does not have. */
export const isLost = (from: number, { lost }: Bounds): boolean =>
  lost !== null && from > lost.after && from <= lost.upTo

type Greeting = Extract<Frame, { type: "hello" }>

/**
 * The first frame of a stream. Its reconnection time differs, so that clients which lost their streams at the same
 * time come back apart. `random` is from 0 up to 1.
 */
export const greetingOf = (random: number): Greeting => ({
  type: "hello",
  retryMs: Math.round(RETRY_MS * (0.75 + Math.floor(random * RETRY_STEPS) / (2 * RETRY_STEPS))),
})

/** What streams say first if they open in the same way: a greeting, some updates, and `live`. */
export class Opening {
  /** The event ID up to which a stream has examined everything once it has said this. */
  readonly head: number
  /** The updates that are said, ascending. */
  readonly updates: readonly UpdateFrame[]
  readonly #live: Frame
  /** By reconnection time. Kept, because a format encodes each shared list once. */
  readonly #lists = new Map<number, readonly Frame[]>()

  constructor(head: number, updates: readonly UpdateFrame[], live: Frame) {
    this.head = head
    this.updates = updates
    this.#live = live
  }

  /** All frames, in one list for all streams that are given the same reconnection time. */
  shared(greeting: Greeting): readonly Frame[] {
    const known = this.#lists.get(greeting.retryMs)
    if (known) return known
    const list = [greeting, ...this.updates, this.#live]
    this.#lists.set(greeting.retryMs, list)
    return list
  }

  /** The frames for one stream that wants only some of the updates. */
  narrowed(greeting: Greeting, wanted: NonNullable<Wanted>): readonly Frame[] {
    return [greeting, ...this.updates.filter(({ update }) => wanted(update)), this.#live]
  }

  /** The same without its updates. */
  get bare(): Opening {
    return this.updates.length === 0 ? this : new Opening(this.head, [], this.#live)
  }
}

/** Stands for a page that cannot be read: each stream then reads it by itself, and says what is missing. */
const NONE: Page = { updates: [], more: true }

/** Something known already, or being read. */
type Known<T> = T | Promise<T>

/**
 * How streams begin. Each opening is read once for all streams that begin in the same way before the bell rings again,
 * so that a storm of reconnects costs one read.
 */
export class Openings {
  readonly #history: History
  readonly #broadcaster: Broadcaster
  readonly #items = new Map<number, Known<Opening>>()
  /** By the way in which streams open. */
  readonly #ways = new Map<string, Known<Opening | null>>()
  /** How often the bell had rung when these were read. */
  #rings = 0

  constructor(history: History, broadcaster: Broadcaster) {
    this.#history = history
    this.#broadcaster = broadcaster
  }

  /** The last frame of an opening: every update after `head` is new. */
  live(head: number): Frame {
    return tell({ event: "live", last_event_id: head, history: this.#history.historyId })
  }

  /**
   * The state of one item: its latest update, or none if the item does not exist yet.
   * @throws AppError `not_found` for an item that was deleted (rejects)
   */
  item(queueId: number): Known<Opening> {
    return this.#once(this.#items, queueId, () => this.itemNow(queueId))
  }

  /** As `item`, read from the history in any case. */
  async itemNow(queueId: number): Promise<Opening> {
    try {
      const { update, head } = await this.#history.latestOfItem(queueId)
      return new Opening(head, updateFrames([update]), this.live(head))
    } catch (error) {
      const { ids, head } = await this.#history.latest({ of: "changed", after: 0, queueId })
      if (ids.length === 0 && error instanceof AppError && error.code === "not_found") {
        return new Opening(head, [], this.live(head))
      }
      throw error
    }
  }

  /**
   * How a stream opens; at once if that is known, which it is for nearly all streams of a storm. `item` is the state
   * of its item, if it watches one. Null if it has more to say than is shared, or cannot resume where it wants to.
   */
  of({ lastEventId, snapshot, queueId }: Watch, item: Opening | undefined): Known<Opening | null> {
    if (lastEventId !== undefined) {
      const from = eventId(lastEventId)
      if (from === undefined) return null
      return this.#once(this.#ways, `${from} ${queueId}`, () => this.#since(from, queueId))
    }
    if (item) return snapshot ? item : item.bare
    return snapshot
      ? this.#once(this.#ways, "state", () => this.#state())
      : this.#once(this.#ways, "live", () => this.#now())
  }

  #once<Way, T>(known: Map<Way, Known<T>>, way: Way, read: () => Promise<T>): Known<T> {
    this.#forget()
    const found = known.get(way)
    if (found !== undefined) return found
    const reading = read()
    known.set(way, reading)
    const isKept = (): boolean => known.get(way) === reading
    const keep = (opening: T): void => void (isKept() && known.set(way, opening))
    reading.then(keep, () => isKept() && known.delete(way))
    return reading
  }

  #forget(): void {
    const { rings } = this.#broadcaster
    if (this.#rings === rings && this.#items.size + this.#ways.size < MOST_OPENINGS) return
    this.#items.clear()
    this.#ways.clear()
    this.#rings = rings
  }

  async #state(): Promise<Opening | null> {
    const { ids, head } = await this.#history.latest({ of: "open" })
    if (ids.length > MOST_UPDATES) return null
    const { updates } = await this.#history.updates(ids).catch(() => NONE)
    return updates.length < ids.length ? null : new Opening(head, updateFrames(updates), this.live(head))
  }

  async #now(): Promise<Opening> {
    const head = await this.#history.head()
    return new Opening(head, [], this.live(head))
  }

  async #since(from: number, queueId: number | undefined): Promise<Opening | null> {
    const bounds = await this.#history.bounds(queueId)
    const { oldest, newest } = bounds
    if (from < oldest - 1 || from > newest || isLost(from, bounds)) return null
    if (from === newest) return new Opening(newest, [], this.live(newest))
    const page = this.#history.page({ after: from, queueId, limit: MOST_UPDATES })
    const { updates, more } = await page.catch(() => NONE)
    const head = Math.max(newest, updates.at(-1)?.id ?? 0)
    return more ? null : new Opening(head, updateFrames(updates), this.live(head))
  }
}
