import type { OutputPart } from "../wire/answers.ts"
import { isOutputEnd, isOutputPart } from "./answer-shapes.ts"
import type { ServerSentEvent } from "./event-parser.ts"
import { connected, newConnections, type Offline, type OpenConnection, type Reading } from "./reconnecting.ts"
import { valueOf } from "./requests.ts"

/** What is yielded of an output: a piece, the end, or the fact that the connection broke. */
export type Printed =
  | (OutputPart & {
      /** Distinguishes a piece from the others. */
      readonly type: "piece"
      /**
       * When the attempt of this piece began, in epoch milliseconds: after a retry, attempt numbers are used
       * again. Absent for an attempt before the item's last one, and if the server is older.
       */
      readonly begunMs?: number | undefined
    })
  /**
   * The output has ended: there is nothing more to read. If the output is followed, nothing more will be
   * printed either.
   */
  | {
      /** Distinguishes the end from the others. */
      readonly type: "end"
      /** The attempt that was read last; 0 if none has begun. */
      readonly attempt: number
      /** The item's status. */
      readonly status: string
      /** How the item ended: `completed`, `failed`, `cancelled` or `lost`; absent if it has not, or the server is older. */
      readonly outcome?: string | undefined
    }
  | Offline

/**
 * A position in an output, as a piece names it. If the attempt began at another time, the output is read from its
 * beginning.
 */
export type OutputPosition = Pick<Extract<Printed, { readonly type: "piece" }>, "attempt" | "to" | "begunMs">

/** Which output to read. */
export interface OutputOptions {
  /**
   * The number of the only attempt to read. Default: the last attempt and, if the output is followed, all
   * later attempts.
   */
  readonly attempt?: number | undefined
  /**
   * The output is read from this position on, which a piece has named. Default: from the beginning of what is
   * stored.
   */
  readonly from?: OutputPosition | undefined
  /**
   * Whether to go on reading what is printed from now on, until nothing more will be printed; default false.
   */
  readonly isFollowed?: boolean | undefined
  /** Ends it when it aborts; default never. */
  readonly signal?: AbortSignal | undefined
}

/**
 * The output of a command, read over as many connections as needed; see `Client.output`. `path` is the path
 * of the output in the API.
 * @throws ServerError if the server refuses for good
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

const eventIdOf = ({ attempt, to, begunMs }: OutputPosition): string =>
  begunMs === undefined ? `${attempt}-${to}` : `${attempt}-${to}-${begunMs}`

/**
 * When the attempt of a piece began, which the event ID of the piece says; undefined if it does not say it.
 */
function begunIn(eventId: string | undefined): number | undefined {
  const [, begun] = /^\d+-\d+-(\d+)$/.exec(eventId ?? "") ?? []
  return begun === undefined ? undefined : Number(begun)
}

/**
 * The content of an event: undefined if this client does not know the event, null if no server sends such an
 * event.
 */
function saidBy({ id, event, data }: ServerSentEvent): Printed | undefined | null {
  const value = valueOf(data)
  if (event === "message" && isOutputPart(value)) return { type: "piece", ...value, begunMs: begunIn(id) }
  if (event === "end" && isOutputEnd(value)) return { type: "end", ...value }
  return event === "message" || event === "end" ? null : undefined
}
