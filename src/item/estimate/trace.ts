import {
  isNoCount,
  mayBeginAgain,
  NO_COUNT,
  PERCENT,
  seriesInWords,
  withCountInWords,
} from "./count-in-words.ts"
import {
  begunToGrow,
  countedBy,
  doneByCount,
  grownTo,
  growthIn,
  partsOfLatest,
  replacedBy,
  type TotalGrowth,
} from "./growing-total.ts"
import { GRAIN, type Point } from "./step-line.ts"
import { countsOn, goesOnBeside, inOtherWords, isOther } from "./steps-at-once.ts"
import type { TracedReport } from "./traced-report.ts"

/** The signals of how far a step is: the medium's time, what is counted, or the percentage. */
export type Signal = "media" | "unit" | "percent"

/** All signals. */
export const SIGNALS: readonly Signal[] = ["media", "unit", "percent"]

/** For each signal that moved, its values and their times, both ascending, about `GRAIN` apart. */
export type SignalLines = { readonly [S in Signal]?: readonly Point[] | undefined }

/** How one step of an attempt went. */
export interface StepTrace {
  /** The name that was reported; empty if none was reported. */
  readonly name: string
  /** Which of the steps it is, from 1. */
  readonly index: number
  /** How many steps there are; absent until a report says it. */
  readonly total?: number
  /** The unit of the step's work: `seconds` of a medium, or a name. Empty if it is unknown. */
  readonly unit: string
  /** How much there is to do, in that unit; 0 if it is unknown. */
  readonly size: number
  /** If the amount changed during the step, so that the size stays unknown: see `TotalGrowth`. Otherwise absent. */
  readonly grew?: TotalGrowth | true
  /** The amount that was said before the step moved, if one that is far larger replaced it; absent otherwise. */
  readonly atFirst?: number
  /** When it began, in seconds since the attempt started. */
  readonly at: number
  /** The percentage at which it began, if only the words of a report name it; absent otherwise, and at 0. */
  readonly from?: number
  /** How far its count was when it began, as a part of the total; absent at 0, and if a report names the step. */
  readonly counted?: number
  /** The lines of the step; empty for the current step, whose lines are in the trace. */
  readonly lines: SignalLines
  /** How much there was to do in the whole run, by unit, as it was declared; absent if nothing was, and in later steps. */
  readonly totals?: Readonly<Record<string, number>>
}

/** The latest point of each signal; undefined if the signal has not moved in this step. */
export type Latest = { readonly [S in Signal]?: Point | undefined }

/** How an attempt has gone so far. A trace takes one or two kilobytes, however long the attempt is. */
export interface Trace {
  /** The steps so far; the same array as long as the attempt stays in the same step. */
  readonly steps: readonly StepTrace[]
  /** The lines of the current step; the same object until a point is added for good. */
  readonly lines: SignalLines
  /**
   * The latest point of each signal in the current step. The next point replaces it, unless that point is far
   * enough away.
   */
  readonly latest: Latest
  /** The percentage at which the current step began. */
  readonly from: number
  /** The latest words of the current step, if they change while its count goes on; otherwise absent. */
  readonly words?: string
}

/** The trace of an attempt that has reported nothing yet. */
export const NO_TRACE: Trace = {
  steps: [],
  lines: { media: undefined, unit: undefined, percent: undefined },
  latest: { media: undefined, unit: undefined, percent: undefined },
  from: 0,
}

/**
 * A line keeps a point if the line without it would be wrong by more than this part of the time since the
 * step began.
 */
const BEND = 0.04
/** A line with bends has at most this many points. */
const MAX_LINE = 2 / GRAIN
/** If an attempt names more steps than this, all later steps are counted in its last one. */
export const MAX_STEPS = 48
/** The unit of the last step if there are too many steps: no worker gives this name to what it counts. */
export const STEPS = "\nsteps"
/** An item is held at this percentage until it completes, so reaching it says nothing. */
const HELD_AT = 99
/**
 * The size of a step that has moved stays as it was reported. If a report differs from it by more than this
 * part, the size is unknown.
 */
const GREW = 0.05
/** If a value falls to this part of its former value, its count has begun again, for another file perhaps. */
const BEGAN_AGAIN = 0.5
/**
 * A percentage that falls by fewer points than this only wavers, as a client's may that works it out at each report. It
 * counts as where it was.
 */
const WAVERS = 20

const round = (value: number, steps: number): number => Math.round(value * steps) / steps

/** How far the step is according to a report, by each signal; undefined if the report does not say it. */
type Values = { readonly [S in Signal]: number | undefined }

