import { type Static, Type } from "@sinclair/typebox"

import { Outcome, Status } from "../item/item.ts"
import { OneOf, OrNull, Time } from "../item/schema-parts.ts"
import type { StoredUpdate } from "../item/stored.ts"
import { ErrorAnswer } from "./refusals.ts"

const EventId = Type.Integer({ minimum: 0, description: "the event ID up to which everything was sent" })
const event = <Name extends string>(name: Name) => ({ event: Type.Literal(name) })

/** Everything that follows is new. */
export const Live = Type.Object(
  {
    ...event("live"),
    /** Where the stream stands: its reconnects begin after this event ID. */
    last_event_id: EventId,
    history: Type.String({ description: "the name of this history" }),
  },
  { title: "live" },
)

/**
 * Updates were left out. What follows depends on the reason: normally the current state, after `slow` the
 * latest update of each item that changed, after `unreadable` the updates that can be read again.
 */
export const Gap = Type.Object(
  {
    ...event("gap"),
    reason: OneOf(
      ["expired", "unknown", "slow", "unreadable", "restored", "rolled_back"],
      "they are no longer kept; this database does not know the last event ID; the reader was too slow; the database is damaged there; a backup was put back, which does not have them; the database lost them, and what was sent of them is no longer true",
    ),
    last_event_id: Type.Union([EventId, Type.String()], { description: "after which updates are missing" }),
    missed: OrNull(Type.Integer(), "how many updates were left out; null if that cannot be known"),
  },
  { title: "gap" },
)
export type Gap = Static<typeof Gap>

/** The item is finished, and nothing more follows. */
export const End = Type.Object(
  {
    ...event("end"),
    /** The event ID of its last update, or a later one. */
    last_event_id: EventId,
    /** The status that it ended with. */
    status: Status,
    /** How it ended; a cancelled or lost item has the status `failed`. An older server does not say it. */
    outcome: Type.Optional(Outcome),
  },
  { title: "end" },
)
export type End = Static<typeof End>

/** The server is about to stop. */
export const Shutdown = Type.Object(
  {
    ...event("shutdown"),
    retry_ms: Type.Integer({ description: "milliseconds to wait before connecting again" }),
  },
  { title: "shutdown" },
)

/**
 * Whether the queue is paused. A stream of all items says it before `live` if the queue is paused, and again
 * at each change. Until the stream says it, the queue is not paused.
 */
export const QueueState = Type.Object(
  {
    ...event("queue"),
    paused_at: OrNull(Time, "since when workers get no items; null if they do"),
  },
  { title: "queue: on streams of all items alone" },
)

/**
 * There is no room for this stream now. An EventSource gets this event instead of a refusal, because after a
 * refusal it would never try again.
 */
export const Busy = Type.Object(
  {
    ...event("busy"),
    error: Type.String({ description: "a sentence for people: which limit was reached" }),
    retry_ms: Type.Integer({ description: "milliseconds to wait before connecting again" }),
  },
  { title: "busy" },
)

/** Which items the viewer of a WebSocket has chosen; sent after each change of the choice. */
export const Watching = Type.Object(
  {
    ...event("watching"),
    ids: Type.Array(Type.Integer(), { description: "the items that are watched now" }),
  },
  { title: "watching: on WebSockets alone" },
)

const { directive: _workersAlone, ...refusal } = ErrorAnswer.properties

/** The server refused a request of a WebSocket's viewer. The request changed nothing. */
export const Refused = Type.Object(
  { ...event("refused"), ...refusal },
  { title: "refused: on WebSockets alone" },
)

/** What every stream may say about itself. */
export type StreamControl =
  | Static<typeof Live>
  | Gap
  | Static<typeof End>
  | Static<typeof Shutdown>
  | Static<typeof QueueState>
  | Static<typeof Busy>

/**
 * What the server says about the stream itself. The server, NDJSON lines, WebSocket messages and the client
 * all use this one shape. In a server-sent event, `event` is the event type and the other keys are the data.
 * The type is never `open`, `error` or `message`, because EventSource uses these names itself.
 */
export type Control = StreamControl | Static<typeof Watching> | Static<typeof Refused>

/** A frame that carries one update of the history. */
export interface UpdateFrame {
  /** Distinguishes this frame from the others. */
  readonly type: "update"
  /** The update as it is stored. */
  readonly update: StoredUpdate
}

/** What a stream says, before it is encoded. */
export type Frame =
  /** The first frame. It says after how many milliseconds a client reconnects when it loses the stream. */
  | { readonly type: "hello"; readonly retryMs: number }
  | UpdateFrame
  /** What the stream says about itself. */
  | { readonly type: "control"; readonly control: Control }
  | { readonly type: "keepalive" }

/** A control frame. */
export const controlFrame = (control: Control): Frame => ({ type: "control", control })

/** One frame for each update, in the same order. */
export const updateFrames = (updates: readonly StoredUpdate[]): UpdateFrame[] =>
  updates.map((update) => ({ type: "update", update }))
