import { moreSteps, surplusOf } from "./extra-steps.ts"
import { countedBy, growthIn, isNotKnownYet } from "./growing-total.ts"
import { type Amounts, amountsOf, type Kinship, lasts, matched, type Part } from "./matching-steps.ts"
import {
  declaredOf,
  type Habit,
  type Habits,
  type Lasted,
  SAME,
  type Sizes,
  sizesOf,
} from "./step-durations.ts"
import { lineThrough, type Point } from "./step-line.ts"
import { NO_TRACE, type Signal, type StepTrace, type Trace } from "./trace.ts"
import { unevennessOf } from "./uneven-pace.ts"

/** This many runs of a kind are remembered and asked, the newest ones. */
export const MAX_RUNS = 8

/** A completed attempt, as it is remembered. */
export interface Run {
  /** How each of its steps went. */
  readonly steps: readonly StepTrace[]
  /** Seconds from its start to its end. */
  readonly seconds: number
  /** The worker; empty if it is unknown. */
  readonly worker: string
}

/** A run, and the keys by which it is found. */
export interface KeptRun extends Run {
  /** The name that runs of this kind share, if their owner gave one; otherwise the look. */
  readonly kind: string
  /** See `lookOf`. */
  readonly look: string
  /** The item that it completed. */
  readonly queue_id: number
}

/** How far an attempt is whose remaining time is asked for. */
export interface AttemptNow {
  /** How it went so far. */
  readonly trace: Trace
  /** Seconds since it started. */
  readonly at: number
  /** The worker; empty if it is unknown. */
  readonly worker: string
  /**
   * How much there is to do, by unit, if this was declared before the start; absent if nothing was declared.
   */
  readonly totals?: Readonly<Record<string, number>> | undefined
}

/** A completed attempt that was prepared, so that it can be asked quickly. */
export interface EarlierRun {
  /** The run itself. */
  readonly run: Run
  /** Its steps. */
  readonly parts: readonly Part[]
  /** Whether all runs of the kind had as many steps as they said, so that the attempt will have them, too. */
  readonly isCountTrue: boolean
}

/**
 * What one earlier run says about the attempt as far as it is now. Lengths are in seconds as the earlier run
 * took them, adjusted to how much there is to do now. A pace is the logarithm of how many times as long this
 * attempt takes as the earlier run.
 */
export interface RunAnswer {
  /**
   * The seconds of the steps before the current one, as far as both the run and the attempt had these steps.
   */
  behind: number
  /** The seconds of these steps, each multiplied by how far the pace in that step can be trusted. */
  trusted: number
  /** The pace in these steps, times `trusted`. */
  trustedPace: number
  /** The seconds of the last of these steps. */
  previous: number
  /** The pace in that last step, times `previous`. */
  previousPace: number
  /** The seconds of the current step. */
  step: number
  /** How many seconds the run had spent in that step when it was as far as this attempt is now. */
  inStep: number
  /** How many of these seconds the attempt did not need, because it found their work done. */
  found: number
  /** Seconds from there to the run's next report, or to the end of the step. */
  gap: number
  /** The seconds of the steps after the current one. */
  after: number
  /** When this attempt came as far as it is, in seconds since its start. */
  movedAt: number
  /** When the last step ended that both had, in seconds since the attempt's start; 0 if they have none in common. */
  commonUntil: number
  /** How much the pace in the current step says about the rest: see `Habit`. */
  trust: number
  /**
   * For the current and the later steps, the sum of their seconds, each multiplied by the logarithm of how
   * many times as long the step takes because there is more or less to do now.
   */
  stretched: number
  /** How much the time of the current step varies: see `Habit`. */
  spread: number
  /** How much the course of this run in that step differed from other runs: see `Part`. */
  variation: number
  /** How unsure it is how much there is to do in that step, because its total changes on the way: from 0 to 1. */
  unsure: number
}

const noAnswer = (): RunAnswer => ({
  behind: 0,
  trusted: 0,
  trustedPace: 0,
  previous: 0,
  previousPace: 0,
  step: 0,
  inStep: 0,
  found: 0,
  gap: 0,
  after: 0,
  movedAt: 0,
  commonUntil: 0,
  trust: 1,
  spread: 0,
  stretched: 0,
  variation: 0,
  unsure: 0,
})

/** If a length changes by less than this, the change is ignored, which saves time. */
const MIN_POWER = 0.02
const NO_HABIT: Habit = { powers: new Map(), trust: 1, spread: 0, follows: 1 }
/** A pace below this has another cause: a step that was three times as fast found its work already done. */
export const MIN_PACE = 1 / 3

/** A step whose time varies may also be faster by this many standard deviations. */
const FASTEST = 3

/**
 * The pace of a span for which `expected` seconds were expected; not faster than is credible. `spread` is
 * how much its time varies.
 */
