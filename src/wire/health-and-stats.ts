import { type Static, Type } from "@sinclair/typebox"

import { DEGRADED, type Reason } from "../degraded-reasons.ts"
import { described, OneOf, OrNull, Time, wholeCount } from "../item/schema-parts.ts"

/** An open stream. */
export const StreamSeen = Type.Object({
  kind: OneOf(["global", "item"], "all items, or one"),
  queue_id: OrNull(Type.Integer(), "the one item that it shows; null for all, or for a choice among them"),
  format: Type.String({
    description: "the `format` of its request, `websocket`, or `board` for the one that is drawn for curl",
  }),
  client: Type.String({
    description:
      "what `User-Agent` says: `browser`, `curl`, `bun`, `node`, `deno`, `python`, `go`, `other` or `unknown`",
  }),
  since: described(Time, "when it was opened"),
  last_event_id: wholeCount("the last event ID that it has examined"),
  lag: wholeCount("how many updates of the history it has still to examine"),
})
export type StreamSeen = Static<typeof StreamSeen>

/** A server of the fleet. */
const ServerSeen = Type.Object({
  /** Different after each start. */
  id: Type.String(),
  /** The name of its machine. */
  name: Type.String(),
  /** The version of its program. */
  version: Type.String(),
  address: Type.String({ description: "where it listens" }),
  since: described(Time, "when it was started"),
  seen_at: described(Time, "when it was last seen"),
  streams: wholeCount("open streams on it, then"),
})
export type ServerSeen = Static<typeof ServerSeen>

// `Object.keys` returns plain strings, so the type is stated here.
const reasons = Object.keys(DEGRADED) as Reason[]
const ReasonName = OneOf(reasons)

/** Something that does not work as it should, for people. */
const Trouble = Type.Object({
  reason: described(ReasonName, "its name, as in `/health`"),
  title: Type.String({ description: "what is wrong, in two or three words" }),
  about: Type.String({ description: "what it means, and the way out, as a sentence" }),
})
export type Trouble = Static<typeof Trouble>

/** The figures of the streams. */
export const Stats = Type.Object({
  connected_clients: wholeCount("open streams of every kind; with `all=true` those of all servers"),
  timestamp: described(Time, "the server's time"),
  /** Open streams by what they show. */
  streams: Type.Object({ global: wholeCount("of all items"), item: wholeCount("of one item each") }),
  /** The history that is kept. */
  updates: Type.Object({
    stored: wholeCount("how many updates"),
    oldest_id: OrNull(
      wholeCount("an event ID"),
      "from this event ID on every update is kept; null if none is kept",
    ),
    newest_id: OrNull(wholeCount("an event ID"), "the latest event ID; null if there is none"),
  }),
  uptime_seconds: wholeCount("seconds since the server started"),
  degraded: Type.Optional(
    Type.Array(Trouble, {
      description: "what does not work as it should, the oldest first; present only while something is wrong",
    }),
  ),
  client_address: Type.String({
    description: "where the server sees this request come from; behind a proxy only if it is trusted",
  }),
  client_headers: Type.Optional(
    Type.Array(Type.String(), {
      description:
        "with `headers=true`: the names of the headers of this request as it arrived, in lower case and in order, without those that a proxy removed",
    }),
  ),
  servers: Type.Optional(
    Type.Array(ServerSeen, {
      description: "with `all=true`: the servers that use this database, in the order of their starts",
    }),
  ),
  open_streams: Type.Optional(
    Type.Array(StreamSeen, {
      description:
        "with `streams=true`: at most 1,000 of the open streams, those that lag most first, then the oldest",
    }),
  ),
})

export type Stats = Static<typeof Stats>

/** Whether the server works, and its name and version. */
export const Health = Type.Object({
  status: OneOf(["ok", "degraded"], "`degraded` if something does not work as it should"),
  reasons: Type.Array(ReasonName, {
    description: Object.entries(DEGRADED)
      .map(([reason, { about }]) => `\`${reason}\`: ${about}`)
      .join("; "),
  }),
  service: Type.Literal("track-studio-orchestrator", { description: "always the same" }),
  version: Type.String({ description: "the version of the program" }),
  commit: Type.String({ description: "the commit that it was built from; `unknown` if it runs from source" }),
  uptime_seconds: wholeCount("seconds since the server started"),
  retention_begins_at: Type.Optional(
    described(
      Time,
      "when the removal of old updates begins; present only on a database of an older version, before that time",
    ),
  ),
})

export type Health = Static<typeof Health>

/** Check that the server is ready. */
export const Readiness = Type.Object({
  status: OneOf(["ready", "unready"], "`unready` if one of the reasons says so"),
  reasons: Type.Array(
    Type.Object({
      /** The name of the reason, as in `/health`. */
      reason: ReasonName,
      unready: Type.Boolean({ description: "whether this reason makes the server unready" }),
      since: described(Time, "since when it holds"),
      about: Type.String({ description: "what it means, as a sentence" }),
      detail: Type.String({ description: "further details, such as SQLite's code; may be empty" }),
    }),
    { description: "what does not work as it should, the oldest first" },
  ),
})

export type Readiness = Static<typeof Readiness>

/** Check that the process is alive. */
export const Liveness = Type.Object({
  status: OneOf(["live", "stuck"], "`stuck` after 60 s"),
  stood_seconds: Type.Number({ description: "for how many seconds no timer of the server has run" }),
})

export type Liveness = Static<typeof Liveness>
