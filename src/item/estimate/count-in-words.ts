import type { Point } from "./line.ts"

/** What a report counts: see `Sign`. */
interface Count {
  readonly done: number
  readonly total: number
  readonly name: string
}

/** A report, as far as it matters here. */
interface Report {
  readonly current_step?: string | undefined
  readonly step?: { readonly index: number; readonly name: string } | undefined
  readonly unit?: Count | undefined
  readonly media?: unknown
}

/** "image 3 of 10", "Bild 3 von 10" and "scene 3/10", but neither "0:12/3:40" nor "1.5/30" nor numbers of more than nine digits. */
const COUNT =
  /(?<!\d[.,:/]?)(\d{1,9})(?: ?(?:\/|of) ?| (?:out of|von|van|sur|de|di|av|af|из) )(\d{1,9})(?![.,:/]?\d)/
/** "45%", "45.5 %" */
const PERCENTAGE = /(?<![\d.,:/-])(\d{1,3}(?:[.,]\d{1,9})?) ?%/
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
/** "CPU 87 %", "GPU load: 30%", "75% RAM" */
const LOAD = String.raw`(?:CPU|GPU|V?RAM|memory|disk)(?: (?:load|usage))?`
const LOADS = new RegExp(String.raw`\b${LOAD}[ :=]*[\d.,]+ ?%|% (?:of )?${LOAD}\b`, "gi")
/** The unit of a step whose words contain numbers that are not how far it is. No worker gives this name to what it counts. */
export const NO_COUNT = "\nno count"

/** A text in which every number is the same, so that "image 3" and "image 4" are alike. */
export const withoutDigits = (text: string): string => text.replace(/\d+(?:[.,]\d+)*/g, "#")

interface InWords {
  readonly nth: number
  readonly total: number
  readonly isPercentage: boolean
}

function countIn(words: string): InWords | undefined {
  const [, nth, total] = COUNT.exec(words)?.map(Number) ?? []
  if (nth !== undefined && total !== undefined)
    return nth <= total ? { nth, total, isPercentage: false } : undefined
  const [, digits] = PERCENTAGE.exec(words.replaceAll(LOADS, "")) ?? []
  const percentage = Number(digits?.replace(",", "."))
  return percentage <= 100 ? { nth: percentage, total: 100, isPercentage: true } : undefined
}

/** A step that has begun, as far as it matters here. */
interface Step {
  /** The step's own name, or otherwise what its first report said. */
  readonly name: string
  readonly index: number
  readonly unit: string
}

/** What the words counted when the step of this report began; undefined if they did not count there. */
function firstOf({ step, current_step: words = "" }: Report, now: InWords, current: Step | undefined) {
  const name = withoutDigits(words)
  if (step) {
    // The words of a step with a name of its own are not kept, so they are known to count if they began with 0 or 1.
    const goesOn = current?.index === step.index && current.unit === name
    const first = { nth: goesOn ? 1 : now.nth }
    return withoutDigits(step.name) === name ? undefined : now.isPercentage ? { nth: 0 } : first
  }
  return current ? countIn(current.name) : now
}

/**
 * A report with what its words count, as if the client had counted it: many clients say "image 3 of 10" or "45 %" and
 * nothing else. `steps` are the steps so far. The same report if it counts something itself. A count that did not
 * begin at 0 or 1 may be the number of a song in its album.
 */
export function withCountInWords<R extends Report>(
  sign: R,
  steps: readonly Step[],
): R | (R & { readonly unit: Count }) {
  const { current_step: words, unit, media, step } = sign
  if (!words || unit || media || words === step?.name) return sign
  const now = countIn(words)
  if (!now) return sign
  const alike = withoutDigits(words)
  const current = step ? steps.at(-1) : steps.findLast(({ name }) => withoutDigits(name) === alike)
  const first = firstOf(sign, now, current)
  if (!first || (first.nth > 1 && !now.isPercentage)) return sign
  const name = now.isPercentage ? PERCENT : alike
  const goesOn = step ? current?.index === step.index : first !== now
  if (goesOn && current?.unit && current.unit !== name) return sign
  return { ...sign, unit: { done: Math.max(0, now.nth - first.nth), total: now.total, name } }
}

/** Where a count in words was, as a part of its size. */
interface Latest {
  readonly unit?: Point | undefined
  readonly percent?: Point | undefined
}

/**
 * Whether a count in words that goes back may be a new beginning. While one percentage goes on, "image 1 of 5" only
 * comes again in each scene; and the words of two images that are made at once alternate, so that a count goes back by
 * one. A percentage, and a count beside a step with a name, must have come far, and begin with the first.
 */
export function mayBeginAgain(
  { unit, step }: Report,
  { size }: { readonly size: number },
  { unit: [reached] = [0, 0], percent }: Latest,
): boolean {
  const { done = 0, name } = unit ?? {}
  if (percent) return false
  if (name === PERCENT) return reached >= REACHED && done < BEGINNING
  const goesBack = reached * size - done > ALTERNATING
  return goesBack && (!step || (reached >= REACHED && done <= ALTERNATING))
}

/**
 * Whether what the words say, and what does not begin again, goes back so far that it is not how far the step is: it is
 * a load, or the number of a tile or of a frame, in any order.
 */
export function isNoCount({ unit, step }: Report, last: Step, { unit: [reached] = [0, 0] }: Latest): boolean {
  const isPercentage = unit?.name === PERCENT
  if (!unit || (!step && !isPercentage) || last.unit !== (isPercentage ? "" : unit.name)) return false
  const part = unit.done / unit.total
  return part < reached - FALL && part < reached / 2
}
