import { type Static, Type } from "@sinclair/typebox"

import { Directive, ProgressUpdate, QueueItem, Step } from "../item/item.ts"
import { described, OneOf, OrNull, Time, wholeCount } from "../item/schema-parts.ts"
import { DeliveryStatus, Notice } from "../item/webhook-notice.ts"
import { ReadItem } from "./forecast.ts"
import { Busy, End, Gap, Live, QueueState, Refused, Shutdown, Watching } from "./frames.ts"
import { ErrorAnswer } from "./refusals.ts"

const LeaseEnd = described(Time, "when the lease runs out unless renewed")
const message = <T extends string>(text: T) => Type.Object({ message: Type.Literal(text) })
/** One stored update, with its event ID. */
export const Update = Type.Object({
  id: Type.Integer({ minimum: 1, description: "the event ID" }),
  ...ProgressUpdate.properties,
})

export type Update = Static<typeof Update>

/** A page of the queue. */
export const QueuePage = Type.Object({
  queue: Type.Array(ReadItem, { description: "the items, in the order described" }),
  next: OrNull(Type.String({ description: "the value of `after` for the next page" })),
})

export type QueuePage = Static<typeof QueuePage>

/** What `GET /queue/next` answers. */
export const NextItem = Type.Union([
  QueueItem,
  Type.Object({ item: Type.Null(), message: Type.Literal("No pending items") }),
])

export type NextItem = Static<typeof NextItem>

/** A page of an item's history. */
export const HistoryPage = Type.Object({
  updates: Type.Array(Update, { description: "ascending by event ID" }),
  next: OrNull(Type.Integer({ description: "the value of `after` for the next page" })),
})

export type HistoryPage = Static<typeof HistoryPage>

const seconds = (description: string) => OrNull(Type.Number({ minimum: 0, description }))

/** The items that finished since a moment. */
export const FinishedSince = Type.Object({
  since: described(Time, "items that finished at this time or later count"),
  completed: wholeCount("completed items"),
  failed: wholeCount("items that failed for good"),
  cancelled: wholeCount("cancelled items"),
  lost: wholeCount("items that lost their workers"),
  /** The duration of the shortest render. */
  shortest_seconds: seconds("the quickest completed render; null if there is none"),
  /** The average duration of a render. */
  mean_seconds: seconds("the mean of all completed renders; null if there is none"),
  /** The duration of the longest render. */
  longest_seconds: seconds("the slowest completed render; null if there is none"),
})

export type FinishedSince = Static<typeof FinishedSince>

/** What `GET /queue/counts` answers. */
export const Counts = Type.Object({
  status: Type.Object({
    queued: wholeCount("queued items"),
    processing: wholeCount("processing items"),
    completed: wholeCount("completed items"),
    failed: wholeCount("failed items: those that failed, were cancelled or lost their workers"),
    retrying: wholeCount("items that wait for another attempt"),
  }),
  outcome: Type.Object({
    completed: wholeCount("completed items"),
    failed: wholeCount("items that failed for good"),
    cancelled: wholeCount("cancelled items"),
    lost: wholeCount("items that lost their workers"),
  }),
  paused_at: OrNull(Time, "since when the queue is paused; null if it is not"),
  /** What finished in the last 60 minutes. */
  last_hour: FinishedSince,
  /** What finished since midnight. */
  today: FinishedSince,
  /** What finished since Monday. */
  this_week: FinishedSince,
})

export type Counts = Static<typeof Counts>

const DurationText = Type.String({ description: "such as `1h2m3s`; `N/A` if unknown" })
const LatestItem = { id: Type.Integer(), song_id: Type.Integer(), title: Type.String() }

/** What `GET /dashboard` answers: the queue at a glance, in the keys of Track Studio's web application. */
export const Dashboard = Type.Object({
  total_songs: wholeCount("songs that have ever been in the queue"),
  total_videos: wholeCount("completed items"),
  queued_items: wholeCount("items that wait"),
  processing_items: wholeCount("processing items"),
  completed_today: wholeCount("items completed since midnight"),
  errors_today: wholeCount("items that failed or lost their workers since midnight"),
  /** The duration of this year's shortest render. */
  ytd_min_processing_time: DurationText,
  /** The duration of this year's longest render. */
  ytd_max_processing_time: DurationText,
  /** The average duration of this year's renders. */
  ytd_avg_processing_time: DurationText,
  ytd_total_videos: wholeCount("items completed this year"),
  ytd_total_errors: wholeCount("items that failed or lost their workers this year"),
  ytd_success_rate: Type.Number({
    description: "percent of this year's items that completed; cancelled ones do not count",
  }),
  recent_videos: Type.Array(
    Type.Object({
      ...LatestItem,
      artist: Type.String({ description: "`metadata.artist`, empty if it is no text" }),
      processing_time: DurationText,
      completed_at: Time,
    }),
    { description: "the latest ten completed items" },
  ),
  recent_errors: Type.Array(Type.Object({ ...LatestItem, error_message: Type.String(), failed_at: Time }), {
    description: "the latest items that failed or lost their workers, at most ten",
  }),
  genre_distribution: Type.Array(Type.Never(), { description: "always empty: the queue knows no genres" }),
})

