import { isRefusal } from "../errors.ts"
import type { Bounds, History, LatestIds, Page } from "../store/contract/history.ts"
import { controlFrame, type Frame, type UpdateFrame, updateFrames } from "../wire/frames.ts"
import type { Broadcaster } from "./broadcaster.ts"
import { isKept } from "./gaps.ts"
import type { Wanted } from "./selection.ts"
import { type Greeting, SharedLists } from "./shared-lists.ts"
import { type Knowable, SharedReads } from "./shared-reads.ts"
import { eventId, type StreamRequest } from "./stream-request.ts"

/** An opening with more updates than this is not shared as a whole. Each stream then sends it in pages. */
const MOST_UPDATES = 64
/** The most openings of each sort that are remembered. */
const MOST_OPENINGS = 1024
const RETRY_MS = 2000
/** Different reconnection times, from 0.75 to 1.25 of `RETRY_MS`. */
const RETRY_STEPS = 16

/**
 * The first frame of a stream. Its reconnection time differs, so that clients which lost their streams at the
 * same time come back at different times. `random` is from 0 up to 1.
 */
export const greetingOf = (random: number): Greeting => ({
  type: "hello",
  retryMs: Math.round(RETRY_MS * (0.75 + Math.floor(random * RETRY_STEPS) / (2 * RETRY_STEPS))),
})

/**
 * What streams that open in the same way send first: a greeting, some updates, and `live`. Without `live`,
 * the broadcaster has the following updates in memory, and they are sent next.
 */
export class Opening {
  /** The event ID up to which a stream has examined everything once it has said this. */
  readonly head: number
  /** The updates that are sent, ascending. */
  readonly updates: readonly UpdateFrame[]
  readonly #live: readonly Frame[]

  constructor(head: number, updates: readonly UpdateFrame[], live?: Frame) {
    this.head = head
    this.updates = updates
    this.#live = live ? [live] : []
  }

  /** Whether everything up to `head` is all that there is to say before what is new. */
  get isWhole(): boolean {
    return this.#live.length > 0
  }

  /** The frames without a greeting, of the updates that are wanted; `pause` stands before `live`. */
  frames(wanted: Wanted, pause: readonly Frame[]): readonly Frame[] {
    const live = this.isWhole ? [...pause, ...this.#live] : []
    return [...this.updates.filter(({ update }) => wanted?.(update) ?? true), ...live]
  }

  /** The opening without its updates. */
  get bare(): Opening {
    return this.updates.length === 0 ? this : new Opening(this.head, [], ...this.#live)
  }
}

/** Stands for a page that cannot be read. Each stream then reads it by itself, and says what is missing. */
const NONE: Page = { updates: [], more: true }

/**
 * How streams begin. The needed reads are made once for all streams that begin in the same way, so that many
 * reconnects cost few reads. A stream that resumes within the broadcaster's tail needs no read.
 */
export class Openings {
  /** What openings send, shared by all streams that begin in the same way and want the same. */
  readonly lists = new SharedLists()
  readonly #history: History
  readonly #broadcaster: Broadcaster
  readonly #items: SharedReads<number, Opening>
  /** Openings by the way in which streams open; null for those that each stream reads by itself. */
  readonly #ways: SharedReads<string, Opening | null>
  readonly #bounds: SharedReads<number | undefined, Bounds>
  readonly #open: SharedReads<undefined, LatestIds>

  constructor(history: History, broadcaster: Broadcaster) {
    this.#history = history
    this.#broadcaster = broadcaster
    this.#items = new SharedReads(broadcaster, MOST_OPENINGS)
    this.#ways = new SharedReads(broadcaster, MOST_OPENINGS)
    this.#bounds = new SharedReads(broadcaster, MOST_OPENINGS)
    this.#open = new SharedReads(broadcaster, 1)
  }

  /** The last frame of an opening: every update after `head` is new. */
  live(head: number): Frame {
    return controlFrame({ event: "live", last_event_id: head, history: this.#history.historyId })
  }

  /**
   * The state of one item: its latest update, or none if the item does not exist yet.
   * @throws AppError `not_found` for an item that was deleted (rejects)
   */
  item(queueId: number): Knowable<Opening> {
    const renewed = (known: Opening | undefined): Opening | undefined =>
      known && this.#isUntouched(queueId, known.head) ? this.#movedOn(known) : undefined
    return this.#items.of(queueId, () => this.itemNow(queueId), renewed)
  }

  /** Whether no update of an item lies between an event ID and what the broadcaster has read. */
  #isUntouched(queueId: number, head: number): boolean {
    return this.#broadcaster.covers(head) && this.#broadcaster.tail.after(head, queueId, 0) !== null
  }

  /** The opening of an item, moved on to what the broadcaster has read. */
  #movedOn(opening: Opening): Opening {
    const { head } = this.#broadcaster
    return opening.head === head ? opening : new Opening(head, opening.updates, this.live(head))
  }

  /** Like `item`, but always read from the history. */
  async itemNow(queueId: number): Promise<Opening> {
    try {
      const { update, head } = await this.#history.latestOfItem(queueId)
      return new Opening(head, updateFrames([update]), this.live(head))
    } catch (error) {
      if (!isRefusal(error, "not_found")) throw error
      const { ids, head } = await this.#history.latest({ of: "changed", after: 0, queueId })
      if (ids.length > 0) throw error
      return new Opening(head, [], this.live(head))
    }
  }

  /**
   * How a stream opens; at once if that is known, as for nearly all streams of a storm. `item` is the state
   * of its item, if it watches one. Null if the stream has more to say than is shared, or cannot resume at
   * its last event ID.
   */
  of({ lastEventId, snapshot, queueId }: StreamRequest, item: Opening | undefined): Knowable<Opening | null> {
    if (lastEventId !== undefined) {
      const from = eventId(lastEventId)
      if (from === undefined) return null
      return this.#ways.of(
        `${from} ${queueId}`,
        () => this.#since(from, queueId),
        (known) => this.#fromTail(from, queueId, known ?? undefined),
      )
    }
    if (item) return snapshot ? item : item.bare
    return snapshot
      ? this.state()
      : this.#ways.of(
          "live",
          () => this.#now(),
          () => this.#nowKnown(),
        )
  }

