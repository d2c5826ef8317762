import type { Hand } from "./earlier-run.ts"
import { type Line, nextAt, pointAt, timeAt } from "./line.ts"
import type { Part } from "./matching-steps.ts"
import { type Signal, SIGNALS, type StepTrace, type Trace } from "./trace.ts"

/**
 * A step that begins this far from its former beginning, as a part of its stretch of the bar, has another
 * stretch now.
 */
const ELSEWHERE = 0.25

/** What becomes of the latest percentage on a run's bar: so many times as much, and so much more. */
interface Stretch {
  readonly times: number
  readonly shift: number
}
const SAME_STRETCH: Stretch = { times: 1, shift: 0 }

/**
 * The stretch for a run with another number of steps, in which the step has another part of the bar. Undefined if
 * the step begins elsewhere on the run's bar: then the same percentage means another place.
 */
function stretchOf(was: StepTrace, now: StepTrace, from: number): Stretch | undefined {
  const line = was.lines.percent
  const [begins, ends] = [line?.[0]?.[0] ?? 0, line?.at(-1)?.[0] ?? 0]
  const isAnother = was.total && now.total && was.total !== now.total
  const stretch = isAnother
    ? { times: now.total / was.total, shift: (100 * (was.index - now.index)) / was.total }
    : SAME_STRETCH
  const start = from * stretch.times + stretch.shift
  return Math.abs(start - begins) > ELSEWHERE * (ends - begins) ? undefined : stretch
}

/** Which signals have moved in the current step of an attempt, as one number. */
export const movedSignals = ({ latest: { media, unit, percent } }: Trace): number =>
  (media ? 1 : 0) + (unit ? 2 : 0) + (percent ? 4 : 0)

/** What an earlier run that knows the current step says, whatever the attempt's place in it. */
export interface Knowing {
  /** The step, and what there is to do in it beside what there was. */
  readonly hand: Hand
  /** Which part of what all say together comes from this earlier run. */
  readonly part: number
  /** The seconds of its steps before this one: see `RunAnswer`. */
  readonly behind: number
  /** The seconds of its steps after this one. */
  readonly after: number
  /** How many times as long the attempt's worker takes as this earlier run's, beside the others. */
  readonly pace: number
}

/**
 * The current step as one earlier run had it. It is there as long as the attempt is in that step; each report only
 * moves it to the attempt's place.
 */
export class PlaceInRun {
  /** See `Knowing`. */
  readonly part: number
  /** How far the earlier run was in the step at the attempt's place, in seconds of what there is to do now. */
  inStep = 0
  /** Seconds from there to the earlier run's next report. */
  gap = 0
  /** When the attempt reached this place, in seconds since the step began. */
  movedAfter = 0
  /** Seconds from the earlier run's start to there, on a worker of the attempt's speed. */
  done = 0
  /** Seconds from there to its end, on such a worker. */
  rest = 0
  readonly #of: Part
  readonly #scale: number
  readonly #seconds: number
  readonly #behind: number
  readonly #after: number
  readonly #pace: number
  /** The line on which the place is looked up, its signal, and what becomes of that signal's values on it. */
  #line: Line | undefined
  #signal: Signal = "percent"
  #times = 1
  #shift = 0
  /** For which signals, and for which beginning of the step, the line was chosen. */
  #moved = 0
  #from = 0
  /** The point of the line that the attempt came to last. */
  #near = 0

  constructor({ hand, part, behind, after, pace }: Knowing) {
    this.part = part
    this.#of = hand.part
    this.#scale = hand.scale
    this.#seconds = hand.part.seconds * hand.scale
    this.#behind = behind
    this.#after = after
    this.#pace = pace
  }

  /** Chooses the earlier run's finest line of a signal that both have. */
  #choose({ steps, latest, from }: Trace): void {
    this.#line = undefined
    this.#near = 0
    const { step, lines } = this.#of
    const now = steps.at(-1)
    for (const signal of SIGNALS) {
      const line = latest[signal] && lines[signal]
      if (!line || line.values.length <= (this.#line?.values.length ?? 0)) continue
      const stretch = signal === "percent" ? now && stretchOf(step, now, from) : SAME_STRETCH
      if (!stretch) continue
      this.#line = line
      this.#signal = signal
      this.#times = stretch.times
      this.#shift = stretch.shift
    }
  }

  /** Moves to the attempt's place. `moved` are the signals that say it; `size` is what there is to do in its step. */
  move(trace: Trace, moved: number, size: number): void {
    if (moved !== this.#moved || trace.from !== this.#from) {
      this.#choose(trace)
      this.#moved = moved
      this.#from = trace.from
    }
    const line = this.#line
    const point = trace.latest[this.#signal]
    const seconds = this.#seconds
    if (line && point) {
      const value = point[0] * this.#times + this.#shift
      const i = pointAt(line, value, this.#near)
      this.#near = i
      this.inStep = Math.min(seconds, timeAt(line, value, i) * this.#scale)
      this.gap = Math.min(seconds, this.#next(line, value, i, size) * this.#scale) - this.inStep
      this.movedAfter = point[1]
    } else {
      this.inStep = 0
      this.gap = seconds
      this.movedAfter = 0
    }
    this.done = (this.#behind + this.inStep) * this.#pace
    this.rest = (seconds - this.inStep + this.#after) * this.#pace
  }

  /** When the earlier run was at the place of the attempt's next possible report. */
  #next(line: Line, value: number, i: number, size: number): number {
    if (this.#signal !== "unit" || size <= 0) return nextAt(line, value, i)
    // A count goes up by one, however fine the earlier run's line is.
    const next = value + 1 / size
    if (next >= 1) return Number.POSITIVE_INFINITY
    return Math.max(nextAt(line, value, i), timeAt(line, next, pointAt(line, next, i)))
  }
}