export type Dashboard = Static<typeof Dashboard>

/** What `POST /queue/pause` answers. */
export const QueuePaused = Type.Object({ message: Type.Literal("Queue paused"), paused_at: Time })

export type QueuePaused = Static<typeof QueuePaused>

/** What `POST /queue/resume` answers. */
export const QueueResumed = message("Queue resumed")

export type QueueResumed = Static<typeof QueueResumed>

/** What `POST /queue/retry` answers. */
export const ItemsRetried = Type.Object({
  /** The same sentence for every answer. */
  message: Type.Literal("Queue items retried"),
  retried: wholeCount("how many items are back in the queue"),
  ids: Type.Array(QueueItem.properties.id, { description: "the items that are back in the queue" }),
})

export type ItemsRetried = Static<typeof ItemsRetried>

/** What `POST /queue/batch` answers: every item is in one of the two lists. */
export const BatchAnswer = Type.Object({
  done: Type.Array(QueueItem.properties.id, { description: "the items that it was done to" }),
  refused: Type.Array(
    Type.Object({
      /** The item. */
      id: QueueItem.properties.id,
      /** The error that the request for this item alone would get, as a sentence. */
      error: ErrorAnswer.properties.error,
      /** The code of that error. */
      code: ErrorAnswer.properties.code,
    }),
    { description: "the items that stay as they are" },
  ),
})

export type BatchAnswer = Static<typeof BatchAnswer>

/** What `PUT /queue/:id/flag` answers. */
export const FlagUpdated = message("Flag updated")

export type FlagUpdated = Static<typeof FlagUpdated>

/** What `DELETE /queue/:id` answers. */
export const ItemDeleted = message("Queue item deleted")

export type ItemDeleted = Static<typeof ItemDeleted>

/** A claimed item, and the right to write it. */
export const Claimed = Type.Object({
  /** The item as it is now. */
  item: QueueItem,
  /** The right to write it. */
  lease: Type.Object({
    token: Type.String({ description: "what every report must carry" }),
    /** When the lease runs out unless it is renewed. */
    expires_at: LeaseEnd,
    renew_every: Type.Number({ description: "seconds after which to renew it" }),
  }),
})

export type Claimed = Static<typeof Claimed>

/** The answer to a worker. `lease` is present while the worker holds the lease. */
export const WorkerAnswer = Type.Object({
  /** Whether the worker goes on or stops. */
  directive: Directive,
  drain: Type.Optional(
    Type.Literal(true, { description: "present if the worker is to take no more items after this one" }),
  ),
  /** Present while the lease is held. */
  lease: Type.Optional(Type.Object({ expires_at: LeaseEnd })),
  /** The item as it is now. */
  item: QueueItem,
})

export type WorkerAnswer = Static<typeof WorkerAnswer>

/** A worker that claimed or reported within an hour, or holds an item. */
export const WorkerSeen = Type.Object({
  worker: Type.String({ description: "its name" }),
  state: OneOf(["rendering", "idle", "away"], "`away`: it holds no item, and none of its claims waits"),
  items: Type.Array(
    Type.Object({
      id: QueueItem.properties.id,
      song_id: QueueItem.properties.song_id,
      title: QueueItem.properties.title,
      progress: QueueItem.properties.progress,
      time_progress: QueueItem.properties.time_progress,
    }),
    { description: "what it renders" },
  ),
  idle_since: OrNull(Time, "since when it holds no item, as far as this server has seen; null while it does"),
  last_heard_at: OrNull(Time, "when it last claimed or reported; null if not since the server started"),
  /** The tags that the worker offers. */
  tags: OrNull(
    Type.Array(Type.String()),
    "the tags that it offers; empty if it claims items by their `id`; null until its first claim since the server started",
  ),
  version: Type.String({ description: "the version of its program; empty if it does not say" }),
  draining: Type.Boolean({ description: "whether it takes no more items" }),
})

export type WorkerSeen = Static<typeof WorkerSeen>

/** What `GET /workers` answers. */
export const WorkersAnswer = Type.Object({
  workers: Type.Array(WorkerSeen, { description: "by name" }),
})

export type WorkersAnswer = Static<typeof WorkersAnswer>

/** What `POST /workers/:worker/drain` answers. */
export const WorkerDrained = message("Worker takes no more items")

export type WorkerDrained = Static<typeof WorkerDrained>

/** What `DELETE /workers/:worker/drain` answers. */
export const WorkerTaking = message("Worker takes items")

export type WorkerTaking = Static<typeof WorkerTaking>