  /** The latest update of every open item; null if there are more than are shared. */
  state(): Knowable<Opening | null> {
    return this.#ways.of(
      "state",
      () => this.#state(),
      (known) => this.#unmoved(known ?? undefined),
    )
  }

  /** The latest updates of all open items. */
  latestOpen(): Knowable<LatestIds> {
    return this.#open.of(
      undefined,
      () => this.#history.latest({ of: "open" }),
      () => undefined,
    )
  }

  /** Which part of the history is kept, read again if a client has seen more than that. */
  async bounds(seen: number, queueId: number | undefined): Promise<Bounds> {
    const bounds = await this.#bounds.of(
      queueId,
      () => this.#history.bounds(queueId),
      () => undefined,
    )
    // Another instance may have sent updates to the client whose ring has not arrived here yet.
    return seen > bounds.newest ? this.#history.bounds(queueId) : bounds
  }

  /** Everything since an event ID, without a read: from the tail, or from where a known opening ends. */
  #fromTail(from: number, queueId: number | undefined, known: Opening | undefined): Opening | undefined {
    const { tail, head } = this.#broadcaster
    const covered = (opening: Opening): boolean => this.#broadcaster.covers(opening.head)
    const base = [new Opening(from, []), known].find((one) => one !== undefined && covered(one))
    if (!base) return undefined
    const rest = tail.after(base.head, queueId, MOST_UPDATES - base.updates.length)
    return rest
      ? new Opening(head, [...base.updates, ...rest], this.live(head))
      : new Opening(base.head, base.updates)
  }

  #unmoved(known: Opening | undefined): Opening | undefined {
    const { head } = this.#broadcaster
    return known && known.head === head && this.#broadcaster.covers(head) ? known : undefined
  }

  #nowKnown(): Opening | undefined {
    const { head } = this.#broadcaster
    return this.#broadcaster.covers(head) ? new Opening(head, [], this.live(head)) : undefined
  }

  async #state(): Promise<Opening | null> {
    const { ids, head } = await this.latestOpen()
    if (ids.length > MOST_UPDATES) return null
    const { updates } = await this.#history.updates(ids).catch(() => NONE)
    return updates.length < ids.length ? null : new Opening(head, updateFrames(updates), this.live(head))
  }

  async #now(): Promise<Opening> {
    const head = await this.#history.head()
    return new Opening(head, [], this.live(head))
  }

  async #since(from: number, queueId: number | undefined): Promise<Opening | null> {
    const bounds = await this.bounds(from, queueId)
    if (!isKept(from, bounds)) return null
    const { newest } = bounds
    if (from === newest) return new Opening(newest, [], this.live(newest))
    const page = this.#history.page({ after: from, queueId, limit: MOST_UPDATES })
    const { updates, more } = await page.catch(() => NONE)
    const head = Math.max(newest, updates.at(-1)?.id ?? 0)
    return more ? null : new Opening(head, updateFrames(updates), this.live(head))
  }
}