const valuesOf = ({ progress, unit, media }: TracedReport): Values => ({
  media: media?.total ? Math.min(1, media.out_time / media.total) : undefined,
  unit: unit && unit.total > 0 ? Math.min(1, unit.done / unit.total) : undefined,
  percent: progress !== undefined && progress < HELD_AT ? progress : undefined,
})

const isBelow = (value: number | undefined, last: Point | undefined): boolean =>
  value !== undefined && last !== undefined && value < BEGAN_AGAIN * last[0]

/** Whether a percentage is clearly lower than the one that was reached. */
const isLower = (percent: number | undefined, { latest, from }: Trace): percent is number =>
  percent !== undefined && percent <= (latest.percent?.[0] ?? from) - WAVERS

/** Whether the signal of a report has begun again. */
function fell(
  trace: Trace,
  step: StepTrace,
  report: TracedReport,
  { media, unit, percent }: Values,
): boolean {
  const { latest } = trace
  const { name, done = 0, total = 0 } = report.unit ?? {}
  const isPercentage = name === PERCENT
  // If there is more to do than was known, the fraction that is done becomes smaller; what is done does not.
  const isMore = !isPercentage && total > step.size * (1 + GREW)
  const isCounted = isPercentage || (name === step.unit && step.size > 0)
  return (
    isBelow(media, latest.media) ||
    (isBelow(percent, latest.percent) && isLower(percent, trace)) ||
    (isCounted && isBelow(isMore ? done / step.size : unit, latest.unit))
  )
}

/** The percentage at which a step begins: the end of the step before, unless each counts from the start. */
function beginsAt({ latest, from }: Trace, { progress = latest.percent?.[0] ?? from }: TracedReport): number {
  const reached = latest.percent?.[0] ?? from
  return progress < BEGAN_AGAIN * reached ? progress : Math.max(reached, progress)
}

const beginning = (signal: Signal, from: number): Point => [signal === "percent" ? from : 0, 0]

const amount = (known: StepTrace, unit: string, size: number): Pick<StepTrace, "unit" | "size"> =>
  known.unit === unit && known.size === size ? known : { unit, size }

/**
 * The amount of work in the step according to a report; the step itself if nothing has changed. The length of
 * a medium says more than a count that is reported with it.
 */
function sizeOf({ unit, media }: TracedReport, known: StepTrace): Pick<StepTrace, "unit" | "size"> {
  if (unit?.name === STEPS || known.unit === STEPS) return { unit: STEPS, size: unit?.total ?? known.size }
  if (media?.total) return amount(known, "seconds", media.total)
  if (unit && unit.total > 0 && unit.name !== PERCENT && known.unit !== "seconds")
    return amount(known, unit.name, unit.total)
  return known
}

/** The amount of work in a step: what was reported before the step moved, and 0 if a later report differs. */
function grownIn(
  { latest }: Trace,
  known: StepTrace,
  told: Pick<StepTrace, "unit" | "size">,
  report: TracedReport,
): Pick<StepTrace, "unit" | "size" | "grew"> {
  const { unit } = told
  if (unit === STEPS || unit !== known.unit) return known.grew ? { ...told, grew: true } : told
  if (known.grew) return { unit, size: 0, grew: grownTo(known.grew, told.size, report) }
  if (known.size <= 0 || latest[countedBy(known)] === undefined) return told
  const hasGrown = Math.abs(told.size / known.size - 1) > GREW
  if (!hasGrown) return { unit, size: known.size }
  return { unit, size: 0, grew: begunToGrow(known.size, told.size, report) }
}

/** The trace without its percentages, because they came from a guess that was corrected. */
function setBack(trace: Trace, to: number): Trace {
  const { percent: _line, ...lines } = trace.lines
  const { percent: _point, ...latest } = trace.latest
  return { ...trace, lines, latest, from: to }
}

/** The trace of a step whose total grew, as parts of its latest total: see `TotalGrowth`. */
function inPartsOfTotal({ lines, latest, ...trace }: Trace, step: StepTrace): Trace {
  const signal = countedBy(step)
  const times = partsOfLatest(step, signal)
  const part = ([value, at]: Point): Point => [Math.min(1, round(value * times, 10_000)), at]
  const point = latest[signal]
  return {
    ...trace,
    lines: { ...lines, [signal]: lines[signal]?.map(part) },
    latest: { ...latest, [signal]: point && part(point) },
  }
}

/** The trace without what its words seemed to count; nothing that they say later in this step is a count. */
function uncounted(trace: Trace, { grew: _grew, ...last }: StepTrace): Trace {
  const { unit: _line, ...lines } = trace.lines
  const { unit: _point, ...latest } = trace.latest
  const steps = [...trace.steps.slice(0, -1), { ...last, unit: NO_COUNT, size: 0 }]
  return { ...trace, steps, lines, latest }
}

