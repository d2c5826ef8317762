import { type Hand, MIN_PACE } from "./earlier-run.ts"
import { countedBy, finality, firstAndLatest, growthIn, partsOfLatest } from "./growing-total.ts"
import type { Part } from "./matching-steps.ts"
import { nextAt, type Point, pointAt, type StepLine, timeAt } from "./step-line.ts"
import { stillPossible } from "./still-possible.ts"
import { type Signal, SIGNALS, type StepTrace, type Trace } from "./trace.ts"

/**
 * If the beginning of a step has moved by more than this part of the step's stretch of the bar, the step has
 * another stretch now.
 */
const ELSEWHERE = 0.25

/**
 * If a step takes more than this many times as long because there is more to do, what takes the same time however much
 * there is, such as a start, was a larger part of the run, and that part of its course counts less. From the square of
 * this on it does not count.
 */
const FAR = 2

/** A line that ends before this part of the time of another one says nothing of the rest. */
const MOST = 0.5

/**
 * What has already taken more than this many times as long as a run says that all of it takes is of another scale than
 * that run.
 */
export const BEYOND = 2

/** If a step's total changes on the way, its amount varies at least like this: a standard deviation of the logarithm. */
const LEAST_SPREAD = 0.35
/** More than this many times as much as in the run is not credible. */
const MOST_FURTHER = 10_000

/** A percentage as a part. */
const percentOf = (point: Point | undefined): Point | undefined => point && [point[0] / 100, point[1]]

/** When a line ends, in seconds since the step began. */
const endOf = (line: StepLine | undefined): number => line?.times.at(-1) ?? 0

/**
 * How much less the course of a run counts for a step that now takes `scale` times as long: from 0 (as much as before)
 * to 1 (not at all).
 */
const evennessOf = ({ part, scale }: Hand): number =>
  part.fixed * Math.max(0, Math.min(1, Math.log(scale) / Math.log(FAR) - 1))

/**
 * How a percentage of the attempt becomes a percentage of the run: it is multiplied by `times`, and `shift`
 * is added.
 */
interface Scaling {
  readonly times: number
  readonly shift: number
}
const SAME_STRETCH: Scaling = { times: 1, shift: 0 }

/**
 * The stretch for a run with another number of steps, in which the step has another part of the bar.
 * Undefined if the step begins elsewhere on the run's bar: then the same percentage means something else
 * there.
 */
function stretchOf(was: StepTrace, now: StepTrace, from: number): Scaling | undefined {
  const line = was.lines.percent
  const [begins, ends] = [line?.[0]?.[0] ?? 0, line?.at(-1)?.[0] ?? 0]
  const isAnother = was.total && now.total && was.total !== now.total
  const stretch = isAnother
    ? { times: now.total / was.total, shift: (100 * (was.index - now.index)) / was.total }
    : SAME_STRETCH
  const start = from * stretch.times + stretch.shift
  return Math.abs(start - begins) > ELSEWHERE * (ends - begins) ? undefined : stretch
}

/** The same for what is counted, if the total grew in one of them: see `TotalGrowth`. */
const ofTotals = (was: StepTrace, now: StepTrace, signal: Signal): Scaling => ({
  times: partsOfLatest(now, signal) / partsOfLatest(was, signal),
  shift: 0,
})

/** Which signals have moved in the current step of an attempt, as one number. */
export const movedSignals = ({ latest: { media, unit, percent } }: Trace): number =>
  (media ? 1 : 0) + (unit ? 2 : 0) + (percent ? 4 : 0)

/** What an earlier run that had the current step says, independent of how far the attempt is in that step. */
export interface Knowing {
  /** The step, and how many times as much there is to do in it. */
  readonly hand: Hand
  /** The weight of this earlier run among all that are asked, from 0 to 1. */
  readonly part: number
  /** The seconds of the run's steps before this one: see `RunAnswer`. */
  readonly behind: number
  /** The seconds of the run's steps after this one. */
  readonly after: number
  /** How many times as long the attempt's worker usually takes as the worker of this earlier run. */
  readonly pace: number
}

/**
 * Where the attempt is in the current step of one earlier run. The object exists as long as the attempt
 * is in that step; each report moves it on.
 */
