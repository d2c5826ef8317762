import { type TSchema, Type } from "@sinclair/typebox"

import type { ErrorCode } from "../../errors.ts"
import { QueueItem } from "../../item/item.ts"
import {
  Claimed,
  DeliveriesPage,
  EventData,
  FlagUpdated,
  Health,
  HistoryPage,
  IngestAnswer,
  ItemDeleted,
  NextItem,
  QueuePage,
  Stats,
  StreamLine,
  WorkerAnswer,
} from "../../wire/answers.ts"

/** A body: what it consists of, with an example of one such thing, and of how it looks as bytes. */
export interface Content {
  readonly schema: TSchema
  readonly example?: unknown
  readonly wire?: string
}

/** What a route answers when all is well. */
export interface Success {
  readonly status: number
  readonly about: string
  /** By content type; absent where there is no body. */
  readonly content?: Readonly<Record<string, Content>>
}

/** What the schemas of a route do not say. */
export interface Described {
  /** A name in camelCase, for generated clients. */
  readonly id: string
  readonly tag: "Queue" | "Workers" | "Streams" | "Webhooks" | "Server"
  readonly summary: string
  /** Paragraphs; code in backticks. */
  readonly about?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly successes: readonly Success[]
  /** Reasons for a refusal beside those that any request with such a body, query or path can have. */
  readonly refusals?: readonly ErrorCode[]
  /** What the body is, where that is no JSON. */
  readonly body?: { readonly type: string; readonly about: string }
}

/** What the groups of routes are about. */
export const TAGS: Readonly<Record<Described["tag"], string>> = {
  Queue: "Add, look at and change queue items.",
  Workers: "Claim an item, report on it, and end it; a lease is the right to write it until a time.",
  Streams: "Watch progress as it happens.",
  Webhooks:
    "The server posts to each `--webhook URL` when an item completes, fails or stalls. A delivery that fails is tried again for a day, also over restarts; one that comes twice has the same `webhook-id`.",
  Server: "What the server is, and how it is.",
}

const json = (about: string, schema: TSchema, status = 200): Success => ({
  status,
  about,
  content: { "application/json": { schema } },
})
const item = json("the item as it is now", QueueItem)
const LEASE = { Lease: "the token of the lease; `?lease=` says the same" }
const worker = json("stored; the directive says whether to go on", WorkerAnswer)

const EXAMPLE = {
  queue_id: 7,
  song_id: 1,
  status: "processing",
  current_step: "Rendering video",
  progress: 54,
  message: "Creating image 3 of 5",
  timestamp: "2026-11-22T11:31:57.236Z",
  attempt: 1,
}
const LIVE = { last_event_id: 41, history: "7b7af68a3bfd1e96" }
const SSE_WIRE = `: track-studio
retry: 1926

id: 41
data: ${JSON.stringify(EXAMPLE)}

event: live
id: 41
data: ${JSON.stringify(LIVE)}

`
const NDJSON_WIRE = `${JSON.stringify({ id: 41, ...EXAMPLE })}
${JSON.stringify({ event: "live", ...LIVE })}
`
const TEXT_WIRE = `11:31:57 #7  processing  54%  Rendering video - Creating image 3 of 5
# live after update 41
`

const stream: Success = {
  status: 200,
  about: "the stream: it has no end of its own",
  content: {
    "text/event-stream": { schema: EventData, example: EXAMPLE, wire: SSE_WIRE },
    "application/x-ndjson": { schema: StreamLine, example: { id: 41, ...EXAMPLE }, wire: NDJSON_WIRE },
    "text/plain": { schema: Type.String(), wire: TEXT_WIRE },
  },
}
const RESUME = {
  "Last-Event-ID": "the last event ID seen, as `EventSource` sends it: what came after it is sent first",
}
const FRAMES =
  "It begins with the state of now, then `live`, then every update as it happens, in order and none twice. Updates are plain messages whose event ID ascends; `live`, `gap`, `end` and `shutdown` are named events, of which `live` alone has an event ID. After `Last-Event-ID` or `last_event_id` every update since is sent instead of the state. Where updates had to be left out, `gap` says why and how many, and the state of now follows. Comments keep an idle stream alive."
