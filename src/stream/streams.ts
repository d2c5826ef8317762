import { AppError } from "../errors.ts"
import type { StoredUpdate } from "../item/item.ts"
import { isFinished } from "../item/moves.ts"
import type { Bounds, History } from "../store/history.ts"
import { type Control, type Frame, tell } from "../wire/frames.ts"
import type { Broadcaster } from "./broadcaster.ts"
import { type Format, frames, joined, sse } from "./formats.ts"
import { Openings, type Shared } from "./opening.ts"
import { Seat, type SeatKind } from "./seat.ts"
import { type Advance, type Chunks, type Next, Viewer, type Watch } from "./viewer.ts"

const PAGE_UPDATES = 1024
const SNAPSHOT_UPDATES = 256
const KEEPALIVE: Frame = { type: "keepalive" }
const DRAIN_RETRY_MS = 500
const DRAIN_RETRY_SPREAD_MS = 1500

/** How streams behave. */
export interface StreamOptions {
  /** A stream that falls more updates behind than this gets a gap and the latest state; 0 never. */
  readonly maxLag: number
  /** Told of a history that cannot be read; the stream then ends, and its client resumes. */
  readonly report: (error: unknown) => void
  /** From 0 up to 1; spreads reconnects. */
  readonly random: () => number
}

/**
 * The open streams of this server. A stream is a cursor over the history: it sends a snapshot or a replay, then
 * `live`, then whatever is new, and keeps no queue of its own, so a slow reader costs what a fast one does.
 */
export class Streams {
  readonly #store: History
  readonly #broadcaster: Broadcaster
  readonly #options: StreamOptions
  readonly #openings: Openings
  #line: Promise<void> = Promise.resolve()

