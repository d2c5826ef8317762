import { MAX_PIECE_BYTES, type OutputPiece } from "../item/output-piece.ts"
import { BACKSPACE, ESCAPE, NEW_LINE, RETURN } from "./control-characters.ts"
import { goesUp, linesSinceUp, redrawn } from "./moved-cursor.ts"
import { withoutBackspaces } from "./without-backspaces.ts"

/** A line begins again here: the cursor goes to its first column, or the line is erased. */
const BEGUN_OVER = new RegExp(`(?:${ESCAPE}\\[|\u009b)(?:[01]?G|2K)`, "g")
/** Other escape sequences: those with parameters, titles and other strings, and short ones. */
const ESCAPES = new RegExp(
  [
    `(?:${ESCAPE}\\[|\u009b)[0-?]*[ -/]*[@-~]?`,
    `${ESCAPE}\\][^\u0007${ESCAPE}]*(?:\u0007|${ESCAPE}\\\\)?`,
    `${ESCAPE}[PX^_][^${ESCAPE}]*(?:${ESCAPE}\\\\)?`,
    `${ESCAPE}[ -/]*[0-~]?`,
  ].join("|"),
  "g",
)
/** Characters that steer a terminal or turn the direction of text, except tabs. */
const UNPRINTABLE = /(?!\t)\p{Cc}|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu
/** A text without any of these is shown as it is. */
const PLAIN = /^[^\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]*$/u

/** Control characters, except those that divide text, and what was no UTF-8. */
const UNUSUAL = /(?![\t\n\r])[\p{Cc}\ufffd]/gu

/** A text without escape sequences, with a carriage return where a line begins again. */
const unescaped = (text: string): string => text.replace(BEGUN_OVER, "\r").replace(ESCAPES, "")

/** So many lines after the cursor last went up, it is not expected to go up again. */
const MOST_LINES_BELOW = 64
/** The most bytes of a sequence that moves the cursor. */
const LONGEST_MOVE = 7

/** The final look of a line on a terminal, after everything that was drawn over it. */
function shownOf(line: string): string {
  const last =
    unescaped(line)
      .split("\r")
      .findLast((drawn) => drawn !== "") ?? ""
  return withoutBackspaces(last).replace(UNPRINTABLE, "\ufffd")
}

const lookOf = (line: string): string => (PLAIN.test(line) ? line : shownOf(line))

/** The look of these lines on a terminal: printable text, tabs and line breaks. */
const linesShown = (text: string): string => text.split("\n").map(lookOf).join("\n")

/** Whether the first line of a text is drawn over the text that stood there before. */
const isDrawnOver = (text: string): boolean => /^(?:[\b]|[^\n]*\r(?![\r\n]|$))/.test(unescaped(text))

/** The text of bytes; undefined if they are data. A terminal skips NUL bytes, so a text may have them. */
function textOf(bytes: Uint8Array, decoder: TextDecoder): string | undefined {
  const text = decoder.decode(bytes)
  if (!bytes.includes(0)) return text
  const isText = text.replace(UNUSUAL, "").length * 3 > text.length * 2
  return isText ? text.replaceAll("\0", "") : undefined
}

/** The end of the last character that has come as a whole. */
function wholeEnd(bytes: Uint8Array): number {
  const last = bytes.findLastIndex((byte) => (byte & 0xc0) !== 0x80)
  const lead = bytes[last] ?? 0
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1
  return bytes.length - last < length ? last : bytes.length
}

/** Where to cut a line that is too long: between two characters. */
function cutOf(bytes: Uint8Array): number {
  let at = MAX_PIECE_BYTES
  while (at > MAX_PIECE_BYTES - 3 && ((bytes[at] ?? 0) & 0xc0) === 0x80) at -= 1
  return at
}

/**
 * The output of a command, as text that can be shown anywhere. A line is given when it has ended, as a
 * terminal shows it then: without colours, and without text that was drawn over. Data that is not text, which
 * is full of NUL bytes, is left out.
 */
