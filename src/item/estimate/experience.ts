import {
  attemptAlongTheBar,
  type KnownSteps,
  knownSteps,
  offBarOf,
  runsAlongTheBar,
  type Words,
  wordsNow,
} from "./along-the-bar.ts"
import { mean } from "./averages.ts"
import {
  askRun,
  attemptAt,
  type AttemptNow,
  type EarlierRun,
  earlierRunOf,
  lastedOf,
  MAX_RUNS,
  type Run,
  wholeOf,
} from "./earlier-run.ts"
import type { Part } from "./matching-steps.ts"
import type { Range } from "./range-of-next.ts"
import { slownessOf } from "./slow-workers.ts"
import { declaredOf, habitsOf, type Sizes } from "./step-durations.ts"
import {
  type AnswerOfRun,
  between,
  type Custom,
  followedTo,
  type JointAnswer,
  jointOf,
  offBy,
  PARTS,
  secondsLeft,
} from "./time-left.ts"
import { SIGNALS, type StepTrace } from "./trace.ts"
import { doubtOf, extentOf } from "./uncertainty.ts"
import { compared } from "./uneven-pace.ts"
import { weightsOf } from "./unusual-runs.ts"

/** What the earlier runs said, and the totals for which they said it. */
interface Remembered {
  readonly totals: AttemptNow["totals"]
  readonly joint: JointAnswer
}

/**
 * What the runs of a kind teach. It is prepared when a run of the kind completes, and asked at every report.
 */
export interface Experience {
  /** The runs, at most `MAX_RUNS`. */
  readonly earlierRuns: readonly EarlierRun[]
  /** How much each earlier run counts. */
  readonly weights: readonly number[]
  /** By worker: the logarithm of how many times as long this worker takes as the others. */
  readonly slowness: ReadonlyMap<string, number>
  /** How the kind's attempts keep their pace. */
  readonly custom: Custom
  /**
   * The error of the logarithm of the whole time that is usual after each part of `PARTS`, as a standard deviation.
   */
  readonly usual: readonly number[]
  /** How many times as large as expected the errors of this kind are after each part of `PARTS`. */
  readonly errors: readonly number[]
  /**
   * What the earlier runs said about an attempt, kept as long as its steps are the same: most reports change
   * only the latest point.
   */
  readonly remembered: WeakMap<readonly StepTrace[], Remembered>
  /** The steps, as far as words and counts show them. */
  readonly known: KnownSteps
  /** What the percentages of these runs teach, without their steps; undefined if they reported none. */
  readonly alongTheBar: () => Experience | undefined
}

/**
 * The usual error of an estimate when little is known of a kind. The second value is added in proportion to
 * how much the course of the steps differs from run to run, the third to how long the kind's steps do not say
 * how far they are.
 */
const USUAL = 0.1
const USUAL_VARIED = 0.6
const USUAL_SILENT = 0.12
const MAX_VARIATION = 0.5
/** Beyond this factor an error says no more, so that one run that was suspended does not widen all bands. */
const MAX_ERROR = 3
/** How far the pace usually is from the expected one. */
const USUAL_PACE = 0.18
/**
 * How much the usual values weigh, and how much each run after the first weighs. With few runs the deviation
 * itself is uncertain, so the result is wider.
 */
const USUAL_WEIGHT = 2
const RUN_WEIGHT = 2
const WIDER = 0.5
/** An error smaller than this part of the usual error is regarded as chance. */
const LEAST_SEEN = 0.1
/** Which part of the uncertainty at the start is gone at the end: of the pace, and of the estimate. */
const PACE_SETTLED = 0.7
const SETTLED = 0.93
/**
 * The next attempt differs more from the earlier runs than these differ from each other: machines and scripts change with
 * time. So its error is expected to be this many times as large.
 */
const FURTHER = 1.3
/**
 * Words that come elsewhere than before give way to the percentages if these were, on average in each run, at most this far
 * from the part of its time that was over.
 */
const MOST_UNEVEN = 0.04
/** With this deviation the band reaches to several times the estimate, which says that nothing is known. */
const MAX_DEVIATION = 1.5

/** The logarithm of an estimate's error. It is limited: see `MAX_ERROR`. */
const errorOf = (expected: number, truth: number): number =>
  truth > 0 ? Math.log(Math.min(MAX_ERROR, Math.max(1 / MAX_ERROR, expected / truth))) : 0

/** How much the course of the steps differed from run to run. */
function variationOf(earlierRuns: readonly EarlierRun[]): number {
  let [varied, seconds] = [0, 0]
  for (const { parts } of earlierRuns) {
    for (const part of parts) {
      varied += part.variation * part.seconds
      seconds += part.seconds
    }
  }
  return seconds > 0 ? Math.min(MAX_VARIATION, varied / seconds) : 0
}

