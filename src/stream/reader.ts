import type { Status } from "../item/item.ts"
import type { History } from "../store/history.ts"
import { type Frame, type Gap, tell, type UpdateFrame, updateFrames } from "../wire/frames.ts"
import type { Broadcaster } from "./broadcaster.ts"
import { greetingOf, type Opening, type Openings } from "./opening.ts"
import type { Seat } from "./seat.ts"
import type { Wanted } from "./selection.ts"
import { eventId, type Watch } from "./watch.ts"

const PAGE_UPDATES = 1024
const SNAPSHOT_UPDATES = 256

/** What all viewers of a server share. */
export interface Shared {
  /** What streams read. */
  readonly history: History
  /** What wakes streams, and has the newest updates at hand. */
  readonly broadcaster: Broadcaster
  /** What streams begin with. */
  readonly openings: Openings
  /** A stream that falls more updates behind than this gets a gap and the latest state; 0 for never. */
  readonly maxLag: number
  /** From 0 up to 1; spreads reconnects. */
  readonly random: () => number
  /** Called with each error of reading the history or writing to a client; the stream then ends. */
  readonly onError: (error: unknown) => void
  /** Resolves when it is the caller's turn to read a page: one page per turn of the event loop, for all streams. */
  readonly turn: () => Promise<void>
}

/** A stream's place in the history, as far as reading moves it. */
export interface Place extends Seat {
  /** What the viewer asked for. */
  readonly watch: Watch
  /** Which updates are wanted now; undefined for all. */
  readonly wanted: Wanted
  /** The status in the last update that was examined. */
  status: Status | undefined
}

/** Frames to send, list by list; the place has moved when a list is given. */
export type Passage = AsyncGenerator<readonly Frame[], void, undefined>

/**
 * Reads for one stream what its broadcaster does not have at hand: openings, replays, and what a slow stream missed.
 * Made when it is needed and dropped after its last list, so that an open stream does not keep it.
 */
export class Reader {
  readonly #place: Place
  readonly #shared: Shared

  constructor(place: Place, shared: Shared) {
    this.#place = place
    this.#shared = shared
  }