  /** Writes what is at hand, where there is a sink, until something else is to be done. */
  readonly #advance: Advance = (viewer) => {
    for (;;) {
      const next = this.#next(viewer)
      if (typeof next === "string") return next
      viewer.saidMs = performance.now()
      if (!viewer.sink) return next
      // A tenth less a chunk than through another `yield`.
      const written = viewer.sink.write(next)
      if (written instanceof Promise) return written
    }
  }

  constructor(store: History, broadcaster: Broadcaster, options: StreamOptions) {
    this.#store = store
    this.#broadcaster = broadcaster
    this.#options = options
    this.#openings = new Openings(store, broadcaster, options.random)
  }

  /**
   * Opens a stream of encoded frames, or null where nothing can ever follow: `untilFinished`, and the client has
   * seen the last update of the finished item.
   * @throws AppError `not_found` for an unknown item, `unavailable` while the server drains
   */
  open(watch: Watch): Chunks | null | Promise<Chunks | null> {
    return this.#open(watch, watch.queueId === undefined ? "global" : "item")
  }

  /**
   * Resolves when the item is terminal, the signal aborts, or the server drains.
   * @throws AppError `not_found`, `unavailable`
   */
  async finished(queueId: number, signal: AbortSignal): Promise<void> {
    const watch = { queueId, snapshot: false, untilFinished: true, format: sse, signal }
    for await (const _ of (await this.#open(watch, "held")) ?? []);
  }

  /**
   * Yields at once, and again after each change of the item, until the signal aborts or the server drains. A change
   * that happens while the caller is busy is not missed.
   */
  async *changes(queueId: number, signal: AbortSignal): AsyncGenerator<void, void, undefined> {
    const broadcaster = this.#broadcaster
    const seat = new Seat("held", queueId)
    await broadcaster.join(seat, signal)
    try {
      while (!signal.aborted && !broadcaster.draining) {
        seat.cursor = broadcaster.head
        yield
        // Several batches may have gone by since: examining them would tell no more than that.
        while (seat.cursor >= broadcaster.head && !signal.aborted && !broadcaster.draining) {
          if ((await seat.wait()) === "batch") break
        }
      }
    } finally {
      broadcaster.leave(seat)
    }
  }

  /** How many streams are open, and which part of the history is kept. */
  async stats(): Promise<{ open: { global: number; item: number }; bounds: Bounds }> {
    return { open: this.#broadcaster.streams, bounds: await this.#store.bounds() }
  }

  #open(watch: Watch, kind: SeatKind): Chunks | null | Promise<Chunks | null> {
    if (this.#broadcaster.draining) throw new AppError("unavailable", "the server is shutting down")
    return watch.queueId === undefined
      ? this.#joined(new Viewer(this.#advance, kind, watch, undefined))
      : this.#openItem(watch, watch.queueId, kind)
  }

  async #openItem(watch: Watch, queueId: number, kind: SeatKind): Promise<Chunks | null> {
    const seen = eventId(watch.lastEventId) ?? 0
    let item = await this.#store.latestOfItem(queueId)
    // The client can be ahead of what was read, and must not wait for the end that it has seen.
    if (item && seen > item.head) item = await this.#store.latestOfItem(queueId)
    if (watch.untilFinished && item && isFinished(item.update.status)) {
      if (seen >= item.update.id && seen <= item.head) return null
    }
    return this.#joined(new Viewer(this.#advance, kind, watch, item))
  }

  #joined(viewer: Viewer): Chunks | Promise<Chunks> {
    const { selection, signal } = viewer.watch
    selection?.attach(() => viewer.wake("asked", this.#broadcaster.examined))
    return this.#broadcaster.join(viewer, signal)?.then(() => this.#run(viewer)) ?? this.#run(viewer)
  }

  /** The whole life of a stream. What it decides lies elsewhere: each name in here would be kept for each stream. */
  async *#run(viewer: Viewer): Chunks {
    try {
      const shared = this.#ready(viewer) ?? (await this.#shared(viewer))
      // Delegating keeps the other generator for as long as this one lives.
      if (shared) viewer.sink = yield shared
      else yield* this.#opening(viewer)
      for (let next = this.#advance(viewer); next !== "over"; next = this.#advance(viewer)) {
        if (next === "behind") yield* this.#catchUp(viewer)
        else if (next instanceof Promise) await next
        else if (next !== "wait") viewer.sink = yield next
        else if ((await viewer.wait()) === "keepalive") yield frames(viewer.watch.format, KEEPALIVE)
        else await viewer.blocked
      }
    } catch (error) {
      this.#options.report(error)
    } finally {
      this.#broadcaster.leave(viewer)
    }
  }

  #next(viewer: Viewer): Exclude<Next, Promise<unknown>> {
    const { watch, isOver } = viewer
    const { head, draining } = this.#broadcaster
    if (isOver || watch.signal.aborted) return "over"
    if (draining) {
      viewer.isOver = true
      return this.#goodbye(watch.format)
    }
    if (watch.selection?.isAsked) return "behind"
    if (viewer.cursor >= head) {
      const end = viewer.ending
      viewer.isOver = end !== undefined
      return end ?? "wait"
    }
    if (this.#mayBeTooFar(viewer)) return "behind"
    const taken = this.#broadcaster.take(viewer, watch.format, viewer.wanted)
    if (!taken) return "behind"
    if (taken.last) viewer.status = taken.last.status
    return taken.chunk ?? this.#next(viewer)
  }

  /** An answer, a page of the history, or, for a stream that is too far behind, a gap and the latest state. */
  async *#catchUp(viewer: Viewer): Chunks {
    const { selection } = viewer.watch
    if (selection?.isAsked) {
      const answer = await selection.answer(this.#store, viewer.cursor)
      if (selection.isWider(viewer.queueId)) this.#broadcaster.widen(viewer)
      yield frames(viewer.watch.format, ...answer)
      return
    }
    if (this.#mayBeTooFar(viewer) && (await this.#isTooFar(viewer))) {
      yield* this.#skip(viewer)
      return
    }
    const chunk = joined(viewer.watch.format, await this.#older(viewer, this.#broadcaster.head))
    if (chunk.length > 0) yield chunk
  }

  /** The greeting, snapshot or replay, and `live`. Never yields an empty chunk: Bun would send half a head for it. */
  async *#opening(viewer: Viewer): Chunks {
    const { watch, first: item } = viewer
    viewer.first = undefined
    const { lastEventId, format } = watch
    const hello = this.#openings.hello()
    const bounds = await this.#store.bounds()
    const from = eventId(lastEventId)
    if (from !== undefined && from >= bounds.oldest - 1 && from <= bounds.newest) {
      viewer.cursor = from
      const greeting = frames(format, hello)
      if (greeting.length > 0) yield greeting
      yield* this.#replay(viewer, bounds.newest)
      return
    }
    if (lastEventId === undefined && !watch.snapshot) {
      // What came after the item was read is still to be examined: its end may be among it.
      viewer.cursor = item ? item.head : bounds.newest
      yield frames(format, hello, this.#openings.live(viewer.cursor))
      return
    }
    const gap = lastEventId === undefined ? [] : [tell(missedStart(lastEventId, from, bounds, viewer))]
    const { ids, head } = item
      ? { ids: [item.update.id], head: item.head }
      : await this.#store.latest({ of: "open" })
    yield* this.#latest(viewer, ids, [hello, ...gap], [this.#openings.live(head)])
    viewer.cursor = head
  }

  /** The first bytes of a stream that begins as most do; null for one that needs its own. */
  async #shared(viewer: Viewer): Promise<Uint8Array | null> {
    return isUsual(viewer) ? begun(viewer, await this.#openings.shared(viewer.watch.format)) : null
  }

  #ready(viewer: Viewer): Uint8Array | null {
    return isUsual(viewer) ? begun(viewer, this.#openings.ready(viewer.watch.format)) : null
  }

  /** Every update after the cursor up to `newest`, and perhaps some more. */
  async *#replay(viewer: Viewer, newest: number): Chunks {
    const { watch } = viewer
    // A replay can be longer than a drain may take; the client resumes it where it was.
    for (let behind = true; behind && !this.#broadcaster.draining;) {
      const updates = await this.#older(viewer, newest)
      behind = viewer.cursor < newest
      const chunk = joined(watch.format, updates)
      const live = behind ? new Uint8Array() : frames(watch.format, this.#openings.live(viewer.cursor))
      if (chunk.length + live.length > 0) yield Buffer.concat([chunk, live])
    }
  }

  /** The latest updates of items, by their event IDs, with frames before and after. */
  async *#latest(
    viewer: Viewer,
    ids: readonly number[],
    before: readonly Frame[],
    after: readonly Frame[],
  ): Chunks {
    const { format } = viewer.watch
    let told = before
    let rest = ids
    do {
      const asked = rest.slice(0, SNAPSHOT_UPDATES)
      const page = await this.#store.updates(asked)
      const last = page.updates.at(-1)?.id ?? 0
      rest = page.more ? rest.filter((id) => id > last) : rest.slice(asked.length)
      const updates = this.#examined(viewer, page.updates)
      const closing = rest.length > 0 ? [] : after
      const chunk = Buffer.concat([
        frames(format, ...told),
        joined(format, updates),
        frames(format, ...closing),
      ])
      told = []
      if (chunk.length > 0) yield chunk
      if (rest.length > 0) await this.#turn()
    } while (rest.length > 0 && !this.#broadcaster.draining)
  }

  /** The next page of the history behind the cursor; moves the cursor, to `head` at least when nothing is left. */
  async #older(viewer: Viewer, head: number): Promise<readonly StoredUpdate[]> {
    await this.#turn()
    const { cursor: after, queueId } = viewer
    const page = await this.#store.page({ after, queueId, limit: PAGE_UPDATES })
    const last = page.updates.at(-1)?.id ?? 0
    viewer.cursor = page.more ? last : Math.max(last, head, viewer.cursor)
    return this.#examined(viewer, page.updates)
  }

  #examined(viewer: Viewer, updates: readonly StoredUpdate[]): readonly StoredUpdate[] {
    const last = updates.at(-1)
    if (last) viewer.status = last.status
    return viewer.wanted ? updates.filter(viewer.wanted) : updates
  }

  #mayBeTooFar({ cursor }: Seat): boolean {
    const { maxLag } = this.#options
    return maxLag > 0 && this.#broadcaster.head - cursor > maxLag
  }

  /** Whether that much concerns this stream: an item's stream counts its own updates alone. */
  async #isTooFar({ cursor, queueId }: Seat): Promise<boolean> {
    return (await this.#store.count(cursor, this.#broadcaster.head, queueId)) > this.#options.maxLag
  }

  /** Tells a stream that is too far behind what it loses, and brings it to the state of now. */
  async *#skip(viewer: Viewer): Chunks {
    const { ids, head } = await this.#store.latest({
      of: "changed",
      after: viewer.cursor,
      queueId: viewer.queueId,
    })
    const between = await this.#store.count(viewer.cursor, head, viewer.queueId)
    const missed = viewer.wanted ? null : between - ids.length
    const gap = tell({ event: "gap", reason: "slow", last_event_id: viewer.cursor, missed })
    yield* this.#latest(viewer, ids, [gap], [])
    viewer.cursor = head
  }

  /** However many streams read the history, one page is read a turn of the event loop, and all others go on. */
  #turn(): Promise<void> {
    this.#line = this.#line.then(() => new Promise((resolve) => void setImmediate(resolve)))
    return this.#line
  }

  #goodbye(format: Format): Uint8Array {
    const retry_ms = Math.round(DRAIN_RETRY_MS + DRAIN_RETRY_SPREAD_MS * this.#options.random())
    return frames(format, tell({ event: "shutdown", retry_ms }))
  }
}

/** Whether a stream begins as most do: with the state of everything. */
const isUsual = ({ watch: { lastEventId, snapshot, queueId }, wanted }: Viewer): boolean =>
  lastEventId === undefined && snapshot && queueId === undefined && !wanted

function begun(viewer: Viewer, opening: Shared | null): Uint8Array | null {
  if (opening) viewer.cursor = opening.head
  return opening && opening.bytes
}

/** The event ID that a client gave, or undefined where it is none of ours. */
function eventId(given: string | undefined): number | undefined {
  return given !== undefined && /^(0|[1-9][0-9]{0,15})$/.test(given) ? Number(given) : undefined
}

function missedStart(
  given: string,
  from: number | undefined,
  { oldest, newest }: { oldest: number; newest: number },
  viewer: Viewer,
): Control {
  const expired = from !== undefined && from <= newest
  const all = viewer.queueId === undefined && viewer.wanted === undefined
  return {
    event: "gap",
    reason: expired ? "expired" : "unknown",
    last_event_id: from ?? given.slice(0, 64),
    missed: expired && all ? oldest - 1 - from : null,
  }
}
