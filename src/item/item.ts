import { FormatRegistry, Kind, type Static, type TSchema, Type, TypeRegistry } from "@sinclair/typebox"

import { isObject } from "../is-object.ts"
import { Foreseen, GivenKind, KindName, Totals } from "./kind.ts"
import { described, OneOf, OrNull, Time } from "./schema-parts.ts"

/** Longest text of one field, in bytes of UTF-8. */
export const MAX_TEXT_BYTES = 16 * 1024
const MAX_METADATA_DEPTH = 32
/** As JSON Schema counts them: an emoji is one, although it is two units of UTF-16. */
const MAX_TAG_CHARACTERS = 64

const utf8 = new TextEncoder()
const isText = (value: string): boolean =>
  !value.includes("\0") &&
  value.isWellFormed() &&
  (value.length * 3 <= MAX_TEXT_BYTES || utf8.encode(value).length <= MAX_TEXT_BYTES)

function isPlain(value: unknown, depth: number): boolean {
  if (typeof value === "string") return isText(value)
  if (typeof value !== "object" || value === null) return true
  if (depth === 0) return false
  // Without this line each index would become a text, which takes ten times as long as to parse the array.
  if (Array.isArray(value)) return value.every((inner) => isPlain(inner, depth - 1))
  return Object.entries(value).every(([key, inner]) => isText(key) && isPlain(inner, depth - 1))
}

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/
FormatRegistry.Set("date-time", (value) => RFC3339.test(value) && !Number.isNaN(Date.parse(value)))
FormatRegistry.Set("text", isText)
FormatRegistry.Set("tag", (value) => value !== "" && [...value].length <= MAX_TAG_CHARACTERS && isText(value))
TypeRegistry.Set(
  "Metadata",
  (_schema: TSchema, value) => isObject(value) && isPlain(value, MAX_METADATA_DEPTH),
)

const Text = Type.String({ format: "text" })
const WholeNumber = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })

/** The caller's own data on the queue item; stored and returned, never read. */
const Metadata = Type.Unsafe<Record<string, unknown>>({ [Kind]: "Metadata", type: "object" })

/** The five states of a queue item. The list is closed for ever: front ends compare with it. */
export const STATUSES = ["queued", "processing", "completed", "failed", "retrying"] as const
/** One of `STATUSES`. */
export const Status = OneOf(STATUSES)
export type Status = Static<typeof Status>

/** How an attempt ended; `cancelled` and `lost` have the status `failed`. */
export const OUTCOMES = ["completed", "failed", "cancelled", "lost"] as const
/** One of `OUTCOMES`. */
export const Outcome = OneOf(OUTCOMES)

/** The marks that a reviewer can put on a finished video. */
export const FLAGS = ["image_issue", "lyrics_issue", "timing_issue"] as const
/** One of `FLAGS`. */
export const Flag = OneOf(FLAGS)

const SongId = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })
const Priority = Type.Integer({ minimum: -1_000_000_000, maximum: 1_000_000_000 })
const Progress = Type.Integer({ minimum: 0, maximum: 100 })
const Tags = Type.Array(Type.String({ format: "tag" }), { maxItems: 32, uniqueItems: true })

const Amount = Type.Number({ minimum: 0, maximum: 1e12 })

/** Where a render of several passes is: the `index`-th of `total` (from 1), and its name. */
export const Step = Type.Object(
  {
    index: described(WholeNumber, "which step it is, from 1"),
    total: described(WholeNumber, "how many steps there are; 0 while unknown"),
    name: described(Text, "what the step does; empty if unnamed"),
  },
  { additionalProperties: false },
)
export type Step = Static<typeof Step>

/** The names of all steps of an attempt, in their order. */
export const Steps = Type.Array(Type.String({ format: "text", minLength: 1, maxLength: 256 }), {
  minItems: 1,
  maxItems: 100,
})
export type Steps = Static<typeof Steps>

/** What is being counted: `done` of `total` images, frames, samples (`name`, in the plural). */
export const Unit = Type.Object(
  {
    done: described(WholeNumber, "how many are done"),
    total: described(WholeNumber, "how many there are; 0 while unknown"),
    name: described(Text, "what is counted, in the plural: images, frames, samples"),
  },
  { additionalProperties: false },
)
export type Unit = Static<typeof Unit>

/** How far into a medium a render is: seconds written, seconds in all, frames a second, and times real time. */
export const Media = Type.Object(
  {
    out_time: described(Amount, "seconds of the medium that are written"),
    total: OrNull(Amount, "seconds in all; null while unknown"),
    fps: OrNull(Amount, "frames rendered per second; null while unknown"),
    speed: OrNull(Amount, "times real time; null while unknown"),
  },
  { additionalProperties: false },
)
export type Media = Static<typeof Media>

/**
 * What a progress is based on: a `guess` (a bar that may not be the whole), `counted` (frames or time of a
 * total that the renderer reports), or `declared` (a total, steps or bars that the user gave, or a worker's
 * own word).
 */
export const BASES = ["guess", "counted", "declared"] as const
/** One of `BASES`. */
export const Basis = OneOf(BASES)
export type Basis = Static<typeof Basis>

