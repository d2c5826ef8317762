import { type Static, Type } from "@sinclair/typebox"

import { OrNull, wholeCount } from "./schema-parts.ts"

/** Control characters, and halves of surrogate pairs. */
const NO_NAME = "\\u0000-\\u001f\\u007f\\ud800-\\udfff"

/** The name of items that render alike, given by their owner; empty if none was given. */
export const KindName = Type.String({ format: "text", maxLength: 64 })

/** A kind as a request gives it. Its runs are forgotten at `/kinds/KIND/runs`, and no address can name . and .. */
export const GivenKind = Type.String({
  format: "text",
  maxLength: 64,
  pattern: "^(?!\\.\\.?$)",
  description:
    "a name of at most 64 characters for items that render alike, so that one is estimated from the others; empty if unset; not . or .., which no URL can contain",
})

/** What there is to do in an item, by unit: `{"seconds": 212.5, "images": 5}`. */
export const Totals = Type.Record(
  Type.String({ pattern: `^[^${NO_NAME}]{1,64}$` }),
  Type.Number({ exclusiveMinimum: 0, maximum: 1e12 }),
  { additionalProperties: false, maxProperties: 16 },
)
export type Totals = Static<typeof Totals>

/** What is estimated from earlier runs of the same kind, for an item that is being worked on. */
export const Foreseen = Type.Object({
  eta_low_seconds: OrNull(
    Type.Number({ minimum: 0 }),
    "four times in five it takes between this and `eta_high_seconds`; null while unknown",
  ),
  eta_high_seconds: OrNull(
    Type.Number({ minimum: 0 }),
    "four times in five it takes between `eta_low_seconds` and this; null while unknown",
  ),
  eta_runs: wholeCount(
    "from how many earlier runs `eta_seconds` is known; 0: from the pace of this attempt alone",
  ),
  time_progress: OrNull(
    Type.Number({ minimum: 0, maximum: 100 }),
    "how much of the attempt's time is over, in percent; null while unknown, and after a failure",
  ),
})
export type Foreseen = Static<typeof Foreseen>
