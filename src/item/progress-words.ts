import { counted, duration, tookWords } from "../text.ts"
import type { Media, QueueItem, Unit } from "./item.ts"
import { isWaiting } from "./moves.ts"

/** How long a finished item was rendered, in words; empty if it was never begun, or has not ended. */
export const tookOf = ({
  started_at,
  completed_at,
}: Pick<QueueItem, "started_at" | "completed_at">): string =>
  started_at && completed_at ? tookWords((Date.parse(completed_at) - Date.parse(started_at)) / 1000) : ""

/** Since when a waiting item waits: since it was added, or came back into the queue. */
export const waitsSince = ({
  queued_at,
  requeued_at,
}: Pick<QueueItem, "queued_at" | "requeued_at">): string => requeued_at ?? queued_at

/** In how long workers may take a waiting item, as `starts in 9:59` or `retries in 0:18`; nothing if they may take it now. */
export function heldBackWords(
  { status, available_at }: Pick<QueueItem, "status" | "available_at">,
  nowMs: number,
): string[] {
  const seconds = Math.round((Date.parse(available_at ?? "") - nowMs) / 1000)
  if (!isWaiting(status) || !(seconds > 0)) return []
  return [`${status === "retrying" ? "retries" : "starts"} in ${duration(seconds)}`]
}

/** How long something still takes, in seconds that count down; the band is null while unknown. */
export interface Left {
  /** How long it is expected to take, in seconds. */
  readonly seconds: number
  /** Four times in five it takes between this and `high`, in seconds; null while unknown. */
  readonly low: number | null
  /** The other end of this band, in seconds; null while unknown. */
  readonly high: number | null
}

/** What an item or an update says of the time left. */
interface TellsLeft {
  readonly eta_seconds?: number | null
  readonly eta_low_seconds?: number | null
  readonly eta_high_seconds?: number | null
}

/** How long an item still takes when `ageSeconds` have passed since its update; null while unknown. */
export function leftIn(told: TellsLeft, ageSeconds: number): Left | null {
  const { eta_seconds, eta_low_seconds: low, eta_high_seconds: high } = told
  if (eta_seconds === null || eta_seconds === undefined) return null
  const isBand = typeof low === "number" && typeof high === "number"
  return {
    seconds: Math.max(0, eta_seconds - ageSeconds),
    low: isBand ? Math.max(0, low - ageSeconds) : null,
    high: isBand ? Math.max(0, high - ageSeconds) : null,
  }
}

/**
 * How much of an item is done, in whole percent: of its time if that is known, otherwise the reported
 * progress.
 */
export const shownOf = (item: {
  readonly progress: number
  readonly time_progress?: number | null
}): number => Math.floor(item.time_progress ?? item.progress)

/**
 * What the percentage of an item rests on, if that is not what the worker reports: `from 5 earlier runs; the worker says
 * 75%`; otherwise empty.
 */
export const restsOnRuns = ({ progress, eta_runs }: Pick<QueueItem, "progress" | "eta_runs">): string =>
  eta_runs > 0 ? `from ${counted(eta_runs, "earlier run")}; the worker says ${progress}%` : ""

/** Whether the progress of an item is a guess: it comes from a bar that may not be the whole, and not from earlier runs. */
export const isGuess = (item: {
  readonly basis?: string | null
  readonly time_progress?: number | null
}): boolean => item.basis === "guess" && (item.time_progress ?? null) === null

/**
 * A range of times in one unit, the first rounded down and the second up: `40 to 90 s`, `3 to 6 min`, `3 to 5
 * h`; `under 20 s` from 0 on.
 */
function range(low: number, high: number): string {
  const [unit, seconds] = high < 120 ? ["s", high < 30 ? 5 : 10] : high < 3 * 3600 ? ["min", 60] : ["h", 3600]
  const each = unit === "s" ? seconds : 1
  const from = Math.floor(low / seconds) * each
  const to = Math.ceil(high / seconds) * each
  return from === 0 ? `under ${to} ${unit}` : `${from} to ${to} ${unit}`
}

/** Whether the estimate is vague: the band is wider than half of it. */
const isVague = ({ seconds, low, high }: Left): boolean =>
  low !== null && high !== null && high - low > seconds / 2