/**
 * Whether a point that is not on the line yet must be kept because the pace changes there: without it, the
 * line would give a clearly different time.
 */
function isBend(line: readonly Point[], [value, at]: Point, [nextValue, nextAt]: Point): boolean {
  const [beforeValue, beforeAt] = line.at(-1) ?? [0, 0]
  if (at <= beforeAt || line.length >= MAX_LINE) return false
  const straight = beforeAt + ((nextAt - beforeAt) * (value - beforeValue)) / (nextValue - beforeValue)
  return Math.abs(at - straight) > BEND * nextAt
}

/** The new latest point of a signal, if a report moves the signal; otherwise undefined. */
function nextOf({ lines, latest, from }: Trace, signal: Signal, told: number | undefined, at: number) {
  if (told === undefined) return undefined
  const last = latest[signal] ?? lines[signal]?.at(-1)
  const value = round(told, 10_000)
  const [reached, then] = [last?.[0] ?? (signal === "percent" ? from : 0), last?.[1] ?? 0]
  const point: Point | undefined = value > reached && at > then ? [value, at] : undefined
  return point
}

/** The line of a signal after it has moved to a point; the same line unless a point is added for good. */
function grownLine({ lines, latest, from }: Trace, signal: Signal, point: Point) {
  const known = lines[signal]
  const line = known ?? [beginning(signal, from)]
  const settledAt = line.at(-1) ?? beginning(signal, from)
  const last = latest[signal] ?? settledAt
  const whole = signal === "percent" ? 100 - from : Math.max(1, point[0])
  const isFar = point[0] - settledAt[0] >= whole * GRAIN
  if (isBend(line, last, point)) return isFar ? [...line, last, point] : [...line, last]
  return isFar ? [...line, point] : known
}

/**
 * The trace with new latest points, and with one more point on each line whose last point is far enough away.
 * The same trace if nothing has moved.
 */
function drawn(trace: Trace, { media, unit, percent }: Values, at: number): Trace {
  const before = isLower(percent, trace) ? setBack(trace, percent) : trace
  const { lines, latest } = before
  const newMedia = nextOf(before, "media", media, at)
  const newUnit = nextOf(before, "unit", unit, at)
  const newPercent = nextOf(before, "percent", percent, at)
  if (!newMedia && !newUnit && !newPercent) return before
  const mediaLine = newMedia ? grownLine(before, "media", newMedia) : lines.media
  const unitLine = newUnit ? grownLine(before, "unit", newUnit) : lines.unit
  const percentLine = newPercent ? grownLine(before, "percent", newPercent) : lines.percent
  const isSame = mediaLine === lines.media && unitLine === lines.unit && percentLine === lines.percent
  return {
    ...before,
    lines: isSame ? lines : { media: mediaLine, unit: unitLine, percent: percentLine },
    latest: {
      media: newMedia ?? latest.media,
      unit: newUnit ?? latest.unit,
      percent: newPercent ?? latest.percent,
    },
  }
}

/** A step with what a report adds to it; the same step if the report adds nothing. */
function toldOf(trace: Trace, step: StepTrace, report: TracedReport): StepTrace {
  const name = step.name || report.step?.name || report.current_step || ""
  const index = step.name === "" ? (report.step?.index ?? step.index) : step.index
  const total = report.step?.total || step.total
  const told = sizeOf(report, step)
  const isNews = told !== step || step.grew !== undefined
  const { unit, size, grew } = isNews ? grownIn(trace, step, told, report) : step
  const isSame =
    name === step.name &&
    index === step.index &&
    total === step.total &&
    unit === step.unit &&
    size === step.size &&
    grew === step.grew
  const atFirst = replacedBy(step, unit, size)
  const added = { ...(total && { total }), ...(grew && { grew }), ...(atFirst && { atFirst }) }
  return isSame ? step : { ...step, name, index, unit, size, ...added }
}

/** The trace after a report in its last step; the same trace if the report says nothing new. */
function followed(trace: Trace, report: TracedReport, values: Values, at: number): Trace {
  const step = trace.steps.at(-1)
  if (!step) return trace
  const now = toldOf(trace, step, report)
  const isPart = growthIn(step) !== undefined && growthIn(now) === undefined
  const next = drawn(
    isPart ? inPartsOfTotal(trace, step) : trace,
    { ...values, ...doneByCount(now, report) },
    round(at - step.at, 1000),
  )
  return now === step ? next : { ...next, steps: [...trace.steps.slice(0, -1), now] }
}

