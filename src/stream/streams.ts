import { AppError, unknownItem } from "../errors.ts"
import { isFinished } from "../item/moves.ts"
import type { Bounds, History } from "../store/contract/history.ts"
import { SHUTTING_DOWN } from "../text.ts"
import type { Broadcaster } from "./broadcaster.ts"
import { ownHistory } from "./one-item-viewer.ts"
import { type Opening, Openings } from "./opening.ts"
import { ReadingTurns } from "./reading-turns.ts"
import { Seat, type SeatKind } from "./seat.ts"
import type { SharedByViewers } from "./shared-by-viewers.ts"
import { SharedPages } from "./shared-pages.ts"
import { SharedSnapshots } from "./shared-snapshots.ts"
import { asFrames } from "./sse-ndjson-text.ts"
import { checkRoom, type Owner, type StreamLimits } from "./stream-limits.ts"
import { type Chunks, eventId, type StreamRequest } from "./stream-request.ts"
import { Viewer } from "./viewer.ts"

/** How streams behave. */
export interface StreamOptions extends StreamLimits, Pick<SharedByViewers, "maxLag" | "random" | "onError"> {
  /** Called when a part of the history proves to be unreadable; absent for no call. */
  readonly onUnreadable?: () => void
  /** How many streams of one owner may read the history at the same time; 0 (the default) for no limit. */
  readonly mostReplaysOfOwner?: number
}

/** An open stream, as it is listed. */
export interface OpenStream {
  /** Whether it shows all items or one item. */
  readonly kind: "global" | "item"
  /** The ID of the item that it shows; undefined for all items, or for a selection. */
  readonly queueId: number | undefined
  /** When it was opened, in milliseconds of `performance.now()`. */
  readonly openedMs: number
  /** The last event ID that it has examined. */
  readonly lastEventId: number
  /** How many updates it has not examined yet. */
  readonly lag: number
  /** Its format. */
  readonly format: string
  /** What kind of client reads it. */
  readonly client: string
}

/** A stream, or null if nothing can ever follow. */
type OpenedStream<Chunk> = Chunks<Chunk> | null

/**
 * The open streams of this server. A stream is a cursor over the history: it sends a snapshot or a replay,
 * then `live`, then all new updates. It keeps no queue, so a slow reader costs as much as a fast one.
 */
export class Streams {
  readonly #shared: SharedByViewers
  readonly #options: StreamOptions

