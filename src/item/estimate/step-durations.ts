import { mean } from "./averages.ts"
import { STEPS, type StepTrace } from "./trace.ts"

/** How much there is to do: the logarithm of the amount, by unit. */
export type Sizes = ReadonlyMap<string, number>

/** How long a step of a run took, and how much there was to do in the whole run. */
export interface Lasted {
  /** The step's name, and its number among those of that name. */
  readonly key: string
  /** How it went. */
  readonly step: StepTrace
  /** How many seconds an average worker would have taken. */
  readonly seconds: number
  /** How much there was to do in the whole run; all steps of a run have the same map. */
  readonly sizes: Sizes
}

/** What the runs of a kind teach about one of its steps. */
export interface Habit {
  /** By unit, the power with which the step's time grows with the amount: 1 in proportion, 0 not at all. */
  readonly powers: ReadonlyMap<string, number>
  /**
   * How much the pace in this step says about the rest: 1, or less if the step took very different times and the other
   * steps did not vary like it.
   */
  readonly trust: number
  /** How much the logarithm of this step's time varies: a standard deviation. */
  readonly spread: number
  /**
   * How much the size of this step grows with the sizes of the same unit in other steps: 1 as much, 0 not at
   * all. Steps about the same thing are not counted.
   */
  readonly follows: number
}

/** What the runs of a kind teach about its steps. */
export interface Habits {
  /** By the steps' keys. */
  readonly steps: ReadonlyMap<string, Habit>
  /** The part of the whole that must be done before an attempt's own pace counts for half. */
  readonly inertia: number
}

/**
 * The weights before anything is known, of four cases: the time of a step grows with the size of its own
 * unit, with a part of that size, with no size, or with the sizes of other units.
 */
const OWN_UNIT = { own: 0.84, partly: 0.08, none: 0.05, others: 0.03 }
const NO_UNIT = { own: 0, partly: 0, none: 0.45, others: 0.55 }
/** The same for a step without a size if an amount was declared that no step counts: it was declared because it matters. */
const DECLARED = { own: 0, partly: 0.1, none: 0.2, others: 0.7 }
/** The powers for a step of which one part, such as loading a model, always takes the same time. */
const PARTLY: readonly number[] = [0.75, 0.5, 0.25]
/** How much the logarithm of a step's time usually varies, and how many runs this usual value counts as. */
export const USUAL_STEP = 0.15
const USUAL_STEP_RUNS = 2
/**
 * How much the logarithm of a whole run's pace usually varies, and how many runs this usual value counts as.
 */
const USUAL_RUN = 0.1
const USUAL_RUN_RUNS = 2
const MIN_TRUST = 0.05
/** At least this part of how much the steps vary is regarded as their own. */
const LEAST_NOISE = 0.1
const [MIN_INERTIA, MAX_INERTIA] = [0.05, 4]
/**
 * Until more is known, the sizes of different steps are expected to grow together by this much, as a
 * logarithm.
 */
const USUAL_SIZE = 0.2
/** Two sizes this near each other belong to the same thing: the medium that several steps are about. */
export const SAME = 0.01
/** How much of the whole the other steps of a run must be for a step to be compared with them. */
const MIN_OTHERS = 0.05
/** If two steps vary independently, the squares of their difference are as much as their own squares together: 1. */
const MAX_APART = 0.125
/** If one step is nearly the whole run, it is unknown whether the steps of a run are slow together. */
const MIN_PAIRS = 0.02

const squares = (values: readonly number[]): number => {
  const middle = mean(values)
  return values.reduce((sum, value) => sum + (value - middle) ** 2, 0)
}
const log = (seconds: number): number => Math.log(Math.max(1e-6, seconds))

/**
 * How much there was to do in a whole run: for each unit the amount of the step that had most of it, or what was
 * declared if no step had any.
 */
export function sizesOf(steps: readonly StepTrace[]): Map<string, number> {
  const sizes = new Map<string, number>()
  for (const { unit, size } of steps) {
    if (size > 0) sizes.set(unit, Math.max(Math.log(size), sizes.get(unit) ?? Number.NEGATIVE_INFINITY))
  }
  for (const [unit, size] of declaredOf(steps[0]?.totals)) if (!sizes.has(unit)) sizes.set(unit, size)
  return sizes
}

/** What was declared, as logarithms by unit. */
export function declaredOf(totals: Readonly<Record<string, number>> = {}): Map<string, number> {
  const sizes = new Map<string, number>()
  for (const unit in totals) {
    const total = totals[unit] ?? 0
    if (total > 0) sizes.set(unit, Math.log(total))
  }
  return sizes
}

/**
 * How much there was to do of a unit, for one step: the amount in the step if the step counts that unit,
 * otherwise the amount in the whole run.
 */
