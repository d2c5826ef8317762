import { crashIn } from "../failure-cause.ts"
import type { Report } from "../item/item.ts"
import { errorIn, isUnreadable } from "./blender-failures.ts"
import { blender, MAX_FILES, PREFIX } from "./blender.ts"
import { ffmpeg } from "./ffmpeg.ts"
import { isKilled } from "./killed-by-signal.ts"
import { type Evidence, type Expected, type LineReader, NO_EVIDENCE, plainLine } from "./line-reader.ts"
import { LogPrefix } from "./log-prefix.ts"
import { RunsAtOnce } from "./runs-at-once.ts"

/** The message of ffmpeg or Blender in other output. */
export interface Own {
  /** What can be reported, without progress; undefined if the line says nothing of them. */
  readonly report: Report | undefined
  /** How far the renderer is, 0 to 1; undefined while unknown. */
  readonly fraction: number | undefined
  /** Which renderer printed it. */
  readonly by: "ffmpeg" | "blender"
  /** Whether several go on at the same time since this line, and until now any of them was the whole; absent if not. */
  readonly areNowSeveral?: boolean
}

/**
 * A part of each line that matters for the result of a render: such a line is found even in very much output,
 * and read whole.
 */
export const RESULT_LINE =
  /rror|ERROR|Unable|av_|put #\d|Duration: |mpossible to open|Nothing was|returns null|onversion failed|Killed|Terminated|Aborted|Segmentation|Bus err|Illegal|Floating|overhead|bitrate=|progress=|received|encoded|Blender|Fra:|render |Saved:|ppend frame|Traceback|<module>|o camera|\.crash/

const BLENDER_START =
  /^(?:Fra: ?-?\d|Append frame \d|Blender \d+\.\d|Blender quit$|(?:\p{L}{2,12}|\p{sc=Han}): ?-?\d+ (?:\| )?\p{L}{2,12}: ?[\d.]+[KMG])/u
const BLENDER_5 = /(?:^|\d +)render +\| /
const BLENDER_SAVED = /Saved: '[^']*'(?: Time:|$)/
const READ = /\bRead blend: "?(.+?)"?$/
/** The name of a file that Blender did not find. */
const MISSING = "a missing file"
const BEGINS = /^Blender \d+\.\d/
const BLENDER_END = /^ ?Time: [\d:.]+/
const PAIR =
  /^(?:frame|fps|stream_\d+_\d+_\w+|bitrate|total_size|out_time(?:_[mu]s)?|dup_frames|drop_frames|speed|progress(?== *(?:continue|end)\b))= *\S+ *$/