export class Transcript {
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true })
  /** The bytes that were not given yet, and their position. */
  #rest: Uint8Array = new Uint8Array()
  #at: number
  /** Where the next piece begins: before `#at` if the bytes in between show nothing. */
  #from: number
  /** Whether the last piece has left its line open. */
  #isOpen = false
  /** How many of the last lines are kept because the cursor may go up to them, and how many ended since it last did. */
  #height = 0
  #since = 0

  /** `at` is the position of the first byte. */
  constructor(at = 0) {
    this.#at = at
    this.#from = at
  }

  /** Takes the next bytes, cut anywhere; returns the lines that have ended. */
  push(bytes: Uint8Array): OutputPiece[] {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    this.#redraw(bytes)
    const pieces: OutputPiece[] = []
    for (let end = this.#nextEnd(); end > 0; end = this.#nextEnd()) pieces.push(...this.#take(end))
    return pieces
  }

  /** The present text of the line that has not ended yet; empty if there is none. */
  rest(): OutputPiece[] {
    return this.#rest.length === 0 ? [] : this.#take(this.#rest.length)
  }

  /** Skips bytes that were lost; returns the present text of the line before them. */
  skip(bytes: number): OutputPiece[] {
    const before = this.rest()
    this.#at += bytes
    this.#from = this.#at
    return before
  }

  /** Whether there is a line that has not ended yet, and is not being drawn over. */
  get hasOpenLine(): boolean {
    if (this.#rest.length === 0 || (this.#height > 0 && this.#since <= this.#height)) return false
    const last = this.#rest.subarray(this.#rest.lastIndexOf(NEW_LINE) + 1)
    return !last.includes(RETURN) && !last.includes(BACKSPACE)
  }

  /** If the cursor goes up, what was drawn over is left out of the text that was not given yet. */
  #redraw(latest: Uint8Array): void {
    // A sequence may have begun in the bytes before.
    const from = Math.max(0, this.#rest.length - latest.length - LONGEST_MOVE)
    const text = Buffer.from(this.#rest.subarray(from)).toString("latin1")
    const isUp = goesUp(text)
    if (!isUp && this.#height === 0) return
    this.#since = isUp ? linesSinceUp(text) : this.#since + latest.filter((byte) => byte === NEW_LINE).length
    const end = wholeEnd(this.#rest)
    if (this.#rest.includes(0)) return
    const whole = redrawn(this.#decoder.decode(this.#rest.subarray(0, end)), lookOf)
    const shown = Buffer.concat([Buffer.from(whole.text), this.#rest.subarray(end)])
    this.#height = this.#since > this.#height + MOST_LINES_BELOW ? 0 : Math.max(this.#height, whole.height)
    // Bytes that are no text can need more of them.
    if (shown.length > this.#rest.length) return
    this.#at += this.#rest.length - shown.length
    this.#rest = shown
  }

  /** The end of the next piece, in bytes from here; 0 if none has ended. */
  #nextEnd(): number {
    const end = this.#rest.subarray(0, MAX_PIECE_BYTES).lastIndexOf(NEW_LINE) + 1
    const given = Math.min(end, this.#aboveCursor())
    if (given > 0) return given
    if (end > 0) return this.#rest.length > MAX_PIECE_BYTES ? end : 0
    // If a line is drawn over, only the last version will be shown.
    this.#pass(this.#drawnFrom())
    return this.#rest.length > MAX_PIECE_BYTES ? cutOf(this.#rest) : 0
  }

  /** The end of the lines to which the cursor is not expected to go up; 0 if there are none. */
  #aboveCursor(): number {
    if (this.#height === 0) return this.#rest.length
    let end = this.#rest.length
    for (let lines = 0; lines <= this.#height && end >= 0; lines += 1) {
      end = this.#rest.subarray(0, end).lastIndexOf(NEW_LINE)
    }
    return end + 1
  }

  /**
   * Where the last version of the open line begins that shows anything: what follows the last carriage return may be
   * only a colour, or the end of the line. 0 if nothing is drawn over.
   */
  #drawnFrom(): number {
    let end = this.#rest.length
    for (;;) {
      const start = this.#rest.subarray(0, end).lastIndexOf(RETURN)
      if (start <= 0) return 0
      const text = this.#decoder.decode(this.#rest.subarray(start + 1, end))
      if (/[^\r\0]/.test(unescaped(text))) return start
      end = start
    }
  }

  #take(end: number): OutputPiece[] {
    const bytes = this.#rest.subarray(0, end)
    this.#pass(end)
    const raw = textOf(bytes, this.#decoder)
    if (raw === undefined) {
      this.#from = this.#at
      return []
    }
    const text = `${this.#isOpen && isDrawnOver(raw) ? "\n" : ""}${linesShown(raw)}`
    if (text === "") return []
    const from = this.#from
    this.#from = this.#at
    this.#isOpen = !text.endsWith("\n")
    return [{ from, to: this.#at, text }]
  }

  #pass(bytes: number): void {
    this.#rest = this.#rest.subarray(bytes)
    this.#at += bytes
  }
}
