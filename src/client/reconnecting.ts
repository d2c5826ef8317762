import { backoff } from "../backoff.ts"
import { reasonOf } from "../errors.ts"
import { EventParser, type Incoming, type ServerSentEvent } from "./event-parser.ts"
import { MissedKeepalives, pause, Rhythm } from "./missed-keepalives.ts"
import { notOurs, ServerError } from "./requests.ts"

/** The connection has broken. Until the stream goes on, what is shown may be out of date. */
export interface Offline {
  /** Distinguishes it from what the stream says. */
  readonly type: "offline"
  /** Why, as a sentence without a full stop. */
  readonly reason: string
  /** The HTTP status if a request was refused; otherwise 0. */
  readonly status: number
  /** The code of the ServerError if there was one; otherwise empty. */
  readonly code: string
  /** Milliseconds until the next try. */
  readonly retryMs: number
}

/** Sends a request for a path of the API; throws a ServerError if the answer is no success. */
export type OpenConnection = (
  path: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
) => Promise<Response>

/** What one event of a stream says. */
export interface Understood<Said> {
  /** What the caller gets; undefined for nothing. */
  readonly said?: Said | undefined
  /**
   * `over` ends the stream after this event; `again` drops the event and opens the next connection at once.
   * Default: the stream goes on.
   */
  readonly ending?: "over" | "again" | undefined
  /** Why the connection will end soon, if it ends after this event. Default: "the stream ended". */
  readonly reason?: string | undefined
}

/** How to request one connection of a stream, and how to read it. */
export interface Reading<Said> {
  /** The path in the API, with its query. */
  readonly path: string
  /**
   * Reads an event; undefined if no server sends such an event.
   * @throws Error if the connection must be opened again
   */
  readonly read: (event: ServerSentEvent) => Understood<Said> | undefined
}

/** The wait before the first new connection, until the server has named its reconnection time. */
const FIRST_RETRY_MS = 250
/** The longest wait, unless the server asks for a longer one. */
const MAX_RETRY_MS = 5000
const RETRY_SPREAD = 0.2
const MAX_RETRY_AFTER_MS = 300_000

/** What is known of a stream's connections. */
export interface Connections {
  /** How long to wait before the next one, in milliseconds. */
  retryMs: number
  /** Connections in a row that brought no event. */
  failures: number
  /** Whether a known event has come. Then the address is right, and the server is behind it. */
  isFound: boolean
  /** The last event ID that came. The next connection goes on after it; undefined before the first one. */
  lastEventId: string | undefined
  /** How often the server sends keepalives. */
  readonly rhythm: Rhythm
}

/** What is known before the first connection. That connection goes on after `lastEventId`. */
export const newConnections = (lastEventId: string | undefined): Connections => ({
  retryMs: FIRST_RETRY_MS,
  failures: 0,
  isFound: false,
  lastEventId,
  rhythm: new Rhythm(),
})

/**
 * Yields what a stream says over all of its connections, and `offline` whenever a connection has ended.
 * `readingOf` is called for each connection. `onHeard` is called whenever bytes have come, after everything
 * in them was yielded.
 * @throws ServerError if the server refuses for good
 */
export async function* connected<Said>(
  open: OpenConnection,
  connections: Connections,
  {
    signal,
    onHeard,
  }: { readonly signal?: AbortSignal | undefined; readonly onHeard?: (() => void) | undefined },
  readingOf: () => Reading<Said>,
): AsyncGenerator<Said | Offline, void, undefined> {
  while (!signal?.aborted) {
    const silence = new MissedKeepalives(signal, connections.rhythm)
    let failure: unknown
    try {
      const how = yield* connection(open, connections, silence, onHeard, readingOf())
      if (how === "over") return
      continue
    } catch (error) {
      failure = error
    } finally {
      silence.end()
    }
    if (signal?.aborted) return
    // The network is back: the old connection may be dead without knowing it.
    if (silence.isNetworkBack) continue
    const offline = offlineAfter(failure, connections)
    connections.failures += 1
    yield offline
    await pause(offline.retryMs, signal)
  }
}

/** Reads one connection. @throws Error that says why the connection ended, if another one must be opened */
async function* connection<Said>(
  open: OpenConnection,
  connections: Connections,
  silence: MissedKeepalives,
  onHeard: (() => void) | undefined,
  { path, read }: Reading<Said>,
): AsyncGenerator<Said, "over" | "again", undefined> {
  const { lastEventId } = connections
  const headers = {
    accept: "text/event-stream",
    ...(lastEventId !== undefined && { "last-event-id": lastEventId }),
  }
  const answer = await open(path, headers, silence.signal)
  if (answer.status === 204 && lastEventId !== undefined) return "over"
  if (!answer.headers.get("content-type")?.startsWith("text/event-stream")) throw notOurs(answer.url)
  silence.opened()
  let ended = "the stream ended"
  for await (const incoming of incomingOf(answer, silence, onHeard)) {
    if ("retryMs" in incoming) connections.retryMs = Math.min(incoming.retryMs, MAX_RETRY_AFTER_MS)
    if (!("data" in incoming)) continue
    const understood = read(incoming)
    if (!understood) throw notOurs(answer.url)
    const { said, ending, reason = ended } = understood
    ended = reason
    connections.failures = 0
    connections.isFound ||= said !== undefined || ending !== undefined
    if (ending === "again") return "again"
    if (incoming.id !== undefined) connections.lastEventId = incoming.id
    if (said !== undefined) yield said
    if (ending === "over") return "over"
  }
  throw new Error(ended)
}

/**
 * The `offline` for a connection that ended with this error.
 * @throws ServerError if the server has refused for good
 */
function offlineAfter(error: unknown, connections: Connections): Offline {
  const reason = reasonOf(error)
  const refusal = error instanceof ServerError ? error : undefined
  // A proxy may answer with anything while the server is away.
  const isByOther = refusal?.code === "" && connections.isFound
  if (refusal && !refusal.isPassing && !isByOther) throw refusal
  const leastMs = Math.min(refusal?.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS)
  const retryMs = Math.max(leastMs, Math.round(waitOf(connections)))
  return { type: "offline", reason, status: refusal?.status ?? 0, code: refusal?.code ?? "", retryMs }
}

/**
 * The first wait is as long as the server asks for, which differs from viewer to viewer. After each failure
 * it is twice as long.
 */
function waitOf({ retryMs, failures }: Connections): number {
  if (failures === 0) return retryMs
  return backoff(
    // Even if the server asks for no wait, requests must not follow each other without a pause.
    { firstMs: Math.max(retryMs, 1), mostMs: Math.max(retryMs, MAX_RETRY_MS), spread: RETRY_SPREAD },
    failures,
  )
}

/**
 * Yields the events of an answer as they come. It uses a reader, because not every browser can iterate over a
 * body.
 */
async function* incomingOf(
  answer: Response,
  silence: MissedKeepalives,
  onHeard: (() => void) | undefined,
): AsyncGenerator<Incoming, void, undefined> {
  const reader = answer.body?.getReader()
  const parser = new EventParser()
  for (;;) {
    silence.wait()
    const read = await reader?.read().catch((cause: unknown) => {
      // Each runtime has its own message for this, and some of these messages are long.
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
