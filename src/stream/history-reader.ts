import { isRefusal } from "../errors.ts"
import type { StoredUpdate } from "../item/stored.ts"
import { controlFrame, type Frame, type Gap, type UpdateFrame } from "../wire/frames.ts"
import { gapAtStart, isFar, isKept } from "./gaps.ts"
import { lastSeen } from "./item-end.ts"
import { greetingOf, type Opening } from "./opening.ts"
import { NO_PAUSE, type PauseFrames } from "./queue-pause.ts"
import type { Seat } from "./seat.ts"
import type { Wanted } from "./selection.ts"
import type { SharedByViewers } from "./shared-by-viewers.ts"
import type { FramePage } from "./shared-pages.ts"
import type { Knowable } from "./shared-reads.ts"
import { eventId, type StreamRequest } from "./stream-request.ts"
import { thinned, thinnedPages } from "./thinning.ts"
import { type Hole, salvage } from "./unreadable-updates.ts"

/**
 * All other work waits while a page is read: 0.7 ms for this many rows. Four times as many rows take 3.2 ms,
 * which is a quarter more per row.
 */
const PAGE_UPDATES = 256
/** How many updates are read one by one if a page cannot be read. */
const SALVAGED_UPDATES = 256
/** How long to wait before a failed read is repeated. */
const RETRY_MS = 1000
const SNAPSHOT_UPDATES = 256

/** A stream's seat, as far as reading the history moves it. */
export interface ReadingSeat extends Seat {
  /** The request of the viewer. */
  readonly request: StreamRequest
  /** Whether nothing more is wanted, because the stream has ended or the client has gone away. */
  readonly isOver: boolean
  /** Which updates are wanted now; undefined for all. */
  readonly wanted: Wanted
  /** The last update that was examined, if the stream ends with its item. */
  last: StoredUpdate | undefined
  /**
   * The event ID up to which the stream must send everything before it sends `live`; undefined after that.
   */
  liveAt: number | undefined
  /** What the stream has last said about whether the queue is paused. */
  pause: PauseFrames
}

/** A piece of the history as it was read. `more` says that it was cut. */
interface HistoryPart {
  readonly found: readonly (UpdateFrame | Hole)[]
  readonly more: boolean
}

/** Frames to send, one list after the other. The seat has moved when a list is yielded. */
export type Passage = AsyncGenerator<readonly Frame[], void, undefined>

/**
 * Reads for one stream what the broadcaster does not have in memory: openings, replays, and updates that a
 * slow stream missed. It is made when it is needed and dropped after its last list, so that an open stream
 * does not keep it.
 */
export class HistoryReader {
  readonly #seat: ReadingSeat
  readonly #shared: SharedByViewers

  constructor(seat: ReadingSeat, shared: SharedByViewers) {
    this.#seat = seat
    this.#shared = shared
  }

