import type { Unit } from "../item.ts"
import { doneByCount, type TotalGrowth } from "./growing-total.ts"
import type { Point } from "./step-line.ts"
import type { TracedReport } from "./traced-report.ts"

/** What stands between groups of three digits and nowhere else: "12'345", also with spaces that do not break a line. */
const GROUPED = String.raw`['’_\u00a0\u2009\u202f]`
/** "3", "1.5" and "12,345", or a time such as "1:02:03.5". */
const NUMBER = String.raw`(\d{1,9}(?::\d\d){0,2}(?:[.,]\d{1,9}|${GROUPED}\d{3})*)`
const BYTES = String.raw`(?: ?([kmgt]?i?b)\b)?`
const OF = String.raw`(?: ?(?:\/|of) ?| (?:out of|von|van|sur|de|di|av|af|z|ze|из|з) )`
/**
 * "image 3 of 10", "Bild 3 von 10", "scene 3/10", "0:12 / 3:40" and "1.5 MB of 30 MB", but neither dates, numbers of more
 * than nine digits, "retry 2 of 5" nor "24/30 fps".
 */
const COUNT = new RegExp(
  String.raw`(?<!\d[.,:/]?|\b(?:retry|attempt) )${NUMBER}${BYTES}${OF}${NUMBER}${BYTES}(?![.,:/]?\d| ?(?:fps|retries|attempts)\b)`,
  "i",
)
const PERCENT_SIGN = String.raw` ?(?:%|per ?cent\b)`
/** "45%", "45.5 %", "45 percent" */
const PERCENTAGE = new RegExp(String.raw`(?<![\d.,:/-])(\d{1,3}(?:[.,]\d{1,9})?)${PERCENT_SIGN}`, "i")
/** The unit of what the words say in percent. It is no amount of work. */
export const PERCENT = "\npercent"

/** By how much a count goes back at least if it begins again: more than one, though the values are rounded. */
const ALTERNATING = 1.5
/** A percentage begins again if it falls to less than this. */
const BEGINNING = 10
/** A percentage, or a count beside a step with a name, begins again only after it has reached this part. */
const REACHED = 0.5
/** If it falls by more than this part otherwise, and to less than half, it is not how far the step is. */
const FALL = 0.2
/** "CPU 87 %", "GPU load: 30%", "VRAM 8.1/24 GB", "75% RAM", but not "writing to disk: 45%" */
const LOAD = String.raw`(?:CPU|GPU|V?RAM|memory|disk)(?: (?:load|usage))?`
const LOADS = new RegExp(
  String.raw`(?<!\b(?:to|into|onto|from|via|on|with|using) (?:the )?)\b${LOAD}[ :=]*(?:[\d.,]+${PERCENT_SIGN}|${NUMBER}${BYTES}${OF}${NUMBER}${BYTES})|\d{1,3}(?:[.,]\d{1,9})?${PERCENT_SIGN} (?:of )?${LOAD}\b(?![ :=]*\d)`,
  "gi",
)
/**
 * The unit of a step whose words contain numbers that do not say how far it is. No worker gives this name to what it
 * counts.
 */
export const NO_COUNT = "\nno count"

const GROUPS = new RegExp(GROUPED, "g")
const DIGITS = new RegExp(String.raw`\d+(?:[.,:]\d+|${GROUPED}\d{3})*`, "g")

/** A text in which every number is the same, so that "image 3" and "image 4" are alike. */
export const withoutDigits = (text: string): string => text.replace(DIGITS, "#")

/** How far something is in words, as `nth` of `total`. */
interface InWords {
  readonly nth: number
  readonly total: number
  /** How much of the `nth` is done, as a part of it: "scene 3/10: 45 %". */
  readonly part: number
  readonly isPercentage: boolean
  /** Whether it is a time or a size, which does not begin with the first but with any small part. */
  readonly isMeasure: boolean
}

/** The number that a text shows, a time in seconds; NaN if it shows none. */
function valueOf(text: string): number {
  const plain = text.replaceAll(GROUPS, "")
  const digits = /^\d{1,3}(?:[.,]\d{3})+$/.test(plain) ? plain.replace(/[.,]/g, "") : plain.replace(",", ".")
  return digits.split(":").reduce((sum, part) => 60 * sum + Number(part), 0)
}

function percentageIn(words: string): number | undefined {
  const [, digits] = PERCENTAGE.exec(words) ?? []
  const percentage = Number(digits?.replace(",", "."))
  return percentage <= 100 ? percentage : undefined
}

/** How much of the `nth` is done if this part is done, of the `nth` or of all, as long as both may be meant. */
function partOf(nth: number, total: number, done: number): number {
  const ofAll = done * total - (nth - 1)
  return ofAll >= 0 && ofAll <= 1 ? Math.min(ofAll, done) : done
}