/**
 * How long it still takes: `4:10`, or `3 to 6 min` if that is vague; empty once even the band is over.
 */
function spanOf(left: Left): string {
  const { seconds, low, high } = left
  if (low === null || high === null) return duration(seconds)
  if (high <= 0) return ""
  return isVague(left) ? range(low, high) : duration(seconds)
}

/** From this percentage on, an item may end at any moment after its expected time is over. */
const NEARLY_DONE = 95

/** The words for an item whose expected time is over, or ends within a second. */
export const overdueWords = (item: Parameters<typeof shownOf>[0], { seconds }: Left): string =>
  seconds <= 0 && shownOf(item) < NEARLY_DONE ? "longer than expected" : "finishing"

/** How many lines of a long error are shown, unless all are requested: the last ones. */
export const ERROR_LINES = 12

/** How long it still takes: `4:10 left`, `3 to 6 min left`, `longer than usual`. */
export function leftWords(left: Left): string {
  const span = spanOf(left)
  return span === "" ? "longer than usual" : `${span} left`
}

/**
 * The times between which it ends: `3:30 to 5:00`; empty if they are unknown, or if `leftWords` says them
 * already.
 */
export function bandWords(left: Left): string {
  const { low, high } = left
  if (low === null || high === null || high <= 0 || isVague(left)) return ""
  return `${duration(low)} to ${duration(high)}`
}

/** A figure without needless digits: `0.02`, `1.5`, `49`. */
const figure = (value: number): string =>
  value >= 10 || value === 0
    ? String(Math.round(value))
    : value >= 0.1
      ? value.toFixed(1)
      : value.toPrecision(1)

/**
 * How far into a medium a render is, and its pace: `0:48 of 1:20`, `24 fps`, `1.5x`; empty if nothing is known. `times`
 * stands behind the speed.
 */
export function paceWords(media: Media | null | undefined, times: "x" | "×" = "x"): readonly string[] {
  if (!media) return []
  const { out_time, total, fps, speed } = media
  const parts = [`${duration(out_time)}${total === null ? "" : ` of ${duration(total)}`}`]
  if (fps) parts.push(`${figure(fps)} fps`)
  if (speed) parts.push(`${figure(speed)}${times}`)
  return parts
}

/** When an item that waits starts, in epoch milliseconds. */
export interface StartsAt {
  /** When it is expected to start. */
  readonly aboutMs: number
  /** With a probability of four in five it starts between this time and `highMs`. */
  readonly lowMs: number
  /** The latest of these times. */
  readonly highMs: number
}

/** "About" a minute says as much as a band that is at most this long, in milliseconds. */
const LEAST_BAND_MS = 60_000

/**
 * When an item that waits starts: `starts about 14:50 (14:47 to 14:54)`, or `starts about 14:50` if that is exact to a
 * minute. `when` gives a time as it reads.
 */
export function startsWords({ aboutMs, lowMs, highMs }: StartsAt, when: (ms: number) => string): string {
  const band = highMs - lowMs > LEAST_BAND_MS ? ` (${when(lowMs)} to ${when(highMs)})` : ""
  return `starts about ${when(aboutMs)}${band}`
}

/**
 * Whether a message has only ffmpeg's own figures. The same figures are shown from `media` in words of ours.
 */
export const isPace = (message: string, media: Pick<Media, "out_time"> | null | undefined): boolean =>
  media != null && message.startsWith(`${media.out_time.toFixed(1)} s`)

/**
 * How a message says what is counted, in a notation of its own: `only` that (`frame 15/120` for 14 or 15 of 120 frames),
 * among other things (`also`), or not. The one that is under way may be counted, too.
 */
export function countIn(message: string, unit: Unit | null | undefined): "only" | "also" | undefined {
  if (!unit) return undefined
  const { done, total, name } = unit
  const count = new RegExp(`(?<![\\d.])(?:${done}|${done + 1})\\s*(?:/|of)\\s*${total}(?![\\d.])`)
  const text = message.replaceAll(",", "")
  if (!count.test(text)) return undefined
  const rest = text.replace(count, "").replace(/[^\p{L}\d]+/gu, "")
  return name.toLowerCase().startsWith(rest.toLowerCase()) ? "only" : "also"
}
