import { AttemptInRun, BEYOND, movedSignals } from "./attempt-in-run.ts"
import { type Hand, paceOf, type RunAnswer } from "./earlier-run.ts"
import { USUAL_STEP } from "./step-durations.ts"
import { stillPossible } from "./still-possible.ts"
import type { Trace } from "./trace.ts"

/** The answer of one earlier run, and its weight. */
export interface AnswerOfRun {
  /** What the earlier run says. */
  readonly answer: RunAnswer
  /** The current step in the earlier run; undefined if the earlier run never had it. */
  readonly hand: Hand | undefined
  /**
   * The pace that is expected from the start: how much slower this worker usually is than the worker of the
   * earlier run.
   */
  readonly expected: number
  /** How much the answer counts beside the others; 0 if it does not count. */
  readonly weight: number
}

/** What all earlier runs say together. */
export interface JointAnswer {
  /** The mean of their answers. */
  readonly answer: RunAnswer
  /** The mean of the expected paces. */
  readonly expected: number
  /** Where the attempt is in each earlier run that had the current step. */
  readonly inRuns: readonly AttemptInRun[]
}

/** How the attempts of a kind keep their pace. */
export interface Custom {
  /** See `Habits`. */
  readonly inertia: number
  /** How far the pace usually is from the expected pace after each part of `PARTS`: a standard deviation. */
  readonly usual: readonly number[]
}

/** The parts of an attempt after which the error of an estimate is measured. */
export const PARTS: readonly number[] = [0, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 0.95]
/** This part of the whole counts as the latest part, when the latest pace is calculated. */
export const LATEST = 0.1
/**
 * If the pace is this many times as far from the expected one as usual, both over all and lately, it is
 * believed twice as soon.
 */
const ALARM = 2
/**
 * Which part of an even step must be done before its own pace counts for half, and how much more of an uneven
 * step must be done.
 */
const STEP_INERTIA = 0.1
const MIN_STEP_INERTIA = 0.03
const ROUGH_INERTIA = 4
const MAX_ROUGH_INERTIA = 2
/**
 * The unevenness of a step counts less if its time varies more than this many times as much between runs: then its own
 * pace says far more than these.
 */
const ROUGHLY = 35

/** The value after a part of the attempt, between the values that are known at `PARTS`. */
export function between(values: readonly number[], part: number): number {
  let after = 0
  while (after < PARTS.length && !((PARTS[after] ?? 1) >= part)) after += 1
  if (after === 0) return values[0] ?? 0
  if (after === PARTS.length) return values.at(-1) ?? 0
  const [from = 0, to = 1] = [PARTS[after - 1], PARTS[after]]
  const [v0 = 0, v1 = 0] = [values[after - 1], values[after]]
  return v0 + ((v1 - v0) * (part - from)) / (to - from)
}

/**
 * What all earlier runs say together. If some of them had the current step, only these count. Undefined if
 * there is no answer.
 */
export function jointOf(all: readonly AnswerOfRun[]): JointAnswer | undefined {
  const isKnown = all.some(({ hand }) => hand !== undefined)
  const counting = all.filter(({ hand, weight }) => (hand !== undefined) === isKnown && weight > 0)
  const [first] = counting
  if (!first) return undefined
  const answer = { ...first.answer }
  let [expected, whole] = [0, 0]
  for (const one of counting) {
    whole += one.weight
    expected += ((one.expected - expected) * one.weight) / whole
    mix(answer, one.answer, one.weight / whole)
  }
  const inRuns: AttemptInRun[] = []
  for (const {
    hand,
    weight,
    answer: { behind, after },
    expected: own,
  } of counting) {
    const pace = Math.exp(own - expected)
    if (hand) inRuns.push(new AttemptInRun({ hand, part: weight / whole, behind, after, pace }))
  }
  return { answer, expected, inRuns }
}

/**
 * The same answer with where the attempt is in its step. If no earlier run had the step, the attempt counts as
 * being `at` seconds after its start. All answers that come from one `joint` share the same `inRuns`.
 */
export function followedTo(joint: JointAnswer, trace: Trace, at: number): JointAnswer {
  const { answer, expected, inRuns } = joint
  const size = trace.steps.at(-1)?.size ?? 0
  const moved = movedSignals(trace)
  let [step, inStep, found, gap, movedAfter, unsure] = [answer.step, 0, 0, 0, 0, 0]
  for (const inRun of inRuns) {
    inRun.move(trace, moved, size)
    step += inRun.part * inRun.more
    unsure += inRun.part * inRun.unsure
    inStep += inRun.part * inRun.inStep
    found += inRun.part * inRun.found
    gap += inRun.part * inRun.gap
    movedAfter += inRun.part * inRun.movedAfter
  }
  const movedAt = inRuns.length > 0 ? answer.movedAt + movedAfter : at
  return { answer: { ...answer, step, inStep, found, gap, movedAt, unsure }, expected, inRuns }
}

/** Moves an answer towards another one by a part of the difference. */
function mix(answer: RunAnswer, other: RunAnswer, part: number): void {
  answer.behind += (other.behind - answer.behind) * part
  answer.trusted += (other.trusted - answer.trusted) * part
  answer.trustedPace += (other.trustedPace - answer.trustedPace) * part
  answer.previous += (other.previous - answer.previous) * part
  answer.previousPace += (other.previousPace - answer.previousPace) * part
  answer.step += (other.step - answer.step) * part
  answer.after += (other.after - answer.after) * part
  answer.stretched += (other.stretched - answer.stretched) * part
  answer.trust += (other.trust - answer.trust) * part
  answer.commonUntil += (other.commonUntil - answer.commonUntil) * part
  answer.spread += (other.spread - answer.spread) * part
  answer.variation += (other.variation - answer.variation) * part
}