/** The line of a signal in the current step, with its latest point; undefined if the signal never moved. */
function lineOf({ lines, latest, from }: Trace, signal: Signal): readonly Point[] | undefined {
  const point = latest[signal]
  if (!point) return undefined
  const line = lines[signal] ?? [beginning(signal, from)]
  return line.at(-1)?.[1] === point[1] ? line : [...line, point]
}

/** All steps, the current one with its lines; for an attempt or a step that has ended. */
export function settled(trace: Trace): readonly StepTrace[] {
  const step = trace.steps.at(-1)
  if (!step) return []
  const lines: Partial<Record<Signal, readonly Point[]>> = {}
  for (const signal of SIGNALS) {
    const line = lineOf(trace, signal)
    if (line) lines[signal] = line
  }
  return [...trace.steps.slice(0, -1), { ...step, lines }]
}

/** The one step of an attempt that reported nothing. */
const WHOLE: StepTrace = { name: "", index: 1, unit: "", size: 0, at: 0, lines: {} }

/** The steps of an attempt that has completed, with what was declared before it; at least one. */
export function stepsOfRun(
  trace: Trace,
  totals: Readonly<Record<string, number>>,
): readonly [StepTrace, ...StepTrace[]] {
  const [first = WHOLE, ...others] = settled(trace)
  return [Object.keys(totals).length > 0 ? { ...first, totals } : first, ...others]
}

/** The trace after a report in the last possible step, which counts the further steps. */
function counted(trace: Trace, last: StepTrace, { step }: TracedReport, at: number): Trace {
  if (!step || step.index < last.index || step.total < step.index) return trace
  const unit = { done: step.index - last.index, total: step.total - last.index + 1, name: STEPS }
  const { steps, from } = trace
  const before = last.unit === STEPS ? trace : { ...NO_TRACE, steps, from }
  return followed(before, { unit }, valuesOf({ unit }), at)
}

const begun = (report: TracedReport, name: string, index: number, at: number, from = 0): StepTrace => ({
  name: report.step?.name || report.current_step || name,
  index: report.step?.index ?? index,
  ...(index > 1 && seriesInWords(report)),
  ...(!report.step && from > 0 && { from }),
  unit: "",
  size: 0,
  at,
  lines: {},
})

/**
 * The trace after a report, `at` seconds after the attempt started. Until a step is named, the attempt is
 * preparing; the first named step takes over that time. A report that comes late, goes back or says nothing
 * new adds nothing, and the result is the same trace.
 */
export function traced(trace: Trace, told: TracedReport, at: number): Trace {
  const last = trace.steps.at(-1)
  const report = withCountInWords(told, trace.steps)
  const values = valuesOf(report)
  if (!last) return followed({ ...NO_TRACE, steps: [begun(report, "", 1, 0)] }, report, values, at)
  const isBack = report !== told && !mayBeginAgain(report, last, trace.latest)
  const judged = isBack ? told : report
  const reached = { ...valuesOf(judged), ...doneByCount(last, judged) }
  const isOfOther = isOther(last, report, trace.words)
  const hasFallen = fell(trace, last, judged, reached)
  if (isOfOther && !hasFallen && countsOn(trace, report, values))
    return followed({ ...trace, ...inOtherWords(trace.steps, report) }, report, values, at)
  const goesOn = !isOfOther && !hasFallen
  const isLast = trace.steps.length >= MAX_STEPS
  if (last.unit === STEPS || (!goesOn && isLast && report.step)) return counted(trace, last, report, at)
  if (goesOn && isBack && isNoCount(report, last, trace.latest))
    return followed(uncounted(trace, last), told, valuesOf(told), at)
  if (goesOn || at < last.at) return followed(trace, report, values, at)
  const rest: TracedReport = isLast && isLower(values.percent, trace) ? {} : { progress: report.progress }
  if (isLast || goesOnBeside(trace, report, values)) return followed(trace, rest, valuesOf(rest), at)
  const from = Math.min(HELD_AT, beginsAt(trace, report))
  const part = report.step ? 0 : (values.media ?? values.unit)
  const first = begun(told, last.name, last.index + 1, round(at, 1000), from)
  const steps = [...settled(trace), part ? { ...first, counted: part } : first]
  const next: Trace = { ...NO_TRACE, steps, from }
  const [step] = steps.slice(-1)
  const isCounting =
    step && steps.length === MAX_STEPS && report.step && report.step.total > report.step.index
  return isCounting ? counted(next, step, report, at) : followed(next, report, values, at)
}
