import { type TSchema, Type } from "@sinclair/typebox"

import type { ErrorCode } from "../errors.ts"
import { ProgressUpdate, QueueItem, Status } from "../item/item.ts"
import { STATUS } from "./refusals.ts"

const Time = Type.String({ format: "date-time" })
const EventId = Type.Integer({ minimum: 0, description: "an event ID" })
const Directive = Type.Union([Type.Literal("continue"), Type.Literal("cancel")])
const OrNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const said = <T extends string>(text: T) => Type.Object({ message: Type.Literal(text) })
// Object.keys forgets which keys they are.
const codes = Object.keys(STATUS) as ErrorCode[]

/** The one envelope of all errors. */
export const ErrorAnswer = Type.Object({
  error: Type.String({ description: "a sentence for people: what is wrong, and what is allowed" }),
  code: Type.Union(codes.map((code) => Type.Literal(code))),
  request_id: Type.String({ description: "what the server's log calls this request" }),
  directive: Type.Optional(Type.Literal("cancel", { description: "there when a worker must stop" })),
})

/** One stored update, with its event ID. */
export const Update = Type.Object({
  id: Type.Integer({ minimum: 1, description: "the event ID" }),
  ...ProgressUpdate.properties,
})

/** A page of the queue. */
export const QueuePage = Type.Object({
  queue: Type.Array(QueueItem),
  next: OrNull(Type.String({ description: "what to give as `after` for the page that follows" })),
})

/** What `GET /queue/next` answers. */
export const NextItem = Type.Union([
  QueueItem,
  Type.Object({ item: Type.Null(), message: Type.Literal("No pending items") }),
])

/** A page of an item's history. */
export const HistoryPage = Type.Object({
  updates: Type.Array(Update),
  next: OrNull(Type.Integer({ description: "what to give as `after` for the page that follows" })),
})

/** What `PUT /queue/:id/flag` answers. */
export const FlagUpdated = said("Flag updated")

/** What `DELETE /queue/:id` answers. */
export const ItemDeleted = said("Queue item deleted")

/** A claimed item, and the right to write it. */
export const Claimed = Type.Object({
  item: QueueItem,
  lease: Type.Object({
    token: Type.String(),
    expires_at: Time,
    renew_every: Type.Number({ description: "seconds after which to renew it" }),
  }),
})

/** What a worker is answered. */
export const WorkerAnswer = Type.Object({
  directive: Directive,
  lease: Type.Optional(Type.Object({ expires_at: Time })),
  item: QueueItem,
})

/** What a renderer's output comes to. */
export const IngestAnswer = Type.Object({ directive: Directive, item: QueueItem })

/** The figures of the streams. */
export const Stats = Type.Object({
  connected_clients: Type.Integer({ minimum: 0 }),
  timestamp: Time,
  streams: Type.Object({ global: Type.Integer({ minimum: 0 }), item: Type.Integer({ minimum: 0 }) }),
  updates: Type.Object({
    stored: Type.Integer({ minimum: 0 }),
    oldest_id: OrNull(EventId),
    newest_id: OrNull(EventId),
  }),
  uptime_seconds: Type.Integer({ minimum: 0 }),
})

const Notice = Type.Union([Type.Literal("completed"), Type.Literal("failed"), Type.Literal("stalled")])

/** What a webhook is told. */
export const WebhookBody = Type.Object({
  type: Notice,
  history: Type.String({ description: "the name of the history that the event ID belongs to" }),
  data: Update,
})

/** A page of the deliveries to webhooks. */
export const DeliveriesPage = Type.Object({
  deliveries: Type.Array(
    Type.Object({
      id: Type.Integer(),
      notice: Notice,
      update_id: EventId,
      queue_id: Type.Integer(),
      status: Type.Union([Type.Literal("pending"), Type.Literal("delivered"), Type.Literal("failed")]),
      attempts: Type.Integer({ minimum: 0 }),
      next_attempt_at: OrNull(Time),
      answer: OrNull(
        Type.Integer({ description: "the HTTP status of the last attempt; null for no answer" }),
      ),
      error: Type.String({ description: "why the last attempt failed; empty where it did not" }),
      created_at: Time,
      finished_at: OrNull(Time),
      webhook: Type.String({ description: "stands for the URL" }),
      url: Type.String({ description: "the URL, without the part that may be a secret" }),
    }),
  ),
  next: OrNull(Type.Integer({ description: "what to give as `before` for the page that follows" })),
})

/** Whether the server works, and which it is. */
export const Health = Type.Object({
  status: Type.Literal("ok"),
  service: Type.Literal("track-studio-orchestrator"),
  version: Type.String(),
  commit: Type.String(),
  uptime_seconds: Type.Integer({ minimum: 0 }),
})

const live = { last_event_id: EventId, history: Type.String({ description: "the name of this history" }) }
const gap = {
  reason: Type.Union([Type.Literal("expired"), Type.Literal("unknown"), Type.Literal("slow")]),
  last_event_id: Type.Union([EventId, Type.String()]),
  missed: OrNull(
    Type.Integer({ description: "how many updates were left out; null when that cannot be known" }),
  ),
}
const end = { last_event_id: EventId, status: Status }
const shutdown = { retry_ms: Type.Integer({ description: "milliseconds to wait before connecting again" }) }

/** The data of each event of a stream: of messages first, then of `live`, `gap`, `end` and `shutdown`. */
export const EventData = Type.Union([
  ProgressUpdate,
  Type.Object(live, { title: "live" }),
  Type.Object(gap, { title: "gap" }),
  Type.Object(end, { title: "end" }),
  Type.Object(shutdown, { title: "shutdown" }),
])

const named = (event: string) => ({ event: Type.Literal(event) })

/** A line of a stream as NDJSON, and what the server says on a WebSocket. */
export const StreamLine = Type.Union([
  Update,
  Type.Object({ ...named("live"), ...live }, { title: "live" }),
  Type.Object({ ...named("gap"), ...gap }, { title: "gap" }),
  Type.Object({ ...named("end"), ...end }, { title: "end" }),
  Type.Object({ ...named("shutdown"), ...shutdown }, { title: "shutdown" }),
  Type.Object(named("keepalive"), { title: "keepalive" }),
  Type.Object(
    { ...named("watching"), ids: Type.Array(Type.Integer()) },
    { title: "watching: on WebSockets alone" },
  ),
  Type.Object(
    { ...named("refused"), ...Type.Omit(ErrorAnswer, ["directive"]).properties },
    { title: "refused: on WebSockets alone" },
  ),
])
