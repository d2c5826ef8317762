import { type Static, type TSchema, Type } from "@sinclair/typebox"

const about = <T extends TSchema>(schema: T, description: string): T => ({ ...schema, description })
const SecondsOrNull = Type.Union([Type.Number({ minimum: 0 }), Type.Null()])
const PercentOrNull = Type.Union([Type.Number({ minimum: 0, maximum: 100 }), Type.Null()])
/** Control characters, and halves of surrogate pairs. */
const NO_NAME = "\\u0000-\\u001f\\u007f\\ud800-\\udfff"

/** The name of items that render alike, given by their owner; empty if none was given. */
export const KindName = Type.String({ format: "text", maxLength: 64 })

/** What there is to do in an item, by unit: `{"seconds": 212.5, "images": 5}`. */
export const Totals = Type.Record(
  Type.String({ pattern: `^[^${NO_NAME}]{1,64}$` }),
  Type.Number({ exclusiveMinimum: 0, maximum: 1e12 }),
  { additionalProperties: false, maxProperties: 16 },
)
export type Totals = Static<typeof Totals>

/** What is estimated from earlier runs of the same kind, for an item that is being worked on. */
export const Foreseen = Type.Object({
  eta_low_seconds: about(SecondsOrNull, "with a chance of four in five it takes no less; null while unknown"),
  eta_high_seconds: about(
    SecondsOrNull,
    "with a chance of four in five it takes no more; null while unknown",
  ),
  eta_runs: about(
    Type.Integer({ minimum: 0 }),
    "from how many earlier runs `eta_seconds` is known; 0: from the pace of this attempt alone",
  ),
  time_progress: about(
    PercentOrNull,
    "how much of the attempt's time is over, in percent; null while unknown",
  ),
})
export type Foreseen = Static<typeof Foreseen>
