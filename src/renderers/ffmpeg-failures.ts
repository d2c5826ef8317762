import { plainLine } from "./line-reader.ts"
import { WHOLE } from "./whole-from-98-percent.ts"

/** ffmpeg's messages for output that could not be written. After them, it can still exit with 0. */
const FAILURE =
  /\bError writing trailer\b|\bError closing file\b|\bError opening output file\b|\bError (?:re)?initializing (?:complex filter|output stream\b)|\bav_interleaved_write_frame\(\): |\bError (?:muxing a packet|submitting a packet to the muxer|writing (?:header|packet))\b|\bUnable to re-open \S+ output file\b/
/** A failure of what is done before anything is written, also to nowhere. */
const BEFORE_WRITING = /\bcomplex filter|\boutput stream|\bopening output file/
/** An ffmpeg that refused its command, or has no input: it did not begin. */
const NOT_BEGUN =
  /^(?:\[\w+\] )?Error (?:opening input file |splitting the argument list: |parsing global options: (?:Filter|Option) not found$)/
/** An output whose file is there and is kept, or for which the input has nothing, as a song without a picture. */
const NEEDLESS =
  /^File '.*' already exists\. (?:Exiting\.|.* Not overwriting - exiting)$|\bOutput file does not contain any stream$/
/**
 * ffmpeg's words for an empty output. A bracket follows, except in the first of two passes. ffmpeg 6 and later name the
 * kind of the output.
 */
