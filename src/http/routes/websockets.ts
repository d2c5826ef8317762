import { Type } from "@sinclair/typebox"
import { Value } from "@sinclair/typebox/value"

import type { Caller } from "../../access/authorize.ts"
import { AppError, unknownItem } from "../../errors.ts"
import { MAX_CHOSEN, type Only, type Question, Selection } from "../../stream/selection.ts"
import { messages } from "../../stream/sse-ndjson-text.ts"
import type { Chunks, Ending } from "../../stream/stream-request.ts"
import type { Streams } from "../../stream/streams.ts"
import { SHUTTING_DOWN } from "../../text.ts"
import { StreamLine } from "../../wire/answers.ts"
import { API } from "../api.ts"
import type { AppWithCaller, Callers } from "../caller-of-request.ts"
import { asksForWebSocket } from "../checks-before-routing.ts"
import { clientKind } from "../client-kind.ts"
import { type RouteWords, words } from "../docs/words.ts"
import { GoneWebsockets, type Peer } from "../gone-websockets.ts"
import { ItemParams } from "../request-parameters.ts"
import { noLongerIn } from "../revoked-meanwhile.ts"
import {
  type Asked,
  GlobalSocketParams,
  idsOf,
  lastEventIdOf,
  OneItemSocketParams,
  RESUME,
  tidy,
  wantedOf,
} from "../stream-query.ts"

/** How the server treats WebSockets. */
export const WEBSOCKET = {
  // Seconds. A socket that accepts no data for this long is closed. `ALLOWED_SILENCE` is for peers that answer no ping.
  idleTimeout: 60,
  maxPayloadLength: 16 * 1024,
  // A chunk of a stream is far smaller. Only a peer that sends pings and does not read reaches this limit.
  backpressureLimit: 4 * 1024 * 1024,
  closeOnBackpressureLimit: true,
  perMessageDeflate: false,
} as const

/** A peer that answers no ping is cut within a minute. */
const ALLOWED_SILENCE = { askAfterMs: 20_000, cutAfterMs: 50_000 }

/**
 * The most pings and pongs of one peer in a second. An honest peer sends one each few seconds, and the few that a stall
 * on the way has held back at once. They do not count against the limits of the client: then a busy client would lose
 * its sockets.
 */
const MOST_PINGS_A_SECOND = 100

/** The close code of RFC 6455 for a peer whose messages are not accepted. */
const UNACCEPTABLE = 1008
const BROKEN = { code: 1011, reason: "the stream broke off; resume it by its last event ID" }
/** How a socket is closed, by the reason why its stream ended. */
const CLOSE: Readonly<Record<Ending, { readonly code: number; readonly reason: string }>> = {
  finished: { code: 1000, reason: "finished" },
  shutdown: { code: 1001, reason: SHUTTING_DOWN },
  left: BROKEN,
  failed: BROKEN,
}

const Ids = Type.Array(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }), {
  minItems: 1,
  maxItems: MAX_CHOSEN,
})
const Subscribe = Type.Object({ subscribe: Ids }, { additionalProperties: false })
const Unsubscribe = Type.Object({ unsubscribe: Ids }, { additionalProperties: false })

/** A message of the viewer as a request to its selection. */
function asked(message: string | Buffer): Question {
  if (typeof message !== "string") {
    return { do: "refuse", code: "unsupported_media_type", error: "a message must be text" }
  }
  let said: unknown
  try {
    said = JSON.parse(message)
  } catch {
    return { do: "refuse", code: "malformed_json", error: "the message is not valid JSON" }
  }
  if (Value.Check(Subscribe, said)) return { do: "subscribe", ids: said.subscribe }
  if (Value.Check(Unsubscribe, said)) return { do: "unsubscribe", ids: said.unsubscribe }
  return {
    do: "refuse",
    code: "invalid",
    error: `a message must be {"subscribe": [7, 8]} or {"unsubscribe": [7]}, with 1 to ${MAX_CHOSEN} ids of queue items`,
  }
}

/** The state of one chosen item has about this many bytes. */
const ITEM_BYTES = 1024

/** The caller of a socket, and the limits by which it is counted. */
interface Asker extends Pick<Callers, "limits" | "turns"> {
  readonly caller: Caller
}

type Messages = Chunks<readonly string[]>

/**
 * One open WebSocket. Each frame of a stream is one message. The next chunk is taken from the stream when the
 * socket has sent the chunk before, so a peer that does not read costs one chunk, and its stream keeps its
 * cursor.
 */