function countIn(told: string): InWords | undefined {
  const words = told.replaceAll(LOADS, "")
  const [count, first, bytes, last, ofBytes] = COUNT.exec(words) ?? []
  const percentage = percentageIn(words.replace(count ?? "", " "))
  if (!count || !first || !last) {
    if (percentage === undefined) return undefined
    return { nth: percentage, total: 100, part: 0, isPercentage: true, isMeasure: false }
  }
  const [nth, total] = [valueOf(first), valueOf(last)]
  const isSameUnit = !bytes || bytes.toLowerCase() === ofBytes?.toLowerCase()
  if (!(nth <= total) || first.includes(":") !== last.includes(":") || !isSameUnit) return undefined
  const isMeasure = bytes !== undefined || /[:.,]/.test(first + last)
  const part = isMeasure ? 0 : partOf(nth, total, (percentage ?? 0) / 100)
  return { nth, total, part, isPercentage: false, isMeasure }
}

/** A step that has begun, as far as it matters here. */
interface BegunStep {
  /** The step's own name, or otherwise what its first report said. */
  readonly name: string
  readonly index: number
  readonly unit: string
  readonly size: number
  readonly grew?: TotalGrowth | true
}

/** What the words counted when the step of this report began; undefined if they did not count there. */
function firstOf(
  { step, current_step: words = "" }: TracedReport,
  now: InWords,
  current: BegunStep | undefined,
) {
  const name = withoutDigits(words)
  if (step) {
    // The words of a step with a name of its own are not kept, so they are known to count if they began with 0 or 1.
    const goesOn = current?.index === step.index && current.unit === name
    const first = { nth: !goesOn ? now.nth : now.isMeasure ? 0 : 1 }
    return withoutDigits(step.name) === name ? undefined : now.isPercentage ? { nth: 0 } : first
  }
  return current ? countIn(current.name) : now
}

/** The most that something is at its beginning: a part of a measure, or the first of many. */
const beginningOf = ({ total, isMeasure }: InWords): number => (isMeasure ? total / 10 : 1)

/**
 * A report with what its words count, as if the client had counted it: many clients say "image 3 of 10" or "45 %" and
 * nothing else. `steps` are the steps so far. The same report if it counts something itself. A count that did not
 * begin at 0 or 1 may be the number of a song in its album.
 */
export function withCountInWords<R extends TracedReport>(
  report: R,
  steps: readonly BegunStep[],
): R | (R & { readonly unit: Unit }) {
  const { current_step: words, unit, media, step } = report
  if (!words || unit || media || words === step?.name) return report
  const now = countIn(words)
  if (!now) return report
  const alike = withoutDigits(words)
  const current = step ? steps.at(-1) : steps.findLast(({ name }) => withoutDigits(name) === alike)
  const first = firstOf(report, now, current)
  if (!first || (first.nth > beginningOf(now) && !now.isPercentage)) return report
  const name = now.isPercentage ? PERCENT : alike
  const goesOn = step ? current?.index === step.index : first !== now
  if (goesOn && current?.unit && current.unit !== name) return report
  const before = now.isMeasure ? 0 : first.nth
  return { ...report, unit: { done: Math.max(0, now.nth - before + now.part), total: now.total, name } }
}

/**
 * The number of a step in its series, and how many there are, if only the words say it: "Track 3 of 9" beside the medium
 * of that track. The first one only has its number, because "frame 1 of 240" begins a step, too; and not even that if
 * nothing else is counted, because then it is this step that the words count.
 */
export function seriesInWords({
  step,
  current_step: words = "",
  unit,
  media,
}: TracedReport): { index: number; total?: number } | undefined {
  const now = step ? undefined : countIn(words)
  if (!now || now.isPercentage || now.isMeasure) return undefined
  if (now.nth > 1) return { index: now.nth, total: now.total }
  return now.nth === 1 && (unit || media) ? { index: 1 } : undefined
}

/** Where a count in words was, as a part of its size. */
interface LatestCount {
  readonly unit?: Point | undefined
  readonly percent?: Point | undefined
}

/**
 * Whether a count in words that goes back may be a new beginning. While one percentage goes on, "image 1 of 5" only
 * comes again in each scene; and the words of two images that are made at once alternate, so that a count goes back by
 * one. A percentage, and a count beside a step with a name, must have come far, and begin with the first.
 */
export function mayBeginAgain(
  { unit, step, current_step: words = "" }: TracedReport,
  { size }: { readonly size: number },
  { unit: [reached] = [0, 0], percent }: LatestCount,
): boolean {
  const { done = 0, name } = unit ?? {}
  const now = countIn(words)
  if (percent) return false
  if (name === PERCENT) return reached >= REACHED && done < BEGINNING
  const goesBack = reached * size - done > ALTERNATING
  const most = now?.isMeasure ? beginningOf(now) : ALTERNATING
  return goesBack && (!step || (reached >= REACHED && done <= most))
}

/**
 * Whether what the words say, and what does not begin again, goes back so far that it is not how far the step is: it is
 * a load, or the number of a tile or of a frame, in any order.
 */
export function isNoCount(
  { unit, step }: TracedReport,
  last: BegunStep,
  { unit: [reached] = [0, 0] }: LatestCount,
): boolean {
  const isPercentage = unit?.name === PERCENT
  if (!unit || (!step && !isPercentage) || last.unit !== (isPercentage ? "" : unit.name)) return false
  const { unit: part = unit.done / unit.total } = doneByCount(last, { unit })
  return part < reached - FALL && part < reached / 2
}
