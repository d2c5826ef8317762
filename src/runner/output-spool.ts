import type { OutputPiece } from "../item/output-piece.ts"
import { NEW_LINE, RETURN } from "../renderers/control-characters.ts"
import { Transcript } from "../renderers/transcript-without-escapes.ts"
import { UnreadOutput } from "../renderers/unread-output.ts"

/**
 * How much is kept while the server is unreachable. A server keeps the same amount of each attempt by
 * default.
 */
const SPOOL_BYTES = 256 * 1024

/** Text that only draws over a line is gathered together with what follows, but at the latest after this many bytes. */
const MOST_DRAWN_BYTES = 4096

/** Text that waits to be sent. */
interface WaitingText {
  /**
   * The position of its first byte in everything that is sent. Bytes that were lost before it are counted,
   * too.
   */
  readonly at: number
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** The lines of one output of the command. */
interface OutputLines {
  readonly transcript: Transcript
  /** The position up to which the lines were returned. */
  to: number
  isHeard: boolean
}

/**
 * The text that a command has printed and the server does not have yet. If it is too much, the oldest text is
 * dropped.
 */
export class OutputSpool {
  readonly #recent = new UnreadOutput(SPOOL_BYTES)
  readonly #lines = new Map<number, OutputLines>()
  #parts: WaitingText[] = []
  #size = 0
  #end = 0
  /** How many bytes were added since they were last gathered. */
  #newBytes = 0

  /**
   * Adds what was printed on an output, 1 or 2. It costs nothing, however much is printed. Returns whether it
   * should be gathered soon. Text that only draws over a line, as a progress bar does, can wait: the line has not ended.
   */
  push(bytes: Uint8Array, output: number): boolean {
    this.#recent.push({ output, bytes })
    this.#newBytes += bytes.length
    if (this.#newBytes > MOST_DRAWN_BYTES) return true
    return bytes.includes(NEW_LINE) || !bytes.includes(RETURN)
  }

  /** Whether nothing waits to be sent. */
  get isEmpty(): boolean {
    return this.#parts.length === 0
  }

  /**
   * Takes in the lines that have ended since the last time, and unfinished lines to which nothing was added
   * since. Returns whether a line is left for the next time, even if nothing is printed until then.
   */
  gather(): boolean {
    this.#newBytes = 0
    const { dropped, chunks } = this.#recent.take()
    if (dropped > 0) this.#lose(dropped)
    for (const lines of this.#lines.values()) lines.isHeard = false
    for (const { output, bytes } of chunks) {
      const lines = this.#linesOf(output)
      lines.isHeard = true
      this.#add(lines, lines.transcript.push(bytes))
    }
    for (const lines of this.#lines.values()) {
      if (!lines.isHeard && lines.transcript.hasOpenLine) this.#add(lines, lines.transcript.rest())
    }
    return [...this.#lines.values()].some(({ transcript }) => transcript.hasOpenLine)
  }

  /** Takes in everything that is left after the command has ended. */
  close(): void {
    this.gather()
    for (const lines of this.#lines.values()) this.#add(lines, lines.transcript.rest())
  }

  /** The text to send next, without a gap; undefined if nothing waits. */
  next(): WaitingText | undefined {
    const [first] = this.#parts
    if (!first) return undefined
    let end = first.at
    const taken: Uint8Array[] = []
    for (const { at, bytes } of this.#parts) {
      if (at !== end) break
      taken.push(bytes)
      end += bytes.length
    }
    return { at: first.at, bytes: new Uint8Array(Buffer.concat(taken)) }
  }

  /** Notes that the server has everything up to this position. */
  stored(end: number): void {
    this.#parts = this.#parts.filter(({ at }) => at >= end)
    this.#size = this.#parts.reduce((size, { bytes }) => size + bytes.length, 0)
  }

  #linesOf(output: number): OutputLines {
    const known = this.#lines.get(output)
    const lines = known ?? { transcript: new Transcript(), to: 0, isHeard: false }
    this.#lines.set(output, lines)
    return lines
  }

  #lose(bytes: number): void {
    for (const lines of this.#lines.values()) this.#add(lines, lines.transcript.rest())
    this.#end += bytes
  }

  #add(lines: OutputLines, pieces: readonly OutputPiece[]): void {
    for (const { from, to, text } of pieces) {
      // Data between two lines that is no text.
      this.#end += Math.max(0, from - lines.to)
      lines.to = to
      const bytes = new TextEncoder().encode(text)
      this.#parts.push({ at: this.#end, bytes })
      this.#end += bytes.length
      this.#size += bytes.length
    }
    while (this.#size > SPOOL_BYTES) this.#size -= this.#parts.shift()?.bytes.length ?? this.#size
  }
}
