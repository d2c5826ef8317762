import type { QueueItem } from "../../item/item.ts"
import { isRoutine, OWN_MESSAGES } from "../../item/own-messages.ts"
import {
  bandWords,
  countIn,
  isGuess,
  isPace,
  type Left,
  leftIn,
  leftWords,
  overdueWords,
  paceWords,
  restsOnRuns,
  shownOf,
  type StartsAt,
  startsWords,
} from "../../item/progress-words.ts"
import { type Standing, standingOf } from "../../item/state-in-one-word.ts"
import type { ReadItem } from "../../wire/forecast.ts"

const number = new Intl.NumberFormat("en")
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" })
const hour = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" })
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" })
const longest = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "medium" })

/** A number for people: 12,345. */
export const count = (value: number): string => number.format(value)

/** The text with a capital letter, for the beginning of a sentence. */
export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

/** An item's flag: `lyrics issue`; empty without one. */
export const flagWords = (flag: QueueItem["flag"]): string => (flag ?? "").replace("_", " ")

/** How an attempt ended that another one follows, from the server's message about it. */
export function endOfAttempt(message: string): string {
  if (message === OWN_MESSAGES.restored) return "interrupted"
  return message === OWN_MESSAGES.lostForNow ? "lost its worker" : "failed"
}

/** Seconds in the largest unit that says enough: 12 s, 4 min, 3 h, 2 d. */
export function roughly(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min`
  const hours = Math.floor(whole / 3600)
  if (hours < 48)
    return `${hours} h${hours < 10 && whole % 3600 >= 60 ? ` ${Math.floor((whole % 3600) / 60)} min` : ""}`
  return `${Math.floor(hours / 24)} d`
}

const timeOfDay =
  ({ format }: Intl.DateTimeFormat) =>
  (time: string | number, nowMs: number): string => {
    const date = new Date(time)
    const isToday = date.toDateString() === new Date(nowMs).toDateString()
    return isToday ? format(date) : `${day.format(date)}, ${format(date)}`
  }

/** The time of day, with the day if that is not today. */
export const at = timeOfDay(clock)

/** The time of day without seconds, for an estimated time, with the day if that is not today. */
export const aboutTime = timeOfDay(hour)

/** A time in full. */
export const inFull = (time: string | number): string => longest.format(new Date(time))

/** Characters that turn the direction of the text after them: they can make a text look like another one. */
const TURNING = /[\u202a-\u202e\u2066-\u2069]/g

/** The text with every character that could turn what is around it replaced. */
export const plain = (text: string): string => text.replace(TURNING, "\ufffd")

const LONGEST_LINE = 400

/** A text of any length and layout as one line for a list. */
export const oneLine = (text: string): string =>
  plain(text.length > LONGEST_LINE ? `${text.slice(0, LONGEST_LINE)}…` : text).replace(/\s+/g, " ")

/**
 * The line of an error that says the most, short enough for a list; empty without an error. Items and updates of older
 * servers do not have it: then it is the last line.
 */
export const causeLine = ({
  error_message = "",
  error_cause = "",
}: Partial<Pick<ReadItem, "error_message" | "error_cause">>): string =>
  oneLine(error_cause || error_message.trim().replace(/^.*[\r\n]/s, ""))

/** The name of an item. */
export const nameOf = ({ title, song_id }: Pick<QueueItem, "title" | "song_id">): string =>
  title.trim() === "" ? `Song ${song_id}` : oneLine(title)

/**
 * The progress in percent, as exactly as it is known: as a part of the time, otherwise by `media`, and
 * otherwise as reported.
 */
export function doneOf({
  progress,
  media,
  time_progress,
}: Pick<QueueItem, "progress" | "media" | "time_progress">): number {
  if (time_progress !== null) return time_progress
  const total = media?.total ?? 0
  if (!media || total <= 0) return progress
  return Math.min(progress + 0.99, Math.max(progress, (media.out_time / total) * 100))
}

/** What is left at `nowMs` of the server's clock; null while that is unknown. */
export function leftAt(item: QueueItem, nowMs: number): Left | null {
  return item.status === "processing" ? leftIn(item, (nowMs - Date.parse(item.updated_at)) / 1000) : null
}

/** When the last of them is done by the reader's clock: `done at 14:32`; empty if that is unknown of one. */
function doneAt(items: readonly QueueItem[], nowMs: number): string {
  const seconds = Math.max(...items.map((item) => leftAt(item, nowMs)?.seconds ?? Infinity))
  return seconds < 1 || seconds === Infinity ? "" : `done at ${aboutTime(nowMs + seconds * 1000, nowMs)}`
}

/** How far an item is, and its name: `22% Northern Lights`. */
export const doneName = (item: QueueItem): string => `${shownOf(item)}% ${nameOf(item)}`

/**
 * Running items in the title of a browser tab, and when the last of them is done: `22% Northern Lights, done at 14:32`,
 * `47% of 3, done at 14:40`.
 */
export const runningTitle = (words: string, items: readonly QueueItem[], nowMs: number): string =>
  [words, doneAt(items, nowMs)].filter((part) => part !== "").join(", ")

/** How long it will take: `0:42 left, done at 14:32`; empty while that is unknown. */
export function leftText(item: QueueItem, nowMs: number): string {
  const left = leftAt(item, nowMs)
  if (left === null) return ""
  if (left.high !== null && left.high <= 0) return capital(leftWords(left))
  if (left.seconds < 1) return capital(overdueWords(item, left))
  return `${leftWords(left)}, ${doneAt([item], nowMs)}`
}

/**
 * The times between which it ends: `3:30 to 5:00`; empty while they are unknown, or if `leftText` has said
 * them.
 */
export function bandText(item: QueueItem, nowMs: number): string {
  const left = leftAt(item, nowMs)
  return left === null || left.seconds < 1 ? "" : bandWords(left)
}

/** How long a stalled item has made no progress: `No progress for 4 min`. */
export const stalledText = (
  { stalled_since, updated_at }: Pick<QueueItem, "stalled_since" | "updated_at">,
  nowMs: number,
): string => `No progress for ${roughly((nowMs - Date.parse(stalled_since ?? updated_at)) / 1000)}`

/** The name of a progress bar: `Progress of Northern Lights, a guess`. */
export const progressLabel = (item: QueueItem): string =>
  `Progress of ${nameOf(item)}${isGuess(item) ? ", a guess" : ""}`

/**
 * The basis of a bar, if it is not the reported progress: `from 5 earlier runs; the worker says 75%`;
 * otherwise empty.
 */
export const restsOn = (item: QueueItem): string =>
  isGuess(item) ? "a guess, from a progress bar that may not be the whole" : restsOnRuns(item)

/** Which tags of an item no worker offers: `No worker offers 4k, cpu and 12 more`. At most this many are named. */
export function missingText(missing: readonly string[], most = missing.length): string {
  const more = missing.length > most ? ` and ${count(missing.length - most)} more` : ""
  return `No worker offers ${missing.slice(0, most).map(oneLine).join(", ")}${more}`
}

/** When an item that waits starts: `starts about 14:50 (14:47 to 14:54)`. */
export const startsText = (starts: StartsAt, nowMs: number): string =>
  startsWords(starts, (ms) => aboutTime(ms, nowMs))

/**
 * What is counted, as a worker reports it: `3 of 5 images`; empty if the message says it, or if it is done.
 */
export function unitOf({ unit, message }: Pick<QueueItem, "unit" | "message">): string {
  if (!unit || unit.done >= unit.total) return ""
  if (countIn(message, unit) === "also") return ""
  return `${count(unit.done)} of ${count(unit.total)} ${oneLine(unit.name)}`.trim()
}

/** The current pass of a render with several passes: `2 of 5`. */
export const stepOf = ({ step }: Pick<QueueItem, "step">): string =>
  step ? `Step ${count(step.index)} of ${count(step.total)}` : ""

type Told = Pick<QueueItem, "message" | "current_step"> & Partial<Pick<QueueItem, "media" | "unit">>

/** The message that a worker or a person gave; empty if there is none, or if something else shown says the same. */
export function messageOf({ message, current_step, media, unit = null }: Told): string {
  const isSaid = message === current_step || isPace(message, media)
  const isCounted = unitOf({ unit, message }) !== "" && countIn(message, unit) === "only"
  return isRoutine(message) || isSaid || isCounted ? "" : oneLine(message)
}

/** How fast a medium is being written: `0:53 of 4:00 · 48 fps · 1.9×`; empty while that is unknown. */
export const paceText = ({ media }: Pick<QueueItem, "media">): string => paceWords(media, "×").join(" · ")

const STANDINGS: Readonly<Record<Standing, string>> = {
  queued: "Waiting",
  processing: "Running",
  cancelling: "Cancelling",
  stalled: "Stalled",
  completed: "Completed",
  failed: "Failed",
  lost: "Worker lost",
  cancelled: "Cancelled",
  retrying: "Retrying",
}

/** The standing of an item, in a word or two. */
export const standing = (item: QueueItem): string => STANDINGS[standingOf(item)]

/** The standing of an item, for its colour. */
export type Colour = "run" | "warn" | "good" | "bad" | "quiet"

const COLOURS: Readonly<Record<Standing, Colour>> = {
  queued: "quiet",
  processing: "run",
  cancelling: "warn",
  stalled: "warn",
  completed: "good",
  failed: "bad",
  lost: "bad",
  cancelled: "quiet",
  retrying: "warn",
}

/** The colour of an item's standing. */
export const colourOf = (item: QueueItem): Colour => COLOURS[standingOf(item)]