export class AttemptInRun {
  /** See `Knowing`. */
  readonly part: number
  /**
   * How many seconds of this step the earlier run had behind it when it was as far as the attempt is, for the amount that
   * there is to do now.
   */
  inStep = 0
  /**
   * How many of these seconds were behind the attempt at its first report, because it found that part of the work
   * done.
   */
  found = 0
  /** Seconds from there to the earlier run's next report. */
  gap = 0
  /**
   * How many seconds longer the step takes because the attempt counts, or is likely to count, more than the run, if
   * this becomes known only on the way.
   */
  more = 0
  /** How unsure it is how much that will be: from 0 to 1. */
  unsure = 0
  /** When the attempt came as far as it is, in seconds since the step began. */
  movedAfter = 0
  /** Seconds that the earlier run took to come as far, on a worker of the attempt's speed. */
  done = 0
  /** Seconds that the earlier run then had left, on a worker of the attempt's speed. */
  rest = 0
  readonly #of: Part
  readonly #scale: number
  readonly #secondsOfRun: number
  readonly #behind: number
  readonly #after: number
  readonly #pace: number
  readonly #evenness: number
  /**
   * The line on which the attempt is found, its signal, and how that signal's values become values of the
   * line.
   */
  #line: StepLine | undefined
  #signal: Signal = "percent"
  #times = 1
  #shift = 0
  /** The signals, and the beginning of the step, for which the line was chosen. */
  #moved = 0
  #from = 0
  /** The index of the line's point that the attempt reached last. */
  #near = 0
  /** Whether the step is followed by what it counts, because its total changes on the way. */
  #isGrowing = false
  /** How many times as much as the run the attempt is expected to count: see `more`. */
  #further = 1

  constructor({ hand, part, behind, after, pace }: Knowing) {
    this.part = part
    this.#of = hand.part
    this.#scale = hand.scale
    this.#secondsOfRun = hand.part.seconds * hand.scale
    this.#behind = behind
    this.#after = after
    this.#pace = pace
    this.#evenness = evennessOf(hand)
  }