const EMPTY = /^(?:\[out#\d+\/(\S+) @ \w+\] )?(?:\[\w+\] )?Output file is empty, nothing was encoded ?\(/
/** The kinds of pictures. One of a time after the end of a video is empty. */
const PICTURE = /^(?:image2|mjpeg|gif|webp|apng|avif)/
/** The last line of an ffmpeg that failed. A script can continue after it, and exit with 0. */
const GIVEN_UP = /^(?:\[(?:error|fatal)\] )?Conversion failed[!]$/
/**
 * An input that could not be read to its end. Data that is not valid is not meant: it may be what follows the end of a
 * song, which some formats call not permitted.
 */
const CUT =
  /^\[in#\d+\/.* @ \w+\] Error during demuxing: (?!Invalid data|Immediate exit|End of file|Operation not permitted)[A-Z]/
/** The same before ffmpeg 6, behind the name of the input: the words of a system for a file or a connection. */
const CUT_BY_NAME =
  /^(.+): (?:(?:Input\/output|Remote I\/O|Protocol) error|Connection (?:reset by peer|refused|timed out)|Operation timed out|Cannot allocate memory|Stale file handle|Network is unreachable|No route to host|Bad file descriptor|Server returned .+|Error number -?\d+ occurred)$/
/** A part of a list that is missing. */
const PART_MISSING = /^\[concat @ \w+\] Impossible to open '/
/** The reader of a pipe has all that it needs, or has failed; its own exit code shows which. */
const PIPE_CLOSED = /: Broken pipe$/
/**
 * An output to a network address was cut off before its end. Files, pipes and sockets of this machine do not match:
 * their reader may have all that it needs.
 */
const TO_ADDRESS =
  /^Error (?:writing trailer of|closing file) (?!(?:file|fd|pipe|unix):)[a-z][a-z0-9+.-]*:\/\//i
const OTHER_REASON = /: (?!Broken pipe$)[A-Z][\w ]+$/
/** An output that was never begun. ffmpeg 4 can still exit with 0. */
const NEVER_BEGUN =
  /^(?:\[out#\d+\/\w+ @ \w+\] )?(?:\[error\] )?Nothing was written into output file(?: \d+ \(.*\))?, because\b/
/** The name for outputs that are thrown away. */
const NULL_MUXER = "null"
/** The number and the kind of an output, in the messages about it. */
const KIND = /^(?:\[out|Output )#(\d+)(?:\/|, )(\S+)(?: @ |, to ')/
const INPUT = /^Input #(\d+), (.*), from '(.*)':$/
/** An input with a length: not a picture, and not an input that ffmpeg generates. */
const LONG_INPUT = /^Input #\d+, (?!lavfi\b|image2\b|\w+_pipe\b)/
/** A failed try of an encoder, if the input is generated. */
const TRY = /encoder|^Error opening output file/i
/** Sources that are only good to try something. */
const TEST_SOURCE = /^a?(?:nullsrc|testsrc|smpte)/
/** The name for tries of encoders, and for an ffmpeg that did not begin. */
const TRIED = "what was tried"
const OUTPUT = /^Output #0, \S+, to '(.*)':$/
const DURATION = /^ {2}Duration: (?:(\d+):(\d\d):(\d\d\.\d+)|N\/A),/
/** The most outputs that are named as unfinished. */
const MOST_UNFINISHED = 8
/** ffmpeg's summary line: one for each output file, in earlier versions one for all. */
const SUM = /^(?!\[out#[1-9]).*\bmuxing overhead\b/
/** The summary of an output that is empty. */
const SUM_OF_NOTHING = /^video:0k\w+ audio:0k.*\bmuxing overhead\b/
/** An output that can be left unfinished: a file, and not a pipe, an address or a device. */
const FILE = /^(?![a-z][a-z0-9+.-]*:|\/dev\/)./i
const QUOTED = /'[^']*'/g

function failureIn(line: string): string | undefined {
  // Most lines match none of these, so ask the cheap question first.
  if (!/rror|Unable|av_|Impossible/.test(line)) return undefined
  // An indented line is the tag of a file, and a quoted text is its name: a song can have any name.
  if (/^(?:\[\w+\] )?\s/.test(line)) return undefined
  const plain = plainLine(line)
  return FAILURE.test(plain.replace(QUOTED, "''")) || NOT_BEGUN.test(plain) ? plain : undefined
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
  /** The first input with a length, otherwise the first one: several songs can have the same picture. */
  #input = ""
  /** The names of the current run's inputs, and their formats. */
  #inputs: { readonly name: string; readonly format: string }[] = []
  /** The lengths of those that have one, in seconds; `NaN` while a length is unknown. */
  #lengths: number[] = []
  #isLong = false
  /** Whether the current ffmpeg said more than its failure. */
  #isLoud = false
  /** Why its inputs were not read to their end, if that is known before its output is. */
  #lost: string | undefined
  #output: string | undefined
  #muxer = ""
  #hasPiped = false
  /** Whether a pipe was closed, because of which ffmpeg will give up. */
  #isPipeClosed = false
  #hasEnded = false
  /** The output that was empty last. */
  #empty: string | undefined
  /** The output whose ffmpeg was killed, as a line says. */
  #killed: string | undefined
  #before = ""

  /** Reads a line that is not part of a block. */
  hear(line: string): void {
    this.#nameKind(line)
    const failure = failureIn(line)
    // An ffmpeg that is quiet does not name its output.
    const isOfPipe = (this.#hasPiped || !this.#isLoud) && !TO_ADDRESS.test(line)
    if (isOfPipe && PIPE_CLOSED.test(line)) this.#isPipeClosed = true
    else if (failure !== undefined) this.#hearFailure(failure)
    else if (GIVEN_UP.test(line)) this.#giveUp(line)
    else if (SUM.test(line)) this.#end()
    else if (this.#isEmpty(line)) this.#empty = this.#fail(plainLine(line), true)
    else if (this.#isCut(line)) this.#lose(plainLine(line))
    else if (this.#isNeverBegun(line)) this.#fail(plainLine(line), false)
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
    this.#killed = name
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
    const failed = [...this.#unfinished].find(
      ([name, failure]) => failure && !(this.#hasEnded && name === TRIED),
    )
    return failed?.[1]
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

  /** Reads which kind of output is written. If there are several, one that is not thrown away counts. */
  #nameKind(line: string): void {
    const [, number, kind] = KIND.exec(line) ?? []
    if (kind !== undefined && (number === "0" || this.isToNowhere)) this.#muxer = kind
  }

  #hearFailure(failure: string): void {
    // If the next ffmpeg is quiet as well, only another reason shows that it has begun.
    const isOther = TO_ADDRESS.test(failure) || (!this.#isLoud && OTHER_REASON.test(failure))
    const isOfPipe = this.#isPipeClosed && !isOther
    if (NEEDLESS.test(this.#before) || isOfPipe) return
    const hasBegun = !NOT_BEGUN.test(failure)
    const isWriting = hasBegun && !BEFORE_WRITING.test(failure)
    // If ffmpeg is quiet, another one may have written its output as quietly.
    if (!isWriting && !this.#isLoud) return
    if (hasBegun) this.#fail(failure, isWriting)
    else this.#unfinished.set(TRIED, failure)
    this.#isLoud &&= isWriting
  }

  #giveUp(line: string): void {
    if (!this.#isPipeClosed) this.#fail(/rror/.test(this.#before) ? this.#before : plainLine(line), false)
    this.#isPipeClosed = this.#isLoud = false
  }

  #enter(line: string): void {
    // A mere `ffmpeg -version` does not indent this line, and one that only looks at a file writes nothing.
    if (line.startsWith("  built with ")) this.#isLoud = true
    if (line.startsWith("At least one output file")) this.#isLoud = false
    this.#enterInput(line)
    const output = OUTPUT.exec(line)?.[1]
    if (output === undefined) return
    this.#output = output
    this.#hasPiped ||= output.startsWith("pipe:")
    // The output is written again, and may now become whole.
    this.#unfinished.delete(output)
    if (FILE.test(output)) this.#unfinished.set(output, this.#lost)
  }

  /** Whether an input with an end was not read to its end. A stream from elsewhere often ends with an error. */
  #isCut(line: string): boolean {
    const inputs = this.#inputs
    if (PART_MISSING.test(line))
      return this.#open !== undefined || inputs.some(({ format }) => format === "concat")
    if (!(Math.max(...this.#lengths) > 0)) return false
    const name = CUT_BY_NAME.exec(line)?.[1]
    return CUT.test(line) || (name !== undefined && inputs.some((input) => input.name === name))
  }

  /** A part of the current input is lost. The input may be read before the output is named. */
  #lose(failure: string): void {
    if (this.#output === undefined) this.#lost ??= failure
    else if (this.#open !== undefined) this.#fail(failure, false)
  }

  /**
   * Whether an output was never begun. If ffmpeg is so quiet that it names no input, another ffmpeg may have written
   * it after all, as quietly.
   */
  #isNeverBegun(line: string): boolean {
    return this.#input !== "" && NEVER_BEGUN.test(line)
  }

  /**
   * Whether an output has nothing in it although it is a file, and no picture. Before ffmpeg 6, only its summary shows
   * that this line is about the output that was named last.
   */
  #isEmpty(line: string): boolean {
    const empty = EMPTY.exec(line)
    if (empty === null || this.#output === undefined || !FILE.test(this.#output)) return false
    return (
      !PICTURE.test(empty[1] ?? this.#muxer) && (empty[1] !== undefined || SUM_OF_NOTHING.test(this.#before))
    )
  }

  /** Reads an input and its length. */
  #enterInput(line: string): void {
    const [, number, format = "", name] = INPUT.exec(line) ?? []
    if (number === "0") {
      this.#output = this.#lost = undefined
      this.#muxer = ""
      this.#isPipeClosed = false
      this.#inputs = []
      this.#lengths = []
    }
    if (name !== undefined) {
      this.#isLoud = true
      this.#isLong = LONG_INPUT.test(line)
      if (number === "0" || (this.#isLong && this.#lengths.length === 0)) this.#input = name
      this.#inputs.push({ name, format })
      if (this.#isLong) this.#lengths.push(Number.NaN)
    }
    const [found, hours, minutes, seconds] = DURATION.exec(line) ?? []
    if (found === undefined || !this.#isLong) return
    this.#lengths[this.#lengths.length - 1] = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
  }

  /** `isWriting` says that something was written, and therefore to somewhere. Returns the name of what failed. */
  #fail(failure: string, isWriting: boolean): string | undefined {
    // To nowhere, an encoder is tried or an input is measured.
    if (this.isToNowhere && !isWriting) return undefined
    const output = this.isToNowhere ? undefined : this.#output
    const name = output ?? (this.#isTry(failure) ? TRIED : this.#input)
    this.#unfinished.set(name, this.#unfinished.get(name) ?? failure)
    return name
  }

  /** Whether a run that failed before its output was named tried only whether an encoder works. */
  #isTry(failure: string): boolean {
    const isGenerated = this.#input !== "" && this.#inputs.every(({ format }) => format === "lavfi")
    return isGenerated && (TRY.test(failure) || TEST_SOURCE.test(this.#input))
  }

  #end(): void {
    this.#isLoud = false
    // Only an ffmpeg that lives can say what it wrote.
    const open = this.#open ?? (this.#killed === this.#output ? this.#output : undefined)
    if (open === undefined) return
    this.#hasEnded = true
    this.#killed = undefined
    this.#unfinished.delete(open)
    // What was empty before another output was whole may have been a part of it, such as silence.
    if (this.#empty !== undefined && this.#empty !== this.#output) this.#unfinished.delete(this.#empty)
    // An earlier failure with this input no longer counts, because another run succeeded; but a picture of it
    // does not replace a video.
    if (!PICTURE.test(this.#muxer)) this.#unfinished.delete(this.#input)
  }
}