export const paceOf = (seconds: number, expected: number, spread = 0): number => {
  const least = spread > 0 ? Math.min(MIN_PACE, Math.exp(-FASTEST * spread)) : MIN_PACE
  return expected > 0 ? Math.log(Math.max(least, seconds / expected)) : 0
}

const durationOf = ({ steps, seconds }: Run, i: number): number =>
  Math.max(0, (steps[i + 1]?.at ?? seconds) - (steps[i]?.at ?? 0))

/** The keys of steps: each name, with its number if an earlier step has the same name. */
function keysOf(steps: readonly StepTrace[]): string[] {
  const counts = new Map<string, number>()
  return steps.map(({ name }) => {
    const count = (counts.get(name) ?? 0) + 1
    counts.set(name, count)
    return count === 1 ? name : `${name}\n${count}`
  })
}

/**
 * How long each step of a run took on an average worker. `slowness` is how many times as long the run's
 * worker takes.
 */
export function lastedOf(run: Run, slowness: number): Lasted[] {
  const sizes = sizesOf(run.steps)
  const keys = keysOf(run.steps)
  return run.steps.map((step, i) => ({
    key: keys[i] ?? "",
    step,
    seconds: durationOf(run, i) / slowness,
    sizes,
  }))
}

const linesThrough = ({ lines: { media, unit, percent } }: StepTrace): Part["lines"] => ({
  media: media && lineThrough(media),
  unit: unit && lineThrough(unit),
  percent: percent && lineThrough(percent),
})

/** For the size of each step, what it says about the amount `of`, whose logarithm is `log`. */
const kinshipOf = (steps: readonly StepTrace[], of: string, log: number): Kinship[] =>
  steps.map(({ unit, size }) => {
    if (unit !== of || size <= 0) return 0
    return Math.abs(Math.log(size) - log) < SAME ? 2 : 1
  })

/** Prepares a run so that it can be asked; `all` are the runs of its kind. */
export function earlierRunOf(run: Run, habits: Habits, all: readonly Run[]): EarlierRun {
  const known = sizesOf(run.steps)
  const keys = keysOf(run.steps)
  const parts = run.steps.map((step, i): Part => {
    const habit = habits.steps.get(keys[i] ?? "") ?? NO_HABIT
    const seconds = durationOf(run, i)
    const logOfSize = step.size > 0 ? Math.log(step.size) : 0
    const sizes = [...habit.powers].flatMap(([unit, power]) => {
      const isOwn = unit === step.unit && step.size > 0
      const size = isOwn ? logOfSize : known.get(unit)
      return size === undefined || power < MIN_POWER
        ? []
        : [
            {
              unit,
              power,
              kinship: kinshipOf(run.steps, unit, size),
              isOwn,
              follows: isOwn ? habit.follows : 1,
            },
          ]
    })
    const { roughness, fixed } = unevennessOf(step, seconds)
    const lines = linesThrough(step)
    return { step, lines, logOfSize, seconds, roughness, fixed, variation: roughness, habit, sizes }
  })
  return { run, parts, isCountTrue: all.every(({ steps }) => steps.at(-1)?.total === steps.length) }
}

/**
 * How long the whole attempt would take according to an earlier run. It considers how much there is to do
 * now, which is known from the steps that have begun and from what was declared.
 */
export const wholeOf = ({ parts }: EarlierRun, steps: readonly StepTrace[], totals: Sizes): number => {
  const amounts = amountsOf(parts, steps, matched(steps, parts), totals)
  const more = moreSteps(steps[0], parts[0]?.step)
  const surplus = surplusOf(parts, 0, more, amounts)
  return parts.reduce((sum, part) => sum + lasts(part, amounts), surplus)
}

/** The logarithm of how many times as long a run took as another one predicts. */
export function apart({ run }: EarlierRun, other: EarlierRun): number {
  const expected = wholeOf(other, run.steps, declaredOf(run.steps[0]?.totals))
  return expected > 0 && run.seconds > 0 ? Math.log(run.seconds / expected) : 0
}

/** Adds to `answer` what an earlier run says about the steps before the current one. */
function addStepsBehind(
  answer: RunAnswer,
  live: readonly StepTrace[],
  parts: readonly Part[],
  matches: readonly number[],
  amounts: Amounts,
) {
  for (let i = 0; i < live.length - 1; i += 1) {
    const part = parts[matches[i] ?? -1]
    const expected = part ? lasts(part, amounts, live[i]) : 0
    if (!part || expected <= 0) continue
    const pace = paceOf((live[i + 1]?.at ?? 0) - (live[i]?.at ?? 0), expected)
    answer.behind += expected
    answer.trusted += part.habit.trust * expected
    answer.trustedPace += part.habit.trust * expected * pace
    answer.previous = expected
    answer.previousPace = expected * pace
  }
}

