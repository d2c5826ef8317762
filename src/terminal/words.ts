import type { Media, QueueItem, Step, Unit } from "../item/item.ts"
import { isRoutine } from "../item/own-messages.ts"
import { bandWords, countIn, isPace, type Left, leftWords, startsWords } from "../item/progress-words.ts"
import { type Standing, standingOf } from "../item/state-in-one-word.ts"
import { missedUpdates, printable } from "../text.ts"
import type { Tone } from "./terminal.ts"
import type { Zone } from "./times-of-day.ts"

/** An item's number and title: `#7 Northern Lights`, `#7 song 12` without a title. */
export const numberedName = (id: number, title: string | undefined, songId: number): string =>
  printable(`#${id} ${title || `song ${songId}`}`)

/** The step, such as `3/5 Rendering video`; empty if none is known. */
export function stepText(item: { readonly step?: Step | null; readonly current_step: string }): string {
  const { step, current_step } = item
  return printable(step ? `${step.index}/${step.total} ${step.name || current_step}`.trim() : current_step)
}

/** What is counted, and the message that a worker or a person sent: neither repeats a number of the other. */
export function countAndSpoken({
  unit,
  message,
  media,
}: {
  readonly unit?: Unit | null | undefined
  readonly message: string
  readonly media?: Media | null | undefined
}): readonly [count: string, spoken: string] {
  const said = countIn(message, unit)
  const count = unit && said !== "also" ? printable(`${unit.done} of ${unit.total} ${unit.name}`) : ""
  return [count, said === "only" ? "" : spokenOf(message, media)]
}

/** The message that a worker or a person sent; empty if it is one of the server's own, or ffmpeg's figures. */
export const spokenOf = (message: string, media: Media | null | undefined): string =>
  isRoutine(message) || isPace(message, media) ? "" : printable(message)

/**
 * How long it still takes, and when it is done by the clock: `2:08 left (1:44 to 2:46), done at 14:32`; without the band
 * if there is no room for it.
 */
export function leftWithEnd(left: Left, nowMs: number, zone: Zone, hasBand = true): string {
  const band = hasBand ? bandWords(left) : ""
  const words = leftWords(left)
  if (left.high !== null && left.high <= 0) return words
  const end = `done at ${zone.when(nowMs + left.seconds * 1000, nowMs)}`
  return `${words}${band === "" ? "" : ` (${band})`}, ${end}`
}

/** When an item that waits starts: `starts about 14:50 (14:47 to 14:54)`. */
export function startsOf(
  starts: { readonly in: number; readonly low: number; readonly high: number },
  nowMs: number,
  zone: Zone,
): string {
  const at = (seconds: number): number => nowMs + seconds * 1000
  const times = { aboutMs: at(starts.in), lowMs: at(starts.low), highMs: at(starts.high) }
  return startsWords(times, (ms) => zone.when(ms, nowMs))
}

/** The contents of a gap and its reason: `1 update was missed (slow)`. */
export const gapOf = ({
  missed,
  reason,
}: {
  readonly missed: number | null
  readonly reason: string
}): string => `${missedUpdates(missed)} (${printable(reason)})`

/** A line that says that a stream has broken, and why: `# the stream ended; retrying in 1.7 s`. */
export const offlineLine = ({
  reason,
  retryMs,
}: {
  readonly reason: string
  readonly retryMs: number
}): string => `# ${printable(reason)}; retrying in ${(retryMs / 1000).toFixed(1)} s`

const TONES: Readonly<Record<Standing, Tone | undefined>> = {
  queued: undefined,
  processing: "bar",
  cancelling: "warn",
  stalled: "warn",
  completed: "good",
  failed: "bad",
  lost: "bad",
  cancelled: "dim",
  retrying: "warn",
}

/** The colour of an item's standing; undefined for none. */
export const toneOf = (item: QueueItem): Tone | undefined => TONES[standingOf(item)]
