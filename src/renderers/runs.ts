import { plainLine } from "./reader.ts"

/** ffmpeg's words for output that could not be written. It can exit with 0 after them. */
const FAILURE =
  /\bError writing trailer\b|\bError closing file\b|\bError opening output file\b|\bav_interleaved_write_frame\(\): |\bError (?:muxing a packet|submitting a packet to the muxer|writing (?:header|packet))\b|\bUnable to re-open \S+ output file\b/
/** Its last words after a failure. A script can go on after them, and exit with 0. */
const GIVEN_UP = /^Conversion failed\b/
const INPUT = /^Input #0, .*, from '(.*)':$/
const OUTPUT = /^Output #0, (\S+), to '(.*)':$/
/** It sums up once an output file, and earlier versions once for all. */
const SUM = /^(?!\[out#[1-9]).*\bmuxing overhead\b/
/** What can be left behind unfinished: a file, and no pipe, address or device. */
const FILE = /^(?![a-z][a-z0-9+.-]*:|\/dev\/)./i
const QUOTED = /'[^']*'/g

function failureIn(line: string): string | undefined {
  // Most lines match none of these, so ask the cheap question first.
  if (!/rror|Unable|av_/.test(line)) return undefined
  // What is indented is the tag of a file, and what is quoted its name: a song can be called anything.
  if (/^\s/.test(line)) return undefined
  const plain = plainLine(line)
  return FAILURE.test(plain.replace(QUOTED, "''")) ? plain : undefined
}

/** The fate of what ffmpeg wrote, run after run, in its own words and in those of the shell that ran it. */
export class Runs {
  /**
   * Why each output is not whole, by its name; undefined while it is being written. A run that failed before it named its
   * output is known by its input.
   */
  readonly #unfinished = new Map<string, string | undefined>()
  #input = ""
  #output: string | undefined
  #isPicture = false
  #before = ""

  /** Reads a line that is no part of a block. */
  hear(line: string): void {
    const failure = failureIn(line)
    if (failure !== undefined) this.#fail(failure)
    else if (GIVEN_UP.test(line)) this.#fail(/rror/.test(this.#before) ? this.#before : plainLine(line))
    else if (SUM.test(line)) this.#end()
    else this.#enter(line)
    this.#before = plainLine(line)
  }

  /** A signal ended an ffmpeg, as the shell says in this line. `isWriting` means that one was certainly at work. */
  kill(line: string, isWriting: boolean): void {
    const name = this.#open ?? (isWriting ? "" : undefined)
    if (name !== undefined) this.#unfinished.set(name, plainLine(line))
  }

  /** Why an output is not whole; undefined if nothing was said against any. */
  get failure(): string | undefined {
    return [...this.#unfinished.values()].find((failure) => failure !== undefined)
  }

  /** The output that was begun last and is not finished; undefined if there is none. */
  get #open(): string | undefined {
    return [...this.#unfinished.keys()].findLast((name) => this.#unfinished.get(name) === undefined)
  }

  /** What was begun and never seen to end, in words; undefined if nothing was. */
  get seen(): string | undefined {
    const open = this.#open
    return open === undefined ? undefined : `ffmpeg was not seen to end ${open}`
  }

  #enter(line: string): void {
    const input = INPUT.exec(line)?.[1]
    if (input !== undefined) {
      this.#input = input
      this.#output = undefined
    }
    const [, muxer, output] = OUTPUT.exec(line) ?? []
    if (output === undefined) return
    this.#output = output
    this.#isPicture = muxer === "image2"
    // It is written again, and that may go well.
    this.#unfinished.delete(output)
    if (FILE.test(output)) this.#unfinished.set(output, undefined)
  }

  #fail(failure: string): void {
    const name = this.#output ?? this.#input
    this.#unfinished.set(name, this.#unfinished.get(name) ?? failure)
  }

  #end(): void {
    const open = this.#open
    if (open !== undefined) this.#unfinished.delete(open)
    // What failed with this input before has been done in another way, but a picture of it is no video.
    if (open !== undefined && !this.#isPicture) this.#unfinished.delete(this.#input)
  }
}
