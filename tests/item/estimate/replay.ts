import type { Run } from "../../../src/item/estimate/earlier-run.ts"
import { type Estimate, estimate, timeProgress } from "../../../src/item/estimate/estimate.ts"
import { learn } from "../../../src/item/estimate/experience.ts"
import { NO_TRACE, settled, stepsOfRun, type Trace, traced } from "../../../src/item/estimate/trace.ts"
import type { Attempt } from "./histories.ts"

/** An attempt according to its reports up to a time. */
export const traceOf = ({ reports }: Attempt, until = Number.POSITIVE_INFINITY): Trace =>
  reports.reduce((trace, told) => (told.at <= until ? traced(trace, told, told.at) : trace), NO_TRACE)

/** An attempt as it is remembered. */
export const runOf = (attempt: Attempt): Run => ({
  steps: settled(traceOf(attempt)),
  seconds: attempt.seconds,
  worker: attempt.worker,
})

/** The same, if what there is to do was declared before it. */
const declaredRunOf = (attempt: Attempt): Run => ({
  ...runOf(attempt),
  steps: stepsOfRun(traceOf(attempt), attempt.totals),
})

/** How right the display was, in percent; checked after each half percent of the attempt. */
export interface Score {
  /** How far the bar was from the part of the time that was over, in points: on average, and at worst. */
  readonly barMean: number
  readonly barWorst: number
  /**
   * How wrong the time left was, in percent of the time that was left; over the middle 80 % of the attempt.
   */
  readonly errors: readonly number[]
  /** Whether the end was within the band; over the middle 80 %. */
  readonly held: readonly boolean[]
  /** Whether it was within the band in the first tenth, as soon as there was one. */
  readonly heldEarly: readonly boolean[]
  /** How wide the band was, in percent of the whole time; over the middle 80 %. */
  readonly widths: readonly number[]
}

const LOOK = 0.005

/** What was shown after a report, this many seconds after the start. */
interface Told extends Estimate {
  readonly at: number
}

/** What is shown after each report of an attempt if these runs are known. */
function followed(attempt: Attempt, past: readonly Attempt[], isDeclared: boolean): Told[] {
  const experience = learn(past.map(isDeclared ? declaredRunOf : runOf))
  const totals = isDeclared ? attempt.totals : undefined
  let trace = NO_TRACE
  return attempt.reports.flatMap((told) => {
    trace = traced(trace, told, told.at)
    const said = estimate({ trace, at: told.at, worker: attempt.worker, totals }, experience)
    return said ? [{ at: told.at, ...said }] : []
  })
}

/** What a viewer saw of an attempt of this many seconds. Between the reports the time left counts down. */
export function scoreOf(seconds: number, said: readonly Told[]): Score {
  const [bars, errors, widths]: [number[], number[], number[]] = [[], [], []]
  const [held, heldEarly]: [boolean[], boolean[]] = [[], []]
  let [next, shown] = [0, 0]
  for (let part = LOOK; part < 1; part += LOOK) {
    const at = part * seconds
    while ((said[next]?.at ?? Number.POSITIVE_INFINITY) <= at) next += 1
    const latest = said[next - 1]
    const age = at - (latest?.at ?? 0)
    const left = latest ? Math.max(0, latest.left - age) : 0
    shown = latest ? timeProgress(at, left, shown) : 0
    bars.push(Math.abs(shown - part * 100))
    if (part > 0.9 || !latest) continue
    const truth = seconds - at
    const isHeld = truth >= latest.low - age && truth <= latest.high - age
    ;(part < 0.1 ? heldEarly : held).push(isHeld)
    if (part < 0.1) continue
    errors.push((Math.abs(left - truth) / truth) * 100)
    widths.push(((latest.high - Math.max(age, latest.low)) / seconds) * 100)
  }
  return {
    barMean: bars.reduce((sum, off) => sum + off, 0) / bars.length,
    barWorst: Math.max(...bars),
    errors,
    held,
    heldEarly,
    widths,
  }
}

/** Plays an attempt to a viewer. If `isDeclared`, it was declared how much there is to do, also in the runs before. */
export const scored = (attempt: Attempt, past: readonly Attempt[], isDeclared = false): Score =>
  scoreOf(attempt.seconds, followed(attempt, past, isDeclared))

/**
 * The scores of all attempts of a kind that have at least this many before them, with exactly this many
 * known.
 */
export const scoresOf = (attempts: readonly Attempt[], runs: number, isDeclared = false): Score[] =>
  attempts.slice(runs).map((attempt, i) => scored(attempt, attempts.slice(i, i + runs), isDeclared))

/** The middle one of some values. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const [low = Number.NaN, high = Number.NaN] = [
    sorted[Math.floor((sorted.length - 1) / 2)],
    sorted[Math.ceil((sorted.length - 1) / 2)],
  ]
  return (low + high) / 2
}

/** Many scores in four figures. */
export interface Figures {
  readonly barMean: number
  readonly barWorst: number
  readonly etaError: number
  readonly bandHolds: number
}

/** The medians over all attempts, and how often the bands of all held. */
export function figuresOf(scores: readonly Score[]): Figures {
  const held = scores.flatMap((score) => score.held)
  return {
    barMean: median(scores.map(({ barMean }) => barMean)),
    barWorst: median(scores.map(({ barWorst }) => barWorst)),
    etaError: median(scores.flatMap(({ errors }) => errors)),
    bandHolds: (held.filter(Boolean).length / held.length) * 100,
  }
}
