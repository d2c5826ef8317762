import type { Selection, Wanted } from "./selection.ts"
import type { Format } from "./sse-ndjson-text.ts"
import type { Owner } from "./stream-limits.ts"

/** What one viewer asks for. */
export interface StreamRequest<Chunk extends object = object> {
  /** Only the updates of the item with this ID; absent for all items. */
  readonly queueId?: number | undefined
  /**
   * Whether the viewer may know only this item, and so must not learn how much else happens. Default false.
   */
  readonly isBound?: boolean | undefined
  /**
   * Whether the stream waits for an item that does not exist yet; default false: such a stream is refused.
   */
  readonly awaitsItem?: boolean | undefined
  /** Which updates of the global stream are wanted; absent for all. */
  readonly wanted?: Wanted
  /**
   * At most this many updates per item and second after `live`, and always the one that ends the item; 0 or absent
   * for all.
   */
  readonly thin?: number | undefined
  /**
   * Used instead of `wanted` if the viewer may change its choice while the stream is open; absent if it may
   * not.
   */
  readonly selection?: Selection | undefined
  /** The last event ID that the client sent, unchecked; absent if it does not resume. */
  readonly lastEventId?: string | undefined
  /** Whether a new stream begins with the current state; if false, it begins with `live`. */
  readonly snapshot: boolean
  /** Whether the stream ends once the item is finished and its last update was sent. */
  readonly untilFinished: boolean
  /** The format that encodes frames into chunks. */
  readonly format: Format<Chunk>
  /** The owner of the stream; absent if nobody may end the stream and no limit of owners applies. */
  readonly owner?: Owner | undefined
  /** What kind of client reads it, for the list of open streams; absent if it is unknown. */
  readonly client?: string | undefined
  /** Aborts when the client goes away; absent if the reader of the stream then calls `return` instead. */
  readonly signal?: AbortSignal | undefined
}

/** Why a stream ended: its item is finished, the server stops, the client left, or the history cannot be read. */
export type Ending = "finished" | "shutdown" | "left" | "failed"

/** The body of an open answer, to which a stream may write by itself. */
export interface Sink<Chunk> {
  /** Returns a promise instead of a number while the client is not reading. */
  write(chunk: Chunk): number | Promise<unknown>
}

/**
 * The chunks of a stream. If they are the body of an answer, Bun's `yield` returns the sink of that answer
 * (see "Async generator streams" in Bun's manual); elsewhere it returns nothing.
 */
export interface Chunks<Chunk> extends AsyncIterable<Chunk, Ending, Sink<Chunk> | undefined> {
  /** The next chunk; `sink` is where the stream may write by itself from now on. */
  next(sink?: Sink<Chunk>): Promise<IteratorResult<Chunk, Ending>>
  /** Ends the stream, even while it waits for an update. */
  return(): Promise<IteratorResult<Chunk, Ending>>
  [Symbol.asyncIterator](): Chunks<Chunk>
}

/** The event ID that a client gave; undefined if it is not a number that this server could have given. */
export const eventId = (given: string | undefined): number | undefined =>
  given !== undefined && /^(0|[1-9][0-9]{0,15})$/.test(given) ? Number(given) : undefined
