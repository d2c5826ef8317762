import type { QueueItem, Report, Work } from "./item.ts"

/**
 * The moment of a decision. `time` is RFC 3339 UTC; `steadyMs` counts milliseconds since the epoch as they were when
 * the server started, and then as they pass: a jump of the machine's clock moves `time` alone, and ends no lease.
 */
export interface Moment {
  readonly time: string
  readonly steadyMs: number
}

const MIN_WINDOW_MS = 10_000
/** The pace is smoothed over this share of the attempt so far: it follows a change of scene, and not every frame. */
const WINDOW_SHARE = 0.3
const MIN_ELAPSED_MS = 3000
/** What is done so soon after the start was done before it: a worker resumes, or counts its preparations. */
const HEAD_START_MS = 1000
const MIN_SHARE = 1

/**
 * How many windows of the smoothing have gone by since the attempt started. What was seen k of them ago counts for
 * e to the minus k.
 */
function windows(elapsedMs: number): number {
  const growsFromMs = MIN_WINDOW_MS / WINDOW_SHARE
  if (elapsedMs <= growsFromMs) return elapsedMs / MIN_WINDOW_MS
  return (1 + Math.log(elapsedMs / growsFromMs)) / WINDOW_SHARE
}

/** The pace after `share` percent are done: smoothed; begun anew by a step back. */
export function paced(work: Work, share: number, { steadyMs }: Moment): Work {
  if (share === work.share) return work
  const isHeadStart = work.share === 0 && steadyMs - work.attempt_at < HEAD_START_MS
  if (share < work.share || isHeadStart || steadyMs < work.moved_at) {
    return { ...work, share, rate: 0, attempt_at: steadyMs, moved_at: steadyMs }
  }
  const fromMs = (work.rate === 0 ? work.attempt_at : work.moved_at) - work.attempt_at
  const toMs = Math.max(fromMs + 1, steadyMs - work.attempt_at)
  const latest = ((share - work.share) * 1000) / (toMs - fromMs)
  const kept = Math.exp(windows(fromMs) - windows(toMs))
  return { ...work, share, rate: kept * work.rate + (1 - kept) * latest, moved_at: steadyMs }
}

/** Where the share is unknown, an attempt moves when what it counts does. */
export function followed(
  work: Work,
  item: QueueItem,
  { step, unit, media }: Report,
  { steadyMs }: Moment,
): Work {
  const goesOn =
    (step !== undefined && step.index !== item.step?.index) ||
    (unit !== undefined && unit.done !== item.unit?.done) ||
    (media !== undefined && media.out_time !== item.media?.out_time)
  return work.share === 0 && goesOn ? { ...work, moved_at: steadyMs } : work
}

/** Seconds to the end at the pace so far, to a tenth; null rather than wrong while too little is known. */
export function etaOf({ share, rate, attempt_at }: Work, { steadyMs }: Moment): number | null {
  const elapsedMs = steadyMs - attempt_at
  const known = rate > 0 && share >= MIN_SHARE && share < 100 && elapsedMs >= MIN_ELAPSED_MS
  if (!known) return null
  // The smoothing began from nothing, and that still counts for so much.
  const nothing = Math.exp(-windows(elapsedMs))
  return Math.round(((100 - share) / rate) * (1 - nothing) * 10) / 10
}