const sizeFor = ({ step, sizes }: Lasted, unit: string): number =>
  unit === step.unit && step.size > 0 ? Math.log(step.size) : (sizes.get(unit) ?? 0)

/**
 * On which amounts the time of a step depends. Each unit that all runs know is one hypothesis, and "no unit"
 * is another. The weight of a hypothesis is its prior weight times how well the runs agree if it is true.
 * `counted` are the units that any step counts; the others were declared.
 */
function powersOf(all: readonly Lasted[], counted: ReadonlySet<string>): Map<string, number> {
  const own = all.findLast(({ step }) => step.size > 0)?.step.unit ?? ""
  if (own === STEPS) return new Map([[own, 1]])
  const units = [...(all[0]?.sizes.keys() ?? [])].filter((unit) => all.every(({ sizes }) => sizes.has(unit)))
  // The number of steps says nothing about how long one step takes.
  const others = units.filter((unit) => unit !== own && unit !== STEPS)
  const weigh = (unit: string, power: number, before: number) => {
    const rates = all.map((one) => log(one.seconds) - (power === 0 ? 0 : power * sizeFor(one, unit)))
    const spread = squares(rates) + USUAL_STEP_RUNS * USUAL_STEP ** 2
    return { unit, power, weight: before * spread ** (-(all.length - 1) / 2) }
  }
  const isCounted = units.includes(own)
  const declared = own === "" ? units.filter((unit) => !counted.has(unit)) : []
  const prior = own !== "" ? OWN_UNIT : declared.length > 0 ? DECLARED : NO_UNIT
  const growing = isCounted ? [own] : declared
  const partly = PARTLY.flatMap((power) =>
    growing.map((unit) => weigh(unit, power, prior.partly / PARTLY.length / growing.length)),
  )
  const guesses = [
    weigh("", 0, prior.none),
    ...(isCounted ? [weigh(own, 1, prior.own)] : []),
    ...partly,
    ...others.map((unit) => weigh(unit, 1, prior.others / others.length)),
  ]
  const whole = guesses.reduce((sum, { weight }) => sum + weight, 0)
  const powers = new Map<string, number>()
  for (const { unit, power, weight } of guesses) {
    if (power > 0) powers.set(unit, (powers.get(unit) ?? 0) + (power * weight) / whole)
  }
  return powers
}

/** For each run, how far the logarithm of its time in a step was from what the other runs predict. */
function errorsOf(all: readonly Lasted[], powers: ReadonlyMap<string, number>): number[] {
  const rates = all.map((one) => {
    let rate = log(one.seconds)
    for (const [unit, power] of powers) rate -= power * sizeFor(one, unit)
    return rate
  })
  const middle = mean(rates)
  return rates.map((rate) => rate - middle)
}

/**
 * The weight of a step in its runs: its part of their time, the error of each run, and how much the errors
 * vary.
 */
interface StepWeight {
  readonly fraction: number
  readonly variance: number
  readonly errors: ReadonlyMap<Sizes, number>
  readonly habit: Habit
}

/** For each run, the logarithms of the sizes of a unit, by the keys of the steps. */
const sizesByKey = (runs: readonly (readonly Lasted[])[], unit: string): ReadonlyMap<string, number>[] =>
  runs.map(
    (run) =>
      new Map(
        run.flatMap(({ key, step }): [string, number][] =>
          step.unit === unit && step.size > 0 ? [[key, Math.log(step.size)]] : [],
        ),
      ),
  )

/** See `Habit`. */
function followsOf(key: string, unit: string, runs: readonly (readonly Lasted[])[]): number {
  const sizes = sizesByKey(runs, unit)
  let [together, alone] = [USUAL_SIZE ** 2, USUAL_SIZE ** 2]
  for (const other of new Set(sizes.flatMap((of) => [...of.keys()]))) {
    const both = sizes.flatMap((of): [number, number][] => {
      const [own, its] = [of.get(key), of.get(other)]
      return own === undefined || its === undefined ? [] : [[own, its]]
    })
    if (both.length < 2 || both.every(([own, its]) => Math.abs(own - its) < SAME)) continue
    const [ownMean, itsMean] = [mean(both.map(([own]) => own)), mean(both.map(([, its]) => its))]
    for (const [own, its] of both) {
      together += (own - ownMean) * (its - itsMean)
      alone += (its - itsMean) ** 2
    }
  }
  return Math.max(0, Math.min(1, together / alone))
}

