import type { QueueItem } from "../item.ts"
import type { Moment } from "../moment.ts"
import { UNFORESEEN } from "../moves.ts"
import { etaNow } from "../pace.ts"
import type { Change, Stored, Work } from "../stored.ts"
import type { Course } from "./course.ts"
import type { KeptRun } from "./earlier-run.ts"
import { estimate, MAX_SHOWN, timeProgress } from "./estimate.ts"
import type { Experience } from "./experience.ts"
import { lookOf } from "./look.ts"
import { NO_TRACE, stepsOfRun, type Trace, traced } from "./trace.ts"
import type { TracedReport } from "./traced-report.ts"

/** A time during which no server watched the attempts, in milliseconds of the steady clock. */
export interface Outage {
  /** When it began. */
  readonly sinceMs: number
  /** When it ended. */
  readonly endedMs: number
}

/** What is known when an attempt is followed. */
export interface Knowledge {
  /**
   * What the runs of this kind and look teach; both texts are empty if they are unknown. The result is
   * undefined if there are no such runs, and null if they are not in memory yet.
   */
  of(kind: string, look: string): Experience | undefined | null
  /** The latest outages, the oldest first. */
  readonly outages: readonly Outage[]
}

/** An attempt is not remembered if no server watched it for more than this part of its time. */
const MAX_UNWATCHED = 1 / 20

const begunAt = ({ steadyMs }: Moment): Course => ({
  beganMs: steadyMs,
  trace: NO_TRACE,
  unwatchedMs: 0,
  outageEndedMs: 0,
})

/**
 * The course of an attempt that a worker claims in the midst of its render. The attempt is shorter than the render, by
 * an unknown time, so nothing is learned from it.
 */
export const goesOnFrom = (moment: Moment): Course => ({
  ...begunAt(moment),
  unwatchedMs: Number.MAX_SAFE_INTEGER,
})

const tenth = (value: number): number => Math.round(value * 10) / 10

/** The course, with the parts of the outages that fell into the attempt and that it does not include yet. */
function watched(course: Course, outages: readonly Outage[]): Course {
  const outageEndedMs = outages.at(-1)?.endedMs ?? 0
  const fromMs = Math.max(course.beganMs, course.outageEndedMs)
  if (outageEndedMs <= fromMs) return course
  let { unwatchedMs } = course
  for (const { sinceMs, endedMs } of outages) unwatchedMs += Math.max(0, endedMs - Math.max(fromMs, sinceMs))
  return { ...course, unwatchedMs, outageEndedMs }
}

const lookOfItem = ({ step, steps }: QueueItem, trace: Course["trace"]): string =>
  lookOf(trace, steps?.length ?? step?.total ?? 1)

/** A percentage begins again if it falls from at least the first to at most the second of these. */
const [CAME_FAR, BEGINNING] = [75, 10]
/** In large steps it begins again with what it first said in the attempt, if that is at most this. */
const LATEST_BEGINNING = 34

/** The most that a percentage is when it begins again. */
function beginningIn({ steps, lines }: Trace): number {
  const first = (steps.length > 1 ? steps[0]?.lines : lines)?.percent?.[1]?.[0] ?? 0
  return first <= LATEST_BEGINNING ? Math.max(BEGINNING, first) : BEGINNING
}

/**
 * How far the attempt is in percent, if a change says it. The percentage of a second program begins again, and is
 * followed from there; any other one that is lower than before came late, or is that of something else.
 */
function percentIn(before: Stored, { work, told }: Change, trace: Trace): number | undefined {
  if (work.done !== before.work.done) return work.done
  if (told === undefined) return undefined
  const { steps, latest, from } = trace
  const reached = latest.percent?.[0] ?? from
  const beginning = beginningIn(trace)
  const beginsAgain = reached >= CAME_FAR && told <= beginning
  const hasBegunAgain = steps.length > 1 && from <= beginning
  return beginsAgain || (hasBegunAgain && told > reached) ? told : undefined
}

/** What the item says about its progress after a change. */
function tracedReportOf(before: Stored, change: Change, trace: Trace): TracedReport {
  const { item } = change
  // At a start the item still has the text of the attempt before.
  const isStale = before.item.status !== "processing" && item.current_step === before.item.current_step
  return {
    progress: percentIn(before, change, trace),
    current_step: isStale ? undefined : item.current_step,
    step: item.step ?? undefined,
    unit: item.unit ?? undefined,
    media: item.media ?? undefined,
  }
}

const isSilent = ({ progress, current_step, step, unit, media }: TracedReport): boolean =>
  progress === undefined && !current_step && !step && !unit && !media