/** The pace so far: over all, in the latest part, and in the current step. */
interface Paces {
  readonly all: number
  readonly latest: number
  readonly step: number
}

/** The paces of an attempt that took `secondsInStep` for what took the earlier runs `inStepOfRuns` seconds. */
export function pacesOf(answer: RunAnswer, inStepOfRuns: number, secondsInStep: number): Paces {
  const inStep = inStepOfRuns - answer.found
  const step = paceOf(secondsInStep, inStep)
  const trusted = answer.trusted + answer.trust * inStep
  const all = trusted > 0 ? (answer.trustedPace + answer.trust * inStep * step) / trusted : 0
  const wanted = Math.max(0, LATEST * (answer.behind + answer.step + answer.after) - inStep)
  const part = answer.previous > 0 ? Math.min(1, wanted / answer.previous) : 0
  const lately = inStep + answer.previous * part
  return { all, latest: lately > 0 ? (inStep * step + answer.previousPace * part) / lately : 0, step }
}

/**
 * How far the overall pace was from the expected pace when the attempt came as far as it is; undefined at the
 * start.
 */
export function offBy({ answer, expected }: JointAnswer, stepAt: number): number | undefined {
  if (answer.behind + answer.inStep <= 0) return undefined
  return pacesOf(answer, answer.inStep, answer.movedAt - stepAt).all - expected
}

/**
 * Which part of the current step must be done before its own pace counts for half. The more the time of the step varies
 * between runs, the less these say of it.
 */
function stepInertiaOf({ spread, variation }: RunAnswer, alarm: number): number {
  const varied = Math.max(1, (spread / USUAL_STEP) ** 2)
  const even = Math.max(
    STEP_INERTIA / Math.max(alarm, varied),
    Math.min(MIN_STEP_INERTIA, STEP_INERTIA / varied),
  )
  const rough = Math.min(MAX_ROUGH_INERTIA, ROUGH_INERTIA * variation)
  return spread > 0 ? even + rough * Math.min(1, (ROUGHLY * variation) / spread) ** 2 : even + rough
}

/**
 * Seconds left for an attempt that took `secondsInStep` for what took the earlier runs `inStepOfRuns` seconds of
 * the current step, which began at `stepAt`.
 */
function leftAt(
  { answer, expected }: JointAnswer,
  inStepOfRuns: number,
  secondsInStep: number,
  stepAt: number,
  custom: Custom,
): number {
  const whole = answer.behind + answer.step + answer.after
  const inStep = inStepOfRuns - answer.found
  const done = answer.behind + inStep
  const paces = pacesOf(answer, inStepOfRuns, secondsInStep)
  const off = done > 0 ? paces.all - expected : 0
  const offLately = paces.latest - expected
  const surprise = Math.min(Math.abs(off), Math.abs(offLately)) / between(custom.usual, done / whole)
  const alarm = 1 + (surprise / ALARM) ** 4
  const usual = custom.inertia * whole
  // The further an attempt is beyond the scale of the runs, the sooner its own pace counts.
  const beyond = Math.max(1, (stepAt + secondsInStep) / (BEYOND * whole * Math.exp(expected))) ** 2
  // A step that has hardly begun is no reason for an alarm.
  const inertia = Math.max(Math.min(usual, LATEST * whole), usual / alarm) / beyond
  const trusted = answer.trusted + answer.trust * inStep
  const pace = trusted > 0 ? expected + (off * trusted) / (trusted + inertia) : expected
  const ofStep = inStep + (stepInertiaOf(answer, alarm) / beyond) * answer.step
  const ownPace = paceOf(secondsInStep, inStep, answer.spread)
  const inThisStep = ofStep > 0 ? pace + ((ownPace - pace) * inStep) / ofStep : pace
  return (answer.step - inStepOfRuns) * Math.exp(inThisStep) + answer.after * Math.exp(pace)
}

/** For how many seconds an attempt has been in steps that no run had. */
export const strangeFor = ({ answer, inRuns }: JointAnswer, at: number): number =>
  inRuns.length === 0 ? Math.max(0, at - answer.commonUntil) : 0

/**
 * Seconds left `at` seconds after the start; the current step began at `stepAt`. While nothing is reported
 * the time counts down. If a report is overdue, the pace is taken to be slower.
 */
export function secondsLeft(joint: JointAnswer, at: number, stepAt: number, custom: Custom): number {
  const { step, inStep, gap, after, movedAt, spread } = joint.answer
  const movedBy = Math.min(at, movedAt)
  // At the end of a step, rounding may make its rest a little less than 0.
  const left = Math.max(0, leftAt(joint, inStep, movedBy - stepAt, stepAt, custom))
  // What no run had is as likely as not to take as long again as it already has.
  if (joint.inRuns.length === 0) return left + strangeFor(joint, at)
  if (at === movedBy) return left
  const waited = at - movedBy
  const expected = inStep === 0 && gap > 0 ? (gap * left) / (step + after) : 0
  const later = expected > 0 ? stillPossible(expected, waited, spread) - expected : 0
  return Math.max(left - waited + later, leftAt(joint, inStep + gap, at - stepAt, stepAt, custom), 0)
}
