import { isObject } from "../is-object.ts"
import type { ProgressUpdate, QueueItem } from "../item/item.ts"
import type {
  BatchAnswer,
  Counts,
  FinishedSince,
  HistoryPage,
  ItemsRetried,
  Me,
  OutputPart,
  QueuePage,
  Update,
  WorkersAnswer,
} from "../wire/answers.ts"
import type { QueueForecastAnswer, ReadItem } from "../wire/forecast.ts"
import type { StreamControl } from "../wire/frames.ts"
import type { Health, Stats, Trouble } from "../wire/health-and-stats.ts"

/*
 * What this client needs in an answer: some keys must be there, and the others that it uses must have the right type if
 * they are there. Unknown keys are accepted, and so are unknown values of a closed list (a status, for example): both
 * may come from a newer server. The schemas of the wire are stricter, and too heavy for a browser.
 */

/** Whether a value is what its type says, as far as the client relies on it. */
export type Check<T> = (value: unknown) => value is T

/** Whether a value is a finite number. */
export const isNumber = (value: unknown): value is number => Number.isFinite(value)
const isBoolean = (value: unknown): value is boolean => typeof value === "boolean"
/** Whether a value is a text. `T` may name only some texts; others pass too, because a newer server may send them. */
export const isText = <T extends string>(value: unknown): value is T => typeof value === "string"
/** A time. To show one that cannot be read would show nonsense. */
export const isTime = (value: unknown): value is string =>
  typeof value === "string" && !Number.isNaN(Date.parse(value))
/** Accepts what the check accepts, and null. */
export const orNull =
  <T>(check: Check<T>): Check<T | null> =>
  (value): value is T | null =>
    value === null || check(value)
/** Accepts a list of which the check accepts every value. */
export const listOf =
  <T>(check: Check<T>): Check<T[]> =>
  (value): value is T[] =>
    Array.isArray(value) && value.every(check)

type KeyChecks<T> = { readonly [K in keyof T]?: Check<T[K]> }

/** Whether the values of an object pass these checks; optional values may be missing. */
const fits = (value: Readonly<Record<string, unknown>>, checks: object, isOptional = false): boolean => {
  const all: [string, Check<unknown>][] = Object.entries(checks)
  return all.every(([key, check]) => (isOptional && value[key] === undefined) || check(value[key]))
}

/**
 * Accepts an object that has the keys of `checks`. A key of `more` may be missing; if it is there, its value
 * must fit.
 */
export const objectOf =
  <T extends object>(checks: KeyChecks<T>, more: KeyChecks<T> = {}): Check<T> =>
  (value): value is T =>
    isObject(value) && fits(value, checks) && fits(value, more, true)

/** Whether a value says which of its steps an attempt is in. */
export const isStep = objectOf<NonNullable<QueueItem["step"]>>({
  index: isNumber,
  total: isNumber,
  name: isText,
})
const isUnit = objectOf<NonNullable<QueueItem["unit"]>>({ done: isNumber, total: isNumber, name: isText })
const isMedia = objectOf<NonNullable<QueueItem["media"]>>({
  out_time: isNumber,
  total: orNull(isNumber),
  fps: orNull(isNumber),
  speed: orNull(isNumber),
})

const isNumbers = (value: unknown): value is Record<string, number> =>
  isObject(value) && Object.values(value).every(isNumber)

/** The checks of the keys that an item has only if they say something. */
const OPTIONAL = {
  error_cause: isText,
  starts_in_seconds: isNumber,
  starts_low_seconds: isNumber,
  starts_high_seconds: isNumber,
  takes_seconds: isNumber,
} satisfies KeyChecks<ReadItem>

