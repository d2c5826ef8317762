import type { Report, Step } from "./item.ts"

/** Which part of an item's progress one step fills. */
export interface Span {
  /** The step; undefined if the part has no name. */
  readonly step: Step | undefined
  /** Where the part begins, in percent of the item. */
  readonly from: number
  /** Where the part ends, in percent of the item. */
  readonly to: number
}

/** The span of a step if all steps count alike. */
export const spanOf = (step: Step): Span => ({
  step,
  from: ((step.index - 1) / step.total) * 100,
  to: (step.index / step.total) * 100,
})

/** A step in words: "step 2 of 4 (Loudness)". */
export const stepWords = ({ index, total, name }: Step): string =>
  `step ${index} of ${total}${name === "" ? "" : ` (${name})`}`

/** A report on a step alone as a report on the item: its 0 to 100 fill the span of the step. */
export function spanned(report: Report, { step, from, to }: Span): Report {
  const told = { ...report, ...(step && { step }) }
  if (report.progress === undefined) return told
  return { basis: "declared", ...told, progress: from + (report.progress * (to - from)) / 100 }
}