class ProgressSocket implements Peer {
  readonly #stream: Messages | null
  readonly #selection: Selection
  readonly #over: AbortController
  readonly #goneWebsockets: GoneWebsockets
  readonly #asker: Asker
  #ws: Bun.ServerWebSocket<ProgressSocket> | undefined
  #drained: () => void = () => undefined
  /** How many pings and pongs have come since `#pingsSinceMs`, which is less than a second ago. */
  #pings = 0
  #pingsSinceMs = 0

  /** `stream` is null if nothing can ever follow. `over` is aborted when the peer is gone. */
  constructor(
    stream: Messages | null,
    selection: Selection,
    over: AbortController,
    goneWebsockets: GoneWebsockets,
    asker: Asker,
  ) {
    this.#asker = asker
    this.#goneWebsockets = goneWebsockets
    this.#stream = stream
    this.#selection = selection
    this.#over = over
  }

  open(ws: Bun.ServerWebSocket<ProgressSocket>): void {
    this.#ws = ws
    this.#goneWebsockets.heard(this)
    void this.#pump(ws)
  }

  /** Sends a ping. */
  ask(): void {
    this.#ws?.ping()
  }

  cut(): void {
    this.#ws?.terminate()
  }

  /** A ping has come. The runtime answers it. */
  ping(ws: Bun.ServerWebSocket<ProgressSocket>): void {
    this.#goneWebsockets.heard(this)
    const nowMs = performance.now()
    if (nowMs - this.#pingsSinceMs >= 1000) {
      this.#pingsSinceMs = nowMs
      this.#pings = 0
    }
    this.#pings += 1
    if (this.#pings > MOST_PINGS_A_SECOND) ws.close(UNACCEPTABLE, "too many pings")
  }

  /** The answer to a ping has come. */
  pong(ws: Bun.ServerWebSocket<ProgressSocket>): void {
    this.ping(ws)
  }

  message(ws: Bun.ServerWebSocket<ProgressSocket>, message: string | Buffer): void {
    const { limits, turns, caller } = this.#asker
    try {
      limits.ask(caller, "")
    } catch (error) {
      return ws.close(UNACCEPTABLE, error instanceof AppError ? error.message : "")
    }
    const turn = turns.wait(caller.client)
    if (turn) void turn.then(() => this.#take(ws, message))
    else this.#take(ws, message)
  }

  /** Passes a request to the selection. Each item that it chooses must be read. */
  #take(ws: Bun.ServerWebSocket<ProgressSocket>, message: string | Buffer): void {
    const { limits, caller } = this.#asker
    const ask = asked(message)
    if (ask.do === "subscribe") limits.charge(caller, ask.ids.length * ITEM_BYTES)
    if (this.#over.signal.aborted || this.#selection.ask(ask)) return
    ws.close(UNACCEPTABLE, "too many messages before their answers were read")
  }

  drain(): void {
    this.#drained()
  }

  close(): void {
    this.#goneWebsockets.forget(this)
    this.#over.abort()
    this.#drained()
  }

  async #pump(ws: Bun.ServerWebSocket<ProgressSocket>): Promise<void> {
    const ending = this.#stream === null ? "finished" : await this.#send(this.#stream, ws)
    const { caller } = this.#asker
    const isRefused = ending === "left" && caller.ended?.aborted === true
    const { code, reason } = CLOSE[ending]
    // A peer that may no longer watch must not come back.
    if (isRefused) ws.close(UNACCEPTABLE, noLongerIn(caller).message)
    else ws.close(code, reason)
  }

  async #send(stream: Messages, ws: Bun.ServerWebSocket<ProgressSocket>): Promise<Ending> {
    let next = await stream.next()
    for (; !next.done; next = await stream.next()) {
      const texts = next.value
      ws.cork(() => {
        for (const text of texts) ws.sendText(text)
      })
      while (ws.getBufferedAmount() > 0 && !this.#over.signal.aborted) await this.#untilDrained()
    }
    return next.value
  }

  #untilDrained(): Promise<void> {
    return new Promise((resolve) => {
      this.#drained = resolve
    })
  }
}

/** The refusal for an item that the path of a ticket does not name. */
const beyondTicket = (id: number): AppError =>
  new AppError(
    "forbidden",
    `the ticket of this socket does not name queue item ${id}; get a ticket for /api/v1/progress/ws`,
  )

/** The only items that a socket may select: that of a share link, or those that the path of a ticket names. */
function onlyOf(
  { request, caller: { item, token } }: Pick<Upgrading, "request" | "caller">,
  named: readonly number[] | undefined,
): Only | undefined {
  if (item !== undefined) return { ids: new Set([item]), refusal: unknownItem }
  const isByTicket = token !== undefined && !request.headers.has("authorization")
  return isByTicket && named ? { ids: new Set(named), refusal: beyondTicket } : undefined
}