  /** The greeting, a replay or the current state, and `live`. `item` is the state of the watched item, if one is. */
  async *opening(item: Opening | undefined): Passage {
    const { request } = this.#seat
    const { openings, random } = this.#shared
    const opening = await this.#patiently(() => openings.of(request, item))
    if (opening) {
      yield openWith(opening, this.#seat, this.#shared)
      return
    }
    const greeting = greetingOf(random())
    const from = eventId(request.lastEventId)
    const bounds = await this.#patiently(() => openings.bounds(from ?? 0, this.#seat.queueId))
    if (from !== undefined && isKept(from, bounds)) {
      this.#seat.cursor = from
      yield [greeting]
      yield* this.#replay(bounds.newest)
      return
    }
    const gap =
      request.lastEventId === undefined
        ? []
        : [this.#gap(gapAtStart(request.lastEventId, bounds, isOfAll(this.#seat)))]
    yield* this.#state(item, [greeting, ...gap])
  }

  /** Sends a gap because the updates after an event ID are gone, then the current state and `live`. */
  async *rolledBack(from: number): Passage {
    const { queueId } = this.#seat
    const { openings } = this.#shared
    const item = queueId === undefined ? undefined : await this.#patiently(() => openings.itemNow(queueId))
    const gap = { event: "gap", reason: "rolled_back", last_event_id: from, missed: null } as const
    yield* this.#state(item, [this.#gap(gap)])
  }

  /** Some frames, the current state, and `live`. `item` is the state of the watched item, if one is. */
  async *#state(item: Opening | undefined, before: readonly Frame[]): Passage {
    const { openings } = this.#shared
    const opening = item ?? (await this.#patiently(() => openings.state()))
    if (opening) {
      examine(opening, this.#seat, this.#shared)
      yield [...before, ...opening.frames(this.#seat.wanted, pauseFor(this.#seat, this.#shared))]
      return
    }
    const { ids, head } = await this.#patiently(() => openings.latestOpen())
    yield* this.#latest(ids, before, () => liveAfter(head, this.#seat, this.#shared))
    this.#seat.cursor = head
  }

  /**
   * An answer to the viewer, a page of the history, or, if the stream is too far behind, a gap and the latest state.
   */
  async *behind(): Passage {
    const { history, broadcaster } = this.#shared
    const { request, cursor, queueId } = this.#seat
    if (request.selection?.isAsked) {
      const answer = await request.selection.answer(history, cursor)
      if (request.selection.isWider(queueId)) broadcaster.widen(this.#seat)
      yield answer
    } else if (await this.#isTooFar()) {
      yield* this.#skip()
    } else {
      const { head } = broadcaster
      const isDone = (): boolean => this.#seat.cursor >= head || !this.#isWatched
      const next = (): Promise<readonly Frame[]> => this.#older(head)
      yield await (this.#seat.beat ? thinnedPages(next, isDone) : next())
    }
  }

  /** Every update after the cursor up to `newest`, perhaps some more, and `live`. */
  async *#replay(newest: number): Passage {
    for (;;) {
      const frames = await this.#older(newest)
      const { cursor } = this.#seat
      if (cursor >= newest) {
        yield [...frames, ...liveAfter(cursor, this.#seat, this.#shared)]
        return
      }
      yield frames
    }
  }

  /** Some frames, the updates with these event IDs, and other frames. */
  async *#latest(
    ids: readonly number[],
    before: readonly Frame[],
    after: () => readonly Frame[] = () => [],
  ): Passage {
    // Pages are lists of their own, which all streams that send the same snapshot share.
    yield before
    for (let from = 0; from < ids.length;) {
      const piece = await this.#inTurn(ids, from)
      if (!piece) return
      const { found, more } = piece
      const last = found.at(-1)
      from = more && last?.type === "update" ? ids.indexOf(last.update.id) + 1 : from + SNAPSHOT_UPDATES
      yield this.#examined(found)
    }
    yield after()
  }

  /** A page of the updates with these event IDs, from an index on; undefined if the stream is no longer read. */
  async #inTurn(ids: readonly number[], from: number): Promise<HistoryPart | undefined> {
    const { turns, snapshots } = this.#shared
    const piece = await turns.stint(this.#seat.owner, async () => {
      if (!this.#isWatched) return undefined
      await turns.page()
      return this.#byId(ids, from)
    })
    // A server at rest keeps no pages.
    if (turns.isIdle) snapshots.clear()
    return piece
  }

  async #byId(ids: readonly number[], from: number): Promise<HistoryPart> {
    const { history, snapshots, onError } = this.#shared
    const asked = ids.slice(from, from + SNAPSHOT_UPDATES)
    try {
      const { frames, more } = await snapshots.of(ids, from, () =>
        this.#patiently(() => history.updates(asked)),
      )
      return { found: frames, more }
    } catch (error) {
      onError(error)
      return { found: await this.#salvage(asked), more: false }
    }
  }

  #salvage(ids: readonly number[]): Promise<readonly (UpdateFrame | Hole)[]> {
    const { history } = this.#shared
    return salvage((some) => this.#patiently(() => history.updates(some)), ids)
  }

  /** Repeats a read while the database is unavailable: data that it cannot give now is not damaged. */
  async #patiently<T>(read: () => Knowable<T>): Promise<T> {
    for (;;) {
      try {
        return await read()
      } catch (error) {
        if (!isAway(error) || !this.#isWatched) throw error
        this.#shared.onError(error)
        await retryPause()
      }
    }
  }

  /**
   * The wanted updates of the next pages after the cursor: of the first page that has any, or none if no page
   * up to `head` has. Moves the cursor past what was read, at least to `head` if nothing is left.
   */
  async #older(head: number): Promise<readonly Frame[]> {
    const { turns, pages } = this.#shared
    let wanted: readonly Frame[] = []
    do {
      // A stint of its own for each page lets the other streams read in between.
      wanted = await turns.stint(this.#seat.owner, async () => {
        // A stream may have been left while it waited for its turn, and many may be left at once.
        if (!this.#isWatched) return []
        await turns.page()
        return this.#page(head)
      })
    } while (wanted.length === 0 && this.#seat.cursor < head && this.#isWatched)
    // A server at rest keeps no pages.
    if (turns.isIdle) pages.clear()
    return wanted
  }

  async #page(head: number): Promise<readonly Frame[]> {
    const { cursor: after, queueId } = this.#seat
    const { history, pages, onError } = this.#shared
    const read = (): Promise<FramePage> =>
      pages.of({ after, queueId }, () =>
        this.#patiently(() => history.page({ after, queueId, limit: PAGE_UPDATES })),
      )
    try {
      const { frames, more } = await read().catch(async (error: unknown) => {
        if (isAway(error)) throw error
        onError(error)
        await retryPause()
        return read()
      })
      const last = frames.at(-1)?.update.id ?? 0
      this.#seat.cursor = more ? last : Math.max(last, head, after)
      return this.#examined(frames)
    } catch (error) {
      if (isAway(error)) throw error
      const upTo = Math.min(after + SALVAGED_UPDATES, Math.max(head, after + 1))
      const ids = Array.from({ length: upTo - after }, (_, i) => after + 1 + i)
      const found = await this.#salvage(ids)
      this.#seat.cursor = upTo
      return this.#examined(
        found.filter(
          (one) => one.type === "hole" || one.update.queue_id === (queueId ?? one.update.queue_id),
        ),
      )
    }
  }

  /** The wanted updates of what was read. A hole is always reported, because its content is unknown. */
  #examined(found: readonly (UpdateFrame | Hole)[]): readonly Frame[] {
    const { wanted, queueId, beat, request } = this.#seat
    const isEverything = !wanted && queueId === undefined
    if (!wanted && !beat && isWhole(found)) {
      this.#seat.last = lastSeen(request, found, this.#seat.last)
      return found
    }
    const frames = found.flatMap((one): readonly Frame[] => {
      if (one.type === "hole") {
        this.#shared.onUnreadable()
        return [
          this.#gap({
            event: "gap",
            reason: "unreadable",
            last_event_id: one.after,
            missed: isEverything ? one.count : null,
          }),
        ]
      }
      this.#seat.last = lastSeen(request, [one])
      return wanted?.(one.update) === false ? [] : [one]
    })
    return beat ? thinned(frames) : frames
  }

  #gap(gap: Gap): Frame {
    this.#shared.metrics.gaps.of(gap.reason).add()
    return controlFrame(gap)
  }

