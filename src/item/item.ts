import { FormatRegistry, Kind, type Static, type TSchema, Type, TypeRegistry } from "@sinclair/typebox"

/** Longest text of one field, in bytes of UTF-8. */
export const MAX_TEXT_BYTES = 16 * 1024
const MAX_METADATA_DEPTH = 32

const utf8 = new TextEncoder()
const isText = (value: string): boolean =>
  !value.includes("\0") &&
  value.isWellFormed() &&
  (value.length * 3 <= MAX_TEXT_BYTES || utf8.encode(value).length <= MAX_TEXT_BYTES)

function isPlain(value: unknown, depth: number): boolean {
  if (typeof value === "string") return isText(value)
  if (typeof value !== "object" || value === null) return true
  if (depth === 0) return false
  return Object.entries(value).every(([key, inner]) => isText(key) && isPlain(inner, depth - 1))
}

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/
FormatRegistry.Set("date-time", (value) => RFC3339.test(value) && !Number.isNaN(Date.parse(value)))
FormatRegistry.Set("text", isText)
FormatRegistry.Set("tag", (value) => value.length > 0 && value.length <= 64 && isText(value))
TypeRegistry.Set(
  "Metadata",
  (_schema: TSchema, value) =>
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    isPlain(value, MAX_METADATA_DEPTH),
)

const Text = Type.String({ format: "text" })
const Time = Type.String({ format: "date-time" })
const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })

/** Whatever belongs to the queue item in the caller's eyes; stored and given back, never read. */
export const Metadata = Type.Unsafe<Record<string, unknown>>({ [Kind]: "Metadata", type: "object" })

/** The five states of a queue item. The list is closed for ever: front ends compare with it. */
export const Status = Type.Union([
  Type.Literal("queued"),
  Type.Literal("processing"),
  Type.Literal("completed"),
  Type.Literal("failed"),
  Type.Literal("retrying"),
])
export type Status = Static<typeof Status>

/** All states, in the order of the schema. */
export const STATUSES: readonly Status[] = Status.anyOf.map((literal) => literal.const)

/** How an attempt ended; `cancelled` and `lost` have the status `failed`. */
export const Outcome = Type.Union([
  Type.Literal("completed"),
  Type.Literal("failed"),
  Type.Literal("cancelled"),
  Type.Literal("lost"),
])

/** A reviewer's mark on a finished video. */
export const Flag = Type.Union([
  Type.Literal("image_issue"),
  Type.Literal("lyrics_issue"),
  Type.Literal("timing_issue"),
])

const SongId = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })
const Priority = Type.Integer({ minimum: -1_000_000_000, maximum: 1_000_000_000 })
const Progress = Type.Integer({ minimum: 0, maximum: 100 })
const Tags = Type.Array(Type.String({ format: "tag" }), { maxItems: 32, uniqueItems: true })

const Size = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const Amount = Type.Number({ minimum: 0, maximum: 1e12 })

/** Where a render of several passes is: the `index`-th of `total` (from 1), and its name. */
export const Step = Type.Object({ index: Size, total: Size, name: Text }, { additionalProperties: false })
export type Step = Static<typeof Step>

/** What is being counted: `done` of `total` images, frames, samples (`name`, in the plural). */
export const Unit = Type.Object({ done: Size, total: Size, name: Text }, { additionalProperties: false })
export type Unit = Static<typeof Unit>

/** How far into a medium a render is: seconds written, seconds in all, frames a second, and times real time. */
export const Media = Type.Object(
  {
    out_time: Amount,
    total: Nullable(Amount),
    fps: Nullable(Amount),
    speed: Nullable(Amount),
  },
  { additionalProperties: false },
)
export type Media = Static<typeof Media>

/** What a worker reports of its item. `progress` is how much is done in percent, not rounded. */
export const Report = Type.Object(
  {
    progress: Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
    current_step: Type.Optional(Text),
    message: Type.Optional(Text),
    step: Type.Optional(Step),
    unit: Type.Optional(Unit),
    media: Type.Optional(Media),
  },
  { additionalProperties: false },
)
export type Report = Static<typeof Report>

/** The unit of work as it is stored and answered; every key is always present. */
export const QueueItem = Type.Object(
  {
    id: Type.Integer({ minimum: 1 }),
    song_id: SongId,
    title: Text,
    status: Status,
    priority: Priority,
    current_step: Text,
    progress: Progress,
    message: Text,
    error_message: Text,
    retry_count: Count,
    video_file_path: Text,
    video_file_size: Count,
    thumbnail_path: Text,
    flag: Nullable(Flag),
    queued_at: Time,
    started_at: Nullable(Time),
    completed_at: Nullable(Time),
    updated_at: Time,
    attempt: Count,
    max_attempts: Type.Integer({ minimum: 1, maximum: 100 }),
    outcome: Nullable(Outcome),
    worker: Text,
    available_at: Nullable(Time),
    cancel_requested_at: Nullable(Time),
    eta_seconds: Nullable(Type.Number({ minimum: 0 })),
    stalled: Type.Boolean(),
    step: Nullable(Step),
    unit: Nullable(Unit),
    media: Nullable(Media),
    tags: Tags,
    metadata: Metadata,
  },
  { additionalProperties: false },
)
export type QueueItem = Static<typeof QueueItem>

