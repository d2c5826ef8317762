import { Type } from "@sinclair/typebox"
import { Value } from "@sinclair/typebox/value"

import type { Caller } from "../access/authorize.ts"
import { checkAllowed, isAllowed } from "../access/roles.ts"
import { AppError } from "../errors.ts"
import { OneOf } from "../item/schema-parts.ts"
import { updateIn } from "../item/update.ts"
import { unknownZone } from "../queue/calendar.ts"
import type { StartForecasts } from "../queue/start-forecasts.ts"
import { asFrames } from "../stream/sse-ndjson-text.ts"
import type { Chunks } from "../stream/stream-request.ts"
import type { Streams } from "../stream/streams.ts"
import { Board, type View } from "../terminal/board.ts"
import { drawing, foreseeing, type TerminalScreen } from "../terminal/drawing.ts"
import { coloured, colourless } from "../terminal/terminal.ts"
import { type Zone, zoneNamed } from "../terminal/times-of-day.ts"
import { SHUTTING_DOWN } from "../text.ts"
import type { Frame } from "../wire/frames.ts"
import { clientKind } from "./client-kind.ts"
import { queryInteger } from "./request-parameters.ts"
import { noLongerIn } from "./revoked-meanwhile.ts"
import type { StreamOwners } from "./stream-owners.ts"
import { bodyOf, UNBUFFERED, unread } from "./streamed-answer.ts"

const FRAME_MS = 200
const MAX_COLUMNS = 1000

const BoardParams = Type.Object(
  {
    columns: queryInteger(1, "a positive integer"),
    rows: queryInteger(1, "a positive integer"),
    color: Type.Optional(OneOf(["always", "never"])),
    tz: Type.Optional(Type.String({ maxLength: 64 })),
  },
  { additionalProperties: false },
)

/** A view that moves with the time. `now` returns epoch milliseconds by the clock of the database. */
type LiveView = Omit<View, "nowMs"> & { readonly zone: Zone; readonly now: () => number }

/** @throws AppError `invalid` for a zone that is not known */
function zoneAsked(name: string): Zone {
  try {
    return zoneNamed(name)
  } catch {
    throw unknownZone(name)
  }
}

/**
 * How the client wants the board. A request does not say how large the client's terminal is, nor its time
 * zone.
 */
function viewOf(request: Request, isTTY: boolean): Omit<LiveView, "now"> {
  const query = Object.fromEntries(new URL(request.url, "http://localhost").searchParams)
  if (!Value.Check(BoardParams, query)) {
    throw new AppError(
      "invalid",
      "the query may have columns and rows (positive integers), color (always or never) and tz (a time zone)",
    )
  }
  const { columns = "80", rows = "24", color = isTTY ? "always" : "never", tz = "UTC" } = query
  return {
    columns: Math.min(MAX_COLUMNS, Math.max(20, Number(columns))),
    rows: Math.min(MAX_COLUMNS, Math.max(4, Number(rows))),
    style: color === "always" ? coloured : colourless,
    widthOf: Bun.stringWidth,
    zone: zoneAsked(tz),
  }
}

/**
 * Resolves with the number of seconds until everything is done; null if that is unknown, or if the caller may
 * not know it.
 */
type DoneIn = () => Promise<number | null>

/** Gives the frames of a stream to the board. */
function take(board: Board, frames: readonly Frame[], nowMs: number): void {
  for (const frame of frames) {
    if (frame.type === "control") board.take(frame, nowMs)
    if (frame.type === "update") board.take({ type: "update", update: updateIn(frame.update) }, nowMs)
  }
}

const isLive = (frame: Frame): boolean => frame.type === "control" && frame.control.event === "live"

/**
 * The bytes of a board that is drawn in place for as long as the stream lasts. In the end, `why` returns the
 * reason why the stream ended.
 */
async function* drawn(
  stream: Chunks<readonly Frame[]>,
  { zone, now, ...view }: LiveView,
  doneIn: DoneIn,
  why: () => string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const board = new Board({ zone })
  using _ = foreseeing(doneIn, (seconds) => board.foresee(seconds, now()))
  async function* said(): AsyncGenerator<readonly Frame[], void, undefined> {
    yield* stream
    board.ended(why(), now())
  }
  const screen: TerminalScreen = { view: () => ({ ...view, nowMs: now() }), frameMs: FRAME_MS }
  const taken = (frames: readonly Frame[]): "forced" | "shown" => {
    take(board, frames, now())
    // Only a write shows that a client is gone, so a keepalive is passed on even if the board has not
    // changed.
    return frames.some(({ type }) => type === "keepalive") ? "forced" : "shown"
  }
  for await (const frame of drawing(board, said(), taken, screen)) yield Buffer.from(frame)
}

/** The board as it is now, once. */
async function drawnOnce(
  stream: Chunks<readonly Frame[]>,
  { zone, now, ...view }: LiveView,
  doneIn: DoneIn,
): Promise<string> {
  const board = new Board({ zone })
  board.foresee(await doneIn(), now())
  for await (const frames of stream) {
    take(board, frames, now())
    if (frames.some(isLive)) break
  }
  const lines = board.draw({ ...view, nowMs: now() })
  return `${lines.map(({ text }) => text.trimEnd()).join("\n")}\n`
}

/** The parts that a board shows. */
interface BoardParts {
  /** The live streams. */
  readonly streams: Streams
  /** When waiting items start. */
  readonly forecasts: StartForecasts
  /** Epoch milliseconds, by the clock of the database. */
  readonly now: () => number
}

/** Programs that print an answer on a terminal while it arrives. */
const TERMINALS = /^(curl|wget|httpie|xh)\b/i
/** Whether the client accepts text. */
const acceptsText = (accept: string | null): boolean =>
  accept === null || /(^|,)\s*(\*\/\*|text\/(\*|plain))/i.test(accept)

/**
 * Answers clients that do not want HTML. curl and similar programs get the board of what is being rendered,
 * drawn in place until they leave. Any other program gets the board once, as plain text.
 */
export const boardFor =
  ({ streams, forecasts, now }: BoardParts, owners: StreamOwners) =>
  async (request: Request, caller: Caller): Promise<Response> => {
    checkAllowed(caller, "read")
    if (!acceptsText(request.headers.get("accept"))) {
      throw new AppError("not_found", "this path serves text/html and text/plain; the API is under /api/v1")
    }
    const isTTY = TERMINALS.test(request.headers.get("user-agent") ?? "")
    const view = { ...viewOf(request, isTTY), now }
    const headers = {
      "content-type": "text/plain; charset=utf-8",
      ...UNBUFFERED,
      vary: "accept, user-agent",
    }
    const stream = await streams.open({
      queueId: caller.item,
      owner: owners.of(caller),
      format: asFrames,
      client: clientKind(request),
      snapshot: true,
      untilFinished: false,
      signal: unread(request),
    })
    if (!stream) return new Response(null, { status: 204 })
    const doneIn = async (): Promise<number | null> =>
      isAllowed(caller, "figures") ? ((await forecasts.now()).doneIn ?? null) : null
    if (!isTTY) return new Response(await drawnOnce(stream, view, doneIn), { headers })
    const why = (): string => (caller.ended?.aborted ? noLongerIn(caller).message : SHUTTING_DOWN)
    return new Response(bodyOf(drawn(stream, view, doneIn, why)), { headers })
  }