/** The current step of the attempt, as it was in an earlier run. */
export interface Hand {
  /** The earlier run's step. */
  readonly part: Part
  /** How many times as long the step takes because there is more or less to do now. */
  readonly scale: number
}

/** See `RunAnswer`. */
const stretchOf = ({ seconds }: Part, now: number): number =>
  seconds > 0 && now > 0 ? now * Math.log(now / seconds) : 0

/** The steps of an attempt; the last one without its total, if the run said the same one before it knew its own. */
function knownBy(told: readonly StepTrace[], part: Part | undefined): readonly StepTrace[] {
  const last = told.at(-1)
  return last && part && isNotKnownYet(last, part.step) ? [...told.slice(0, -1), { ...last, size: 0 }] : told
}

/**
 * What an earlier run says about the attempt, as if the current step had just begun. `hand` is undefined if
 * the earlier run never had that step. The result stays the same as long as the steps of the trace stay the
 * same.
 */
export function askRun(
  told: readonly StepTrace[],
  totals: Sizes,
  { parts, isCountTrue }: EarlierRun,
): { readonly answer: RunAnswer; readonly hand: Hand | undefined } {
  // An attempt that has reported nothing yet is in its first step.
  const matches = told.length > 0 ? matched(told, parts) : [0]
  const steps = knownBy(told, parts[matches.at(-1) ?? -1])
  const amounts = amountsOf(parts, steps, matches, totals)
  const answer = noAnswer()
  addStepsBehind(answer, steps, parts, matches, amounts)
  let last = -1
  for (const i of matches) last = Math.max(last, i)
  for (let i = last + 1; i < parts.length; i += 1) {
    const part = parts[i]
    if (!part) continue
    const seconds = lasts(part, amounts)
    answer.after += seconds
    answer.stretched += stretchOf(part, seconds)
  }
  const missed = isCountTrue ? parts.filter((_, i) => i < last && !matches.includes(i)) : []
  answer.after += surplusOf(parts, last + 1, moreSteps(steps.at(-1), parts[last]?.step), amounts, missed)
  const part = parts[matches.at(-1) ?? -1]
  answer.commonUntil = steps[matches.findLastIndex((match) => match >= 0) + 1]?.at ?? 0
  if (!part) return { answer, hand: undefined }
  const current = steps.at(-1)
  answer.step = lasts(part, amounts, current)
  answer.stretched += stretchOf(part, answer.step)
  answer.gap = answer.step
  answer.movedAt = current?.at ?? 0
  answer.trust = part.habit.trust
  answer.spread = part.habit.spread
  answer.variation = part.variation
  return { answer, hand: { part, scale: part.seconds > 0 ? answer.step / part.seconds : 1 } }
}

/** A step as it was at a point of its line: what its total became later was not known there. */
function asCounted(step: StepTrace, latest: Trace["latest"]): StepTrace {
  const grown = growthIn(step)
  const [at = 0] = latest[countedBy(step)] ?? []
  if (!grown) return step
  return { ...step, grew: { ...grown, latest: Math.max(1, at) * grown.first, at, pause: grown.pause } }
}

/**
 * A run as it was at its last known report before `at`, in seconds since its start, so that the other runs can be
 * asked about it. If its step brought no further report, this is the run as it was at that time.
 */
export function attemptAt(run: Run, at: number): AttemptNow {
  const begun = run.steps.filter((step) => step.at <= at)
  const current = begun.at(-1)
  const totals = run.steps[0]?.totals
  if (!current) return { trace: NO_TRACE, at, worker: run.worker, totals }
  let [moved, isFollowed] = [0, false]
  const latestOf = (signal: Signal): Point | undefined => {
    const points = current.lines[signal] ?? []
    const until = points.filter(([, then]) => then <= at - current.at)
    const latest = until.length < 2 ? undefined : until.at(-1)
    isFollowed ||= until.length < points.length
    moved = Math.max(moved, latest?.[1] ?? 0)
    return latest
  }
  const latest = { media: latestOf("media"), unit: latestOf("unit"), percent: latestOf("percent") }
  const [from = 0] = current.lines.percent?.[0] ?? []
  const now = isFollowed && moved > 0 ? current.at + moved : at
  // A run does not keep when its step said how much there is to do: at the latest when its signal moved.
  const isSizeKnown = latest[current.unit === "seconds" ? "media" : "unit"] !== undefined
  const steps = isSizeKnown
    ? [...begun.slice(0, -1), asCounted(current, latest)]
    : [...begun.slice(0, -1), { ...current, unit: "", size: 0 }]
  const trace = { ...NO_TRACE, steps, lines: current.lines, latest, from }
  return { trace, at: now, worker: run.worker, totals }
}
