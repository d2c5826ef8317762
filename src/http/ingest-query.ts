import { type Static, Type } from "@sinclair/typebox"

import { AppError } from "../errors.ts"
import type { Step } from "../item/item.ts"
import { type Span, spanOf, stepWords } from "../item/step-span.ts"
import { RENDERER_NAMES, type RendererName } from "../renderers/names.ts"
import { eitherOf } from "../text.ts"
import { LeaseParams, numberIn, queryBoolean, queryInteger } from "./request-parameters.ts"

/** The renderers whose end tells success from failure; that of `lines`, any other program, does not. */
const TELLING: readonly string[] = RENDERER_NAMES.filter((name) => name !== "lines")

const percentage = (description: string) =>
  Type.Optional(Type.String({ pattern: "^(100|[0-9]{1,2}(\\.[0-9]{1,6})?)$", description }))

/** The query of `POST /queue/:id/ingest/:renderer`. */
export const IngestQuery = Type.Object(
  {
    ...LeaseParams.properties,
    total: Type.Optional(
      Type.String({
        pattern: "^[0-9]{1,9}(\\.[0-9]{1,6})?$",
        description: "seconds of the finished video, or frames",
      }),
    ),
    finish: queryBoolean(
      "whether the end of the output ends the item; false by default; needs total, and any renderer but lines, whose end does not tell success from failure",
    ),
    step: Type.Optional(
      Type.String({
        pattern: "^[1-9][0-9]{0,2}/[1-9][0-9]{0,2}$",
        description: "the number of this step, and of all steps: 3/4",
      }),
    ),
    name: Type.Optional(Type.String({ format: "text", description: "what the step does" })),
    from: percentage(
      "where this output begins in the item's progress, in percent; by default where its step does",
    ),
    to: percentage(
      "where this output ends in the item's progress, in percent; by default where its step does",
    ),
    bars: queryInteger(1, "how many progress bars follow one another; unknown by default"),
  },
  { additionalProperties: false },
)
type IngestQuery = Static<typeof IngestQuery>

/** What a request says about its output. */
export interface Ingesting {
  /** Seconds or frames; undefined if that is unknown. */
  readonly total: number | undefined
  /** How many progress bars follow one another; undefined if that is unknown. */
  readonly bars: number | undefined
  /** The part of the item's progress that the output fills; undefined for all of it. */
  readonly span: Span | undefined
  /** Whether the end of the output ends the item. */
  readonly isFinal: boolean
}

/** @throws AppError `invalid` if success and failure look the same at the end of this output */
function checkFinish(name: RendererName, total: number | undefined): void {
  if (!TELLING.includes(name)) {
    throw new AppError(
      "invalid",
      `finish=true works only with ${eitherOf(TELLING)}: the lines of other programs do not tell success from failure; leave it out, and PUT the status when the program has ended, or use track-studio run`,
    )
  }
  // A total of 0 means that it is unknown.
  if (!total) {
    throw new AppError(
      "invalid",
      "finish=true needs total: without it a render that broke off looks finished",
    )
  }
}

/** @throws AppError `invalid` if the end of this step is not the end of the item */
export function checkLast(step: Step | undefined): void {
  if (step === undefined || step.index >= step.total) return
  throw new AppError(
    "invalid",
    `finish=true ends the item, but ${stepWords(step)} is not the last; send finish only with the last step`,
  )
}

/** The step that a request names. @throws AppError `invalid` */
function stepOf({ step, name = "" }: IngestQuery): Step | undefined {
  if (step === undefined && name !== "") throw new AppError("invalid", "name needs step, such as step=3/4")
  const [index = 0, total = 0] = step?.split("/").map(Number) ?? []
  if (index > total) throw new AppError("invalid", `step must be at most ${total}/${total}, not ${step}`)
  return step === undefined ? undefined : { index, total, name }
}

/** @throws AppError `invalid` */
function spanIn(query: IngestQuery): Span | undefined {
  const step = stepOf(query)
  const span = step ? spanOf(step) : { step, from: 0, to: 100 }
  const from = query.from === undefined ? span.from : Number(query.from)
  const to = query.to === undefined ? span.to : Number(query.to)
  if (from >= to) throw new AppError("invalid", `from (${from}) must be below to (${to})`)
  return step === undefined && query.from === undefined && query.to === undefined
    ? undefined
    : { step, from, to }
}

/** What the query says about the output of this renderer. @throws AppError `invalid` */
export function ingestingOf(name: RendererName, query: IngestQuery): Ingesting {
  const total = numberIn(query.total)
  const bars = numberIn(query.bars)
  const span = spanIn(query)
  const isFinal = query.finish === "true"
  if (isFinal) checkFinish(name, total)
  if (isFinal) checkLast(span?.step)
  return { total, bars, span, isFinal }
}
