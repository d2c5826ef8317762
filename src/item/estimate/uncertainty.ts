import { type Range, rangeOfNext } from "./range-of-next.ts"
import { type Custom, type JointAnswer, LATEST, pacesOf, strangeFor } from "./time-left.ts"

/**
 * How much it adds to the uncertainty if the latest pace differs from the pace that is expected for the rest.
 */
const BY_PACE = 1
/**
 * How much it adds if no run had this amount of work: this times the logarithm of how many times as much
 * there is, if only one run is known.
 */
const BY_AMOUNT = 0.2
/** How much it adds if the runs differ in what was still to come, and how much more if only two runs are known. */
const BY_RUNS = 0.6
const BY_FEW_RUNS = 1
/** How much it adds in a step whose total changes on the way. */
const BY_GROWING = 0.45
/** The pace of an earlier run is corrected by this factor at most. */
const MAX_PACE = 3

/** Until this part of its time, the pace of an attempt says little. */
const EARLY = 0.1

/**
 * What is known of only because it goes on, and since when, will go on for between a ninth of that time and nine times as
 * long, with a chance of four in five.
 */
const TIMES = 9

/** Where an attempt is, and how long it takes according to the earlier runs. */
export interface Timing {
  /** Seconds since its start. */
  readonly at: number
  /** Seconds to its end. */
  readonly left: number
  /** When the current step began. */
  readonly stepAt: number
}

/**
 * How far the latest pace is from the pace that is expected for the rest, in proportion to the whole time.
 */
function byPace({ answer }: JointAnswer, { at, left, stepAt }: Timing): number {
  const done = answer.behind + answer.inStep
  const rest = answer.step - answer.inStep + answer.after
  if (rest <= 0 || done <= 0) return 0
  const { latest } = pacesOf(answer, answer.inStep, answer.movedAt - stepAt)
  // While nothing is reported, the time left becomes shorter, and the rest stays as it is.
  const expected = Math.log((left + Math.max(0, at - answer.movedAt)) / rest)
  // The pace of the first moments is mostly chance.
  const known = Math.min(1, done / (LATEST * (done + rest)))
  return (BY_PACE * known * Math.abs(latest - expected) * left) / (at + left)
}

/** How much more or less there is to do than in any run, in proportion to the whole time. */
function byAmount({ answer }: JointAnswer, { at, left }: Timing, runs: number): number {
  const rest = answer.step + answer.after
  return rest > 0 ? ((BY_AMOUNT * Math.abs(answer.stretched)) / rest / runs) * (left / (at + left)) : 0
}

/** How much the total of the current step may still change, in proportion to the whole time. */
function byGrowing({ answer }: JointAnswer, { at, left }: Timing): number {
  const whole = answer.behind + answer.step + answer.after
  return answer.unsure > 0 ? (BY_GROWING * answer.unsure * answer.step * left) / whole / (at + left) : 0
}

/**
 * How much the earlier runs differ in the time that was still to come, in proportion to the whole time. If an
 * earlier run was slower or faster up to there, it is expected to continue like that, as far as an
 * attempt's own pace is believed.
 */
function byRuns({ answer, inRuns }: JointAnswer, { inertia }: Custom): number {
  if (inRuns.length < 2) return 0
  const done = answer.behind + answer.inStep
  const whole = answer.behind + answer.step + answer.after
  const belief = done / (done + inertia * whole)
  let [mean, squares] = [0, 0]
  for (const inRun of inRuns) {
    const pace = inRun.done > 0 ? Math.min(MAX_PACE, Math.max(1 / MAX_PACE, done / inRun.done)) : 1
    const rest = inRun.rest * pace ** belief
    mean += inRun.part * rest
    squares += inRun.part * rest * rest
  }
  const variance = Math.max(0, squares - mean ** 2) * (inRuns.length / (inRuns.length - 1))
  return (BY_RUNS * (1 + BY_FEW_RUNS / (inRuns.length - 1)) * Math.sqrt(variance)) / whole
}

/**
 * The range of the times left that the earlier runs give one by one, unusual runs included. The pace of the attempt soon
 * says more; then both ends of the range move to the estimate. While a step reports nothing, they stay. Of steps that no run
 * had, only the time in them is known.
 */
export function extentOf(joint: JointAnswer, { at, left }: Timing): Range {
  const { answer, inRuns } = joint
  const strange = strangeFor(joint, at)
  if (strange > 0) return { low: left - strange * (1 - 1 / TIMES), high: left + strange * (TIMES - 1) }
  const whole = answer.behind + answer.step + answer.after
  const done = answer.behind + answer.inStep
  const unknown = Math.min(1, 1 - (done / whole - EARLY) / EARLY)
  const rests = inRuns.map(({ rest }) => rest).filter((rest) => rest > 0)
  if (!(unknown > 0) || rests.length === 0) return { low: left, high: left }
  const { low, high } = rangeOfNext(rests)
  const since = Math.max(0, at - answer.movedAt)
  return {
    low: left + Math.min(0, low - since - left) * unknown,
    high: left + Math.max(0, high - since - left) * unknown,
  }
}

/**
 * What makes an estimate less certain than is usual for this kind: a standard deviation of the logarithm of
 * the whole time. `runs` is how many runs are known.
 */
export function doubtOf(joint: JointAnswer, timing: Timing, custom: Custom, runs: number): number {
  if (timing.left <= 0) return 0
  const byAll = [byPace(joint, timing), byAmount(joint, timing, runs), byRuns(joint, custom)]
  return Math.hypot(...byAll, byGrowing(joint, timing))
}
