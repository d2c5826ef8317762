import type { Service } from "../background-work.ts"
import { AppError, isRefusal } from "../errors.ts"
import type { QueueItem, Status } from "../item/item.ts"
import { isFinished } from "../item/moves.ts"
import { type OutputPiece, piecesAfter } from "../item/output-piece.ts"
import { isSameAttempt } from "../item/same-attempt.ts"
import type { Stored } from "../item/stored.ts"
import type { Items } from "../store/contract/items.ts"
import type { OutputEnd, Outputs } from "../store/contract/outputs.ts"
import { throwGoneIfDeleted } from "./deleted-item.ts"
import { OutputWriter } from "./output-writer.ts"
import type { RefuseWhenFull } from "./refuse-when-full.ts"

/** How many pieces one read of the database returns: at most about 1.5 MB. */
const PAGE_PIECES = 64
/** How often a follower reads again, because another process that stores output sends no notification. */
const LOOK_MS = 500
/** How many items of a song are searched for its last attempt. */
const MAX_SONG_ITEMS = 1000

/** How output is kept. */
export interface OutputSettings {
  /** How many of the last bytes of each attempt are kept; 0 keeps none. */
  readonly keepBytes: number
  /** Whether the database has room; default: it always has. */
  readonly room?: RefuseWhenFull
  /** A follower gets a keepalive after this many milliseconds without output. */
  readonly keepaliveMs: number
}

/** A position in the output of an item. */
export interface PositionInOutput {
  /** The number of the attempt; undefined for the requested one. */
  readonly attempt: number | undefined
  /** How many bytes of it come before: 0, or the `to` of a piece. */
  readonly after: number
  /** When the attempt began, in epoch milliseconds: after a retry its number comes again; absent if not known. */
  readonly begunMs?: number | undefined
}

const msOf = ({ started_at }: QueueItem): number => Date.parse(started_at ?? "")

/** Whether a position is in the item's present attempt; undefined if that is not known. */
const isPresent = ({ attempt, begunMs }: PositionInOutput, item: QueueItem): boolean | undefined =>
  attempt === item.attempt && begunMs !== undefined ? begunMs === msOf(item) : undefined

/** Which output to read. */
export interface OutputQuery {
  /** The number of the only attempt to read; undefined for the last one and, if followed, all later ones. */
  readonly attempt: number | undefined
  /** The position from which to read. */
  readonly from: PositionInOutput
  /** Whether to go on with output that is printed from now on. */
  readonly isFollowed: boolean
}

/** What a reader of an output gets. */
export type OutputEvent =
  | (OutputPiece & {
      /** Distinguishes it from the others. */
      readonly type: "piece"
      /** The attempt that printed it. */
      readonly attempt: number
      /** How many bytes before this piece are not stored. */
      readonly missing: number
      /** When the attempt began, in epoch milliseconds; absent if the item has begun a later attempt. */
      readonly begunMs?: number | undefined
    })
  /** Sent when nothing was printed for a while. */
  | { readonly type: "keepalive" }
  /** The server stops. */
  | { readonly type: "shutdown" }
  /**
   * The output of this attempt has ended: nothing more is kept or, if it is followed, nothing more will be
   * printed.
   */
  | {
      /** Distinguishes it from the others. */
      readonly type: "end"
      /** The attempt. */
      readonly attempt: number
      /** The item's status. */
      readonly status: Status
      /** How the item ended; null if it has not. */
      readonly outcome: QueueItem["outcome"]
    }

/** The outputs of attempts: workers store them, viewers read and follow them. */
export class Output implements Service {
  readonly #items: Items
  readonly #outputs: Outputs
  readonly #options: OutputSettings
  /** The functions that wake the followers of an item. */
  readonly #followers = new Map<number, Set<() => void>>()
  #isDraining = false

  constructor(items: Items, outputs: Outputs, options: OutputSettings) {
    this.#items = items
    this.#outputs = outputs
    this.#options = options
  }

