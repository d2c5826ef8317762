import { type Static, Type } from "@sinclair/typebox"

/** Control characters, and halves of surrogate pairs. */
const NO_NAME = "\\u0000-\\u001f\\u007f\\ud800-\\udfff"
const Seconds = (description: string) =>
  Type.Union([Type.Number({ minimum: 0 }), Type.Null()], { description })

/** Which items are alike. */
export const KindName = Type.String({
  format: "text",
  maxLength: 64,
  description: "which items are alike, so that one is foreseen from the others; empty if nobody said it",
})

/** What there is to do in an item, by unit. */
export const Totals = Type.Record(
  Type.String({ pattern: `^[^${NO_NAME}]{1,64}$` }),
  Type.Number({ exclusiveMinimum: 0, maximum: 1e12 }),
  {
    additionalProperties: false,
    maxProperties: 16,
    description: 'what there is to do, by unit: `{"seconds": 212.5, "images": 5}`; empty if nobody said it',
  },
)
export type Totals = Static<typeof Totals>

/** What earlier runs of the same kind say of an item that is being worked on. */
export const Foreseen = Type.Object({
  eta_low_seconds: Seconds("with a chance of four in five it takes no less; null while unknown"),
  eta_high_seconds: Seconds("with a chance of four in five it takes no more; null while unknown"),
  eta_runs: Type.Integer({
    minimum: 0,
    description: "from how many earlier runs `eta_seconds` is known; 0: from the pace of this attempt alone",
  }),
  time_progress: Type.Union([Type.Number({ minimum: 0, maximum: 100 }), Type.Null()], {
    description: "how much of the attempt's time is over, in percent; null while unknown",
  }),
})
export type Foreseen = Static<typeof Foreseen>

/** Nothing is foreseen. */
export const UNFORESEEN: Foreseen = {
  eta_low_seconds: null,
  eta_high_seconds: null,
  eta_runs: 0,
  time_progress: null,
}
