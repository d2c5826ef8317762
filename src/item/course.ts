import { estimate, timeProgress } from "./estimate.ts"
import type { Experience } from "./experience.ts"
import type { Change, QueueItem, Stored, Work } from "./item.ts"
import { UNFORESEEN } from "./kind.ts"
import type { Moment } from "./moment.ts"
import { type Course, lookOf, NO_TRACE, settled, type Sign, type StepTrace, traced } from "./trace.ts"
import type { KeptRun } from "./witness.ts"

/** A time in which nobody watched, in milliseconds of the steady clock. */
export interface Outage {
  /** When it began. */
  readonly sinceMs: number
  /** When it was over. */
  readonly endedMs: number
}

/** What is known when an attempt is followed. */
export interface Knowledge {
  /**
   * What the runs of a kind that look alike teach. Without a look, what the newest runs of the kind teach; undefined
   * where there are none, and null where they are not at hand yet.
   */
  of(kind: string, look: string): Experience | undefined | null
  /** The last outage; undefined if there was none. */
  readonly outage: Outage | undefined
}

/** Nobody learns from an attempt during more than this part of which nobody watched. */
const MAX_UNWATCHED = 1 / 20
/** An attempt that told nothing, but of which it was said what kind it is. */
const WHOLE: StepTrace = { name: "", index: 1, unit: "", size: 0, at: 0, lines: {} }

const tenth = (value: number): number => Math.round(value * 10) / 10

/** The course with the part of an outage that fell into it. */
function watched(course: Course, outage: Outage | undefined): Course {
  if (!outage || outage.endedMs <= Math.max(course.beganMs, course.outageEndedMs)) return course
  const unwatchedMs = course.unwatchedMs + outage.endedMs - Math.max(course.beganMs, outage.sinceMs)
  return { ...course, unwatchedMs, outageEndedMs: outage.endedMs }
}

const lookOfItem = ({ step, steps }: QueueItem, { trace }: Course): string =>
  lookOf(trace, steps?.length ?? step?.total ?? 1)

/** The item as earlier runs foresee it. */
function foreseen(item: QueueItem, course: Course, at: number, knowledge: Knowledge): QueueItem {
  const experience = knowledge.of(item.kind, lookOfItem(item, course))
  // What was foreseen before is still nearly right.
  const { eta_low_seconds, eta_high_seconds, eta_runs, time_progress } = item
  if (experience === null) return { ...item, eta_low_seconds, eta_high_seconds, eta_runs, time_progress }
  const { trace } = course
  const said = experience && estimate({ trace, at, worker: item.worker, totals: item.totals }, experience)
  if (!said) {
    const shown =
      time_progress === null ? null : tenth(timeProgress(at, item.eta_seconds ?? at, time_progress))
    return { ...item, ...UNFORESEEN, time_progress: shown }
  }
  return {
    ...item,
    eta_seconds: tenth(said.left),
    eta_low_seconds: tenth(said.low),
    eta_high_seconds: tenth(said.high),
    eta_runs: experience.witnesses.length,
    time_progress: tenth(timeProgress(at, said.left, time_progress ?? 0)),
  }
}

/** The run that ends now; undefined if nobody is to learn from it. */
function runOf({ id, kind, worker }: QueueItem, before: Stored, { steadyMs }: Moment): KeptRun | undefined {
  const { course } = before.work
  if (!course) return undefined
  const ms = steadyMs - course.beganMs
  const look = lookOfItem(before.item, course)
  if (ms <= 0 || course.unwatchedMs > MAX_UNWATCHED * ms || (kind === "" && look === "")) return undefined
  const steps = settled(course.trace)
  return {
    kind: kind || look,
    look,
    queue_id: id,
    worker,
    seconds: ms / 1000,
    steps: steps.length > 0 ? steps : [WHOLE],
  }
}

/** The worker's tags, where it claimed the item by its place in the queue. */
export interface Claimed {
  /** What the worker offers. */
  readonly claimedWith: readonly string[]
}

/**
 * A change with what it means for how long the attempt will take: its course is followed, and what earlier runs
 * foresee is put on the item. `sign` is what was reported with it. The progress that was reported stays as it is.
 */
export function followed(
  before: Stored,
  change: Change,
  sign: Sign & Partial<Claimed>,
  moment: Moment,
  knowledge: Knowledge,
): Change {
  const { item, work } = change
  if (
    change.quiet ||
    change.deleted ||
    (before.item.status !== "processing" && item.status !== "processing")
  ) {
    return change
  }
  if (item.status === "completed") {
    const run = runOf(item, before, moment)
    const time_progress = before.item.time_progress === null ? null : 100
    return { ...change, item: { ...item, time_progress }, ...(run && { run }) }
  }
  const course = courseOf(before, work, sign, moment)
  if (item.status !== "processing" || !course) return change
  const at = (moment.steadyMs - course.beganMs) / 1000
  const isMoved = work.done !== before.work.done
  const told = { ...sign, progress: isMoved ? work.done : undefined }
  const trace = isSilent(told) ? course.trace : traced(course.trace, told, at)
  const now = watched({ ...course, trace }, knowledge.outage)
  return { ...change, item: foreseen(item, now, at, knowledge), work: { ...work, course: now } }
}

const isSilent = ({ progress, current_step, step, unit, media }: Sign): boolean =>
  progress === undefined && !current_step && !step && !unit && !media

/** The course of the attempt that is under way; null if it began before courses were followed. */
function courseOf(
  { item: { status }, work: { course } }: Stored,
  work: Work,
  sign: Partial<Claimed>,
  { steadyMs }: Moment,
): Course | null {
  if (status === "processing") return work.course ?? course
  const claimedWith = sign.claimedWith ?? null
  return { beganMs: steadyMs, trace: NO_TRACE, unwatchedMs: 0, outageEndedMs: 0, claimedWith }
}