/** The check of each key of an item. The compiler refuses a key of `ReadItem` that has no check here. */
const ITEM = {
  id: isNumber,
  status: isText,
  song_id: isNumber,
  title: isText,
  priority: isNumber,
  turn: orNull(isNumber),
  current_step: isText,
  progress: isNumber,
  message: isText,
  error_message: isText,
  retry_count: isNumber,
  video_file_path: isText,
  video_file_size: isNumber,
  thumbnail_path: isText,
  flag: orNull<NonNullable<QueueItem["flag"]>>(isText),
  queued_at: isTime,
  requeued_at: orNull(isTime),
  started_at: orNull(isTime),
  completed_at: orNull(isTime),
  updated_at: isTime,
  basis: orNull<NonNullable<QueueItem["basis"]>>(isText),
  attempt: isNumber,
  max_attempts: isNumber,
  outcome: orNull<NonNullable<QueueItem["outcome"]>>(isText),
  worker: isText,
  available_at: orNull(isTime),
  cancel_requested_at: orNull(isTime),
  eta_seconds: orNull(isNumber),
  eta_low_seconds: orNull(isNumber),
  eta_high_seconds: orNull(isNumber),
  eta_runs: isNumber,
  time_progress: orNull(isNumber),
  kind: isText,
  totals: isNumbers,
  stalled: isBoolean,
  stalled_since: orNull(isTime),
  steps: orNull(listOf(isText)),
  step: orNull(isStep),
  unit: orNull(isUnit),
  media: orNull(isMedia),
  tags: listOf(isText),
  metadata: isObject,
  ...OPTIONAL,
} satisfies Required<KeyChecks<ReadItem>>

/**
 * The keys that items of older servers lack, with the values that a newer server gives to an item without
 * them.
 */
const LATER = {
  requeued_at: null,
  turn: null,
  basis: null,
  eta_low_seconds: null,
  eta_high_seconds: null,
  eta_runs: 0,
  time_progress: null,
  stalled_since: null,
  kind: "",
  totals: {},
  steps: null,
} satisfies Partial<ReadItem>

const MAY_LACK: ReadonlySet<string> = new Set(Object.keys({ ...LATER, ...OPTIONAL }))

const isItemOfAnyAge = objectOf<ReadItem>(
  Object.fromEntries(Object.entries(ITEM).filter(([key]) => !MAY_LACK.has(key))),
  ITEM,
)

/** Whether a value is an item. Keys that only an older server leaves out are added to it. */
export const isItem: Check<ReadItem> = (value): value is ReadItem => {
  if (!isItemOfAnyAge(value)) return false
  Object.assign(value, { ...LATER, ...value })
  return true
}

/** Whether a value is the item with this ID. */
export const isItemOf =
  (id: number): Check<ReadItem> =>
  (value): value is ReadItem =>
    isItem(value) && value.id === id

/** Accepts an answer that contains the item with this ID. */
export const aboutItem =
  <T extends { readonly item: { readonly id: number } }>(id: number, check: Check<T>): Check<T> =>
  (value): value is T =>
    check(value) && value.item.id === id

const UPDATE = { ...ITEM, timestamp: isTime }

/** One change of an item, as a stream sends it. */
export const isUpdate: Check<ProgressUpdate> = (value): value is ProgressUpdate =>
  isObject(value) &&
  isNumber(value["queue_id"]) &&
  // What an item has as null is missing in an update.
  !Object.keys(ITEM).some((key) => value[key] === null) &&
  fits(value, UPDATE, true)

const isStored = (value: unknown): value is Update => isUpdate(value) && "id" in value && isNumber(value.id)

type ControlOf<Event extends StreamControl["event"]> = Extract<StreamControl, { event: Event }>

const CONTROLS: ReadonlyMap<unknown, Check<object>> = new Map<string, Check<object>>([
  ["live", objectOf<ControlOf<"live">>({ last_event_id: isNumber, history: isText })],
  ["gap", objectOf<ControlOf<"gap">>({ reason: isText, missed: orNull(isNumber) })],
  ["end", objectOf<ControlOf<"end">>({ last_event_id: isNumber, status: isText })],
  ["shutdown", objectOf<ControlOf<"shutdown">>({ retry_ms: isNumber })],
  ["queue", objectOf<ControlOf<"queue">>({ paused_at: orNull(isTime) })],
])

/** Whether a stream's event of this type says something about the stream. */
export const isControlEvent = (event: string): boolean => CONTROLS.has(event)