/** A queue item before the database has given it an id. */
export type Draft = Omit<QueueItem, "id">

/** What `POST /queue` takes. */
export const NewItem = Type.Object(
  {
    song_id: SongId,
    priority: Type.Optional(Priority),
    title: Type.Optional(Text),
    max_attempts: Type.Optional(QueueItem.properties.max_attempts),
    /** Seconds before workers may claim it by its place in the queue. */
    available_in: Type.Optional(Type.Integer({ minimum: 0, maximum: 86_400 })),
    tags: Type.Optional(Tags),
    metadata: Type.Optional(Metadata),
  },
  { additionalProperties: false },
)
export type NewItem = Static<typeof NewItem>

/** What `PUT /queue/:id` takes: a merge, in which an absent key stays as it is. */
export const ItemChange = Type.Partial(
  Type.Pick(
    QueueItem,
    [
      "status",
      "current_step",
      "progress",
      "message",
      "error_message",
      "song_id",
      "priority",
      "title",
      "video_file_path",
      "video_file_size",
      "thumbnail_path",
      "flag",
      "metadata",
    ],
    { additionalProperties: false },
  ),
  { additionalProperties: false },
)
export type ItemChange = Static<typeof ItemChange>

/** What a worker hands over with its success. */
export const Result = Type.Pick(
  ItemChange,
  ["message", "current_step", "video_file_path", "video_file_size", "thumbnail_path", "metadata"],
  { additionalProperties: false },
)
export type Result = Static<typeof Result>

/** What a worker is told: go on, or stop. */
export const Directive = Type.Union([Type.Literal("continue"), Type.Literal("cancel")])
export type Directive = Static<typeof Directive>

/** What viewers receive: one stored change of a queue item. Optional keys are there only when set. */
export const ProgressUpdate = Type.Object({
  queue_id: Type.Integer(),
  song_id: Type.Integer(),
  status: Status,
  current_step: Type.String(),
  progress: Progress,
  message: Type.String(),
  error_message: Type.Optional(Type.String()),
  timestamp: Time,
  title: Type.Optional(Type.String()),
  attempt: Type.Optional(Count),
  outcome: Type.Optional(Outcome),
  worker: Type.Optional(Type.String()),
  cancel_requested_at: Type.Optional(Time),
  eta_seconds: Type.Optional(Type.Number()),
  step: Type.Optional(Step),
  unit: Type.Optional(Unit),
  media: Type.Optional(Media),
  stalled: Type.Optional(Type.Literal(true)),
  deleted: Type.Optional(Type.Literal(true)),
})
export type ProgressUpdate = Static<typeof ProgressUpdate>

/** A row of the history: `id` is the event ID, `data` the ProgressUpdate as JSON text, encoded once for ever. */
export interface StoredUpdate {
  readonly id: number
  readonly queue_id: number
  readonly song_id: number
  readonly status: Status
  readonly data: string
}

/**
 * How an item is being worked on: the lease, and the pace of its attempt. Stored beside the item, and never shown.
 *
 * Times are milliseconds of the steady clock (see `Moment`).
 */
export interface Work {
  /** Of the lease that is held, or of the one that a worker ended by a verdict. */
  readonly lease_token: string | null
  /** How the worker ended its lease; null while it holds one, and when it never had. */
  readonly verdict: "complete" | "fail" | "release" | null
  readonly lease_ms: number
  /** When the lease runs out; null when none is held. */
  readonly lease_expires_at: number | null
  /** Whether the lease was lengthened because it ran out while no server was alive. */
  readonly lease_extended: boolean
  /** How often the item was taken back from a worker whose lease ran out. */
  readonly rescues: number
  /** How much is done, in percent, not rounded. */
  readonly done: number
  /** The smoothed pace, in percent a second; 0 while unknown. */
  readonly rate: number
  /** When the attempt started, for its pace. */
  readonly attempt_at: number
  /** When `done`, or what the attempt counts, last moved. */
  readonly moved_at: number
}

/** Nobody works on it. */
export const IDLE: Work = {
  lease_token: null,
  verdict: null,
  lease_ms: 0,
  lease_expires_at: null,
  lease_extended: false,
  rescues: 0,
  done: 0,
  rate: 0,
  attempt_at: 0,
  moved_at: 0,
}

/** A queue item with what is stored beside it. */
export interface Stored {
  readonly item: QueueItem
  readonly work: Work
}

/** What a decision on a queue item comes to. */
export interface Change {
  readonly item: QueueItem
  readonly work: Work
  /** Nothing that a viewer sees has changed: no update is appended. */
  readonly quiet?: boolean
  /** The item disappears from all reads with this change. */
  readonly deleted?: boolean
}