/** The course of the attempt after a change; null if it began before courses were followed. */
function courseOf(before: Stored, after: Change, moment: Moment): Course | null {
  const isStart = before.item.status !== "processing"
  const course = after.work.course ?? (isStart ? begunAt(moment) : null)
  const report = tracedReportOf(before, after, course?.trace ?? NO_TRACE)
  if (!course || isSilent(report)) return course
  const trace = traced(course.trace, report, (moment.steadyMs - course.beganMs) / 1000)
  return trace === course.trace ? course : { ...course, trace }
}

/** Where a bar is that has left no earlier runs to follow: where the time left says, or as far as the worker says. */
const unlearned = ({ progress }: QueueItem, shown: number, at: number, left: number | null): number =>
  left === null ? Math.max(shown, Math.min(MAX_SHOWN, progress)) : tenth(timeProgress(at, left, shown))

/** The item with its estimates from earlier runs, `at` seconds after the start of its attempt. */
function foreseen(
  before: QueueItem,
  item: QueueItem,
  { trace }: Course,
  at: number,
  known: Knowledge,
): QueueItem {
  // While a render stands still, its end cannot be estimated.
  if (item.stalled) return item
  const experience = known.of(item.kind, lookOfItem(item, trace))
  if (experience === null) {
    // The estimate of before is still nearly right.
    return before.eta_runs > 0 ? { ...item, eta_seconds: before.eta_seconds } : item
  }
  const { time_progress: shown, worker, totals } = item
  const said = experience && estimate({ trace, at, worker, totals }, experience)
  if (!said) {
    // Estimates no longer hold if their runs were forgotten, or if the first report shows another kind of work.
    const isStale = before.eta_runs > 0 && item.eta_seconds === before.eta_seconds
    const eta_seconds = isStale ? null : item.eta_seconds
    const time_progress = shown === null ? null : unlearned(item, shown, at, eta_seconds)
    // Most items of which nothing is known have these values already, and copying an item takes time.
    const isSame = item.eta_runs === 0 && item.eta_low_seconds === null && item.eta_high_seconds === null
    if (isSame && eta_seconds === item.eta_seconds && time_progress === shown) return item
    return { ...item, ...UNFORESEEN, eta_seconds, time_progress }
  }
  return {
    ...item,
    eta_seconds: tenth(said.left),
    // Outwards, because a band that is a tenth narrower would hold less often than it says.
    eta_low_seconds: Math.floor(said.low * 10) / 10,
    eta_high_seconds: Math.ceil(said.high * 10) / 10,
    eta_runs: experience.earlierRuns.length,
    time_progress: tenth(timeProgress(at, said.left, shown ?? 0)),
  }
}

/** The run that ends now; undefined if nothing can be learned from it. */
function runOf({ item, work }: Stored, { steadyMs }: Moment): KeptRun | undefined {
  const { course } = work
  if (!course) return undefined
  const ms = steadyMs - course.beganMs
  // A worker that was cut off may have claimed its lost item by its place, with the render already done.
  if (work.rescues > 0 && course.trace.steps.length === 0) return undefined
  const look = lookOfItem(item, course.trace)
  const kind = item.kind || look
  if (kind === "" || ms <= 0 || course.unwatchedMs > MAX_UNWATCHED * ms) return undefined
  return {
    kind,
    look,
    queue_id: item.id,
    worker: item.worker,
    seconds: ms / 1000,
    steps: stepsOfRun(course.trace, item.totals),
  }
}

/** An item that completes, with the run that is remembered of it. */
function ended(before: Stored, change: Change, moment: Moment, outages: readonly Outage[]): Change {
  const { course } = before.work
  const work: Work = { ...before.work, course: course && watched(course, outages) }
  const run = runOf({ item: before.item, work }, moment)
  const time_progress = before.item.time_progress === null ? null : 100
  return { ...change, item: { ...change.item, time_progress }, ...(run && { run }) }
}

/**
 * A change of an item, and what follows from it for the time that the attempt takes: the course of the
 * attempt is continued, the estimates from earlier runs are written to the item, and a completed attempt is
 * remembered as a run. What the worker has reported is not changed.
 */
export function withCourse(before: Stored, change: Change, moment: Moment, known: Knowledge): Change {
  const { item, work, quiet, deleted } = change
  const isUnderWay = item.status === "processing"
  if (quiet || deleted || (!isUnderWay && before.item.status !== "processing")) return change
  if (item.status === "completed") return ended(before, change, moment, known.outages)
  const course = isUnderWay ? courseOf(before, change, moment) : null
  if (!course) return change
  const now = watched(course, known.outages)
  const at = (moment.steadyMs - now.beganMs) / 1000
  const isSame = now === work.course
  // Without earlier runs, what the item says of its end may be as old as its last move.
  const eta_seconds = item.eta_runs > 0 ? item.eta_seconds : etaNow(item.eta_seconds, work, moment)
  const aged = eta_seconds === item.eta_seconds ? item : { ...item, eta_seconds }
  return { item: foreseen(before.item, aged, now, at, known), work: isSame ? work : { ...work, course: now } }
}