  async start(): Promise<void> {}

  /** Ends all readers that follow an output, and allows no new ones. */
  async stop(): Promise<void> {
    this.#isDraining = true
    for (const wakes of this.#followers.values()) for (const wake of wakes) wake()
  }

  /**
   * Takes the output of one attempt's command, from a position on; without a position, after what is stored.
   * `lease` is the token that the worker has sent. `attemptOf` decides within each transaction to which
   * attempt it belongs, and throws an AppError to refuse it.
   */
  writer(
    id: number,
    lease: string | undefined,
    attemptOf: (stored: Stored) => number,
    from?: number,
  ): OutputWriter {
    const store = async (pieces: readonly OutputPiece[]): Promise<OutputEnd> => {
      try {
        return await this.#store(id, pieces, attemptOf)
      } catch (error) {
        return throwGoneIfDeleted(this.#items, id, lease, error)
      }
    }
    return new OutputWriter(store, this.#options.keepBytes, from)
  }

  /**
   * Reads an output; ends with `end` or `shutdown`. If it is followed and no attempt is named, the reader
   * goes on with later attempts until the item is finished. A follower waits while the database is
   * unavailable.
   * @throws AppError `not_found`
   */
  async read(id: number, query: OutputQuery, signal: AbortSignal): Promise<AsyncGenerator<OutputEvent>> {
    const item = await this.#items.item(id)
    const attempt = query.attempt ?? query.from.attempt ?? item.attempt
    const present = isPresent(query.from, item)
    const isOfAttempt = (query.from.attempt ?? attempt) === attempt && present !== false
    const after = isOfAttempt ? query.from.after : 0
    if (query.attempt !== undefined && attempt > item.attempt) throw notBegun(item, attempt)
    // Output beyond the end was printed before the item was retried, and was removed then. If it is of the present
    // attempt, a backup was restored that lacks it: the reader has it, even if the worker sends it again.
    const isKnown = present === true || after <= (await this.#outputs.end(id, attempt))
    return this.#events(new OutputReader(this.#outputs, item, attempt, isKnown ? after : 0), query, signal)
  }

  /**
   * The item of a song that was started last. With `only`, no other item than that one counts.
   * @throws AppError `not_found`
   */
  async lastOfSong(songId: number, only?: number): Promise<number> {
    const items =
      only === undefined
        ? (await this.#items.list({ songId, limit: MAX_SONG_ITEMS })).items
        : [await this.#itemOf(only)]
    const [last] = items
      .flatMap((item) => (item?.song_id === songId && item.started_at !== null ? [item] : []))
      .sort((a, b) => msOf(b) - msOf(a))
    if (last) return last.id
    throw new AppError("not_found", `no render of song ${songId} has begun`)
  }

  async #store(
    id: number,
    pieces: readonly OutputPiece[],
    attemptOf: (stored: Stored) => number,
  ): Promise<OutputEnd> {
    const { keepBytes, room } = this.#options
    if (pieces.length > 0) room?.check()
    const end = await this.#outputs.append(id, pieces, keepBytes, attemptOf)
    for (const wake of this.#followers.get(id) ?? []) wake()
    return end
  }

  async *#events(reader: OutputReader, query: OutputQuery, signal: AbortSignal): AsyncGenerator<OutputEvent> {
    let heardMs = performance.now()
    while (!signal.aborted) {
      using news = this.#news(reader.id, signal)
      let item: QueueItem | undefined
      let isAway = false
      try {
        // The item is read first, so that everything that is printed until its attempt ends is read after it.
        item = await this.#itemOf(reader.id)
        for await (const event of reader.pieces()) {
          yield event
          heardMs = performance.now()
        }
      } catch (error) {
        if (!query.isFollowed || !isRefusal(error, "unavailable")) throw error
        isAway = true
      }
      if (!isAway && isLast(reader, item, query)) {
        // A deletion cancels an item that is not finished.
        const { status, outcome } = item ?? { status: "failed", outcome: "cancelled" }
        yield { type: "end", attempt: reader.attempt, status, outcome }
        return
      }
      if (this.#isDraining) {
        yield { type: "shutdown" }
        return
      }
      if (!isAway && item && reader.goTo(item)) continue
      if (performance.now() - heardMs >= this.#options.keepaliveMs) {
        yield { type: "keepalive" }
        heardMs = performance.now()
      }
      await news.come
    }
  }

  /** The item; undefined once it was deleted. */
  async #itemOf(id: number): Promise<QueueItem | undefined> {
    try {
      return await this.#items.item(id)
    } catch (error) {
      if (isRefusal(error, "not_found")) return undefined
      throw error
    }
  }

  /** Resolves when something may have been printed, or the item may have changed. */
  #news(id: number, signal: AbortSignal): Disposable & { readonly come: Promise<void> } {
    const { promise, resolve } = Promise.withResolvers<void>()
    const wake = (): void => resolve()
    const timer = setTimeout(wake, LOOK_MS)
    const wakes = this.#followers.get(id) ?? new Set()
    this.#followers.set(id, wakes.add(wake))
    signal.addEventListener("abort", wake)
    return {
      come: promise,
      [Symbol.dispose]: () => {
        clearTimeout(timer)
        signal.removeEventListener("abort", wake)
        wakes.delete(wake)
        if (wakes.size === 0 && this.#followers.get(id) === wakes) this.#followers.delete(id)
      },
    }
  }
}

const notBegun = ({ id, attempt: begun }: QueueItem, attempt: number): AppError =>
  new AppError("not_found", `attempt ${attempt} of queue item ${id} has not begun; it has had ${begun}`)

/** Whether nothing more follows for this query; `item` is undefined once it was deleted. */
function isLast(
  reader: OutputReader,
  item: QueueItem | undefined,
  { attempt, isFollowed }: OutputQuery,
): boolean {
  if (!isFollowed || item === undefined) return true
  const isOther = reader.isOther(item)
  if (attempt !== undefined) return isOther || item.status !== "processing"
  return isFinished(item.status) && !isOther
}

/** Reads the output of an item, one attempt after the other. */
class OutputReader {
  /** The item. */
  readonly id: number
  readonly #outputs: Outputs
  /** When the item's attempt began. After a retry its number is used again. */
  #begun: string | null
  #begunMs: number | undefined
  #attempt: number
  #at: number

  constructor(outputs: Outputs, item: QueueItem, attempt: number, at: number) {
    this.id = item.id
    this.#outputs = outputs
    this.#begun = item.started_at
    this.#begunMs = attempt === item.attempt ? msOf(item) : undefined
    this.#attempt = attempt
    this.#at = at
  }

  /** The attempt that is read. */
  get attempt(): number {
    return this.#attempt
  }

  /** Whether the item is at another attempt than the one that is read. */
  isOther({ attempt, started_at }: QueueItem): boolean {
    return !isSameAttempt({ attempt, started_at }, { attempt: this.#attempt, started_at: this.#begun })
  }

  /** Goes to the beginning of the item's present attempt. Returns whether it is another attempt. */
  goTo(item: QueueItem): boolean {
    if (!this.isOther(item)) return false
    this.#attempt = item.attempt
    this.#begun = item.started_at
    this.#begunMs = msOf(item)
    this.#at = 0
    return true
  }

  /** The stored pieces after the position, which moves on. */
  async *pieces(): AsyncGenerator<OutputEvent> {
    for (;;) {
      const { pieces, more } = await this.#outputs.read(this.id, this.#attempt, this.#at, PAGE_PIECES)
      for (const piece of piecesAfter(pieces, this.#at)) {
        const missing = Math.max(0, piece.from - this.#at)
        this.#at = piece.to
        yield { type: "piece", attempt: this.#attempt, missing, begunMs: this.#begunMs, ...piece }
      }
      if (!more) return
    }
  }
}
