import { withoutDigits } from "./count-in-words.ts"
import { countedBy, type CountingStep, doneByCount, firstAndLatest } from "./growing-total.ts"
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
  /** How far its count was when it began, as a part of the total; absent at 0. */
  readonly counted?: number
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

/**
 * Whether a report names another step than the current one, or only its number. `words` are the latest ones of a step whose
 * words change: it is known by what it counts.
 */
export function isOther({ name, index }: BegunStep, report: TracedReport, words?: string): boolean {
  const { step, current_step, unit, media } = report
  // Until a step is named, the attempt is preparing.
  if (name === "") return step?.name === "" && step.index !== index
  if (step) return step.index !== index || (step.name || name) !== name
  // "frame 17 of 240" and "frame 18 of 240" are the same step.
  const before = words ?? name
  const told = current_step || before
  const counts = media?.total ? "seconds" : unit?.name
  if (words !== undefined && counts !== undefined && counts !== name) return true
  return told !== before && withoutDigits(told) !== withoutDigits(before)
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

/** A total that differs by at most this part from the one before is the same. */
const SAME_TOTAL = 0.05

/** The points of a trace are rounded by less than this. */
const ROUNDING = 1e-4

/** How much a report says there is to do in what a step counts; 0 if it does not say it. */
function totalOf(step: CountingStep, { unit, media }: TracedReport): number {
  if (countedBy(step) === "media") return media?.total ?? 0
  return unit?.name === step.unit ? unit.total : 0
}

/** How far the count of a step has come; 0 if it has not moved. */
const reachedIn = (step: BegunStep, points: Signals<Point | undefined>): number =>
  points[countedBy(step)]?.[0] ?? step.counted ?? 0

/**
 * Whether other words come with the same count, which goes on: "7 of 40 thumbnails" beside the name of each file. The
 * words say what is being done just now, and the step goes on. Of two steps that count the same, each counts on its own.
 */
export function countsOn({ steps, latest }: SoFar, report: TracedReport, values: Signals<number>): boolean {
  const last = steps.at(-1)
  const total = last && last.unit !== "" && !report.step ? totalOf(last, report) : 0
  if (!last || total <= 0 || Math.abs(total / firstAndLatest(last).latest - 1) > SAME_TOTAL) return false
  const others = steps.slice(0, -1).filter((step) => step.unit === last.unit && step.size === last.size)
  const ends = ({ lines }: BegunStep): Signals<Point> => ({
    media: lines.media?.at(-1),
    unit: lines.unit?.at(-1),
  })
  if (others.some((step) => reachedIn(step, ends(step)) > 0)) return false
  const value = { ...values, ...doneByCount(last, report) }[countedBy(last)] ?? 0
  const reached = reachedIn(last, latest)
  // A medium is kept until another step begins, so the same value may only be what was said before.
  const isSaidAgain = countedBy(last) === "unit"
  // Of a count that has not begun, words that come again say so, and other words may begin the work itself.
  if (reached === 0) return isSaidAgain && value > 0 && others.some((step) => names(step, report))
  return value > reached + (isSaidAgain && value < 1 ? -ROUNDING : ROUNDING)
}

/** The steps, of which the last one is named after what it counts because its words change, and these words. */
export function inOtherWords<S extends BegunStep>(
  steps: readonly S[],
  { current_step: words = "" }: TracedReport,
): { readonly steps: readonly S[]; readonly words: string } {
  const last = steps.at(-1)
  const isNamed = !last || last.name === last.unit
  return { steps: isNamed ? steps : [...steps.slice(0, -1), { ...last, name: last.unit }], words }
}
