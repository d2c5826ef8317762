import { backoff } from "../backoff.ts"
import type { ProgressUpdate } from "../item/item.ts"
import type { StreamControl } from "../wire/frames.ts"
import { ServerError, valueOf } from "./ask.ts"
import { EventParser, type Incoming, type ServerSentEvent } from "./events.ts"
import { isControl, isControlEvent, isUpdate } from "./shapes.ts"
import { pause, Rhythm, Silence } from "./silence.ts"

/** What a watched stream gives: an update with its event ID, or news of the stream itself. */
export type Watched =
  /** One change of an item, with its event ID. */
  | { readonly type: "update"; readonly id: number; readonly update: ProgressUpdate }
  /** What follows `live` is new, a `gap` counts what was left out, `end` and `shutdown` close the stream. */
  | { readonly type: "control"; readonly control: StreamControl }
  /** The stream has broken off: what was shown may be old from here on, until the next `live`. */
  | {
      /** Tells it from the others. */
      readonly type: "offline"
      /** Why, as a sentence without a full stop. */
      readonly reason: string
      /** The HTTP status of a refusal; 0 for anything else. */
      readonly status: number
      /** The code of a ServerError; empty for anything else. */
      readonly code: string
      /** Milliseconds until the next try. */
      readonly retryMs: number
    }

/** Which stream to watch, from where, and until when. */
export interface WatchOptions {
  /** Only this item; default all items. */
  readonly queueId?: number | undefined
  /** Only these items, of the stream of all; default all items. */
  readonly ids?: readonly number[] | undefined
  /** Only the items of this song, of the stream of all; default all songs. */
  readonly songId?: number | undefined
  /** Ends the stream once the item `queueId` is finished and its last update has come; default false. */
  readonly untilFinished?: boolean | undefined
  /** Begins with the updates after this event ID; default: with the current state. */
  readonly lastEventId?: number | undefined
  /** The history that `lastEventId` belongs to, as `live` named it. In another history the ID means nothing. Default: any. */
  readonly history?: string | undefined
  /** Whether to begin with the current state; default true. */
  readonly snapshot?: boolean | undefined
  /** Called whenever bytes have come, keepalives included, after everything they held; default: nothing. */
  readonly onHeard?: (() => void) | undefined
  /** Ends the stream when it aborts; default never. */
  readonly signal?: AbortSignal | undefined
}

/** Asks for a path of the API; throws a ServerError for anything but a success. */
export type OpenStream = (
  path: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
) => Promise<Response>

/** Until the server has named its reconnection time. */
const FIRST_RETRY_MS = 250
/** The longest wait, unless the server asks for a longer one. */
const MAX_RETRY_MS = 5000
const RETRY_SPREAD = 0.2
const MAX_RETRY_AFTER_MS = 300_000

const NO_STREAM = "what answered is no stream of a Track Studio server"

/** No server's event ID: it makes the server tell of a gap, and of the state of now. */
const ANOTHER_HISTORY = "another-history"

/** How far a stream has come, over all of its connections. */
interface Place {
  lastEventId: string | undefined
  /** The history that the last event ID belongs to. */
  history: string | undefined
  retryMs: number
  /** Connections in a row that told nothing. */
  failures: number
  readonly rhythm: Rhythm
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
 * A stream over all of its connections; see `Client.watch`.
 * @throws ServerError when the server refuses for good
 */
export async function* watching(
  open: OpenStream,
  options: WatchOptions,
): AsyncGenerator<Watched, void, undefined> {
  const { lastEventId, signal } = options
  const place: Place = {
    lastEventId: lastEventId === undefined ? undefined : String(lastEventId),
    history: options.history,
    retryMs: FIRST_RETRY_MS,
    failures: 0,
    rhythm: new Rhythm(),
  }
  while (!signal?.aborted) {
    let [reason, code, status, leastMs] = ["the stream ended", "", 0, 0]
    try {
      const how = yield* connection(open, options, place)
      if (how === "over") return
      if (how === "again") continue
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error)
      if (error instanceof ServerError) {
        if (!error.isPassing) throw error
        status = error.status
        code = error.code
        leastMs = Math.min(error.retryAfterMs, MAX_RETRY_AFTER_MS)
      }
    }
    if (signal?.aborted) return
    const retryMs = Math.max(leastMs, Math.round(waitOf(place)))
    place.failures += 1
    yield { type: "offline", reason, status, code, retryMs }
    await pause(retryMs, signal)
  }
}

