import type { QueueItem, Report } from "./item.ts"
import type { Moment } from "./moment.ts"
import type { Work } from "./stored.ts"

const MIN_WINDOW_MS = 10_000
/** The pace is smoothed over this part of the attempt so far: it follows a change of scene, and not every frame. */
const WINDOW_PART = 0.3
const MIN_ELAPSED_MS = 3000
/**
 * Work that is done so soon after the start was done before it: a worker resumes, or counts its preparations.
 */
const HEAD_START_MS = 1000
const MIN_DONE = 1

/**
 * How many windows of the smoothing have passed since the attempt started. A sample from k windows ago weighs
 * e to the minus k.
 */
function windows(elapsedMs: number): number {
  const growsFromMs = MIN_WINDOW_MS / WINDOW_PART
  if (elapsedMs <= growsFromMs) return elapsedMs / MIN_WINDOW_MS
  return (1 + Math.log(elapsedMs / growsFromMs)) / WINDOW_PART
}

/** The pace once `done` percent are done: smoothed, and measured from the start again after a step back. */
export function paced(work: Work, done: number, { steadyMs }: Moment): Work {
  if (done === work.done) return work
  const isHeadStart = work.done === 0 && steadyMs - work.attempt_at < HEAD_START_MS
  if (done < work.done || isHeadStart || steadyMs < work.moved_at) {
    return { ...work, done, rate: 0, attempt_at: steadyMs, moved_at: steadyMs }
  }
  const fromMs = (work.rate === 0 ? work.attempt_at : work.moved_at) - work.attempt_at
  const toMs = Math.max(fromMs + 1, steadyMs - work.attempt_at)
  const latest = ((done - work.done) * 1000) / (toMs - fromMs)
  const kept = Math.exp(windows(fromMs) - windows(toMs))
  return { ...work, done, rate: kept * work.rate + (1 - kept) * latest, moved_at: steadyMs }
}

/**
 * The pace once the attempt has said for the first time that nothing is done yet: the time until then was its start-up,
 * and is no part of the pace.
 */
export const begun = (work: Work, { steadyMs }: Moment): Work => ({ ...work, attempt_at: steadyMs })

/** An attempt of unknown progress moves when the things that it counts do. */
export function movedByCounts(
  work: Work,
  item: QueueItem,
  { step, unit, media }: Report,
  { steadyMs }: Moment,
): Work {
  const goesOn =
    (step !== undefined && step.index !== item.step?.index) ||
    (unit !== undefined && unit.done !== item.unit?.done) ||
    (media !== undefined && media.out_time !== item.media?.out_time)
  return work.done === 0 && goesOn ? { ...work, moved_at: steadyMs } : work
}

/** Seconds to the end at the pace so far, to a tenth; null rather than wrong while too little is known. */
export function etaOf({ done, rate, attempt_at }: Work, { steadyMs }: Moment): number | null {
  const elapsedMs = steadyMs - attempt_at
  const known = rate > 0 && done >= MIN_DONE && done < 100 && elapsedMs >= MIN_ELAPSED_MS
  if (!known) return null
  // Correct the bias of a moving average that started at zero.
  const nothing = Math.exp(-windows(elapsedMs))
  return Math.round(((100 - done) / rate) * (1 - nothing) * 10) / 10
}

/**
 * The estimate at the pace so far, `eta_seconds`, after a change that may not have moved the attempt: the time since its
 * last move is over. Null if there is none.
 */
export function etaNow(eta_seconds: number | null, work: Work, moment: Moment): number | null {
  const then = eta_seconds === null ? null : etaOf(work, { ...moment, steadyMs: work.moved_at })
  if (then === null) return eta_seconds
  const passed = Math.max(0, moment.steadyMs - work.moved_at) / 1000
  return Math.max(0, Math.round((then - passed) * 10) / 10)
}