/** For how many seconds a step said nothing more about how far it was. */
function silentFor({ lines, seconds }: Part): number {
  let until = 0
  for (const signal of SIGNALS) until = Math.max(until, lines[signal]?.times.at(-1) ?? 0)
  return Math.max(0, seconds - until)
}

/**
 * The part of their time in which the runs did not say how far they were; of each run only the longest such time
 * within a step counts.
 */
function silenceOf(earlierRuns: readonly EarlierRun[]): number {
  let [silent, seconds] = [0, 0]
  for (const { run, parts } of earlierRuns) {
    silent += Math.max(0, ...parts.map(silentFor))
    seconds += run.seconds
  }
  return seconds > 0 ? Math.min(1, silent / seconds) : 1
}

/** See `Experience`. */
function usualErrorsOf(earlierRuns: readonly EarlierRun[]): number[] {
  const silence = silenceOf(earlierRuns)
  const atStart = USUAL + USUAL_VARIED * variationOf(earlierRuns) + USUAL_SILENT * silence
  const settled = SETTLED * (1 - silence)
  return PARTS.map((part) => atStart * (1 - settled * part))
}

/**
 * A standard deviation between the one that is usual after a part of the attempt, and the one that is seen in the errors
 * of this many runs. The first run does not count. The logarithms are averaged, because kinds differ by factors in how
 * certain they are.
 */
function deviationOf(errors: readonly number[], runs: number, usual: number): number {
  const seen = Math.sqrt(errors.reduce((sum, error) => sum + error ** 2, 0) / Math.max(1, errors.length))
  const weight = errors.length > 0 ? RUN_WEIGHT * (runs - 1) : 0
  const known = USUAL_WEIGHT + weight
  const logOfSeen = Math.log(Math.max(LEAST_SEEN * usual, seen))
  const middle = (USUAL_WEIGHT * Math.log(usual) + weight * logOfSeen) / known
  return Math.exp(middle) * (1 + WIDER / known)
}

/** The part of its time that an attempt has behind it. */
const partOf = (at: number, left: number): number => (at + left > 0 ? at / (at + left) : 0)

/** The error that is expected of an estimate, without what is known about the errors of this kind. */
const expectedError = (usual: readonly number[], at: number, left: number, doubt: number): number =>
  Math.hypot(between(usual, partOf(at, left)), doubt)

type KnownRuns = Pick<Experience, "earlierRuns" | "weights" | "slowness">

/**
 * What each earlier run says about an attempt as long as its steps are the same; the run `except` is not
 * asked.
 */
function answersOf(
  now: AttemptNow,
  { earlierRuns, weights, slowness }: KnownRuns,
  except?: EarlierRun,
): AnswerOfRun[] {
  const totals = declaredOf(now.totals)
  const own = slowness.get(now.worker) ?? 0
  const all: AnswerOfRun[] = []
  for (const [i, earlierRun] of earlierRuns.entries()) {
    if (earlierRun === except) continue
    const expected = own - (slowness.get(earlierRun.run.worker) ?? 0)
    const { answer, hand } = askRun(now.trace.steps, totals, earlierRun)
    all.push({ answer, hand, expected, weight: weights[i] ?? 1 })
  }
  return all
}

/** What all the other runs predict for a run after a part of its time. */
interface Trial {
  readonly run: Run
  readonly at: number
  readonly stepAt: number
  /** What each of the other runs predicts, and what all of them predict together. */
  readonly each: readonly JointAnswer[]
  readonly joint: JointAnswer
}

function trialsOf(known: KnownRuns, part: number): Trial[] {
  if (known.earlierRuns.length < 2) return []
  return known.earlierRuns.flatMap((earlierRun) => {
    const { run } = earlierRun
    const now = attemptAt(run, run.seconds * part)
    const { at } = now
    const all = answersOf(now, known, earlierRun)
    const together = jointOf(all)
    if (!together) return []
    const each = all.flatMap((one) => {
      const alone = jointOf([one])
      return alone ? followedTo(alone, now.trace, at) : []
    })
    const stepAt = now.trace.steps.at(-1)?.at ?? 0
    return [{ run, at, stepAt, each, joint: followedTo(together, now.trace, at) }]
  })
}

/** What is known of an attempt whose words no run used. It is prepared when it is first needed: most kinds never need it. */
function inOtherWords(runs: readonly Run[]): Pick<Experience, "known" | "alongTheBar"> {
  let made: { readonly experience: Experience | undefined } | undefined
  const alongTheBar = (): Experience | undefined => {
    if (!made) {
      const all = runsAlongTheBar(runs)
      made = { experience: all.length > 0 ? learn(all) : undefined }
    }
    return made.experience
  }
  return { known: knownSteps(runs), alongTheBar }
}

