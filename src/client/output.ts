import type { OutputPart } from "../wire/output.ts"
import { valueOf } from "./ask.ts"
import {
  connected,
  type Connections,
  type Ending,
  heardRetry,
  incomingOf,
  newConnections,
  type Offline,
  type OpenStream,
} from "./connections.ts"
import { isOutputEnd, isOutputPart } from "./shapes.ts"
import { Silence } from "./silence.ts"

/** What is read of an output: a piece, the end, or that the connection broke off. */
export type Printed =
  | (OutputPart & {
      /** Tells it from the others. */
      readonly type: "piece"
    })
  /** Nothing more is kept or, followed, nothing more will be printed. */
  | {
      /** Tells it from the others. */
      readonly type: "end"
      /** The attempt that was read last; 0 if none has begun. */
      readonly attempt: number
      /** The item's status. */
      readonly status: string
    }
  | Offline

/** Which output to read. */
export interface OutputOptions {
  /** Only this attempt; default the last one and, followed, those that come after it. */
  readonly attempt?: number | undefined
  /** Begins after this place, which a piece has named; default at the beginning of what is kept. */
  readonly from?: Pick<OutputPart, "attempt" | "to"> | undefined
  /** Whether to go on with what is printed from now on, until nothing more will be; default false. */
  readonly isFollowed?: boolean | undefined
  /** Ends it when it aborts; default never. */
  readonly signal?: AbortSignal | undefined
}

/** How far an output was read, over all of its connections. */
interface Place extends Connections {
  /** The last event's ID, which names its place. */
  lastEventId: string | undefined
}

/**
 * What a command prints, read over as many connections as it takes; see `Client.output`. `path` is that of the output
 * in the API.
 * @throws ServerError when the server refuses for good
 */
export function printedAt(
  open: OpenStream,
  path: string,
  options: OutputOptions,
): AsyncGenerator<Printed, void, undefined> {
  const { from } = options
  const lastEventId = from && `${from.attempt}-${from.to}`
  const place: Place = { ...newConnections(), lastEventId }
  return connected(place, options.signal, () => connection(open, path, options, place))
}

/** One connection, from the place on. */
async function* connection(
  open: OpenStream,
  path: string,
  { attempt, isFollowed = false, signal }: OutputOptions,
  place: Place,
): AsyncGenerator<Printed, Ending, undefined> {
  const silence = new Silence(signal, place.rhythm)
  const query = new URLSearchParams({ format: "sse", follow: String(isFollowed) })
  if (attempt !== undefined) query.set("attempt", String(attempt))
  const headers = place.lastEventId === undefined ? undefined : { "last-event-id": place.lastEventId }
  try {
    const answer = await open(`${path}?${query}`, headers ?? {}, silence.signal)
    silence.opened()
    for await (const incoming of incomingOf(answer, silence, undefined)) {
      if ("retryMs" in incoming) heardRetry(place, incoming.retryMs)
      if (!("data" in incoming)) continue
      place.failures = 0
      place.lastEventId = incoming.id ?? place.lastEventId
      const said = saidBy(incoming.event, incoming.data)
      if (said) yield said
      if (said?.type === "end") return "over"
    }
    return "off"
  } catch (error) {
    if (silence.isNetworkBack) return "again"
    throw error
  } finally {
    silence.end()
  }
}

/** What an event says; undefined for one that is not known here. @throws Error when no server says so */
function saidBy(event: string, data: string): Printed | undefined {
  const value = valueOf(data)
  if (event === "message" && isOutputPart(value)) return { type: "piece", ...value }
  if (event === "end" && isOutputEnd(value)) return { type: "end", ...value }
  if (event !== "message" && event !== "end") return undefined
  throw new Error("what answered is no output of a Track Studio server")
}