  /** The greeting, a replay or the current state, and `live`. `item` is the state of the watched item, if one is. */
  async *opening(item: Opening | undefined): Passage {
    const { watch } = this.#place
    const { history, openings, random } = this.#shared
    const opening = await openings.of(watch, item)
    if (opening) {
      yield openWith(opening, this.#place, random())
      return
    }
    const greeting = greetingOf(random())
    const bounds = await history.bounds(this.#place.queueId)
    const from = eventId(watch.lastEventId)
    if (from !== undefined && from >= bounds.oldest - 1 && from <= bounds.newest) {
      this.#place.cursor = from
      yield [greeting]
      yield* this.#replay(bounds.newest)
      return
    }
    const gap = watch.lastEventId === undefined ? [] : [missedStart(watch.lastEventId, bounds, this.#place)]
    const { ids, head } = item
      ? { ids: item.updates.map(({ update }) => update.id), head: item.head }
      : await history.latest({ of: "open" })
    yield* this.#latest(ids, [greeting, ...gap], [openings.live(head)])
    this.#place.cursor = head
  }

  /** An answer to the viewer, a page of the history, or, if the stream is too far behind, a gap and the latest state. */
  async *behind(): Passage {
    const { history, broadcaster } = this.#shared
    const { watch, cursor, queueId } = this.#place
    if (watch.selection?.isAsked) {
      const answer = await watch.selection.answer(history, cursor)
      if (watch.selection.isWider(queueId)) broadcaster.widen(this.#place)
      yield answer
    } else if (await this.#isTooFar()) {
      yield* this.#skip()
    } else {
      yield await this.#older(broadcaster.head)
    }
  }

  /** Every update after the cursor up to `newest`, perhaps some more, and `live`. */
  async *#replay(newest: number): Passage {
    // A replay can take longer than a drain may; the client resumes it at its last event ID.
    while (!this.#shared.broadcaster.draining) {
      const updates = await this.#older(newest)
      const { cursor } = this.#place
      if (cursor >= newest) {
        yield [...updates, this.#shared.openings.live(cursor)]
        return
      }
      yield updates
    }
  }

  /** The updates with these event IDs, with frames before and after them. */
  async *#latest(ids: readonly number[], before: readonly Frame[], after: readonly Frame[]): Passage {
    const { history, broadcaster, turn } = this.#shared
    let [first, rest] = [before, ids]
    do {
      const asked = rest.slice(0, SNAPSHOT_UPDATES)
      const page = await history.updates(asked)
      const last = page.updates.at(-1)?.id ?? 0
      rest = page.more ? rest.filter((id) => id > last) : rest.slice(asked.length)
      yield [...first, ...this.#examined(updateFrames(page.updates)), ...(rest.length > 0 ? [] : after)]
      first = []
      if (rest.length > 0) await turn()
    } while (rest.length > 0 && !broadcaster.draining)
  }

  /** The next page after the cursor; moves the cursor, at least to `head` if nothing is left. */
  async #older(head: number): Promise<readonly UpdateFrame[]> {
    await this.#shared.turn()
    const { cursor: after, queueId } = this.#place
    const page = await this.#shared.history.page({ after, queueId, limit: PAGE_UPDATES })
    const last = page.updates.at(-1)?.id ?? 0
    this.#place.cursor = page.more ? last : Math.max(last, head, after)
    return this.#examined(updateFrames(page.updates))
  }

  #examined(frames: readonly UpdateFrame[]): readonly UpdateFrame[] {
    const { wanted } = this.#place
    this.#place.status = frames.at(-1)?.update.status ?? this.#place.status
    return wanted ? frames.filter(({ update }) => wanted(update)) : frames
  }

  /** Whether more updates than a stream may lag behind concern this stream: for an item's stream its own alone. */
  async #isTooFar(): Promise<boolean> {
    const { history, broadcaster, maxLag } = this.#shared
    const { cursor, queueId } = this.#place
    if (!isFar(broadcaster.head - cursor, maxLag)) return false
    return (await history.count(cursor, broadcaster.head, queueId)) > maxLag
  }

  /** Says how much is left out, and then the latest update of each item that changed meanwhile. */
  async *#skip(): Passage {
    const { history } = this.#shared
    const { cursor, queueId, wanted } = this.#place
    const { ids, head } = await history.latest({ of: "changed", after: cursor, queueId })
    const between = await history.count(cursor, head, queueId)
    const missed = wanted ? null : between - ids.length
    yield* this.#latest(ids, [tell({ event: "gap", reason: "slow", last_event_id: cursor, missed })], [])
    this.#place.cursor = head
  }
}

/** Whether a stream that is `behind` updates behind may be too far behind. */
export const isFar = (behind: number, maxLag: number): boolean => maxLag > 0 && behind > maxLag

/** The frames of an opening for one stream, which has then examined everything up to its head. */
export function openWith(opening: Opening, place: Place, random: number): readonly Frame[] {
  const { wanted } = place
  place.cursor = opening.head
  place.status = opening.updates.at(-1)?.update.status ?? place.status
  const greeting = greetingOf(random)
  return wanted ? opening.narrowed(greeting, wanted) : opening.shared(greeting)
}

/** Why a stream cannot resume at the event ID that its client gave. */
function missedStart(given: string, bounds: { oldest: number; newest: number }, place: Place): Frame {
  const from = eventId(given)
  const isExpired = from !== undefined && from <= bounds.newest
  const isEverything = place.queueId === undefined && place.wanted === undefined
  const gap: Gap = {
    event: "gap",
    reason: isExpired ? "expired" : "unknown",
    last_event_id: from ?? given.slice(0, 64),
    missed: isExpired && isEverything ? bounds.oldest - 1 - from : null,
  }
  return tell(gap)
}