  /**
   * Chooses the finest line of the earlier run whose signal the attempt reports, too. A percentage that stood at its end
   * after the first of five images does not tell where the fourth one is.
   */
  #choose({ steps, latest, from }: Trace): void {
    this.#line = undefined
    this.#near = 0
    const { step, lines } = this.#of
    const now = steps.at(-1)
    this.#isGrowing = false
    if (now && this.#chooseCount(now, latest)) return
    const ofPercent = latest.percent && now && stretchOf(step, now, from)
    const known = SIGNALS.filter((signal) => (signal === "percent" ? ofPercent : latest[signal]))
    const reached = Math.max(...known.map((signal) => endOf(lines[signal])))
    for (const signal of known) {
      const line = lines[signal]
      if (!line || line.values.length <= (this.#line?.values.length ?? 0)) continue
      if (endOf(line) < MOST * reached) continue
      const stretch = (signal === "percent" ? ofPercent : now && ofTotals(step, now, signal)) || SAME_STRETCH
      this.#line = line
      this.#signal = signal
      this.#times = stretch.times
      this.#shift = stretch.shift
    }
  }

  /**
   * If a step's total changes on the way, in the run or in the attempt, what is counted tells more than a part of the
   * total does. Returns whether that is so.
   */
  #chooseCount(now: StepTrace, latest: Trace["latest"]): boolean {
    const { step, lines } = this.#of
    const signal = countedBy(step)
    const line = lines[signal]
    const isGrowing = growthIn(step) !== undefined || growthIn(now) !== undefined
    const isCounted = countedBy(now) === signal && line !== undefined && latest[signal] !== undefined
    const [{ first: firstNow }, { first }] = [firstAndLatest(now), firstAndLatest(step)]
    if (!isGrowing || !isCounted || firstNow <= 0 || first <= 0) return false
    // What has another name is compared by how many times the first total was counted.
    const times = now.unit === step.unit ? firstNow / first : 1
    this.#isGrowing = true
    this.#line = line
    this.#signal = signal
    this.#times = times
    this.#shift = 0
    return true
  }

  /** How many times as much as the run the attempt is expected to count, once it has counted this much of the run's. */
  #furtherAt(now: StepTrace | undefined, value: number): number {
    this.unsure = 0
    if (!this.#isGrowing || !now) return 1
    const [{ first, latest }, known] = [firstAndLatest(this.#of.step), firstAndLatest(now)]
    const final = finality(now, value / this.#times)
    const [ofRun, knownNow] = [latest / first, (known.latest / known.first) * this.#times]
    // If a worker finds ten times as much at first, it is likely to find ten times as much in the end.
    const likely = stillPossible(ofRun * this.#times, value, Math.max(LEAST_SPREAD, this.#of.habit.spread))
    this.unsure = 1 - final
    const further = (Math.max(likely, knownNow) / ofRun) ** this.unsure * (knownNow / ofRun) ** final
    return Math.min(MOST_FURTHER, further)
  }

  /**
   * Moves to where the attempt is now. `moved` says which signals have moved; `size` is how much there is to do in
   * the step.
   */
  move(trace: Trace, moved: number, size: number): void {
    if (moved !== this.#moved || trace.from !== this.#from) {
      this.#choose(trace)
      this.#moved = moved
      this.#from = trace.from
    }
    const line = this.#line
    const point = trace.latest[this.#signal]
    const counted = point ? point[0] * this.#times + this.#shift : 0
    const further = this.#furtherAt(trace.steps.at(-1), counted)
    this.#further = further
    const seconds = this.#secondsOfRun * further
    this.more = seconds - this.#secondsOfRun
    if (line && point) {
      const value = counted / further
      const scale = this.#scale * further
      const i = pointAt(line, value, this.#near)
      this.#near = i
      const then = timeAt(line, value, i)
      this.inStep = Math.min(seconds, this.#evened(value, then) * scale)
      this.gap = Math.min(seconds - this.inStep, (this.#next(line, value, i, size) - then) * scale)
      this.movedAfter = point[1]
      this.found = this.#foundAt(line, trace.lines[this.#signal]?.[1] ?? point, point[1])
    } else {
      this.#moveAlone(trace)
    }
    this.done = (this.#behind + this.inStep) * this.#pace
    this.rest = (seconds - this.inStep + this.#after) * this.#pace
  }

  /**
   * Where an attempt is that reports nothing to look for in the run. If the run's whole step was far shorter
   * than this one already is, it was too short to say how far it was, and what is counted now decides.
   */
  #moveAlone({ steps, latest, from }: Trace): void {
    const seconds = this.#secondsOfRun
    const isFirst = steps.length <= 1 && from === 0 && this.#of.step.at === 0
    const now = steps.at(-1)
    const [counted, at] = latest.media ??
      latest.unit ??
      (isFirst ? percentOf(latest.percent) : undefined) ?? [0, 0]
    const value = now ? Math.min(1, counted * partsOfLatest(now, latest.media ? "media" : "unit")) : 0
    const isBeyond = at > BEYOND * seconds * this.#pace
    this.inStep = isBeyond ? value * seconds : 0
    this.movedAfter = isBeyond ? at : 0
    this.found = 0
    this.gap = isBeyond ? 0 : isFirst ? Math.min(seconds, this.#firstAt()) : seconds
  }

  /** When all signals of the run had moved. */
  #firstAt(): number {
    const { lines } = this.#of
    const first = Math.max(...SIGNALS.map((signal) => lines[signal]?.times[1] ?? 0))
    return first > 0 ? first * this.#scale : this.#secondsOfRun
  }

  /** When the run was at a value, as far as its course counts: see `FAR`. A percentage says nothing of an even step. */
  #evened(value: number, then: number): number {
    if (this.#evenness === 0 || this.#signal === "percent" || this.#isGrowing) return then
    return then + (value * this.#of.seconds - then) * this.#evenness
  }

  /** See `found`; `first` is the first point of the attempt's line, and `now` the time of the latest one. */
  #foundAt(line: StepLine, [first, at]: Point, now: number): number {
    const value = (first * this.#times + this.#shift) / this.#further
    const evened = this.#evened(value, timeAt(line, value))
    const seconds = Math.min(this.inStep, evened * this.#scale * this.#further)
    // A fast worker goes on as it began.
    const isFast = (now - at) * seconds * MIN_PACE < at * (this.inStep - seconds)
    return at < MIN_PACE * seconds && !isFast ? seconds - at : 0
  }

  /** When the earlier run was where the attempt's next report is expected. */
  #next(line: StepLine, value: number, i: number, size: number): number {
    if (this.#signal !== "unit" || size <= 0 || this.#isGrowing || this.#times !== 1)
      return nextAt(line, value, i)
    // A count goes up by one at least, even if the line of the earlier run is finer.
    const next = value + 1 / size
    if (next >= 1) return Number.POSITIVE_INFINITY
    return Math.max(nextAt(line, value, i), timeAt(line, next, pointAt(line, next, i)))
  }
}