/** What a socket shows: one item, or the global stream narrowed. */
interface ShownBySocket {
  readonly queueId?: number
  readonly isBound: boolean
  readonly selection: Selection
  readonly untilFinished: boolean
}

/** What the framework knows about a request that becomes a socket. */
interface Upgrading {
  readonly request: Request
  readonly server: Bun.Server<unknown> | null
  readonly caller: Caller
}

const SOCKET =
  'The frames of the streams as JSON, one per message: an update with its event ID as `id`, or `{"event": "live", ...}`. `{"subscribe": [7, 8]}` adds items to those that are watched, and `{"unsubscribe": [7]}` removes them. A socket that watches everything watches only the items of its first `subscribe` from then on. A socket that was opened with a ticket can add only items that the path of the ticket names, if it names any. Each change is answered by `{"event": "watching", "ids": [...]}` and the state of the added items; a message that is refused is answered by `{"event": "refused", "error": ..., "code": ..., "request_id": ...}`. Pings are answered; a socket that answers none of the server\'s is cut within a minute. Close codes: 1000 finished, 1001 the server is shutting down, 1008 too many messages or pings, or the token has ended, 1011 the stream broke off.'

/** The parts that all routes of WebSockets share. */
const UPGRADE = {
  headers: RESUME,
  successes: [{ status: 101, about: "a WebSocket", content: { "application/json": { schema: StreamLine } } }],
  refusals: ["upgrade_required", "forbidden"],
} satisfies Partial<RouteWords>

/** The routes of the streams over WebSockets. */
export const progressSockets = (app: AppWithCaller, streams: Streams, { owners, limits, turns }: Callers) => {
  const goneWebsockets = new GoneWebsockets(ALLOWED_SILENCE)
  const upgrade = async (
    { request, server, caller }: Upgrading,
    query: Asked,
    shown: ShownBySocket,
  ): Promise<Response | undefined> => {
    if (!asksForWebSocket(request)) {
      throw new AppError(
        "upgrade_required",
        "this endpoint needs a WebSocket upgrade; /progress/stream is the HTTP equivalent",
      )
    }
    const over = new AbortController()
    const stream = await streams.open({
      ...shown,
      owner: owners.of(caller),
      lastEventId: lastEventIdOf(request, query),
      snapshot: query.snapshot !== "false",
      thin: Number(query.thin ?? 0),
      format: messages,
      client: clientKind(request),
      signal: over.signal,
    })
    const data = new ProgressSocket(stream, shown.selection, over, goneWebsockets, {
      caller,
      limits,
      turns,
    })
    if (server?.upgrade(request, { data })) return undefined
    over.abort()
    throw new AppError("invalid", "this is not a handshake of the WebSocket protocol, version 13")
  }
  return app
    .get(
      `${API}/progress/ws`,
      async ({ request, server, query, caller }) => {
        const { item } = caller
        const ids = idsOf(query.ids)
        const seen = item === undefined ? ids : [item].filter((id) => ids?.includes(id) ?? true)
        const only = onlyOf({ request, caller }, ids)
        const selection = new Selection(seen, { among: wantedOf(query.song_id), only })
        return upgrade({ request, server, caller }, query, {
          ...(item !== undefined && { queueId: item }),
          isBound: item !== undefined,
          selection,
          untilFinished: false,
        })
      },
      {
        query: GlobalSocketParams,
        transform: tidy,
        ...words({
          id: "socketAll",
          tag: "Streams",
          summary: "Stream all updates over a WebSocket",
          about: SOCKET,
          ...UPGRADE,
        }),
      },
    )
    .get(
      `${API}/progress/ws/:id`,
      async ({ request, server, query, params: { id }, caller }) => {
        const untilFinished = query.until === "finished"
        const only = onlyOf({ request, caller }, [Number(id)])
        const selection = new Selection([Number(id)], { isFixed: untilFinished, only })
        const isBound = caller.item !== undefined
        const shown = { queueId: Number(id), isBound, selection, untilFinished }
        return upgrade({ request, server, caller }, query, shown)
      },
      {
        query: OneItemSocketParams,
        transform: tidy,
        params: ItemParams,
        ...words({
          id: "socketItem",
          tag: "Streams",
          summary: "Stream the updates of one item over a WebSocket",
          about: `${SOCKET} With \`until=finished\` the socket is closed once the item is finished, and messages are refused.`,
          ...UPGRADE,
        }),
      },
    )
}