/** What `POST /queue/:id/steps/next` answers. */
export const StepAnswer = Type.Object({
  ...WorkerAnswer.properties,
  step: OrNull(Step, "the step that has begun; null if no step is left, or none was declared"),
})

export type StepAnswer = Static<typeof StepAnswer>

/** The answer to a renderer's output. */
export const IngestAnswer = Type.Object({
  /** Whether the worker goes on or stops. */
  directive: Directive,
  /** The item as it is now. */
  item: QueueItem,
})

export type IngestAnswer = Static<typeof IngestAnswer>

/** The body of a request to a webhook. */
export const WebhookBody = Type.Object({
  /** Why the webhook is called. */
  type: Notice,
  history: Type.String({ description: "the name of the history that the event ID belongs to" }),
  /** The update that is the reason. */
  data: Update,
})

export type WebhookBody = Static<typeof WebhookBody>

/** A page of the deliveries to webhooks. */
export const DeliveriesPage = Type.Object({
  deliveries: Type.Array(
    Type.Object({
      id: Type.Integer({ description: "the number of the delivery" }),
      /** Why the webhook is called. */
      notice: Notice,
      update_id: Type.Integer({ minimum: 0, description: "the event ID of the update that it reports" }),
      queue_id: Type.Integer({ description: "the item that it is about" }),
      /** How far the delivery has come. */
      status: DeliveryStatus,
      attempts: wholeCount("how many times it was tried"),
      next_attempt_at: OrNull(Time, "when it is tried next; null once it is finished"),
      answer: OrNull(Type.Integer(), "the HTTP status of the last attempt; null without an answer"),
      error: Type.String({ description: "why the last attempt failed; empty if it did not" }),
      created_at: described(Time, "when the delivery was decided"),
      finished_at: OrNull(Time, "when it succeeded or was given up; null until then"),
      webhook: Type.String({ description: "stands for the URL" }),
      url: Type.String({ description: "the URL, without the part that may be a secret" }),
    }),
  ),
  next: OrNull(Type.Integer({ description: "the value of `before` for the next page" })),
})

export type DeliveriesPage = Static<typeof DeliveriesPage>

/** A control frame as the data of a server-sent event; its name is the event type. */
type NamedFrame = typeof Live | typeof Gap | typeof End | typeof Shutdown | typeof QueueState | typeof Busy
const data = (frame: NamedFrame) => {
  const { event: _event, ...rest } = frame.properties
  return Type.Object(rest, { title: frame.title ?? "" })
}

/**
 * The data of each server-sent event: of messages first, then of `live`, `gap`, `end`, `shutdown`, `queue` and `busy`.
 */
export const EventData = Type.Union([
  ProgressUpdate,
  ...[Live, Gap, End, Shutdown, QueueState, Busy].map(data),
])

/** A line of a stream as NDJSON, and what the server says on a WebSocket. */
export const StreamLine = Type.Union([
  Update,
  Live,
  Gap,
  End,
  Shutdown,
  QueueState,
  Type.Object({ event: Type.Literal("keepalive") }, { title: "keepalive" }),
  Watching,
  Refused,
])

/** A ticket as it is given out. */
export const NewTicket = Type.Object({
  ticket: Type.String({ description: "to be sent as `ticket` in the query of the path" }),
  expires_at: described(Time, "when it expires, used or not"),
})
export type NewTicket = Static<typeof NewTicket>

/** What the server knows of the caller, and what the caller may do. */
export const Me = Type.Object({
  role: OneOf(
    ["viewer", "operator", "worker", "admin"],
    "the role of the token; `admin` on a server without tokens",
  ),
  item: OrNull(Type.Integer({ minimum: 1 }), "the only queue item that the token shows; null for all"),
  expires_at: OrNull(Time, "when the token expires; null if it never does, and without a token"),
  may: Type.Array(OneOf(["read", "figures", "add", "change", "claim", "admin"]), {
    description:
      "what the caller may do. `read`: see items and their streams, or the one `item`; `figures`: see counts, forecasts and workers; `add`: add items; `change`: change, cancel, retry and delete items, pause the queue, drain workers; `claim`: take items to render them; `admin`: everything else",
  }),
})
export type Me = Static<typeof Me>

/** What `POST /queue/:id/output` answers. */
export const OutputStored = Type.Object({
  attempt: wholeCount("the attempt that printed it"),
  end: wholeCount("the position after the last byte that was taken: the `offset` of what comes next"),
})

export type OutputStored = Static<typeof OutputStored>

/** A piece of what a command printed, as an event. */
export const OutputPart = Type.Object({
  attempt: wholeCount("the attempt that printed it"),
  from: wholeCount("the position of its first byte in what was printed"),
  to: wholeCount("the position after its last byte: the `after` of what comes next"),
  missing: wholeCount("how many bytes before it are not kept"),
  text: Type.String({ description: "printable text, tabs and line breaks" }),
})

export type OutputPart = Static<typeof OutputPart>
