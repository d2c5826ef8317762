/** The signals of how far a step is: the medium's time, what is counted, or the percentage. */
export type Signal = "media" | "unit" | "percent"

/** All signals. */
export const SIGNALS: readonly Signal[] = ["media", "unit", "percent"]

/** A value (a fraction of 1, or a percentage) and when it was reached, in seconds since the step began. */
export type Point = readonly [value: number, at: number]

/** How far a step was, and when, by each signal that moved: ascending in value and in time, `GRAIN` apart. */
export type Lines = Readonly<Partial<Record<Signal, readonly Point[]>>>

/** How one step of an attempt went. */
export interface StepTrace {
  /** As it was reported; empty if nothing was. */
  readonly name: string
  /** Its place among the steps, from 1. */
  readonly index: number
  /** How many steps there are; absent while no report has said it. */
  readonly total?: number
  /** What there is to do in it: `seconds` of a medium, or the name of a unit. Empty while unknown. */
  readonly unit: string
  /** How much of it there is to do; 0 while unknown. */
  readonly size: number
  /** True if that changed on the way, so that the size is unknown for good; otherwise absent. */
  readonly grew?: true
  /** When it began, in seconds since the attempt started. */
  readonly at: number
  /** Empty for the current step, whose lines are in the trace. */
  readonly lines: Lines
}

/** How an attempt went so far: a kilobyte or two, whatever its length. */
export interface Trace {
  /** The same array while the attempt goes on in the same step. */
  readonly steps: readonly StepTrace[]
  /** The lines of the current step; the same object until a point is added that will remain. */
  readonly lines: Lines
  /** The latest point of each signal of that step. The next one replaces it, unless it is far enough away. */
  readonly latest: Readonly<Partial<Record<Signal, Point>>>
  /** The percentage at which the current step began. */
  readonly from: number
}

/** The trace of an attempt that has reported nothing yet. */
export const NO_TRACE: Trace = { steps: [], lines: {}, latest: {}, from: 0 }

/** What a report says of how far an attempt is: the part of it that a trace is made of. */
export interface Sign {
  /** How much of the attempt is done, in percent; undefined if the report does not say. */
  readonly progress?: number | undefined
  /** What is being done, in words; undefined if the report does not say. */
  readonly current_step?: string | undefined
  /** The current step, its index from 1; undefined if the report names none. */
  readonly step?: { readonly index: number; readonly total: number; readonly name: string } | undefined
  /** What is being counted; undefined if nothing is. */
  readonly unit?: { readonly done: number; readonly total: number; readonly name: string } | undefined
  /** How far into a medium it is, in seconds; undefined if the report does not say. */
  readonly media?: { readonly out_time: number; readonly total: number | null } | undefined
}

/**
 * Points of a line are this much of the step apart, so a line has at most 1 / GRAIN + 1 of them, and one at
 * its end.
 */
export const GRAIN = 1 / 24
/** A line keeps a point without which it would be off by more than this part of the time since the step began. */
const BEND = 0.04
/** A line with bends has at most this many points. */
const MAX_LINE = 2 / GRAIN
/** An attempt that names more steps than this stays in its last one, in which the others are counted. */
export const MAX_STEPS = 48
/** What the last step counts if there are too many: a name that no worker gives to what it counts. */
export const STEPS = "\nsteps"
/** The percentage at which an item is held until it completes: reaching it says nothing. */
const HELD_AT = 99
/** What there is to do in a step that came on stays as it was told; if it changes by more than this part, it is unknown. */
const GREW = 0.05
/** A value that falls to this part of its former one has begun again: another pass, another file. */
const BEGAN_AGAIN = 0.5

const round = (value: number, steps: number): number => Math.round(value * steps) / steps

