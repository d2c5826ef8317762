import type { OutputPart } from "../wire/output.ts"
import { isOutputEnd, isOutputPart } from "./answer-shapes.ts"
import type { ServerSentEvent } from "./event-parser.ts"
import { connected, newConnections, type Offline, type OpenConnection, type Reading } from "./reconnecting.ts"
import { valueOf } from "./requests.ts"

/** What is read of an output: a piece, the end, or that the connection broke off. */
export type Printed =
  | (OutputPart & {
      /** Distinguishes it from the others. */
      readonly type: "piece"
      /**
       * When its attempt began, in epoch milliseconds: after a retry the number of an attempt comes again. Absent for an
       * attempt before the item's last one, and from an older server.
       */
      readonly begunMs?: number | undefined
    })
  /** The output has ended: nothing more is kept or, if it is followed, nothing more will be printed. */
  | {
      /** Distinguishes it from the others. */
      readonly type: "end"
      /** The attempt that was read last; 0 if none has begun. */
      readonly attempt: number
      /** The item's status. */
      readonly status: string
    }
  | Offline

/**
 * A place in an output, as a piece names it. If the attempt began at another time, the output is read from its
 * beginning.
 */
export type OutputPlace = Pick<Extract<Printed, { readonly type: "piece" }>, "attempt" | "to" | "begunMs">

/** Which output to read. */
export interface OutputOptions {
  /** The number of the only attempt to read; default the last one and, followed, those that come after it. */
  readonly attempt?: number | undefined
  /** Begins after this place, which a piece has named; default at the beginning of what is kept. */
  readonly from?: OutputPlace | undefined
  /** Whether to go on with what is printed from now on, until nothing more will be; default false. */
  readonly isFollowed?: boolean | undefined
  /** Ends it when it aborts; default never. */
  readonly signal?: AbortSignal | undefined
}

/**
 * What a command prints, read over as many connections as it takes; see `Client.output`. `path` is that of the output
 * in the API.
 * @throws ServerError when the server refuses for good
 */
export function printedAt(
  open: OpenConnection,
  path: string,
  options: OutputOptions,
): AsyncGenerator<Printed, void, undefined> {
  const { from, attempt, isFollowed = false, signal } = options
  const query = new URLSearchParams({ format: "sse", follow: String(isFollowed) })
  if (attempt !== undefined) query.set("attempt", String(attempt))
  const reading: Reading<Printed> = {
    path: `${path}?${query}`,
    read(event) {
      const said = saidBy(event)
      if (said === null) return undefined
      return { said, ending: said?.type === "end" ? "over" : undefined }
    },
  }
  return connected(open, newConnections(from && eventIdOf(from)), { signal }, () => reading)
}

const eventIdOf = ({ attempt, to, begunMs }: OutputPlace): string =>
  begunMs === undefined ? `${attempt}-${to}` : `${attempt}-${to}-${begunMs}`

/** When the attempt of a piece began, which its event ID says; undefined if it does not. */
function begunIn(eventId: string | undefined): number | undefined {
  const [, begun] = /^\d+-\d+-(\d+)$/.exec(eventId ?? "") ?? []
  return begun === undefined ? undefined : Number(begun)
}

/** What an event says; undefined for one that is not known here, null for what no server sends. */
function saidBy({ id, event, data }: ServerSentEvent): Printed | undefined | null {
  const value = valueOf(data)
  if (event === "message" && isOutputPart(value)) return { type: "piece", ...value, begunMs: begunIn(id) }
  if (event === "end" && isOutputEnd(value)) return { type: "end", ...value }
  return event === "message" || event === "end" ? null : undefined
}
