import type { Media, Report } from "../item/item.ts"
import { BarsInSequence } from "./bars-in-sequence.ts"
import { FfmpegFailures } from "./ffmpeg-failures.ts"
import { FfmpegPass } from "./ffmpeg-pass.ts"
import { isKilled } from "./killed-by-signal.ts"
import { type Evidence, type Expected, type LineReader, NO_EVIDENCE, plainLine } from "./line-reader.ts"
import { WHOLE } from "./whole-from-98-percent.ts"

const KEY_VALUE = /^([a-z_]+)= *(\S+) *$/
const NUMBER = /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/
const KEYS = ["frame", "fps", "out_time_us", "out_time_ms", "total_size", "speed"] as const

/** ffmpeg's messages when a key or a signal stopped it. */
const BY_KEY = /^\[q\] command received/
const BY_SIGNAL = /^Exiting normally, received signal \d/
/** ffmpeg's message for an empty output, other than a picture of a time after the end. After it, ffmpeg exits with 0. */
const EMPTY = /^(?:\[out#\d+\/(?!image2).* @ \w+\] )?(?:\[\w+\] )?Output file is empty, nothing was encoded/
const WRITTEN = /\b(?:video|audio|subtitle): ?[1-9]\d*k.*\bmuxing overhead\b/i

type Key = (typeof KEYS)[number]
type Block = Partial<Record<Key, number>>

const isKey = (text: string): text is Key => KEYS.some((key) => key === text)

/** `text` as a number, undefined for "N/A" and anything else; "1.61x" is 1.61, "7.51e+03x" 7510. */
function amount(text: string): number | undefined {
  const digits = text.endsWith("x") ? text.slice(0, -1) : text
  const value = NUMBER.test(digits) ? Number(digits) : Number.NaN
  // Some versions write the lowest integer, -9223372036854775807, for "none".
  return Math.abs(value) <= 1e18 ? value : undefined
}

/** The seconds that were written; undefined while there are none. */
function outTime(block: Block): number | undefined {
  // ffmpeg's out_time_ms is in microseconds too; it is all that versions before 4.1 have.
  const us = block.out_time_us ?? block.out_time_ms
  // With B-frames the first time stamp is a little below 0.
  return us === undefined ? undefined : Math.max(0, us / 1e6)
}

// Until a second has passed, ffmpeg writes 0 for values that it has not measured.
const measured = (value: number | undefined): number | null =>
  value !== undefined && value > 0 && value <= 1e12 ? value : null

const short = (value: number): string => {
  if (value >= 10) return value.toFixed(0)
  return value >= 0.1 ? value.toFixed(1) : value.toPrecision(1)
}

function messageOf(media: Media | undefined, block: Block): string {
  const fps = media?.fps ?? measured(block.fps)
  const speed = media?.speed
  const total = media?.total
  const parts = [
    media && `${media.out_time.toFixed(1)} s${total ? ` of ${total.toFixed(1)} s` : ""}`,
    !media && block.frame && `${block.frame} frames`,
    fps && `${short(fps)} fps`,
    speed && `${short(speed)}x`,
  ]
  return parts.filter((part) => part).join(", ") || "nothing written yet"
}

class Ffmpeg implements LineReader {
  readonly #expected: Expected
  readonly #sequence: BarsInSequence
  #block: Block = {}
  #pass = new FfmpegPass()
  /** The earlier runs that were not still pictures, and that reached their end. */
  #full = 0
  /** The last run before the current one that was not a still picture. */
  #before: FfmpegPass | undefined
  /** Whether the next run after a video can still be a picture of that video. */
  #mayBeStill = false
  /** The longest earlier run that ended by itself. */
  #longest: FfmpegPass | undefined
  readonly #runs = new FfmpegFailures()
  #emptiness: string | undefined
  #hasWritten = false

  constructor(expected: Expected) {
    this.#expected = expected
    this.#sequence = new BarsInSequence({ ...expected, countsQuick: true })
  }

  get evidence(): Evidence {
    const { total, bars = 1 } = this.#expected
    const pass = this.#decisive
    // A picture of a time after the end is empty, and the video before it is still whole.
    const failure = this.#runs.failure ?? (this.#hasWritten ? undefined : this.#emptiness)
    const last = total !== undefined && pass.blocks > 0 ? pass.fractionOf(total) : null
    // If bars were declared, there must be that many, and the last one must be full.
    const full = this.#full - (pass === this.#before && this.#isFull(pass) ? 1 : 0)
    const reached = last !== null && full < bars - 1 ? (full + last) / bars : last
    const { hasEnded } = pass
    return { ...NO_EVIDENCE, reached, hasEnded, failure, seen: this.#seen, unfinished: this.#runs.unfinished }
  }

  /**
   * Whether a video was begun and its end was not reported. If there is only sound, its end is not always
   * reported.
   */
  get #isWriting(): boolean {
    const { frames, hasEnded, isSummed } = this.#pass
    return frames > 0 && !hasEnded && !isSummed
  }

  /**
   * What the output did not show: the end of a file that was begun. This is not a failure, because a script
   * can hide any output.
   */
  get #seen(): string | undefined {
    if (!this.#expected.hearsWords) return undefined
    const { stop } = this.#pass
    const open = this.#runs.seen ?? (this.#isWriting ? "ffmpeg was not seen to end" : undefined)
    return open ?? (stop && `ffmpeg was stopped: ${stop}`)
  }

  /**
   * The run that shows whether everything was written: usually the last one. If the last run ended by itself,
   * it may be a short preview of the video before it, but only ffmpeg's log shows whether it ended by itself.
   */
  get #decisive(): FfmpegPass {
    const last = this.#pass.isStill && this.#before ? this.#before : this.#pass
    const isByItself = this.#expected.hearsWords && last.isByItself
    const longest = this.#longest
    return isByItself && longest && longest.length > last.length ? longest : last
  }

  /** Whether a run of ffmpeg wrote a whole video, and said so. */
  #isFull(pass: FfmpegPass): boolean {
    const { total = Number.POSITIVE_INFINITY } = this.#expected
    return pass.hasEnded && !pass.isStill && pass.fractionOf(total) >= WHOLE
  }

  read(line: string): Report | undefined {
    const [, key = "", value = ""] = KEY_VALUE.exec(line) ?? []
    if (isKey(key)) {
      const said = amount(value)
      if (said !== undefined) this.#block[key] = said
      return undefined
    }
    if (key === "progress" && (value === "continue" || value === "end")) return this.#take(value === "end")
    if (BY_KEY.test(line) || BY_SIGNAL.test(line)) this.#pass.stop = plainLine(line)
    if (BY_SIGNAL.test(line)) this.#runs.stop(line, this.#pass.seconds)
    if (isKilled(line, "ffmpeg")) this.#runs.kill(line, this.#isWriting)
    else this.#runs.hear(line)
    if (EMPTY.test(line) && !this.#runs.isToNowhere) this.#emptiness = plainLine(line)
    if (line.includes("muxing overhead")) this.#sum(line)
    return undefined
  }

  #sum(line: string): void {
    this.#pass.isSummed = true
    this.#hasWritten ||= WRITTEN.test(line) && !this.#runs.isToNowhere
  }

  #take(isEnd: boolean): Report {
    const block = this.#block
    this.#block = {}
    const seconds = outTime(block)
    const told = { frame: block.frame, seconds, size: block.total_size }
    if (this.#pass.isOver(told)) this.#leave()
    this.#pass.hear(told, isEnd)
    if (this.#mayBeStill && block.frame !== 1) this.#beginBar()
    const { isToNowhere } = this.#runs
    this.#hasWritten ||= !isToNowhere && (this.#pass.frames > 0 || this.#pass.seconds > 0)
    // A container without a frame is not empty, so ffmpeg does not warn about it.
    const isEmpty = block.frame === undefined ? seconds === 0 : block.frame === 0
    if (isEnd && isEmpty && !isToNowhere) this.#emptiness ??= "ffmpeg encoded nothing"
    if (seconds === undefined) return { message: messageOf(undefined, block) }
    const { total } = this.#expected
    const media: Media = {
      out_time: seconds,
      total: total ?? null,
      fps: measured(block.fps),
      speed: measured(block.speed),
    }
    const known = { media, message: messageOf(media, block) }
    // The output may be longer than its total: a looped image outlives the song by a second.
    return total === undefined ? known : { ...this.#progress(Math.min(1, seconds / total)), ...known }
  }

  /** Another ffmpeg has begun. A still picture before or after a video is not a pass over it. */
  #leave(): void {
    if (!this.#pass.isStill) {
      this.#before = this.#pass
      this.#mayBeStill = true
    }
    if (this.#isFull(this.#pass)) this.#full += 1
    const { isByItself, length } = this.#pass
    if (isByItself && length > (this.#longest?.length ?? 0)) this.#longest = this.#pass
    this.#pass = new FfmpegPass()
  }

  #beginBar(): void {
    this.#mayBeStill = false
    this.#sequence.begin()
  }

  #progress(fraction: number): Report {
    const sequence = this.#sequence
    if (!this.#mayBeStill) sequence.move(fraction)
    const progress = sequence.fraction * 100
    if (this.#expected.bars !== undefined) return { progress, basis: "declared" }
    // After the end of ffmpeg it is unknown whether another pass will follow.
    const isLikely = this.#mayBeStill || this.#pass.hasEnded
    if (sequence.isFirst) return { progress, basis: isLikely ? "guess" : "declared" }
    return { progress, basis: "guess", eta_seconds: null }
  }
}

/**
 * Reads the blocks of `ffmpeg -progress`, with one report for each, and finds ffmpeg's messages about output
 * that could not be written.
 *
 * `total` is the length of the output in seconds. Without it there is no progress, but media and message. If
 * one ffmpeg follows another, as in two passes, each has its own bar.
 */
export const ffmpeg = (expected: Expected): LineReader => new Ffmpeg(expected)