/** The runs as they can be asked, and how their kind keeps its pace. */
function preparedOf(asked: readonly Run[]): KnownRuns & Pick<Custom, "inertia"> {
  const plainly = habitsOf(asked.map((run) => lastedOf(run, 1)))
  const slowness = slownessOf(asked.map((run) => earlierRunOf(run, plainly, asked)))
  const habits = habitsOf(asked.map((run) => lastedOf(run, Math.exp(slowness.get(run.worker) ?? 0))))
  const prepared = asked.map((run) => earlierRunOf(run, habits, asked))
  const parts = compared(prepared.map((earlierRun) => earlierRun.parts))
  const earlierRuns = prepared.map((earlierRun, i) => ({
    ...earlierRun,
    parts: parts[i] ?? earlierRun.parts,
  }))
  return { earlierRuns, weights: weightsOf(earlierRuns), slowness, inertia: habits.inertia }
}

/** What these runs teach. The newest run is the last one. */
export function learn(runs: readonly Run[]): Experience {
  const asked = runs.slice(-MAX_RUNS)
  const { inertia, ...known } = preparedOf(asked)
  const { earlierRuns } = known
  const trials = PARTS.map((part) => trialsOf(known, part))
  const n = asked.length
  const usual = PARTS.map((part, i) => {
    const offs = (trials[i] ?? []).flatMap(({ each, stepAt }) =>
      each.flatMap((one) => offBy(one, stepAt) ?? []),
    )
    return deviationOf(offs, n, USUAL_PACE * (1 - PACE_SETTLED * part))
  })
  const custom: Custom = { inertia, usual }
  const usualErrors = usualErrorsOf(earlierRuns)
  const each = trials.map((all) => {
    const found = all.map(({ run, joint, at, stepAt }) => {
      const left = secondsLeft(joint, at, stepAt, custom)
      const doubt = doubtOf(joint, { at, left, stepAt }, custom, n - 1)
      return errorOf(at + left, run.seconds) / expectedError(usualErrors, at, left, doubt)
    })
    return deviationOf(found, n, 1)
  })
  // A few runs show little about each part alone. So half of what is expected there is what all parts show together.
  const together = Math.exp(mean(each.map(Math.log)))
  const errors = each.map((one) => FURTHER * Math.sqrt(one * together))
  const remembered = new WeakMap<readonly StepTrace[], Remembered>()
  return {
    ...known,
    custom,
    usual: usualErrors,
    errors,
    remembered,
    ...inOtherWords(asked),
  }
}

/** What the percentages teach, if they decide beside such words; otherwise undefined. */
function barFor(words: Words, { alongTheBar, earlierRuns }: Experience): Experience | undefined {
  if (words === "as before") return undefined
  const isUneven = earlierRuns.some(({ run }) => !(offBarOf(run) <= MOST_UNEVEN))
  return words === "elsewhere" && isUneven ? undefined : alongTheBar()
}

/**
 * Seconds left, and the standard deviation of the logarithm of the whole time. Undefined if no run can be
 * asked.
 */
export function ask(
  now: AttemptNow,
  experience: Experience,
): { readonly left: number; readonly deviation: number; readonly extent: Range } | undefined {
  const barOnly = barFor(wordsNow(now.trace, experience.known), experience)
  const along = barOnly && attemptAlongTheBar(now)
  if (barOnly && along) return ask(along, barOnly)
  const { steps } = now.trace
  const remembered = experience.remembered.get(steps)
  const isSame = remembered !== undefined && remembered.totals === now.totals
  const known = isSame ? remembered.joint : jointOf(answersOf(now, experience))
  if (!known) return undefined
  // Attempts that have reported nothing have the same trace, so nothing is kept for it.
  if (!isSame && steps.length > 0) experience.remembered.set(steps, { totals: now.totals, joint: known })
  const joint = followedTo(known, now.trace, now.at)
  const stepAt = steps.at(-1)?.at ?? 0
  const left = secondsLeft(joint, now.at, stepAt, experience.custom)
  const { custom, earlierRuns, usual, errors } = experience
  const timing = { at: now.at, left, stepAt }
  const doubt = doubtOf(joint, timing, custom, earlierRuns.length)
  const deviation = expectedError(usual, now.at, left, doubt) * between(errors, partOf(now.at, left))
  return { left, deviation: Math.min(MAX_DEVIATION, deviation), extent: extentOf(joint, timing) }
}

/** For each earlier run, how many seconds a whole attempt would take on this worker. */
export function wholes({ earlierRuns, slowness }: Experience, worker: string, totals: Sizes): number[] {
  const own = slowness.get(worker) ?? 0
  return earlierRuns.map((earlierRun) => {
    const pace = Math.exp(own - (slowness.get(earlierRun.run.worker) ?? 0))
    return Math.max(1e-3, wholeOf(earlierRun, [], totals) * pace)
  })
}