/** How far a report says that the step is, by each signal that it has. */
function valuesOf({ progress, unit, media }: Sign): Partial<Record<Signal, number>> {
  return {
    ...(media?.total && { media: Math.min(1, media.out_time / media.total) }),
    ...(unit && unit.total > 0 && { unit: Math.min(1, unit.done / unit.total) }),
    ...(progress !== undefined && progress < HELD_AT && { percent: progress }),
  }
}

/** A text in which every number is the same, so that "image 3" and "image 4" are alike. */
export const withoutDigits = (text: string): string => text.replace(/\d+/g, "#")

/** Whether what a report counts has begun again. */
function fell(trace: Trace, step: StepTrace, sign: Sign): boolean {
  const { media, unit, percent } = valuesOf(sign)
  const isBelow = (value: number | undefined, last: Point | undefined): boolean =>
    value !== undefined && last !== undefined && value < BEGAN_AGAIN * last[0]
  return (
    isBelow(media, trace.latest.media) ||
    isBelow(percent, trace.latest.percent) ||
    // Of more than there was known to do, less is done in proportion.
    (sign.unit?.name === step.unit &&
      sign.unit.total <= step.size * (1 + GREW) &&
      isBelow(unit, trace.latest.unit))
  )
}

/** The percentage where a step begins: where the one before it ended, unless each counts from the start. */
function beginsAt({ latest, from }: Trace, { progress = 0 }: Sign): number {
  const reached = latest.percent?.[0] ?? from
  return progress < BEGAN_AGAIN * reached ? progress : Math.max(reached, progress)
}

/** Whether a report belongs to another step than the current one. */
function isOther(trace: Trace, step: StepTrace, sign: Sign): boolean {
  if (fell(trace, step, sign)) return true
  if (sign.step) return sign.step.index !== step.index || (sign.step.name || step.name) !== step.name
  // "frame 17 of 240" goes on as "frame 18 of 240".
  const name = sign.current_step || step.name
  return name !== step.name && withoutDigits(name) !== withoutDigits(step.name)
}

const beginning = (signal: Signal, from: number): Point => [signal === "percent" ? from : 0, 0]

/** What there is to do in the step, as reported by now. A medium's length says more than a count beside it. */
function sizeOf({ unit, media }: Sign, known: Pick<StepTrace, "unit" | "size">) {
  if (unit?.name === STEPS || known.unit === STEPS) return { unit: STEPS, size: unit?.total ?? known.size }
  if (media?.total) return { unit: "seconds", size: media.total }
  if (unit && unit.total > 0 && known.unit !== "seconds") return { unit: unit.name, size: unit.total }
  return { unit: known.unit, size: known.size }
}

/** What there is to do in a step: what was told before it came on, and nothing if it turned out to be more or less. */
function grownIn(
  { latest }: Trace,
  known: StepTrace,
  told: Pick<StepTrace, "unit" | "size">,
): Pick<StepTrace, "unit" | "size" | "grew"> {
  const { unit } = told
  if (unit === STEPS || unit !== known.unit) return told
  if (known.grew) return { unit, size: 0, grew: true }
  if (known.size <= 0 || latest[unit === "seconds" ? "media" : "unit"] === undefined) return told
  const hasGrown = Math.abs(told.size / known.size - 1) > GREW
  return hasGrown ? { unit, size: 0, grew: true } : { unit, size: known.size }
}

/** The trace without its percentages, which came from a guess that was taken back. */
function setBack(trace: Trace, to: number): Trace {
  const { percent: _line, ...lines } = trace.lines
  const { percent: _point, ...latest } = trace.latest
  return { ...trace, lines, latest, from: to }
}

/**
 * Whether a point that is not on the line yet must stay, because the pace changes there: a straight line to the next
 * point would be elsewhere at that time.
 */
function isBend(line: readonly Point[], [value, at]: Point, [nextValue, nextAt]: Point): boolean {
  const [beforeValue, beforeAt] = line.at(-1) ?? [0, 0]
  if (at <= beforeAt || line.length >= MAX_LINE) return false
  const straight = beforeAt + ((nextAt - beforeAt) * (value - beforeValue)) / (nextValue - beforeValue)
  return Math.abs(at - straight) > BEND * nextAt
}