const SOCKET =
  'The frames of the streams as JSON, a message each: an update with its event ID as `id`, or `{"event": "live", ...}`. `{"subscribe": [7, 8]}` adds items to those that are watched, and `{"unsubscribe": [7]}` takes them away; a socket that watches everything watches the items of its first `subscribe` alone. Each change is answered by `{"event": "watching", "ids": [...]}` and the state of the items that are new; what cannot be done by `{"event": "refused", "error": ..., "code": ..., "request_id": ...}`. Pings are answered. Close codes: 1000 finished, 1001 the server is going away, 1008 too many messages unanswered.'

/** What is to be said of each route, by method and path. */
export const DESCRIBED: Readonly<Record<string, Described>> = {
  "GET /": {
    id: "board",
    tag: "Server",
    summary: "The page, or the board of a terminal",
    about:
      "Browsers get the page. curl, wget and HTTPie get a board that is drawn anew in place until they leave (`columns`, `rows` and `color=never` fit it to the terminal); other programs get it once, as plain text.",
    successes: [
      {
        status: 200,
        about: "the board, or the page",
        content: { "text/plain": { schema: Type.String() } },
      },
    ],
    refusals: ["not_found", "invalid"],
  },
  "GET /health": {
    id: "health",
    tag: "Server",
    summary: "Whether the server works",
    successes: [json("it does", Health)],
    refusals: ["method_not_allowed"],
  },
  "POST /api/v1/queue": {
    id: "addItem",
    tag: "Queue",
    summary: "Add an item",
    headers: {
      "Idempotency-Key":
        "1 to 255 printable ASCII characters: a repetition within 24 hours answers the same, and adds nothing",
    },
    successes: [json("added, or added before with this key", QueueItem, 201)],
    refusals: ["idempotency_mismatch"],
  },
  "GET /api/v1/queue": {
    id: "listItems",
    tag: "Queue",
    summary: "List items",
    about: "Processing items first, then waiting ones by priority and age, then finished ones, newest first.",
    successes: [json("a page of the queue", QueuePage)],
  },
  "GET /api/v1/queue/next": {
    id: "nextItem",
    tag: "Queue",
    summary: "The item that a worker would get next",
    successes: [json("the item, or that there is none", NextItem)],
    refusals: ["method_not_allowed"],
  },
  "GET /api/v1/queue/:id": {
    id: "getItem",
    tag: "Queue",
    summary: "One item, perhaps once it is finished",
    about:
      "With `wait=finished` the answer is held until the item is finished, or `timeout` seconds (60) are over.",
    successes: [item],
  },
  "GET /api/v1/queue/:id/updates": {
    id: "listUpdates",
    tag: "Queue",
    summary: "The history of an item",
    successes: [json("a page of its updates, ascending", HistoryPage)],
  },
  "PUT /api/v1/queue/:id": {
    id: "changeItem",
    tag: "Queue",
    summary: "Change an item",
    about:
      "A merge: what is absent stays. A status equal to the current one is no move. Status, progress, step and message of an item that a worker holds belong to its lease.",
    successes: [item],
    refusals: ["illegal_move", "leased"],
  },
  "PUT /api/v1/queue/:id/flag": {
    id: "flagItem",
    tag: "Queue",
    summary: "Mark the video of an item",
    successes: [json("marked", FlagUpdated)],
  },
  "DELETE /api/v1/queue/:id": {
    id: "deleteItem",
    tag: "Queue",
    summary: "Delete an item",
    about:
      "Viewers of an unfinished item see it cancelled, and its worker is told to stop. Its history stays.",
    successes: [json("deleted", ItemDeleted)],
  },
  "POST /api/v1/queue/:id/cancel": {
    id: "cancelItem",
    tag: "Queue",
    summary: "Call an item off",
    about: "At once where no worker holds it, else its worker is told to stop. Again, it changes nothing.",
    successes: [item],
    refusals: ["illegal_move"],
  },
  "POST /api/v1/queue/:id/retry": {
    id: "retryItem",
    tag: "Queue",
    summary: "Put a finished item back into the queue",
    successes: [item],
    refusals: ["illegal_move"],
  },
  "POST /api/v1/queue/claim": {
    id: "claimItem",
    tag: "Workers",
    summary: "Take the next item to work on",
    about:
      "Waits up to `wait` seconds for one. The lease runs out after `lease` seconds (60) unless it is renewed.",
    successes: [json("an item, and its lease", Claimed), { status: 204, about: "there was none" }],
    refusals: ["not_found", "leased", "illegal_move"],
  },
  "POST /api/v1/queue/:id/progress": {
    id: "reportProgress",
    tag: "Workers",
    summary: "Report how far a render is",
    about:
      "Renews the lease. `progress` is a percentage, with decimals if there are any: the share that is shown is rounded down, is 99 at most, and never goes down within an attempt. Without a lease the item must be nobody's, and is started.",
    headers: LEASE,
    successes: [worker],
    refusals: ["leased", "lease_lost", "gone", "illegal_move"],
  },
  "POST /api/v1/queue/:id/heartbeat": {
    id: "heartbeat",
    tag: "Workers",
    summary: "Renew a lease",
    about: "With `wait` the answer is held until there is a directive to cancel, or the seconds are over.",
    headers: LEASE,
    successes: [worker],
    refusals: ["lease_lost", "gone"],
  },
  "POST /api/v1/queue/:id/complete": {
    id: "completeItem",
    tag: "Workers",
    summary: "End an item with success",
    about: "Said again with the same lease, it answers the same.",
    headers: LEASE,
    successes: [worker],
    refusals: ["lease_lost", "gone"],
  },
  "POST /api/v1/queue/:id/fail": {
    id: "failItem",
    tag: "Workers",
    summary: "End an attempt with a failure",
    about:
      "A retryable failure waits for another attempt while the item has attempts left, `retry_in` seconds or, by default, ten and twice as long each time. Said again, it answers the same.",
    headers: LEASE,
    successes: [worker],
    refusals: ["lease_lost", "gone"],
  },
  "POST /api/v1/queue/:id/release": {
    id: "releaseItem",
    tag: "Workers",
    summary: "Give an item back unharmed",
    headers: LEASE,
    successes: [worker],
    refusals: ["lease_lost", "gone"],
  },
  "POST /api/v1/queue/:id/ingest/:renderer": {
    id: "ingest",
    tag: "Workers",
    summary: "Take a renderer's own output as progress",
    about:
      "For hours if need be: `ffmpeg -progress URL` needs no wrapper. It starts a waiting item. `total` is the seconds of the finished video, or the frames. With `finish=true` the end of the output completes the item at 98 % of its total or more, and fails it below.",
    headers: LEASE,
    body: {
      type: "text/plain",
      about: "the output as it comes, of any length, with lines of at most 64 KiB",
    },
    successes: [json("the output has ended", IngestAnswer)],
    refusals: ["illegal_move", "leased", "lease_lost", "gone", "too_large"],
  },
  "GET /api/v1/progress/stream": {
    id: "streamAll",
    tag: "Streams",
    summary: "Everything, live",
    about: `${FRAMES} \`song_id\` and \`ids\` narrow it. \`Accept\` or \`format\` choose between server-sent events, NDJSON and text.`,
    headers: RESUME,
    successes: [stream],
  },
  "GET /api/v1/progress/stream/:id": {
    id: "streamItem",
    tag: "Streams",
    summary: "One item, live",
    about: `${FRAMES} With \`until=finished\` the stream says \`end\` and ends once the item is finished; a client that has seen its last update is answered 204, at which \`EventSource\` stops.`,
    headers: RESUME,
    successes: [stream, { status: 204, about: "nothing more will follow" }],
  },
  "GET /api/v1/progress/ws": {
    id: "socketAll",
    tag: "Streams",
    summary: "Everything, over a WebSocket",
    about: SOCKET,
    headers: RESUME,
    successes: [
      {
        status: 101,
        about: "a WebSocket",
        content: { "application/json": { schema: StreamLine } },
      },
    ],
    refusals: ["upgrade_required", "forbidden"],
  },
  "GET /api/v1/progress/ws/:id": {
    id: "socketItem",
    tag: "Streams",
    summary: "One item, over a WebSocket",
    about: `${SOCKET} With \`until=finished\` the socket is closed once the item is finished, and takes no messages.`,
    headers: RESUME,
    successes: [
      {
        status: 101,
        about: "a WebSocket",
        content: { "application/json": { schema: StreamLine } },
      },
    ],
    refusals: ["upgrade_required", "forbidden"],
  },
  "GET /api/v1/webhooks/deliveries": {
    id: "listDeliveries",
    tag: "Webhooks",
    summary: "What webhooks were told, and what they are still to be told",
    about: "The newest first. Deliveries that are over are kept for a week.",
    successes: [json("a page of the deliveries", DeliveriesPage)],
  },
  "GET /api/v1/progress/stats": {
    id: "stats",
    tag: "Streams",
    summary: "Open streams, and the history that is kept",
    successes: [json("the figures of now", Stats)],
    refusals: ["method_not_allowed"],
  },
}
