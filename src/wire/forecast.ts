import { type Static, Type } from "@sinclair/typebox"

import { ProgressUpdate, QueueItem } from "../item/item.ts"
import { described, OrNull, Time, wholeCount } from "../item/schema-parts.ts"

const Seconds = Type.Number({ minimum: 0 })

/** When an item that waits will start, as far as that is known; computed for each answer, and never stored. */
export const Starts = Type.Object({
  starts_in_seconds: described(
    Type.Optional(Seconds),
    "estimated seconds until it starts; absent while unknown, or once it has started",
  ),
  starts_low_seconds: described(
    Type.Optional(Seconds),
    "four times in five it starts between this and `starts_high_seconds`",
  ),
  starts_high_seconds: described(
    Type.Optional(Seconds),
    "four times in five it starts between `starts_low_seconds` and this",
  ),
  takes_seconds: described(Type.Optional(Seconds), "estimated seconds that it will take from then on"),
})
export type Starts = Static<typeof Starts>

/** A member of `Starts` that is always there. */
const alwaysThere = (key: keyof Starts) => described(Seconds, Starts.properties[key].description ?? "")

/**
 * A queue item as it is read: one that waits says when it starts, if that is known, and one that failed says why, in one
 * line.
 */
export const ReadItem = Type.Object(
  { ...QueueItem.properties, error_cause: ProgressUpdate.properties.error_cause, ...Starts.properties },
  { additionalProperties: false },
)
export type ReadItem = Static<typeof ReadItem>

/** What `GET /queue/forecast` answers. */
export const QueueForecastAnswer = Type.Object({
  forecast: Type.Array(
    Type.Object({
      id: Type.Integer({ minimum: 1, description: "the number of the queue item" }),
      starts_in_seconds: alwaysThere("starts_in_seconds"),
      starts_low_seconds: alwaysThere("starts_low_seconds"),
      starts_high_seconds: alwaysThere("starts_high_seconds"),
      takes_seconds: Starts.properties.takes_seconds,
    }),
    { description: "the waiting items whose start is known, in the order in which they start" },
  ),
  done_in_seconds: OrNull(
    Seconds,
    "estimated seconds until everything is done; null while that is not known of every item",
  ),
  workers: wholeCount("how many workers are present, judging by their claims"),
})
export type QueueForecastAnswer = Static<typeof QueueForecastAnswer>

/** The kinds of which runs are remembered. */
export const Kinds = Type.Object({
  kinds: Type.Array(
    Type.Object({
      kind: Type.String({ description: "the kind that was given; without one, what the work looks like" }),
      look: Type.String({ description: "what the work looks like: its number of steps, and the first one" }),
      runs: wholeCount("how many runs are remembered, the newest"),
      seconds: Type.Number({ minimum: 0, description: "how long they took on average, to a tenth" }),
      ended_at: described(Time, "when the newest one ended"),
    }),
    { description: "the one with the newest run first" },
  ),
})
export type Kinds = Static<typeof Kinds>

/** What `DELETE /kinds/:kind/runs` answers. */
export const RunsForgotten = Type.Object({
  message: Type.Literal("Runs forgotten", { description: "always the same" }),
  runs: wholeCount("how many there were"),
})
export type RunsForgotten = Static<typeof RunsForgotten>
