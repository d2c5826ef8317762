import { withoutDigits } from "./count-in-words.ts"
import { type Habit, type Sizes, sizesOf } from "./step-durations.ts"
import type { StepLine } from "./step-line.ts"
import { type Signal, type StepTrace } from "./trace.ts"

/** One step of an earlier run. */
export interface Part {
  /** How it went. */
  readonly step: StepTrace
  /** How far the step was at which time, for each signal that moved. */
  readonly lines: { readonly [S in Signal]: StepLine | undefined }
  /** The logarithm of how much there was to do in it; 0 if that is unknown. */
  readonly logOfSize: number
  /** How many seconds it took. */
  readonly seconds: number
  /** How uneven its pace was: the part of its time that would have to move to make the pace even. */
  readonly roughness: number
  /**
   * How much of its unevenness takes the same time however much there is to do, as a start does, from 0 to 1. As long as
   * no run had much more or less to do, that is where the step stood still or jumped.
   */
  readonly fixed: number
  /**
   * How much of `roughness` differs from run to run. A pace that is uneven in the same way each time is
   * reliable.
   */
  readonly variation: number
  /** What all runs teach about it. */
  readonly habit: Habit
  /** How much there was to do, by each unit on which the time of the step depends. */
  readonly sizes: readonly Amount[]
}

/** How much there was to do by one unit. */
interface Amount {
  readonly unit: string
  /** See `Habit`. */
  readonly power: number
  /**
   * For each step of the run, what its size says about this amount. It is a number because it is read very
   * often.
   */
  readonly kinship: readonly Kinship[]
  /** Whether it is the amount in this step; otherwise it is the amount in the whole run. */
  readonly isOwn: boolean
  /** See `Habit`. */
  readonly follows: number
}

/**
 * What the size of a step says about an amount: 2 if both are about the same thing, 1 if they have the same
 * unit, 0 if it says nothing.
 */
export type Kinship = 0 | 1 | 2

/** How much there is to do in a step that has begun, compared with the same step of the run. */
interface Grown {
  /** The index of the run's step. */
  readonly part: number
  /** The logarithm of how many times as much there is. */
  readonly by: number
}

/** How much there is to do in an attempt, compared with a run. All values are logarithms. */
export interface Amounts {
  /** The steps that have begun and whose size is known in both. */
  readonly grown: readonly Grown[]
  /** What was declared before the start. */
  readonly totals: Sizes
  /** How much there was to do in the whole run. */
  readonly whole: Sizes
}

/** The logarithm of the greatest credible growth of an amount. A greater number is wrong. */
const MAX_GROWTH = Math.log(10_000)

/**
 * The part of the same series, whose names differ only in numbers or are missing: the part with the same index, otherwise
 * the last part of the series.
 */
function alike({ name, index, total = 1 }: StepTrace, parts: readonly Part[]): number {
  const series = withoutDigits(name)
  if (series === "" && total === 1) return -1
  const isOfSeries = ({ step }: Part): boolean => withoutDigits(step.name) === series
  const there = parts.findIndex((part) => part.step.index === index && isOfSeries(part))
  return there >= 0 ? there : parts.findLastIndex(isOfSeries)
}

/**
 * For each step of the attempt, the index of the run's step that corresponds to it, or -1. It is the next
 * step with the same name, otherwise the last step of the same series, otherwise the step with the same index
 * if its name does not occur any more: so a renamed step is found.
 */
export function matched(live: readonly StepTrace[], parts: readonly Part[]): number[] {
  const found: number[] = []
  let [from, isComplete] = [0, true]
  for (const { name } of live) {
    let i = from
    while (i < parts.length && parts[i]?.step.name !== name) i += 1
    const isFound = i < parts.length
    found.push(isFound ? i : -1)
    if (isFound) from = i + 1
    isComplete &&= isFound
  }
  if (isComplete) return found
  const names = new Set(live.map(({ name }) => name))
  const isFree = ({ step }: Part, i: number): boolean => !found.includes(i) && !names.has(step.name)
  return live.map((step, at) => {
    const i = found[at] ?? -1
    if (i >= 0) return i
    const like = alike(step, parts)
    if (like >= 0) return like
    return parts.findIndex((part, other) => part.step.index === step.index && isFree(part, other))
  })
}

/**
 * How much there is to do in an attempt, compared with a run. `matches` says which part of the run
 * corresponds to each step of the attempt.
 */
export function amountsOf(
  parts: readonly Part[],
  live: readonly StepTrace[],
  matches: readonly number[],
  totals: Sizes,
): Amounts {
  const grown: Grown[] = []
  for (let i = 0; i < live.length; i += 1) {
    const now = live[i]
    const match = matches[i] ?? -1
    const part = parts[match]
    if (!now || !part || now.size <= 0 || part.step.size <= 0 || now.unit !== part.step.unit) continue
    grown.push({ part: match, by: Math.log(now.size) - part.logOfSize })
  }
  // The amounts of the whole run are needed only if totals were declared.
  const whole = totals.size > 0 ? sizesOf(parts.map(({ step }) => step)) : totals
  return { grown, totals, whole }
}

/**
 * The logarithm of how many times as much there is to do of a unit as in the run; 0 if that is unknown. The
 * latest step about the same thing decides; otherwise the declared totals decide, otherwise the latest step
 * with the same unit.
 */
function growthOf({ grown, totals, whole }: Amounts, { unit, kinship, follows }: Amount): number {
  let latest: number | undefined
  for (let i = grown.length - 1; i >= 0; i -= 1) {
    const one = grown[i]
    const kin = one ? kinship[one.part] : 0
    if (!one || !kin) continue
    if (kin === 2) return one.by
    latest ??= follows * one.by
  }
  if (totals.size === 0) return latest ?? 0
  const [declared, was] = [totals.get(unit), whole.get(unit)]
  return declared === undefined || was === undefined ? (latest ?? 0) : declared - was
}

/**
 * How long a step of a run would take with the amounts of the attempt. `now` is the attempt's own step, if it
 * has begun.
 */
export function lasts({ step, logOfSize, seconds, sizes }: Part, amounts: Amounts, now?: StepTrace): number {
  if (amounts.grown.length === 0 && amounts.totals.size === 0) return seconds
  const isTold = now !== undefined && now.size > 0 && now.unit === step.unit
  let growth = 0
  for (let i = 0; i < sizes.length; i += 1) {
    const one = sizes[i]
    if (!one) continue
    const by = isTold && one.isOwn ? Math.log(now.size) - logOfSize : growthOf(amounts, one)
    growth += one.power * by
  }
  return growth === 0 ? seconds : seconds * Math.exp(Math.max(-MAX_GROWTH, Math.min(MAX_GROWTH, growth)))
}