/** The trace with one more point on each line, if that is far enough from the one before, and the latest points. */
function drawn(trace: Trace, sign: Sign, at: number): Trace {
  const values = valuesOf(sign)
  const isBack = values.percent !== undefined && values.percent < (trace.latest.percent?.[0] ?? trace.from)
  const before = isBack ? setBack(trace, values.percent ?? 0) : trace
  const { lines, latest, from } = before
  let [more, newest] = [lines, latest]
  for (const signal of SIGNALS) {
    const told = values[signal]
    if (told === undefined) continue
    const line = lines[signal] ?? [beginning(signal, from)]
    const settledAt = line.at(-1) ?? beginning(signal, from)
    const last = latest[signal] ?? settledAt
    const point: Point = [round(told, 10_000), at]
    if (point[0] <= last[0] || at <= last[1]) continue
    newest = { ...newest, [signal]: point }
    const whole = signal === "percent" ? 100 - from : 1
    const settling = isBend(line, last, point) ? [last] : []
    if (point[0] - settledAt[0] >= whole * GRAIN) settling.push(point)
    if (settling.length > 0) more = { ...more, [signal]: [...line, ...settling] }
  }
  return { ...before, lines: more, latest: newest }
}

/** The trace with a report in its last step, about which the report may say more. */
function followed(trace: Trace, sign: Sign, at: number): Trace {
  const step = trace.steps.at(-1)
  if (!step) return trace
  const name = step.name || sign.step?.name || sign.current_step || ""
  const index = step.name === "" ? (sign.step?.index ?? step.index) : step.index
  const { unit, size, grew } = grownIn(trace, step, sizeOf(sign, step))
  const total = sign.step?.total || step.total
  const isSame =
    name === step.name &&
    index === step.index &&
    total === step.total &&
    unit === step.unit &&
    size === step.size &&
    grew === step.grew
  const now = (): StepTrace => ({
    ...step,
    name,
    index,
    unit,
    size,
    ...(total && { total }),
    ...(grew && { grew }),
  })
  const steps = isSame ? trace.steps : [...trace.steps.slice(0, -1), now()]
  return { ...drawn(trace, sign, round(at - step.at, 1000)), steps }
}

/** The line of a signal of the current step, with its latest point; undefined if the signal never moved. */
function lineOf({ lines, latest, from }: Trace, signal: Signal): readonly Point[] | undefined {
  const point = latest[signal]
  if (!point) return undefined
  const line = lines[signal] ?? [beginning(signal, from)]
  return line.at(-1)?.[1] === point[1] ? line : [...line, point]
}

/** All steps, the current one with its lines: of an attempt that has ended, or of a step that has. */
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

/** The trace after a report in the last step for which there is a place: that one counts how many it takes in. */
function counted(trace: Trace, last: StepTrace, { step }: Sign, at: number): Trace {
  if (!step || step.index < last.index || step.total < step.index) return trace
  const unit = { done: step.index - last.index, total: step.total - last.index + 1, name: STEPS }
  return followed(last.unit === STEPS ? trace : { ...trace, lines: {}, latest: {} }, { unit }, at)
}

const begun = (sign: Sign, name: string, index: number, at: number): StepTrace => ({
  name: sign.step?.name || sign.current_step || name,
  index: sign.step?.index ?? index,
  unit: "",
  size: 0,
  at,
  lines: {},
})

/**
 * The trace after a report, `at` seconds after the attempt started. Until a step is named, the attempt is
 * preparing; its first named step takes that time over. Reports that come late or fall back add nothing.
 */