const STATS = /(?:^| )L?size=\s*\S+ time=(-?)(\d+):(\d\d):(\d\d(?:\.\d+)?) bitrate=/
const LOG_START =
  /^(?:\[[\w#:./ -]{1,60} @ 0x[\da-f]+\]| {2,}(?:Metadata:|Stream #|Duration: )|(?:Input|Output) #\d|Stream mapping:|Press \[q\]| {2}(?:built with|configuration:|lib\w+ )|ffmpeg version )/

// Every line of a program comes here, so a fast search for a plain text comes first.
const isBlender = (line: string): boolean =>
  BLENDER_START.test(line) ||
  (line.includes("render ") && BLENDER_5.test(line)) ||
  (line.includes("Fra:") && PREFIX.test(line)) ||
  (line.includes("Saved: '") && BLENDER_SAVED.test(line))

/**
 * Whether this is a line of ffmpeg's log: its own messages, the tags of a file, the statistics of an encoder.
 */
function isLog(line: string): boolean {
  if (LOG_START.test(line)) return true
  if (line.startsWith("  ")) return line.slice(0, 60).includes(" : ")
  return line.includes(" subtitle:") && /\bvideo:\S+ audio:\S+ subtitle:/.test(line)
}

const field = (line: string, key: string): string | undefined =>
  new RegExp(`(?:^| )${key}= *([\\d.]+)`).exec(line)?.[1]

/** A line of ffmpeg's statistics as the block that `-progress` writes. */
function blockOf(line: string): string[] | undefined {
  if (!line.includes("bitrate=")) return undefined
  const [, sign, hours, minutes, seconds] = STATS.exec(line) ?? []
  if (seconds === undefined) return undefined
  const time = sign === "-" ? 0 : Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
  const values = ["frame", "fps", "speed", "L?size"].flatMap((key) => {
    const value = field(line, key)
    return value === undefined ? [] : [`${key === "L?size" ? "total_size" : key}=${value}`]
  })
  const end = line.includes("Lsize=") ? "end" : "continue"
  return [...values, `out_time_us=${Math.round(time * 1e6)}`, `progress=${end}`]
}

/** A report without the progress: only the script's own bars and counts show how far the script is. */
function wordsOf(report: Report | undefined): Report | undefined {
  const { progress: _progress, basis: _basis, eta_seconds: _eta, ...words } = report ?? {}
  return report && words
}

/**
 * Finds the lines of ffmpeg and Blender in the output of a script, and reads them as their own readers do.
 * These lines have many percentages and counts, which say nothing about the progress of a render.
 */
export class RenderersInScripts {
  readonly #expected: Expected
  readonly #prefix = new LogPrefix()
  readonly #ffmpeg: LineReader
  readonly #runs = new RunsAtOnce()
  #blender: LineReader
  /** Whether Blender has printed anything since it last quit. */
  #isBlender = false
  /** Whether it said that it began, and has not quit since. */
  #hasBegun = false
  /** For each file that Blender read: why it failed, unless Blender rendered the file later. */
  readonly #failures = new Map<string, string>()
  #blend = ""
  #saved: readonly string[] = []

  constructor(expected: Expected) {
    const known = { ...expected, bars: undefined, hearsWords: true }
    this.#ffmpeg = ffmpeg(known)
    // A total is that of an ffmpeg, in seconds.
    this.#expected = { ...known, total: undefined }
    this.#blender = blender(this.#expected)
  }

  /** What the lines prove: the part of a given total that ffmpeg reached, and the failures of both. */
  get evidence(): Evidence {
    const { reached, failure, seen, unfinished } = this.#ffmpeg.evidence
    const saved = [...this.#saved, ...this.#blender.evidence.saved].slice(-MAX_FILES)
    // A file may be tried before another one.
    const [before] = [...this.#failures].flatMap(([blend, why]) =>
      blend === MISSING && saved.length > 0 ? [] : [why],
    )
    const now = this.#isBlender ? this.#blender.evidence.failure : undefined
    return {
      ...NO_EVIDENCE,
      reached,
      failure: failure ?? before ?? now,
      saved,
      unfinished,
      seen: seen ?? this.#seen,
    }
  }

  /** What the output did not show of Blender: its last words, which a script can hide as well. */
  get #seen(): string | undefined {
    return this.#hasBegun ? "Blender was not seen to end" : undefined
  }

  /** What a line says; undefined if it is neither ffmpeg's nor Blender's. */
  read(raw: string): Own | undefined {
    const line = this.#prefix.strip(raw)
    const block = line.includes("=") ? (PAIR.test(line) ? [line] : blockOf(line)) : undefined
    if (block) return this.#fromFfmpeg(block)
    if (line.includes("Read blend: ")) this.#blend = READ.exec(line)?.[1] ?? ""
    if (this.#blend === "" && isUnreadable(errorIn(line))) this.#blend = MISSING
    // What another program said before Blender began is not a failure of Blender.
    if (!this.#isBlender && BEGINS.test(line)) {
      this.#blender = blender(this.#expected)
      this.#hasBegun = true
    }
    // A script inside Blender can print any text, and its failures are in that text.
    const report = this.#blender.read(line, false)
    if (isBlender(line) || (this.#isBlender && BLENDER_END.test(line))) return this.#fromBlender(line, report)
    const crash = crashIn(line)
    const isDead = this.#isBlender && (crash !== undefined || isKilled(line, "blender"))
    if (isDead) this.#leaveBlender(plainLine(crash ?? line))
    this.#ffmpeg.read(line, false)
    return isLog(line) ? { by: "ffmpeg", report: undefined, fraction: undefined } : undefined
  }

  #fromBlender(line: string, report: Report | undefined): Own {
    this.#isBlender = true
    if (line.startsWith("Blender quit")) this.#leaveBlender()
    const fraction = report?.progress === undefined ? undefined : report.progress / 100
    return { by: "blender", report: wordsOf(report), fraction }
  }

  /** Blender has ended. Its next render is another one. If that is of the same file, its result counts. */
  #leaveBlender(failure = this.#blender.evidence.failure): void {
    this.#saved = this.evidence.saved
    this.#failures.delete(this.#blend)
    if (failure !== undefined && this.#failures.size < MAX_FILES) this.#failures.set(this.#blend, failure)
    this.#blender = blender(this.#expected)
    this.#isBlender = false
    this.#hasBegun = false
    this.#blend = ""
  }

  #fromFfmpeg(block: readonly string[]): Own {
    const report = wordsOf(block.map((pair) => this.#ffmpeg.read(pair, false)).at(-1))
    const media = report?.media
    if (!media?.total) return { by: "ffmpeg", report, fraction: undefined }
    const wereSeveral = this.#runs.areSeveral
    const seconds = this.#runs.lowest(media.out_time, block.at(-1) === "progress=end")
    const areNowSeveral = this.#runs.areSeveral && !wereSeveral
    return { by: "ffmpeg", report, fraction: Math.min(1, seconds / media.total), areNowSeveral }
  }
}
