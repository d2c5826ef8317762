import { AppError } from "../errors.ts"
import type { Step } from "../item/item.ts"
import { type Span, spanOf } from "../item/step-span.ts"
import { textFlag } from "../settings/read-settings.ts"
import type { Arguments, CommandFlag } from "./usage.ts"

/** The flags by which a command fills a part of its item's progress. */
export const SPAN_FLAGS = {
  step: { type: "string", placeholder: "N/M", help: "number of this step, and of all steps: 3/4" },
  "step-name": { type: "string", placeholder: "TEXT", help: "with --step: what the step does" },
  span: {
    type: "string",
    placeholder: "A-B",
    help: "the part of the item's progress that this command fills, in percent: 20-95; default: all steps count equally",
  },
} as const satisfies Record<string, CommandFlag>

/** @throws AppError `invalid` */
function stepFlag({ flags }: Arguments): Step | undefined {
  const text = textFlag(flags, "step")
  const name = textFlag(flags, "step-name")
  if (text === undefined && name !== undefined) {
    throw new AppError("invalid", "--step-name needs --step, such as --step 3/4")
  }
  if (text === undefined) return undefined
  const [, index = 0, total = 0] = (/^(\d{1,3})\/(\d{1,3})$/.exec(text) ?? []).map(Number)
  if (index >= 1 && index <= total) return { index, total, name: name ?? "" }
  throw new AppError("invalid", `--step must be a step and the number of steps, such as 3/4, not "${text}"`)
}

/**
 * The part of the item's progress that a command fills; undefined if the user does not give it. @throws
 * AppError `invalid`
 */
export function spanFlag(given: Arguments): Span | undefined {
  const step = stepFlag(given)
  const text = textFlag(given.flags, "span")
  if (text === undefined) return step && spanOf(step)
  const [, from = Number.NaN, to = Number.NaN] = (
    /^(\d{1,3}(?:\.\d{1,6})?)-(\d{1,3}(?:\.\d{1,6})?)$/.exec(text) ?? []
  ).map(Number)
  if (from < to && to <= 100) return { step, from, to }
  throw new AppError("invalid", `--span must be two percentages, such as 20-95, not "${text}"`)
}
