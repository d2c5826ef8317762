import { backoff } from "../backoff.ts"
import { ServerError } from "./ask.ts"
import { EventParser, type Incoming } from "./events.ts"
import { pause, Rhythm, type Silence } from "./silence.ts"

/** The stream has broken off: what was shown may be old from here on, until it goes on. */
export interface Offline {
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

/** Asks for a path of the API; throws a ServerError for anything but a success. */
export type OpenStream = (
  path: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
) => Promise<Response>

/** How a connection ended: nothing more follows, it broke off, or it is to be opened again at once. */
export type Ending = "over" | "off" | "again"

/** Until the server has named its reconnection time. */
const FIRST_RETRY_MS = 250
/** The longest wait, unless the server asks for a longer one. */
const MAX_RETRY_MS = 5000
const RETRY_SPREAD = 0.2
const MAX_RETRY_AFTER_MS = 300_000

/** What is known of a stream's connections. */
export interface Connections {
  /** How long to wait before the next one, in milliseconds. */
  retryMs: number
  /** Connections in a row that told nothing. */
  failures: number
  /** How often the server sends keepalives. */
  readonly rhythm: Rhythm
}

/** What is known before the first connection. */
export const newConnections = (): Connections => ({
  retryMs: FIRST_RETRY_MS,
  failures: 0,
  rhythm: new Rhythm(),
})

/** The server has named its reconnection time. */
export function heardRetry(connections: Connections, retryMs: number): void {
  connections.retryMs = Math.min(retryMs, MAX_RETRY_AFTER_MS)
}

/**
 * What a stream says over all of its connections, each of which `connection` opens; `offline` stands between them.
 * @throws ServerError when the server refuses for good
 */
export async function* connected<Said>(
  connections: Connections,
  signal: AbortSignal | undefined,
  connection: () => AsyncGenerator<Said, Ending, undefined>,
): AsyncGenerator<Said | Offline, void, undefined> {
  while (!signal?.aborted) {
    let [reason, code, status, leastMs] = ["the stream ended", "", 0, 0]
    try {
      const how = yield* connection()
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
    const retryMs = Math.max(leastMs, Math.round(waitOf(connections)))
    connections.failures += 1
    yield { type: "offline", reason, status, code, retryMs }
    await pause(retryMs, signal)
  }
}

/** As long as the server asks for at first, which it spreads over its viewers; after each failure twice as long. */
function waitOf({ retryMs, failures }: Connections): number {
  if (failures === 0) return retryMs
  return backoff(
    { firstMs: retryMs, mostMs: Math.max(retryMs, MAX_RETRY_MS), spread: RETRY_SPREAD },
    failures,
  )
}

/** The events of an answer, as they come. A reader, because not every browser can iterate over a body. */
export async function* incomingOf(
  answer: Response,
  silence: Silence,
  onHeard: (() => void) | undefined,
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