export function traced(trace: Trace, sign: Sign, at: number): Trace {
  const last = trace.steps.at(-1)
  if (!last) return followed({ ...NO_TRACE, steps: [begun(sign, "", 1, 0)] }, sign, at)
  const goesOn = last.name === "" ? !fell(trace, last, sign) : !isOther(trace, last, sign)
  if (last.unit === STEPS || (!goesOn && trace.steps.length >= MAX_STEPS))
    return counted(trace, last, sign, at)
  if (goesOn || at < last.at) return followed(trace, sign, at)
  const from = Math.min(HELD_AT, beginsAt(trace, sign))
  const steps = [...settled(trace), begun(sign, last.name, last.index + 1, round(at, 1000))]
  const next: Trace = { steps, lines: {}, latest: {}, from }
  const [step] = steps.slice(-1)
  const isCounting = step && steps.length === MAX_STEPS && sign.step && sign.step.total > sign.step.index
  return isCounting ? counted(next, step, sign, at) : followed(next, sign, at)
}

/**
 * What attempts that are alike look like: the number of steps, and the name of the first one, otherwise the
 * unit that it counts. Empty while nothing was reported by which attempts can be compared.
 */
export function lookOf({ steps, latest }: Trace, total: number): string {
  const [first] = steps
  const counts = first?.unit || (latest.percent || first?.lines.percent ? "percent" : "")
  const name = first?.name || counts
  return total > 1 && name !== "" ? `${total} steps, ${name}` : name
}

/** The course of the attempt that is under way. */
export interface Course {
  /** When the attempt started, in milliseconds of the steady clock. */
  readonly beganMs: number
  /** How it went so far. */
  readonly trace: Trace
  /** For how many milliseconds of it no server watched. */
  readonly unwatchedMs: number
  /** The end of the last outage that these contain, in milliseconds of the steady clock; 0 before the first. */
  readonly outageEndedMs: number
}

/** Whether a course has gained something that must not be lost, compared with the stored one. */
export const hasGrown = (stored: Course | null, now: Course | null): boolean =>
  stored?.beganMs !== now?.beganMs ||
  stored?.unwatchedMs !== now?.unwatchedMs ||
  stored?.trace.steps !== now?.trace.steps ||
  stored?.trace.lines !== now?.trace.lines

const rangeOf = (line: readonly Point[]): number => (line.at(-1)?.[0] ?? 0) - (line[0]?.[0] ?? 0)

/**
 * When a line came to its point `i`, which is the next one after a value. Its last point is where a report happened to
 * be before the step ended, so shortly before that nothing more need come.
 */
function nextAt(line: readonly Point[], i: number, value: number): number {
  const isOver = i >= line.length - 1 || (line.at(-1)?.[0] ?? 0) - value <= GRAIN * rangeOf(line)
  return isOver ? Number.POSITIVE_INFINITY : (line[i]?.[1] ?? 0)
}

/** When a line reached a value between its point `i` and the one before. */
function timeBetween(line: readonly Point[], i: number, value: number): number {
  const [earlier, before, point] = [line[i - 2], line[i - 1], line[i]]
  if (!before || !point) return 0
  const way = value - before[0]
  const even = ((point[1] - before[1]) * way) / (point[0] - before[0])
  if (!earlier || point[0] - before[0] >= GRAIN * rangeOf(line)) return before[1] + even
  // Points are so near each other only at a corner: it went on as before, and then stood still.
  return before[1] + Math.min(even, ((before[1] - earlier[1]) * way) / (before[0] - earlier[0]))
}

/** When a line reached a value, and when it reached the point after that, in seconds since the step began. */
export function timesAt(
  line: readonly Point[],
  value: number,
): { readonly at: number; readonly next: number } {
  // The first point at or above the value.
  let [low, high] = [0, line.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((line[middle]?.[0] ?? 0) < value) low = middle + 1
    else high = middle
  }
  const point = line[low]
  // The value was never reached: nothing more comes until the step ends.
  if (!point) return { at: line.at(-1)?.[1] ?? 0, next: Number.POSITIVE_INFINITY }
  const next = nextAt(line, point[0] > value ? low : low + 1, value)
  return { at: timeBetween(line, low, value), next }
}
