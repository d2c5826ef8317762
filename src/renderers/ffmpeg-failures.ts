import { plainLine } from "./line-reader.ts"
import { WHOLE } from "./whole.ts"

/** ffmpeg's messages for output that could not be written. After them, it can still exit with 0. */
const FAILURE =
  /\bError writing trailer\b|\bError closing file\b|\bError opening output file\b|\bError (?:re)?initializing complex filter|\bav_interleaved_write_frame\(\): |\bError (?:muxing a packet|submitting a packet to the muxer|writing (?:header|packet))\b|\bUnable to re-open \S+ output file\b|^\[concat @ \w+\] Impossible to open ''/
/** The last line of an ffmpeg that failed. A script can continue after it, and exit with 0. */
const GIVEN_UP = /^(?:\[(?:error|fatal)\] )?Conversion failed[!]$/
/**
 * An input that could not be read to its end. Data that is not valid is not meant: it may be what follows the end of a
 * song.
 */
const CUT =
  /^(?:\[in#\d+\/.* @ \w+\] Error during demuxing|(.+)): (?!Invalid data|Immediate exit|End of file)(?:[A-Z][a-z]+\b.*)$/
/** An output that was never begun. ffmpeg 4 can still exit with 0. */
const NEVER_BEGUN = /^(?:\[out#\d+\/\w+ @ \w+\] )?(?:\[error\] )?Nothing was written into output file\b/
/** The name for outputs that are thrown away. */
const NULL_MUXER = "null"
/** The kind of an output, in the messages about it. */
const KIND = /^\[out#\d+\/(\w+) @ /
const INPUT = /^Input #0, .*, from '(.*)':$/
/** An input with a length: not a picture, and not an input that ffmpeg generates. */
const LONG_INPUT = /^Input #\d+, (?!lavfi\b|image2\b|\w+_pipe\b)/
const ANY_INPUT = /^Input #\d+, /
const OUTPUT = /^Output #0, (\S+), to '(.*)':$/
const DURATION = /^ {2}Duration: (?:(\d+):(\d\d):(\d\d\.\d+)|N\/A),/
/** The most outputs that are named as unfinished. */
const MOST_UNFINISHED = 8
/** ffmpeg's summary line: one for each output file, in earlier versions one for all. */
const SUM = /^(?!\[out#[1-9]).*\bmuxing overhead\b/
/** An output that can be left unfinished: a file, and not a pipe, an address or a device. */
const FILE = /^(?![a-z][a-z0-9+.-]*:|\/dev\/)./i
const QUOTED = /'[^']*'/g

function failureIn(line: string): string | undefined {
  // Most lines match none of these, so ask the cheap question first.
  if (!/rror|Unable|av_|Impossible/.test(line)) return undefined
  // An indented line is the tag of a file, and a quoted text is its name: a song can have any name.
  if (/^\s/.test(line)) return undefined
  const plain = plainLine(line)
  return FAILURE.test(plain.replace(QUOTED, "''")) ? plain : undefined
}

/**
 * The results of ffmpeg's runs, one after the other, from its own messages and those of the shell that ran
 * it.
 */
export class FfmpegFailures {
  /**
   * Why each output is not whole, by its name; undefined while it is being written. If a run failed before it
   * named its output, the name of its input is used.
   */
  readonly #unfinished = new Map<string, string | undefined>()
  #input = ""
  /** The lengths of the current run's inputs that have one, in seconds; `NaN` while a length is unknown. */
  #lengths: number[] = []
  #isLong = false
  #output: string | undefined
  #muxer = ""
  #before = ""

  /** Reads a line that is not part of a block. */
  hear(line: string): void {
    this.#muxer = KIND.exec(line)?.[1] ?? this.#muxer
    const failure = failureIn(line)
    if (failure !== undefined) this.#fail(failure)
    else if (GIVEN_UP.test(line)) this.#fail(/rror/.test(this.#before) ? this.#before : plainLine(line))
    else if (SUM.test(line)) this.#end()
    else if (this.#isCut(line) || this.#isNeverBegun(line)) this.#fail(plainLine(line))
    else this.#enter(line)
    this.#before = plainLine(line)
  }

  /**
   * A signal ended an ffmpeg, as the shell says in this line. `isWriting` means that an ffmpeg was certainly
   * at work.
   */
  kill(line: string, isWriting: boolean): void {
    const name = this.#open ?? (isWriting ? "" : undefined)
    if (name !== undefined) this.#unfinished.set(name, plainLine(line))
  }

  /**
   * A signal ended the current ffmpeg, as it says in this line, after this many seconds of output. If each of
   * its inputs has an end, and the last end was not reached, the output was cut off. A run whose input has no
   * end, such as a screen, is normally ended by a signal.
   */
  stop(line: string, seconds: number): void {
    const longest = Math.max(...this.#lengths)
    if (this.#output === undefined || !FILE.test(this.#output) || !(longest > 0)) return
    if (seconds < longest * WHOLE) this.#unfinished.set(this.#output, plainLine(line))
  }

  /** Why an output is not whole; undefined if no failure was reported. */
  get failure(): string | undefined {
    return [...this.#unfinished.values()].find((failure) => failure !== undefined)
  }

  /** Whether the last run wrote to nowhere, only to look at its input. */
  get isToNowhere(): boolean {
    return this.#muxer === NULL_MUXER
  }

  /** The output that was begun last and is not finished; undefined if there is none. */
  get #open(): string | undefined {
    return [...this.#unfinished.keys()].findLast((name) => this.#unfinished.get(name) === undefined)
  }

  /** The last few outputs that were begun and whose end was not reported. */
  get unfinished(): readonly string[] {
    const open = [...this.#unfinished].flatMap(([name, failure]) => (failure === undefined ? [name] : []))
    return open.slice(-MOST_UNFINISHED)
  }

  /** The outputs that were begun and whose end was not reported, in words; undefined if there are none. */
  get seen(): string | undefined {
    const open = this.#open
    return open === undefined ? undefined : `ffmpeg was not seen to end ${open}`
  }

  #enter(line: string): void {
    const input = INPUT.exec(line)?.[1]
    if (input !== undefined) {
      this.#input = input
      this.#output = undefined
      this.#muxer = ""
      this.#lengths = []
    }
    this.#measure(line)
    const [, muxer, output] = OUTPUT.exec(line) ?? []
    if (output === undefined) return
    this.#output = output
    this.#muxer = muxer ?? ""
    // The output is written again, and may now become whole.
    this.#unfinished.delete(output)
    if (FILE.test(output)) this.#unfinished.set(output, undefined)
  }

  /** Whether an input with an end was not read to its end. A stream from elsewhere often ends with an error. */
  #isCut(line: string): boolean {
    if (this.#open === undefined || !(Math.max(...this.#lengths) > 0)) return false
    const cut = CUT.exec(line)
    return cut !== null && (cut[1] === undefined || cut[1] === this.#input)
  }

  /**
   * Whether an output was never begun. If ffmpeg is so quiet that it names no input, another ffmpeg may have written
   * it after all, as quietly.
   */
  #isNeverBegun(line: string): boolean {
    return this.#input !== "" && NEVER_BEGUN.test(line)
  }

  /** Reads the length of an input. */
  #measure(line: string): void {
    if (ANY_INPUT.test(line)) {
      this.#isLong = LONG_INPUT.test(line)
      if (this.#isLong) this.#lengths.push(Number.NaN)
    }
    const [found, hours, minutes, seconds] = DURATION.exec(line) ?? []
    if (found === undefined || !this.#isLong) return
    this.#lengths[this.#lengths.length - 1] = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
  }

  #fail(failure: string): void {
    // To nowhere, an encoder is tried or an input is measured.
    if (this.isToNowhere) return
    const name = this.#output ?? this.#input
    this.#unfinished.set(name, this.#unfinished.get(name) ?? failure)
  }

  #end(): void {
    const open = this.#open
    if (open !== undefined) this.#unfinished.delete(open)
    // An earlier failure with this input no longer counts, because another run succeeded; but a picture of it
    // does not replace a video.
    if (open !== undefined && this.#muxer !== "image2") this.#unfinished.delete(this.#input)
  }
}