/** What a worker reports of its item. `progress` is how much is done in percent, not rounded. */
export const Report = Type.Object(
  {
    progress: described(
      Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
      "how much is done, in percent, with decimals if there are any",
    ),
    basis: described(Type.Optional(Basis), "what `progress` rests on; `declared` by default"),
    eta_seconds: described(
      Type.Optional(Type.Null()),
      "null if no end can be estimated, because more may follow",
    ),
    current_step: described(Type.Optional(Text), "what the worker is doing, for viewers"),
    message: described(Type.Optional(Text), "a sentence for viewers; without it the item's message is empty"),
    step: described(Type.Optional(Step), "where it is in a render of several steps"),
    step_progress: described(
      Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
      "how much of the step is done, in percent, instead of `progress`; needs `step`, here or in a report before",
    ),
    unit: described(Type.Optional(Unit), "what is being counted; absent if nothing is"),
    media: described(Type.Optional(Media), "how far into a medium it is"),
    video_file_path: described(Type.Optional(Text), "where the finished video is"),
    video_file_size: described(Type.Optional(WholeNumber), "the size of the video in bytes"),
    thumbnail_path: described(Type.Optional(Text), "where the still image is"),
    outer: described(
      Type.Optional(Type.Literal(true)),
      "present if the report comes from the output of a command, and not from the command itself; ignored once the command has reported in this attempt",
    ),
  },
  { additionalProperties: false },
)
export type Report = Static<typeof Report>

/** The unit of work as it is stored and answered; every key is always present. */
export const QueueItem = Type.Object(
  {
    id: described(
      Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
      "the number of the item; never given again",
    ),
    song_id: described(SongId, "the song that it renders; a song may have several items"),
    title: described(Text, "the title that viewers see; empty if unset"),
    status: described(Status, "where it is in its life; `outcome` says how a finished one ended"),
    priority: described(Priority, "higher numbers run first; 0 by default"),
    current_step: described(Text, "what its worker is doing, in words; empty if unset"),
    progress: described(
      Progress,
      "how much of this attempt is done, in percent, rounded down; 100 only when completed",
    ),
    message: described(Text, "a sentence about the latest change"),
    error_message: described(Text, "why the attempt failed; empty if it did not"),
    retry_count: described(WholeNumber, "how many failures were followed by another attempt"),
    video_file_path: described(Text, "where the finished video is; empty if unset"),
    video_file_size: described(WholeNumber, "the size of the video in bytes; 0 if unset"),
    thumbnail_path: described(Text, "where its still image is; empty if unset"),
    flag: OrNull(Flag, "a reviewer's mark; null if there is none"),
    queued_at: described(Time, "when it was added"),
    requeued_at: OrNull(Time, "when it last came back into the queue; null if it never did"),
    started_at: OrNull(Time, "when the render of the latest attempt began; null before the first"),
    completed_at: OrNull(Time, "when it was finished; null until then"),
    updated_at: described(Time, "when it last changed"),
    attempt: described(WholeNumber, "how many attempts were started"),
    max_attempts: described(
      Type.Integer({ minimum: 1, maximum: 100 }),
      "after how many failed attempts it is failed for good; 3 by default",
    ),
    outcome: OrNull(Outcome, "how it ended; null until it is finished"),
    worker: described(Text, "the name of the worker that holds it, or held it last; empty if none did"),
    available_at: OrNull(
      Time,
      "until this time workers get it only by a claim with its `id`; null if it need not wait",
    ),
    turn: OrNull(
      Type.Number(),
      "its turn among the items of its priority, if it was moved; otherwise its id counts",
    ),
    cancel_requested_at: OrNull(Time, "when its worker was asked to stop; null if it was not"),
    eta_seconds: OrNull(
      Type.Number({ minimum: 0 }),
      "estimated seconds until it is done, as of `updated_at`; null while unknown",
    ),
    ...Foreseen.properties,
    stalled: described(Type.Boolean(), "whether it is processing and has made no progress for a while"),
    stalled_since: OrNull(Time, "since when it has made no progress; null unless it is stalled"),
    basis: OrNull(Basis, "what `progress` rests on; null if no report said so"),
    steps: OrNull(Steps, "the names of all steps of this attempt; null unless they were declared"),
    step: OrNull(Step, "where it is in a render of several steps; null if unknown"),
    unit: OrNull(Unit, "what is being counted; null if nothing is"),
    media: OrNull(Media, "how far into a medium the render is; null if unknown"),
    kind: described(
      KindName,
      "a name of at most 64 characters for items that render alike, so that one is estimated from the others; empty if unset",
    ),
    totals: described(Totals, "what there is to do, by unit; empty if unset"),
    tags: described(Tags, "what a worker must offer to get it; empty for any worker"),
    metadata: described(Metadata, "the caller's own data; stored and returned, never read"),
  },
  { additionalProperties: false },
)
export type QueueItem = Static<typeof QueueItem>

/** A queue item before the database has given it an id. */
export type Draft = Omit<QueueItem, "id">