  constructor(history: History, broadcaster: Broadcaster, options: StreamOptions) {
    const openings = new Openings(history, broadcaster)
    this.#options = options
    this.#shared = {
      onUnreadable: () => undefined,
      ...options,
      history,
      broadcaster,
      openings,
      pages: new SharedPages(broadcaster),
      snapshots: new SharedSnapshots(),
      turns: new ReadingTurns(options.mostReplaysOfOwner),
      metrics: broadcaster.metrics,
    }
  }

  /**
   * Opens a stream, or null if nothing can ever follow: `untilFinished`, and the client has seen the last update of
   * the finished item.
   * @throws AppError `not_found` for an item that was deleted, or that does not exist yet and is not waited for,
   * `unavailable` while the server drains or has as many streams open as it may, `too_many_requests` if the owner has
   */
  open<Chunk extends object>(
    request: StreamRequest<Chunk>,
  ): OpenedStream<Chunk> | Promise<OpenedStream<Chunk>> {
    const { broadcaster, metrics, random } = this.#shared
    checkRoom(this.#options, request.owner, { seats: broadcaster.seats, metrics, random })
    return this.#open(request, request.queueId === undefined ? "global" : "item")
  }

  /** Ends the streams of an owner who may no longer watch, and lets the owner open no others. */
  dismiss(owner: Owner): void {
    this.#shared.broadcaster.dismiss(owner)
  }

  /**
   * Resolves when the item is finished, the signal aborts, or the server drains.
   * @throws AppError `not_found`, `unavailable`
   */
  async finished(queueId: number, signal: AbortSignal): Promise<void> {
    const request = { queueId, snapshot: false, untilFinished: true, format: asFrames, signal }
    for await (const _ of (await this.#open(request, "held")) ?? []);
  }

  /**
   * Yields at once, and again after each change of the item, until the signal aborts or the server drains. A change
   * that happens while the caller is busy is not missed.
   */
  async *changes(queueId: number, signal: AbortSignal): AsyncGenerator<void, void, undefined> {
    const { broadcaster } = this.#shared
    const seat = new Seat("held", queueId)
    try {
      await broadcaster.join(seat, signal)
      while (!signal.aborted && !broadcaster.draining) {
        seat.cursor = broadcaster.head
        yield
        // If several batches have passed since, one look at the item covers them all.
        while (seat.cursor >= broadcaster.head && !signal.aborted && !broadcaster.draining) {
          if ((await seat.wait()) === "batch") break
        }
      }
    } finally {
      broadcaster.leave(seat)
    }
  }

  /** How many streams and held answers are open. */
  get count(): number {
    return this.#shared.broadcaster.seats
  }

  /** How many streams are open, and which part of the history is kept. */
  async stats(): Promise<{ open: { global: number; item: number }; bounds: Bounds }> {
    const { broadcaster, history } = this.#shared
    return { open: broadcaster.streams, bounds: await history.bounds() }
  }

  /** How many streams are open, by what they show and by format. */
  byFormat(): readonly { readonly kind: SeatKind; readonly format: string; readonly count: number }[] {
    const counts = new Map<string, { kind: SeatKind; format: string; count: number }>()
    // If a figure were missing while no stream is open, the server would seem to be missing.
    for (const kind of ["global", "item"] as const)
      counts.set(`${kind} sse`, { kind, format: "sse", count: 0 })
    for (const viewer of this.#viewers()) {
      const { kind } = viewer
      const format = viewer.request.format.name
      const one = counts.get(`${kind} ${format}`) ?? { kind, format, count: 0 }
      one.count += 1
      counts.set(`${kind} ${format}`, one)
    }
    return [...counts.values()]
  }

  /** The open streams, those that lag most first, then the oldest; at most `limit`. */
  list(limit: number): readonly OpenStream[] {
    const { head, examined } = this.#shared.broadcaster
    const all = [...this.#viewers()].map((viewer): OpenStream => {
      const { queueId, openedMs, cursor, waiting, request } = viewer
      const kind = viewer.kind === "item" ? "item" : "global"
      const { format, client = "unknown" } = request
      // A waiting stream has examined everything, even if its cursor is older.
      const lastEventId = waiting ? Math.max(cursor, examined) : cursor
      const lag = Math.max(0, head - lastEventId)
      return { kind, queueId, openedMs, lastEventId, lag, format: format.name, client }
    })
    return all.sort((a, b) => b.lag - a.lag || a.openedMs - b.openedMs).slice(0, limit)
  }

  *#viewers(): Generator<Viewer<object>> {
    for (const seat of this.#shared.broadcaster.all()) {
      if (seat instanceof Viewer && seat.kind !== "held") yield seat
    }
  }

  #open<Chunk extends object>(
    request: StreamRequest<Chunk>,
    kind: SeatKind,
  ): OpenedStream<Chunk> | Promise<OpenedStream<Chunk>> {
    const { broadcaster, openings } = this.#shared
    if (broadcaster.draining) throw new AppError("unavailable", SHUTTING_DOWN)
    if (request.queueId === undefined) return this.#join(new Viewer(this.#shared, kind, request))
    const item = openings.item(request.queueId)
    if (item instanceof Promise || isAhead(request, item))
      return this.#openItem(request, request.queueId, kind)
    return this.#openKnown(request, item, kind)
  }

  /** Like `#open`, for an item that must be read first. */
  async #openItem<Chunk extends object>(
    request: StreamRequest<Chunk>,
    queueId: number,
    kind: SeatKind,
  ): Promise<OpenedStream<Chunk>> {
    const { openings } = this.#shared
    let item = await openings.item(queueId)
    // The client can be ahead of what was read, and must not wait for an end that it has already seen.
    if (isAhead(request, item)) item = await openings.itemNow(queueId)
    return this.#openKnown(request, item, kind)
  }

  #openKnown<Chunk extends object>(
    request: StreamRequest<Chunk>,
    item: Opening,
    kind: SeatKind,
  ): OpenedStream<Chunk> | Promise<OpenedStream<Chunk>> {
    const { queueId, awaitsItem } = request
    if (queueId !== undefined && item.updates.length === 0 && !awaitsItem) throw unknownItem(queueId)
    const own = request.isBound ? ownHistory(request, item) : request
    return hasSeenEnd(own, item) ? null : this.#join(new Viewer(this.#shared, kind, own, item))
  }

  #join<Chunk extends object>(viewer: Viewer<Chunk>): Chunks<Chunk> | Promise<Chunks<Chunk>> {
    const { selection, signal } = viewer.request
    selection?.attach(viewer)
    const { broadcaster } = this.#shared
    const joining = broadcaster.join(viewer, signal)
    if (!joining) return viewer
    const giveUp = (error: unknown): never => {
      broadcaster.leave(viewer)
      throw error
    }
    return joining.then(() => viewer, giveUp)
  }
}

/** Whether the client has seen updates that are newer than this state of its item. */
function isAhead({ lastEventId, isBound }: StreamRequest, { updates, head }: Opening): boolean {
  const newest = isBound ? (updates.at(-1)?.update.id ?? 0) : head
  return (eventId(lastEventId) ?? 0) > newest
}

/** Whether the client resumes after the last update of a finished item, and only waits for its end. */
function hasSeenEnd({ untilFinished, lastEventId }: StreamRequest, { updates, head }: Opening): boolean {
  const last = updates.at(-1)?.update
  const seen = eventId(lastEventId) ?? 0
  return untilFinished && last !== undefined && isFinished(last.status) && seen >= last.id && seen <= head
}
