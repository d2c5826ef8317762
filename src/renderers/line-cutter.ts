import { BACKSPACE, ESCAPE, NEW_LINE, RETURN } from "./control-characters.ts"

/** Longest line of a renderer's output that is read, in characters: 64 KiB of ASCII. */
export const MAX_LINE_LENGTH = 64 * 1024

// Runs of NULs are removed at once: one by one, a stream of them would be read at 10 MB a second.
const NULS = /\0+/g

const isEnd = (unit: number): boolean => unit === NEW_LINE || unit === RETURN || unit === BACKSPACE

/** The most characters of an escape sequence that moves the cursor. */
const MAX_ESCAPE = 12
/** The longest line whose beginning is kept while its end is drawn over, in characters. */
const MAX_KEPT = 1000
// Runs of backspaces are one end: one by one, they would be read at 5 MB a second.
const ENDS = /[\r\n]|[\b]+/g
/**
 * Some bars are drawn without a carriage return: the cursor is moved to the first column, to another line, or
 * to a place.
 */
const MOVES = `${ESCAPE}\\[(?:[01]?G|\\d{0,4}[AEF]|[\\d;]{0,9}[Hf])`
const MOVE = new RegExp(MOVES, "g")
const ENDS_AND_MOVES = new RegExp(`${ENDS.source}|${MOVES}`, "g")
/** The most lines that are counted below the cursor: no display of bars is higher. */
const MAX_BELOW = 50
/** How many lines the cursor goes up or down. */
const ROWS = new RegExp(`^${ESCAPE}\\[(\\d*)([ABEF])$`)
/** Whether one backspace goes back over one character of a text: not if a part of it has no width, or if it is long. */
const canGoBack = (text: string): boolean => text.length <= MAX_KEPT && !text.includes(ESCAPE)
/** A sequence at the end of a piece that has not ended. */
const OPEN = new RegExp(`${ESCAPE}(?:\\[[\\d;]{0,9})?$`)

/** A line of output. */
export interface Line {
  /** Without its end, as a terminal shows it after backspaces; never empty. */
  readonly text: string
  /**
   * Whether it replaces text: the line before it ended with CR, a backspace or a move, and not with LF, or the cursor
   * went up to a line above this one.
   */
  readonly isRedrawn: boolean
}

/**
 * Cuts an output into lines, wherever its pieces begin and end. A line ends with LF, CR, both, a backspace,
 * or a movement of the cursor back over the text. A line of more than `MAX_LINE_LENGTH` is dropped to its
 * end. NUL characters are dropped, so that UTF-16 read as UTF-8 is legible.
 */
export class LineCutter {
  /** The end of a line in the piece; undefined until it is known whether the cursor is moved there. */
  #end: RegExp | undefined = ENDS
  #piece = ""
  /** The beginning of an escape sequence at the end of the last piece. */
  #open = ""
  #from = 0
  #rest = ""
  /** What stands before the cursor after backspaces: only what follows is drawn over. */
  #kept = ""
  #isTooLong = false
  #isRedrawn = false
  /** How many lines below the present one were written before the cursor went up. */
  #below = 0

  /** Whether the line that has not ended yet will be dropped. */
  get isTooLong(): boolean {
    return this.#isTooLong
  }

  /** Takes a piece; the one before it must have been read to its end. */
  feed(piece: string): void {
    this.#piece = this.#open + (piece.includes("\0") ? piece.replace(NULS, "") : piece)
    const isEscaped = this.#piece.includes(ESCAPE)
    this.#open = (isEscaped && OPEN.exec(this.#piece.slice(-MAX_ESCAPE))?.[0]) || ""
    this.#piece = this.#piece.slice(0, this.#piece.length - this.#open.length)
    this.#end = isEscaped ? undefined : ENDS
    this.#from = 0
  }

  /** The next line that ends in the piece; undefined at its end. */
  next(): Line | undefined {
    for (;;) {
      const ends = (this.#end ??= this.#endsAhead())
      ends.lastIndex = this.#from
      const end = ends.exec(this.#piece)
      this.#add(this.#piece.slice(this.#from, end?.index))
      if (!end) return this.#leave()
      this.#from = end.index + end[0].length
      const line = this.#finish(end[0])
      if (line) return line
    }
  }

  /**
   * The next line that contains `sought`; undefined at the end of the piece. The lines before it are skipped
   * at little cost. A line that began in an earlier piece is returned even if it does not contain it.
   */
  nextWith(sought: RegExp): Line | undefined {
    if (this.#rest === "" && !this.#isTooLong) {
      const found = this.#piece.slice(this.#from).search(sought)
      this.#passTo(found < 0 ? this.#piece.length : this.#from + found)
    }
    return this.next()
  }

  #endsAhead(): RegExp {
    MOVE.lastIndex = this.#from
    return MOVE.test(this.#piece) ? ENDS_AND_MOVES : ENDS
  }

  /** Passes over the lines before the one in which this place is. */
  #passTo(at: number): void {
    let start = at
    while (start > this.#from && !isEnd(this.#piece.charCodeAt(start - 1))) start -= 1
    if (start === this.#from) return
    this.#isRedrawn = this.#piece[start - 1] !== "\n"
    this.#below = 0
    this.#kept = ""
    this.#from = start
  }

  #leave(): undefined {
    this.#piece = ""
    this.#from = 0
  }

  #finish(end: string): Line | undefined {
    const line = { text: this.#kept + this.#rest, isRedrawn: this.#isRedrawn }
    // Spaces that erase what stood there are no line: "Frame 4/300" would be read as "4/30" and "4/3".
    const isErasing = this.#kept !== "" && this.#rest.trim() === ""
    const isRead = this.#rest !== "" && !this.#isTooLong && !isErasing
    const isBack = end.startsWith("\b") && !this.#isTooLong && canGoBack(line.text)
    this.#kept = isBack ? line.text.slice(0, -end.length) : ""
    this.#rest = ""
    this.#isTooLong = false
    this.#isRedrawn = end !== "\n" || this.#comesDown()
    this.#move(end)
    return isRead ? line : undefined
  }

  /** Whether the next line is one to which the cursor comes down again. */
  #comesDown(): boolean {
    // The last of these lines is often empty: then the next one is new.
    const isBelow = this.#below > 1
    this.#below = Math.max(0, this.#below - 1)
    return isBelow
  }

  #move(end: string): void {
    const [, rows, direction = ""] = (end.length > 1 && ROWS.exec(end)) || []
    if (direction === "") return
    const change = Number(rows || 1)
    this.#below = Math.min(MAX_BELOW, Math.max(0, this.#below + (/[AF]/.test(direction) ? change : -change)))
  }

  #add(part: string): void {
    this.#isTooLong ||= this.#rest.length + part.length > MAX_LINE_LENGTH
    this.#rest = this.#isTooLong ? "" : this.#rest + part
  }
}