/** What `POST /queue` takes. */
export const NewItem = Type.Object(
  {
    song_id: QueueItem.properties.song_id,
    priority: Type.Optional(QueueItem.properties.priority),
    title: Type.Optional(QueueItem.properties.title),
    max_attempts: Type.Optional(QueueItem.properties.max_attempts),
    available_in: described(
      Type.Optional(Type.Integer({ minimum: 0, maximum: 86_400 })),
      "for how many seconds workers get it only by a claim with its `id`; 0 by default",
    ),
    /** The kind of renders that it is like; none by default. */
    kind: Type.Optional(GivenKind),
    totals: Type.Optional(QueueItem.properties.totals),
    tags: Type.Optional(QueueItem.properties.tags),
    metadata: Type.Optional(QueueItem.properties.metadata),
  },
  { additionalProperties: false },
)
export type NewItem = Static<typeof NewItem>

/** What `PUT /queue/:id` takes: a merge, in which an absent key stays as it is. */
export const ItemChange = Type.Object(
  {
    status: Type.Optional(QueueItem.properties.status),
    current_step: Type.Optional(QueueItem.properties.current_step),
    progress: Type.Optional(QueueItem.properties.progress),
    message: Type.Optional(QueueItem.properties.message),
    error_message: Type.Optional(QueueItem.properties.error_message),
    song_id: Type.Optional(QueueItem.properties.song_id),
    priority: Type.Optional(QueueItem.properties.priority),
    title: Type.Optional(QueueItem.properties.title),
    video_file_path: Type.Optional(QueueItem.properties.video_file_path),
    video_file_size: Type.Optional(QueueItem.properties.video_file_size),
    thumbnail_path: Type.Optional(QueueItem.properties.thumbnail_path),
    flag: Type.Optional(QueueItem.properties.flag),
    /** The kind of renders that it is like; by default it stays as it is. */
    kind: Type.Optional(GivenKind),
    totals: Type.Optional(QueueItem.properties.totals),
    metadata: Type.Optional(QueueItem.properties.metadata),
    available_in: described(
      Type.Optional(Type.Integer({ minimum: 0, maximum: 86_400 })),
      "for how many seconds from now workers get the waiting item only by a claim with its `id`; 0 ends the wait",
    ),
  },
  { additionalProperties: false },
)
export type ItemChange = Static<typeof ItemChange>

/** What a worker hands over with its success. */
export const Result = Type.Object(
  {
    message: ItemChange.properties.message,
    current_step: ItemChange.properties.current_step,
    video_file_path: ItemChange.properties.video_file_path,
    video_file_size: ItemChange.properties.video_file_size,
    thumbnail_path: ItemChange.properties.thumbnail_path,
    metadata: ItemChange.properties.metadata,
  },
  { additionalProperties: false },
)
export type Result = Static<typeof Result>

/** What an answer asks of a worker: to go on, or to stop. */
export const Directive = OneOf(["continue", "cancel"])
export type Directive = Static<typeof Directive>

/** What viewers receive: one stored change of a queue item. Optional keys are there only when set. */
export const ProgressUpdate = Type.Object({
  queue_id: described(Type.Integer(), "the number of the queue item"),
  song_id: QueueItem.properties.song_id,
  status: QueueItem.properties.status,
  current_step: QueueItem.properties.current_step,
  progress: QueueItem.properties.progress,
  message: QueueItem.properties.message,
  error_message: Type.Optional(QueueItem.properties.error_message),
  error_cause: described(
    Type.Optional(Text),
    "why it failed, in one line: the line of `error_message` that names the cause, or else its last words, behind the exit code if that is known, such as `code 3: rendering`; at most 400 characters of it; absent without an error",
  ),
  timestamp: described(Time, "when the item changed"),
  title: Type.Optional(QueueItem.properties.title),
  attempt: Type.Optional(QueueItem.properties.attempt),
  outcome: described(Type.Optional(Outcome), "how the item ended, once it is finished"),
  worker: Type.Optional(QueueItem.properties.worker),
  cancel_requested_at: described(Type.Optional(Time), "when the worker was asked to stop"),
  eta_seconds: described(Type.Optional(Type.Number()), "estimated seconds until it is done"),
  eta_low_seconds: Type.Optional(Foreseen.properties.eta_low_seconds),
  eta_high_seconds: Type.Optional(Foreseen.properties.eta_high_seconds),
  eta_runs: Type.Optional(Foreseen.properties.eta_runs),
  time_progress: Type.Optional(Foreseen.properties.time_progress),
  basis: described(Type.Optional(Basis), "what `progress` rests on, once it was reported"),
  steps: described(Type.Optional(Steps), "the names of all steps of this attempt, if they were declared"),
  step: described(Type.Optional(Step), "where it is in a render of several steps"),
  unit: described(Type.Optional(Unit), "what is being counted"),
  media: described(Type.Optional(Media), "how far into a medium the render is"),
  stalled: described(Type.Optional(Type.Literal(true)), "present while the item makes no progress"),
  stalled_since: described(Type.Optional(Time), "since when it has made no progress, while it is stalled"),
  deleted: described(Type.Optional(Type.Literal(true)), "present when the item was deleted with this change"),
})
export type ProgressUpdate = Static<typeof ProgressUpdate>