/** What a stream says about itself. */
export const isControl: Check<StreamControl> = (value): value is StreamControl =>
  isObject(value) && CONTROLS.get(value["event"])?.(value) === true

/** Whether a value is a piece of what a command printed. */
export const isOutputPart: Check<OutputPart> = objectOf<OutputPart>({
  attempt: isNumber,
  from: isNumber,
  to: isNumber,
  missing: isNumber,
  text: isText,
})

interface EndOfOutput {
  readonly attempt: number
  readonly status: string
  readonly outcome?: string
}

/** Whether a value is the end of an output. */
export const isOutputEnd: Check<EndOfOutput> = objectOf<EndOfOutput>(
  { attempt: isNumber, status: isText },
  { outcome: isText },
)

const isFinished = objectOf<FinishedSince>({
  since: isTime,
  completed: isNumber,
  failed: isNumber,
  cancelled: isNumber,
  lost: isNumber,
  shortest_seconds: orNull(isNumber),
  mean_seconds: orNull(isNumber),
  longest_seconds: orNull(isNumber),
})

/** The answers of the routes that every client uses. */
export const SHAPES = {
  counts: objectOf<Counts>({
    status: objectOf<Counts["status"]>({
      queued: isNumber,
      processing: isNumber,
      completed: isNumber,
      failed: isNumber,
      retrying: isNumber,
    }),
    outcome: objectOf<Counts["outcome"]>({
      completed: isNumber,
      failed: isNumber,
      cancelled: isNumber,
      lost: isNumber,
    }),
    paused_at: orNull(isTime),
    last_hour: isFinished,
    today: isFinished,
    this_week: isFinished,
  }),
  batch: objectOf<BatchAnswer>({
    done: listOf(isNumber),
    refused: listOf(objectOf<BatchAnswer["refused"][number]>({ id: isNumber, error: isText, code: isText })),
  }),
  retried: objectOf<ItemsRetried>({ retried: isNumber, ids: listOf(isNumber) }),
  item: isItem,
  page: objectOf<QueuePage>({ queue: listOf(isItem), next: orNull(isText) }),
  history: objectOf<HistoryPage>({ updates: listOf(isStored) }),
  workers: objectOf<WorkersAnswer>({
    workers: listOf(
      objectOf<WorkersAnswer["workers"][number]>({
        worker: isText,
        state: isText,
        items: listOf(objectOf<WorkersAnswer["workers"][number]["items"][number]>({ id: isNumber })),
        idle_since: orNull(isTime),
        last_heard_at: orNull(isTime),
        tags: orNull(listOf(isText)),
        version: isText,
        draining: isBoolean,
      }),
    ),
  }),
  done: objectOf<{ message: string }>({ message: isText }),
  stats: objectOf<Stats>(
    {
      connected_clients: isNumber,
      timestamp: isTime,
      updates: objectOf<Stats["updates"]>({ stored: isNumber, newest_id: orNull(isNumber) }),
      uptime_seconds: isNumber,
    },
    { degraded: listOf(objectOf<Trouble>({ title: isText, about: isText })) },
  ),
  forecast: objectOf<QueueForecastAnswer>({
    forecast: listOf(
      objectOf<QueueForecastAnswer["forecast"][number]>({ id: isNumber, starts_in_seconds: isNumber }),
    ),
    done_in_seconds: orNull(isNumber),
  }),
  me: objectOf<Me>({
    role: isText,
    item: orNull(isNumber),
    expires_at: orNull(isTime),
    may: listOf<Me["may"][number]>(isText),
  }),
  health: objectOf<Health>({ version: isText, commit: isText }),
} satisfies Readonly<Record<string, Check<unknown>>>

/**
 * Whether a value is a page of the queue that continues after the place `after`. A page that leads back to
 * its own place is refused, because a reader of all pages would never come to an end.
 */
export const isPageAfter =
  (after: string | undefined): Check<QueuePage> =>
  (value): value is QueuePage =>
    SHAPES.page(value) && (value.next === null || (value.queue.length > 0 && value.next !== after))
