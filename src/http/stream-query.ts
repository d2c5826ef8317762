import { Type } from "@sinclair/typebox"

import { BoundedMap } from "../bounded-map.ts"
import { OneOf } from "../item/schema-parts.ts"
import type { StoredUpdate } from "../item/stored.ts"
import type { Wanted } from "../stream/selection.ts"
import { formats, type HttpFormat } from "../stream/sse-ndjson-text.ts"
import { ID_DIGITS, numberIn, queryBoolean, queryInteger } from "./request-parameters.ts"

const common = {
  last_event_id: Type.Optional(
    Type.String({
      description: "the last event ID seen: every later update is sent first; `lastEventId` is the same",
    }),
  ),
  snapshot: queryBoolean("whether to send the current state first; true by default"),
}

const choice = {
  song_id: queryInteger(1, "a positive integer"),
  ids: Type.Optional(
    Type.String({
      pattern: `^${ID_DIGITS}(,${ID_DIGITS}){0,255}$`,
      description: "at most 256 ids of queue items, separated by commas",
    }),
  ),
}

const thin = {
  thin: Type.Optional(
    Type.String({
      pattern: "^([1-9]|10)$",
      description:
        "at most this many updates per item and second after `live`, from 1 to 10: the latest update of each item is sent, and every update that ends an item",
    }),
  ),
}

const until = {
  until: Type.Optional(
    Type.Literal("finished", {
      description: "closes the stream once the item is finished; by default it stays open",
    }),
  ),
}

const format = {
  format: Type.Optional(
    OneOf(
      formats.map(({ name }) => name),
      "by default the format that `Accept` asks for, and otherwise server-sent events",
    ),
  ),
}

/** The query of the global stream. */
export const GlobalParams = Type.Object(
  { ...format, ...common, ...choice, ...thin },
  { additionalProperties: false },
)

/** The query of one item's stream. */
export const OneItemParams = Type.Object({ ...format, ...common, ...until }, { additionalProperties: false })

/** Like `GlobalParams`, for a WebSocket. */
export const GlobalSocketParams = Type.Object(
  { ...common, ...choice, ...thin },
  { additionalProperties: false },
)

/** Like `OneItemParams`, for a WebSocket. */
export const OneItemSocketParams = Type.Object({ ...common, ...until }, { additionalProperties: false })

/** The query of the figures of the streams. */
export const StatsParams = Type.Object(
  {
    streams: queryBoolean("whether to list the open streams; false by default"),
    all: queryBoolean("whether to list the servers of the fleet; false by default"),
    headers: queryBoolean("whether to name the headers of the request; false by default"),
  },
  { additionalProperties: false },
)

/** How the reference names the header by which a stream is resumed. */
export const RESUME = {
  "Last-Event-ID": "the last event ID seen, as `EventSource` sends it: what came after it is sent first",
}

/** The parts of the query that every stream has. */
export interface Asked {
  /** The format; default: the one that `Accept` asks for. */
  readonly format?: HttpFormat["name"]
  /**
   * The last event ID that the client has seen; the header is used if both are there. Absent if the client
   * does not resume.
   */
  readonly last_event_id?: string
  /** Whether to begin with the current state; true by default. */
  readonly snapshot?: "true" | "false"
  /** At most this many updates per item and second after `live`; all of them by default. */
  readonly thin?: string
}

/** Keys that clients add to avoid caches. */
const AGAINST_CACHES = /^(t|ts|cb|_.*)$/
/** Other names that polyfills of EventSource use for `last_event_id`. */
const ALIASES: readonly string[] = ["lastEventId", "Last-Event-ID"]

/**
 * Prepares the query before it is checked: it removes keys without a meaning, and renames other keys to their
 * names in this API.
 */
export function tidy({ query }: { readonly query: object }): void {
  // Most queries are empty, and thousands of streams may open at once. With this loop an empty query costs
  // nothing.
  for (const key in query) {
    const isAlias = ALIASES.includes(key)
    const value: unknown = Reflect.get(query, key)
    if (isAlias || AGAINST_CACHES.test(key)) Reflect.deleteProperty(query, key)
    if (isAlias && !("last_event_id" in query)) Reflect.set(query, "last_event_id", value)
  }
}

/**
 * The last event ID that the client has seen: from the header, otherwise from the query. An empty one counts
 * as none.
 */
export const lastEventIdOf = (request: Request, { last_event_id }: Asked): string | undefined =>
  request.headers.get("last-event-id") || last_event_id || undefined

/** The ids of the query; undefined if it names none. */
export const idsOf = (ids: string | undefined): readonly number[] | undefined => ids?.split(",").map(Number)

/** The choices of the newest streams: many clients ask for the same, and streams that want the same share what they send. */
const choices = new BoundedMap<string, Wanted>(64)

/** Which updates the query asks for, by song and by item; undefined for all updates. */
export function wantedOf(songId: string | undefined, ids?: string): Wanted {
  if (songId === undefined && ids === undefined) return undefined
  const asked = `${songId} ${ids}`
  const known = choices.get(asked)
  if (known) return known
  const song = numberIn(songId)
  const items = ids === undefined ? undefined : new Set(idsOf(ids))
  const wanted = (update: StoredUpdate) =>
    (song === undefined || update.song_id === song) && (items === undefined || items.has(update.queue_id))
  choices.set(asked, wanted)
  return wanted
}
