import type { ProgressUpdate } from "../item/item.ts"
import type { StreamControl } from "../wire/frames.ts"
import { isControl, isControlEvent, isUpdate } from "./answer-shapes.ts"
import type { ServerSentEvent } from "./event-parser.ts"
import {
  connected,
  type Connections,
  newConnections,
  type Offline,
  type OpenConnection,
  type Reading,
} from "./reconnecting.ts"
import { valueOf } from "./requests.ts"

/** What a watched stream yields: an update with its event ID, or something about the stream itself. */
export type Watched =
  /** One change of an item, with its event ID. */
  | { readonly type: "update"; readonly id: number; readonly update: ProgressUpdate }
  /**
   * Everything after `live` is new, `gap` counts the updates that were left out, and `end` and `shutdown`
   * close the stream. `queue` says whether the queue is paused. After `offline` the queue counts as not
   * paused until `queue` comes again.
   */
  | { readonly type: "control"; readonly control: StreamControl }
  | Offline

/** Which stream to watch, from where, and until when. */
export interface WatchOptions {
  /** Only this item; default all items. */
  readonly queueId?: number | undefined
  /**
   * Only these items, from the stream of all items; default all items. As there, the state at the beginning leaves out
   * finished items.
   */
  readonly ids?: readonly number[] | undefined
  /** Only the items of this song, from the stream of all items; default all songs. */
  readonly songId?: number | undefined
  /** Ends the stream once the item `queueId` is finished and its last update has come; default false. */
  readonly untilFinished?: boolean | undefined
  /** Begins with the updates after this event ID; default: with the current state. */
  readonly lastEventId?: number | undefined
  /**
   * The history that `lastEventId` belongs to, as `live` named it. If the server has another one, the stream begins
   * with a gap and the current state. Default: not checked.
   */
  readonly history?: string | undefined
  /** Whether to begin with the current state; default true. */
  readonly snapshot?: boolean | undefined
  /** Called whenever bytes have come, keepalives included, after everything they held; default: nothing. */
  readonly onHeard?: (() => void) | undefined
  /** Ends the stream when it aborts; default never. */
  readonly signal?: AbortSignal | undefined
}

/** An event ID that no server gives. A server answers it with a gap and the current state. */
const ANOTHER_HISTORY = "another-history"

/** How far a stream has come, over all of its connections. */
interface WatchedSoFar extends Connections {
  /** The history that the last event ID belongs to. */
  history: string | undefined
}

function pathOf({ queueId, ids, songId, untilFinished, snapshot }: WatchOptions): string {
  const query = new URLSearchParams()
  if (ids !== undefined) query.set("ids", ids.join(","))
  if (songId !== undefined) query.set("song_id", String(songId))
  if (untilFinished) query.set("until", "finished")
  if (snapshot === false) query.set("snapshot", "false")
  const path = queueId === undefined ? "/progress/stream" : `/progress/stream/${queueId}`
  return query.size > 0 ? `${path}?${query}` : path
}

/**
 * Yields what a stream says over all of its connections; see `Client.watch`.
 * @throws ServerError if the server refuses for good
 */
export function watching(
  open: OpenConnection,
  options: WatchOptions,
): AsyncGenerator<Watched, void, undefined> {
  const { lastEventId, history, signal, onHeard } = options
  const id = lastEventId === undefined ? undefined : String(lastEventId)
  const known: WatchedSoFar = { ...newConnections(id), history }
  return connected(open, known, { signal, onHeard }, () => readingOf(options, known))
}

/** Says how one connection of the stream is opened and read. */
function readingOf(options: WatchOptions, known: WatchedSoFar): Reading<Watched> {
  let isWhole = false
  return {
    path: pathOf(options),
    read(event) {
      if (event.event === "busy") throw new Error(busyOf(event.data))
      const said = saidBy(event)
      if (said === null) return undefined
      const control = said?.type === "control" ? said.control : undefined
      // After these two only some items or updates follow, and not the whole current state.
      if (control?.event === "gap") isWhole ||= !/slow|unreadable/.test(control.reason)
      // The current state that follows most gaps need not be requested again.
      if (control?.event === "live" && isOther(known, control.history) && !isWhole) return { ending: "again" }
      if (control?.event === "end") return { said, ending: "over" }
      return { said, ...(control?.event === "shutdown" && { reason: "the server is shutting down" }) }
    },
  }
}

/** Whether the server has another history than before, in which the event IDs so far mean nothing. */
function isOther(known: WatchedSoFar, history: string): boolean {
  const other =
    known.history !== undefined && known.history !== history && known.lastEventId !== ANOTHER_HISTORY
  if (other) known.lastEventId = ANOTHER_HISTORY
  known.history = history
  return other
}

/** Why there is no room for the stream, in the server's words. */
function busyOf(data: string): string {
  const { error }: { readonly error?: string } = JSON.parse(data)
  return error ?? "the server is busy"
}

/**
 * The content of an event: undefined if this client does not know the event, null if no server sends such
 * data.
 */
function saidBy({ id, event, data }: ServerSentEvent): Watched | undefined | null {
  if (event !== "message" && !isControlEvent(event)) return undefined
  const value = valueOf(data)
  if (event === "message" && isUpdate(value) && /^\d+$/.test(id ?? ""))
    return { type: "update", id: Number(id), update: value }
  const control: unknown = { ...Object(value), event }
  return isControl(control) ? { type: "control", control } : null
}
