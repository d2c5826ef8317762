import type { ProgressUpdate } from "../item/item.ts"
import type { StreamControl } from "../wire/frames.ts"
import { ServerError } from "./ask.ts"
import { EventParser, type Incoming, type ServerSentEvent } from "./events.ts"

/** What a watched stream says: an update with its event ID, or a word about the stream itself. */
export type Watched =
  | { readonly type: "update"; readonly id: number; readonly update: ProgressUpdate }
  | { readonly type: "control"; readonly control: StreamControl }
  /** The stream has broken off; the next try begins in `retryMs`. `status` is that of a refusal, else 0. */
  | {
      readonly type: "offline"
      readonly reason: string
      readonly status: number
      readonly retryMs: number
    }

/** Which stream to watch, from where, and until when. */
export interface WatchOptions {
  /** One item alone; absent for all. */
  readonly queueId?: number | undefined
  /** Some items alone, of the stream of all. */
  readonly ids?: readonly number[] | undefined
  /** The items of one song alone, of the stream of all. */
  readonly songId?: number | undefined
  /** Ends once the item of `queueId` is finished and its last update was told. */
  readonly untilFinished?: boolean | undefined
  /** What came after this event ID is told first; absent, the state of now is. */
  readonly lastEventId?: number | undefined
  /** The history that `lastEventId` belongs to, as `live` told it; in another one it means nothing. */
  readonly history?: string | undefined
  /** Whether to begin with the state of now; default true. */
  readonly snapshot?: boolean | undefined
  /** Aborting it ends the stream. */
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
const MAX_RETRY_MS = 10_000
const MAX_RETRY_AFTER_MS = 300_000
/** A server's keepalives are at most 52 s apart: a stream silent for longer is dead, whatever the socket says. */
const SILENCE_MS = 120_000

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
  }
  while (!signal?.aborted) {
    let [reason, status, leastMs] = ["the stream ended", 0, 0]
    try {
      const how = yield* connection(open, options, place)
      if (how === "over") return
      if (how === "again") continue
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error)
      if (error instanceof ServerError) {
        if (!error.isPassing) throw error
        status = error.status
        leastMs = Math.min(error.retryAfterMs, MAX_RETRY_AFTER_MS)
      }
    }
    if (signal?.aborted) return
    const retryMs = Math.max(leastMs, Math.min(place.retryMs * 2 ** place.failures, MAX_RETRY_MS))
    place.failures += 1
    yield { type: "offline", reason, status, retryMs }
    await pause(retryMs, signal)
  }
}

/** One connection, from the place on; answers whether the stream is over, broke off, or is to be asked for again. */
async function* connection(
  open: OpenStream,
  options: WatchOptions,
  place: Place,
): AsyncGenerator<Watched, "over" | "off" | "again", undefined> {
  const silence = new Silence(options.signal)
  let hasGap = false
  try {
    const headers = {
      accept: "text/event-stream",
      ...(place.lastEventId !== undefined && { "last-event-id": place.lastEventId }),
    }
    const answer = await open(pathOf(options), headers, silence.signal)
    if (answer.status === 204) return "over"
    if (!answer.headers.get("content-type")?.startsWith("text/event-stream")) {
      throw new Error("what answered is no stream of a Track Studio server")
    }
    for await (const incoming of incomingOf(answer, silence)) {
      if ("retryMs" in incoming) place.retryMs = incoming.retryMs
      if (!("data" in incoming)) continue
      place.failures = 0
      const said = saidBy(incoming)
      const control = said?.type === "control" ? said.control : undefined
      if (control?.event === "gap") hasGap = true
      // A gap brings the state of now along: then nothing is to be asked for again.
      if (control?.event === "live" && isOther(place, control.history) && !hasGap) return "again"
      if (incoming.id !== undefined) place.lastEventId = incoming.id
      if (said) yield said
      if (control?.event === "end") return "over"
    }
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
async function* incomingOf(answer: Response, silence: Silence): AsyncGenerator<Incoming, void, undefined> {
  const reader = answer.body?.getReader()
  const parser = new EventParser()
  for (;;) {
    const read = await reader?.read().catch((cause: unknown) => {
      // Each runtime has words of its own for this, and some are long.
      throw silence.signal.aborted ? silence.signal.reason : new Error("the connection was lost", { cause })
    })
    if (!read?.value) return
    const { value } = read
    silence.heard()
    yield* parser.feed(value)
  }
}

/** What an event says; undefined for one that is not known here. */
function saidBy({ id, event, data }: ServerSentEvent): Watched | undefined {
  if (event === "message") return { type: "update", id: Number(id), update: JSON.parse(data) }
  if (event === "live" || event === "gap" || event === "end" || event === "shutdown") {
    return { type: "control", control: { event, ...JSON.parse(data) } }
  }
  return undefined
}

/**
 * Listens for the browser being online again: a connection from before may be dead without knowing it, and to open
 * another loses nothing. Elsewhere there is no such event.
 */
function onOnline(listener: () => void): () => void {
  if (typeof globalThis.addEventListener !== "function") return () => undefined
  globalThis.addEventListener("online", listener)
  return () => globalThis.removeEventListener("online", listener)
}

/** A signal that aborts with the caller's, when nothing was heard for long, and when the network has come back. */
class Silence {
  readonly signal: AbortSignal
  readonly #dead = new AbortController()
  readonly #caller: AbortSignal | undefined
  readonly #pass = (): void => this.#dead.abort(this.#caller?.reason)
  /** Whether it was the network coming back that made it abort. */
  isNetworkBack = false
  readonly #unlisten = onOnline(() => {
    this.isNetworkBack = true
    this.#dead.abort()
  })
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(caller: AbortSignal | undefined) {
    this.signal = this.#dead.signal
    this.#caller = caller
    if (caller?.aborted) this.#pass()
    caller?.addEventListener("abort", this.#pass)
    this.heard()
  }

  heard(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#dead.abort(new Error("the stream fell silent")), SILENCE_MS)
  }

  /** Lets go of the timer, and of the connection. */
  end(): void {
    clearTimeout(this.#timer)
    this.#unlisten()
    this.#caller?.removeEventListener("abort", this.#pass)
    this.#dead.abort()
  }
}

/** Waits, but no longer than until the network has come back or the signal aborts. */
const pause = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    const unlisten = onOnline(done)
    function done(): void {
      clearTimeout(timer)
      unlisten()
      signal?.removeEventListener("abort", done)
      resolve()
    }
    signal?.addEventListener("abort", done)
  })
