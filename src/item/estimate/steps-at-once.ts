import { withoutDigits } from "./count-in-words.ts"
import { type CountingStep, doneByCount } from "./growing-total.ts"
import type { Point } from "./step-line.ts"
import type { TracedReport } from "./traced-report.ts"

/** How far a step is, by each signal; undefined if it is not known. */
interface Signals<T> {
  readonly media?: T | undefined
  readonly unit?: T | undefined
  readonly percent?: T | undefined
}

/** A step that has begun, as far as it matters here. */
interface BegunStep extends CountingStep {
  readonly name: string
  readonly index: number
  readonly lines: Signals<readonly Point[]>
}

/** A trace, as far as it matters here. */
interface SoFar {
  readonly steps: readonly BegunStep[]
  readonly latest: Signals<Point>
  readonly from: number
}

/** A step that has not come further than this part is not over. */
const UNDER_WAY = 0.5

/** Whether a report names this step, or has the same words except for numbers. */
function names({ name, index }: BegunStep, { step, current_step: words }: TracedReport): boolean {
  if (step) return step.index === index && (step.name || name) === name
  return words !== undefined && words !== "" && withoutDigits(words) === withoutDigits(name)
}

/** Whether a report names a step that comes before the last one and has not begun yet, while the last one is under way. */
function isLate({ steps, latest }: SoFar, { step }: TracedReport): boolean {
  const last = steps.at(-1)
  if (!last || !step || step.index >= last.index || last.size <= 0) return false
  const [reached = 0] = latest.media ?? latest.unit ?? []
  return reached < UNDER_WAY
}

/**
 * Whether a report is about a step that goes on beside the last one: sound and film that are made at the same time,
 * whose reports alternate. Its medium or its count is further than when it was left; or there is one percentage for
 * all, and it has gone on. A step that is done again begins again.
 */
export function goesOnBeside(soFar: SoFar, report: TracedReport, values: Signals<number>): boolean {
  const { steps, latest, from } = soFar
  const earlier = steps.slice(0, -1).findLast((step) => names(step, report))
  if (!earlier) return isLate(soFar, report)
  const { lines } = earlier
  const { media, unit, percent }: Signals<number> = { ...values, ...doneByCount(earlier, report) }
  if (media !== undefined) return media > (lines.media?.at(-1)?.[0] ?? 0)
  if (unit !== undefined) return unit > (lines.unit?.at(-1)?.[0] ?? 0)
  // Words that come again after several others only say what is being done just now.
  const isOfTwo = report.step !== undefined || earlier === steps.at(-2)
  return isOfTwo && percent !== undefined && percent > (latest.percent?.[0] ?? from)
}
