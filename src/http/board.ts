import { Type } from "@sinclair/typebox"
import { Value } from "@sinclair/typebox/value"

import { AppError } from "../errors.ts"
import { ndjson } from "../stream/formats.ts"
import type { Streams } from "../stream/streams.ts"
import { Board, type View } from "../terminal/board.ts"
import { coloured, colourless, Region } from "../terminal/terminal.ts"
import { queryInteger } from "./params.ts"

const FRAME_MS = 200
/** For the seconds that are counted down. */
const TICK_MS = 1000
const MAX_COLUMNS = 1000

const BoardParams = Type.Object(
  {
    columns: queryInteger(1, "a positive integer"),
    rows: queryInteger(1, "a positive integer"),
    color: Type.Optional(Type.Union([Type.Literal("always"), Type.Literal("never")])),
  },
  { additionalProperties: false },
)

type Look = Omit<View, "nowMs">

/** How the client wants the board; nobody tells a server the size of a terminal. */
function lookOf(request: Request, isTerminal: boolean): Look {
  const query = Object.fromEntries(new URL(request.url, "http://localhost").searchParams)
  if (!Value.Check(BoardParams, query)) {
    throw new AppError(
      "invalid",
      "the query can have columns and rows, positive integers, and color, always or never",
    )
  }
  const { columns = "80", rows = "24", color = isTerminal ? "always" : "never" } = query
  return {
    columns: Math.min(MAX_COLUMNS, Math.max(20, Number(columns))),
    rows: Math.min(MAX_COLUMNS, Math.max(4, Number(rows))),
    style: color === "always" ? coloured : colourless,
    widthOf: Bun.stringWidth,
  }
}

const utf8 = new TextDecoder()

/** Lets the board take the frames of a chunk of NDJSON; the names of the control frames among them. */
function take(board: Board, chunk: Uint8Array): string[] {
  const names: string[] = []
  for (const line of utf8.decode(chunk).split("\n")) {
    if (line === "") continue
    const said = JSON.parse(line)
    if (said.event === undefined) board.update(said, Date.now())
    else names.push(said.event)
    if (said.event === "live") board.live(Date.now())
    if (said.event === "gap") board.gap(said.reason, said.missed, Date.now())
  }
  return names
}

/** Resolves after `ms`, unless it is disposed before. */
function timer(ms: number): Disposable & { readonly over: Promise<"time"> } {
  const { promise, resolve } = Promise.withResolvers<"time">()
  const timeout = setTimeout(resolve, ms, "time")
  return { over: promise, [Symbol.dispose]: () => clearTimeout(timeout) }
}

/** The board, drawn anew in place whenever it has changed, for as long as the stream lasts. */
async function* drawing(
  stream: AsyncGenerator<Uint8Array, void, undefined>,
  look: Look,
): AsyncGenerator<Uint8Array, void, undefined> {
  const board = new Board()
  const region = new Region()
  let last = ""
  const frame = (isForced: boolean): Uint8Array | undefined => {
    const view = { ...look, nowMs: Date.now() }
    const [above, drawn] = [board.news(view), board.draw(view)]
    const state = JSON.stringify(drawn)
    if (state === last && above.length === 0 && !isForced) return undefined
    last = state
    return Buffer.from(region.frame(above, drawn, look.columns))
  }
  try {
    let next = stream.next()
    for (let dueMs = 0, isForced = false; ;) {
      using tick = timer(Math.max(0, dueMs - performance.now()))
      const got = await Promise.race([next, tick.over])
      if (got === "time") {
        const bytes = frame(isForced)
        if (bytes) yield bytes
        isForced = false
        dueMs = performance.now() + TICK_MS
      } else if (got.done) {
        board.ended("the server is going away", Date.now())
        const bytes = frame(true)
        if (bytes) yield bytes
        return
      } else {
        // A keepalive is one here too: it shows who has gone.
        if (take(board, got.value).includes("keepalive")) isForced = true
        next = stream.next()
        dueMs = Math.min(dueMs, performance.now() + FRAME_MS)
      }
    }
  } finally {
    void stream.return()
  }
}

/** The board as it is now, once. */
async function drawnOnce(stream: AsyncIterable<Uint8Array>, look: Look): Promise<string> {
  const board = new Board()
  for await (const chunk of stream) if (take(board, chunk).includes("live")) break
  const lines = board.draw({ ...look, nowMs: Date.now() })
  return `${lines.map(({ text }) => text.trimEnd()).join("\n")}\n`
}

/** Programs that print what they get on a terminal, as it comes. */
const TERMINALS = /^(curl|wget|httpie|xh)\b/i
/** Whether text is among what the client takes. */
const acceptsText = (accept: string | null): boolean =>
  accept === null || /(^|,)\s*(\*\/\*|text\/(\*|plain))/i.test(accept)

/**
 * Answers those who want no HTML: curl and its like get the board of what is being rendered, drawn in place until
 * they leave, and any other program gets it once, as plain text.
 */
export const boardFor =
  (streams: Streams) =>
  async (request: Request): Promise<Response> => {
    if (!acceptsText(request.headers.get("accept"))) {
      throw new AppError("not_found", "this path serves text/html and text/plain; the API is under /api/v1")
    }
    const isTerminal = TERMINALS.test(request.headers.get("user-agent") ?? "")
    const look = lookOf(request, isTerminal)
    const headers = {
      "content-type": "text/plain; charset=utf-8",
      "cache-control": "no-store, no-transform",
      "x-accel-buffering": "no",
      "x-content-type-options": "nosniff",
      vary: "accept, user-agent",
    }
    const stream = await streams.open({
      format: ndjson,
      snapshot: true,
      untilFinished: false,
      // As in `progress.ts`: a HEAD request never aborts and is never read.
      signal: request.method === "HEAD" ? AbortSignal.abort() : request.signal,
    })
    if (!stream) return new Response(null, { status: 204 })
    if (!isTerminal) return new Response(await drawnOnce(stream, look), { headers })
    // Bun takes an async iterable as a body; the DOM's types do not know that.
    const body: unknown = drawing(stream, look)
    return new Response(body as ReadableStream<Uint8Array<ArrayBuffer>>, { headers })
  }