/** As long as the server asks for at first, which it spreads over its viewers; after each failure twice as long. */
function waitOf({ retryMs, failures }: Place): number {
  if (failures === 0) return retryMs
  return backoff(
    { firstMs: retryMs, mostMs: Math.max(retryMs, MAX_RETRY_MS), spread: RETRY_SPREAD },
    failures,
  )
}

const headersOf = ({ lastEventId }: Place): Readonly<Record<string, string>> => ({
  accept: "text/event-stream",
  ...(lastEventId !== undefined && { "last-event-id": lastEventId }),
})

/** One connection, from the place on; answers whether the stream is over, broke off, or is to be asked for again. */
async function* connection(
  open: OpenStream,
  options: WatchOptions,
  place: Place,
): AsyncGenerator<Watched, "over" | "off" | "again", undefined> {
  const silence = new Silence(options.signal, place.rhythm)
  let [hasGap, isShutdown] = [false, false]
  try {
    const answer = await open(pathOf(options), headersOf(place), silence.signal)
    if (answer.status === 204) return "over"
    if (!answer.headers.get("content-type")?.startsWith("text/event-stream")) {
      throw new Error(NO_STREAM)
    }
    silence.opened()
    for await (const incoming of incomingOf(answer, silence, options.onHeard)) {
      if ("retryMs" in incoming) place.retryMs = Math.min(incoming.retryMs, MAX_RETRY_AFTER_MS)
      if (!("data" in incoming)) continue
      if (incoming.event === "busy") throw new Error(busyOf(incoming.data))
      const said = saidBy(incoming)
      place.failures = 0
      const control = said?.type === "control" ? said.control : undefined
      if (control?.event === "gap") hasGap = true
      // A gap brings the state of now along: then nothing is to be asked for again.
      if (control?.event === "live" && isOther(place, control.history) && !hasGap) return "again"
      if (incoming.id !== undefined) place.lastEventId = incoming.id
      if (said) yield said
      if (control?.event === "end") return "over"
      if (control?.event === "shutdown") isShutdown = true
    }
    if (isShutdown) throw new Error("the server is shutting down")
    return "off"
  } catch (error) {
    if (silence.isNetworkBack) return "again"
    throw error
  } finally {
    silence.end()
  }
}

/** Whether the event IDs so far mean nothing to the server, which has another database than before. */
function isOther(place: Place, history: string): boolean {
  const other =
    place.history !== undefined && place.history !== history && place.lastEventId !== ANOTHER_HISTORY
  if (other) place.lastEventId = ANOTHER_HISTORY
  place.history = history
  return other
}

/** The events of an answer, as they come. A reader, because not every browser can iterate over a body. */
async function* incomingOf(
  answer: Response,
  silence: Silence,
  onHeard: WatchOptions["onHeard"],
): AsyncGenerator<Incoming, void, undefined> {
  const reader = answer.body?.getReader()
  const parser = new EventParser()
  for (;;) {
    silence.wait()
    const read = await reader?.read().catch((cause: unknown) => {
      // Each runtime has words of its own for this, and some are long.
      throw silence.signal.aborted ? silence.signal.reason : new Error("the connection was lost", { cause })
    })
    if (!read?.value) return
    const before = parser.keepalives
    const incoming = [...parser.feed(read.value)]
    silence.heard(incoming.length === 0 && parser.keepalives > before)
    yield* incoming
    onHeard?.()
  }
}

/** Why there is no room for the stream, in the server's words. */
function busyOf(data: string): string {
  const { error }: { readonly error?: string } = JSON.parse(data)
  return error ?? "the server is busy"
}

/**
 * What an event says; undefined for one that is not known here.
 * @throws Error when it does not say what such an event of a server does
 */
function saidBy({ id, event, data }: ServerSentEvent): Watched | undefined {
  if (event !== "message" && !isControlEvent(event)) return undefined
  const value = valueOf(data)
  if (event === "message" && isUpdate(value) && /^\d+$/.test(id ?? ""))
    return { type: "update", id: Number(id), update: value }
  const control: unknown = { ...Object(value), event }
  if (isControl(control)) return { type: "control", control }
  throw new Error(NO_STREAM)
}