  /** Whether the stream is still read, and the server goes on. */
  get #isWatched(): boolean {
    return !this.#shared.broadcaster.draining && !this.#seat.isOver
  }

  /**
   * Whether more updates concern this stream than it may lag behind: for an item's stream only the updates of
   * that item.
   */
  async #isTooFar(): Promise<boolean> {
    const { history, broadcaster, maxLag } = this.#shared
    const { cursor, queueId } = this.#seat
    if (this.#seat.liveAt !== undefined || !isFar(broadcaster.head - cursor, maxLag)) return false
    return (await this.#patiently(() => history.count(cursor, broadcaster.head, queueId))) > maxLag
  }

  /**
   * Says how many updates are left out, and then sends the latest update of each item that changed in the
   * meantime.
   */
  async *#skip(): Passage {
    const { history } = this.#shared
    const { cursor, queueId, wanted } = this.#seat
    const { ids, head } = await this.#patiently(() =>
      history.latest({ of: "changed", after: cursor, queueId }),
    )
    const between = await this.#patiently(() => history.count(cursor, head, queueId))
    const missed = wanted ? null : between - ids.length
    yield* this.#latest(ids, [this.#gap({ event: "gap", reason: "slow", last_event_id: cursor, missed })])
    this.#seat.cursor = head
  }
}

/** Whether everything could be read. */
const isWhole = (found: readonly (UpdateFrame | Hole)[]): found is readonly UpdateFrame[] =>
  found.every(({ type }) => type === "update")

/** Whether a stream sends the updates of all items. */
const isOfAll = ({ queueId, wanted }: ReadingSeat): boolean => queueId === undefined && wanted === undefined

/** Whether the database is only unavailable for now. */
const isAway = (error: unknown): boolean => isRefusal(error, "unavailable")

const retryPause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, RETRY_MS))

/** Moves a stream's seat to where it is once the stream has said an opening. */
function examine(
  opening: Opening,
  seat: ReadingSeat,
  { broadcaster }: Pick<SharedByViewers, "broadcaster">,
): void {
  seat.cursor = opening.head
  if (!opening.isWhole) seat.liveAt = broadcaster.head
  seat.last = lastSeen(seat.request, opening.updates, seat.last)
}

/**
 * What a stream says about the queue before `live`. On a stream of all items this is whether the queue is
 * paused, if it is paused or if the stream has said otherwise before.
 */
function pauseFor(
  seat: ReadingSeat,
  { broadcaster }: Pick<SharedByViewers, "broadcaster">,
): readonly Frame[] {
  if (seat.kind !== "global") return NO_PAUSE.opening
  const before = seat.pause
  seat.pause = broadcaster.pause
  return before === seat.pause ? seat.pause.opening : seat.pause.change
}

/** What a stream says when it has said everything up to an event ID. */
export const liveAfter = (
  head: number,
  seat: ReadingSeat,
  shared: Pick<SharedByViewers, "broadcaster" | "openings">,
): readonly Frame[] => [...pauseFor(seat, shared), shared.openings.live(head)]

/** A greeting and the frames of an opening for one stream, which has then examined everything up to its head. */
export function openWith(opening: Opening, seat: ReadingSeat, shared: SharedByViewers): readonly Frame[] {
  examine(opening, seat, shared)
  const { wanted, beat, request } = seat
  const greeting = greetingOf(shared.random())
  const pause = opening.isWhole ? pauseFor(seat, shared) : NO_PAUSE.opening
  if (beat) return thinned([greeting, ...opening.frames(wanted, pause)])
  if (request.selection) return [greeting, ...opening.frames(wanted, pause)]
  return shared.openings.lists.of(opening, greeting, wanted, pause)
}
