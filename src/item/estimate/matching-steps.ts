import type { Line } from "./line.ts"
import { type Habit, type Sizes, sizesOf } from "./step-durations.ts"
import { type Signal, type StepTrace, withoutDigits } from "./trace.ts"

/** One step of a run that is asked. */
export interface Part {
  /** How it went. */
  readonly step: StepTrace
  /** How far it was, and when, by each signal that moved. */
  readonly lines: { readonly [S in Signal]: Line | undefined }
  /** The logarithm of what there was to do in it; 0 while unknown. */
  readonly logOfSize: number
  /** How long it took. */
  readonly seconds: number
  /** How uneven its pace was: the part of its time that would have to move to make the pace even. */
  readonly roughness: number
  /**
   * How much of that differs from run to run; a pace that is uneven in the same way each time can be relied
   * on.
   */
  readonly variation: number
  /** What all runs teach about it. */
  readonly habit: Habit
  /** What there was to do, by each unit that its time depends on. */
  readonly sizes: readonly Amount[]
}

/** What there was to do by a unit. */
interface Amount {
  readonly unit: string
  /** See `Habit`. */
  readonly power: number
  /** For each step of the run, what its size says of this one; as a number, because it is looked at very often. */
  readonly kinship: readonly Kinship[]
  /** In this step; otherwise in all of the run. */
  readonly isOwn: boolean
  /** See `Habit`. */
  readonly follows: number
}

/** What the size of a step says of an amount: 2 that it is the same thing, 1 that it has the same unit, 0 nothing. */
export type Kinship = 0 | 1 | 2

/** How much there is to do in a step that has begun, beside how much there was in the run's. */
interface Grown {
  /** The run's step, its place in the run. */
  readonly part: number
  /** The logarithm of how many times as much there is. */
  readonly by: number
}

/** How much there is to do in an attempt and how much there was in a run, as logarithms. */
export interface Amounts {
  /** The steps that have begun, as far as it is known of both. */
  readonly grown: readonly Grown[]
  /** What was declared before the start. */
  readonly totals: Sizes
  /** What there was in all of the run. */
  readonly whole: Sizes
}

/** The logarithm of how many times as much there can be to do: a number beyond it is wrong. */
const MAX_GROWTH = Math.log(10_000)

/**
 * The part of the same series, whose names differ only in numbers: the one at the same place, otherwise the
 * last one.
 */
function alike({ name, index }: StepTrace, parts: readonly Part[]): number {
  const series = withoutDigits(name)
  if (series === "") return -1
  const isOfSeries = ({ step }: Part): boolean => withoutDigits(step.name) === series
  const there = parts.findIndex((part) => part.step.index === index && isOfSeries(part))
  return there >= 0 ? there : parts.findLastIndex(isOfSeries)
}

/**
 * For each step of the attempt, the run's step that corresponds to it, or -1. This is the next one of its
 * name; otherwise the last one of its series; otherwise the one with its index if that one's name does not
 * occur any more, so that a renamed step is found.
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

/** What there is to do in an attempt, compared with a run whose parts its steps are matched with. */
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
  // Only declared totals are compared with the whole.
  const whole = totals.size > 0 ? sizesOf(parts.map(({ step }) => step)) : totals
  return { grown, totals, whole }
}

/**
 * How many times as much there is to do of a unit as there was, as a logarithm; 0 while unknown. The latest
 * step about the same thing decides, otherwise the declared totals, otherwise the latest step of that unit.
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
 * How long a step of a run would take with what there is to do now; `now` is the attempt's own step, if it has begun.
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