function partOf(
  all: readonly Lasted[],
  seconds: number,
  runs: readonly (readonly Lasted[])[],
  counted: ReadonlySet<string>,
): StepWeight {
  const powers = powersOf(all, counted)
  const errors = errorsOf(all, powers)
  const spread = squares(errors) + USUAL_STEP_RUNS * USUAL_STEP ** 2
  const variance = spread / (USUAL_STEP_RUNS + all.length - 1)
  return {
    fraction: all.reduce((sum, one) => sum + one.seconds, 0) / seconds,
    variance,
    errors: new Map(all.map(({ sizes }, i) => [sizes, errors[i] ?? 0])),
    habit: {
      powers,
      trust: Math.max(MIN_TRUST, Math.min(1, USUAL_STEP ** 2 / variance)),
      spread: Math.sqrt(variance),
      follows: followsOf(all[0]?.key ?? "", all[0]?.step.unit ?? "", runs),
    },
  }
}

/** For each run, how much of the whole its steps are together, and the sum of their errors, weighted by that. */
function errorsByRun(parts: readonly StepWeight[]): Map<Sizes, { weight: number; sum: number }> {
  const runs = new Map<Sizes, { weight: number; sum: number }>()
  for (const { fraction, errors } of parts) {
    for (const [run, error] of errors) {
      const { weight, sum } = runs.get(run) ?? { weight: 0, sum: 0 }
      runs.set(run, { weight: weight + fraction, sum: sum + fraction * error })
    }
  }
  return runs
}

/**
 * A step gets back the trust that it has lost because its time varies, as far as the other steps vary like it: of a
 * song that is four times as long everything takes four times as long, and the pace of one step says so of the others.
 */
function trusted(part: StepWeight, runs: ReturnType<typeof errorsByRun>): Habit {
  const { habit, fraction, errors } = part
  let [apart, both] = [0, 0]
  for (const [run, error] of errors) {
    const { weight, sum } = runs.get(run) ?? { weight: 0, sum: 0 }
    if (weight - fraction < MIN_OTHERS) continue
    const others = (sum - fraction * error) / (weight - fraction)
    apart += (error - others) ** 2
    both += error ** 2 + others ** 2
  }
  const alike = both > 0 ? Math.max(0, 1 - apart / (MAX_APART * both)) : 0
  return { ...habit, trust: habit.trust + (1 - habit.trust) * alike }
}

/**
 * How much the pace of whole runs varies, which means how far all steps of a run are slow or fast together.
 */
function paceVarianceOf(parts: readonly StepWeight[], runs: readonly Sizes[]): number {
  let [together, pairs] = [0, 0]
  for (const run of runs) {
    let [sum, own, weights, ownWeights] = [0, 0, 0, 0]
    for (const { errors, fraction, habit } of parts) {
      const error = errors.get(run)
      if (error === undefined) continue
      const weight = fraction * habit.trust
      const value = weight * Math.max(-1, Math.min(1, error))
      sum += value
      own += value ** 2
      weights += weight
      ownWeights += weight ** 2
    }
    together += sum ** 2 - own
    pairs += weights ** 2 - ownWeights
  }
  const n = runs.length
  if (n < 2 || pairs < MIN_PAIRS * n) return USUAL_RUN ** 2
  const seen = Math.max(0, ((together / pairs) * n) / (n - 1))
  return (USUAL_RUN_RUNS * USUAL_RUN ** 2 + (n - 1) * seen) / (USUAL_RUN_RUNS + n - 1)
}

/** What the runs of a kind teach about how long its steps take; `runs` are their steps. */
export function habitsOf(runs: readonly (readonly Lasted[])[]): Habits {
  const all = runs.flat()
  const seconds = all.reduce((sum, one) => sum + one.seconds, 0) || 1
  const counted = new Set(all.flatMap(({ step: { unit, size } }) => (size > 0 ? [unit] : [])))
  const alone = [...Map.groupBy(all, ({ key }) => key)].map(([key, of]) => ({
    key,
    ...partOf(of, seconds, runs, counted),
  }))
  const byRun = errorsByRun(alone)
  const each = alone.map((part) => ({ ...part, habit: trusted(part, byRun) }))
  const paceVariance = paceVarianceOf(
    each,
    runs.flatMap(([first]) => (first ? [first.sizes] : [])),
  )
  // If all steps of a run are slower or faster alike, the pace of its first steps tells the rest, so this is not noise.
  const common = Math.max(0, paceVariance - USUAL_RUN ** 2)
  const noiseOf = (variance: number): number => Math.max(LEAST_NOISE * variance, variance - common)
  const noise = each.reduce((sum, { fraction, variance }) => sum + fraction * noiseOf(variance), 0)
  const concentration = each.reduce((sum, { fraction }) => sum + fraction ** 2, 0)
  const inertia = (Math.min(noise, 2 * USUAL_STEP ** 2) * concentration) / paceVariance
  return {
    steps: new Map(each.map(({ key, habit }) => [key, habit])),
    inertia: Math.max(MIN_INERTIA, Math.min(MAX_INERTIA, inertia)),
  }
}
