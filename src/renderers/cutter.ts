/** Longest line of a renderer's output that is read, in characters: 64 KiB of ASCII. */
export const MAX_LINE_LENGTH = 64 * 1024

/** A line of output. */
export interface Line {
  /** Without its end; never empty. */
  readonly text: string
  /** Whether it replaces the line before it: that one ended with CR or a backspace, and not with LF. */
  readonly isRedrawn: boolean
}

const LINE_END = /[\r\n\b]/g

/**
 * Cuts an output into lines, however it comes in pieces. Lines end with LF, CR, both, or a backspace. A line of more
 * than `MAX_LINE_LENGTH` is dropped to its end. NUL characters are dropped, so that UTF-16 read as UTF-8 is legible.
 */
export class LineCutter {
  #rest = ""
  #isTooLong = false
  #isRedrawn = false

  /** The lines that end in this piece. */
  cut(piece: string): Line[] {
    const lines: Line[] = []
    const text = piece.includes("\0") ? piece.replaceAll("\0", "") : piece
    let from = 0
    for (const { 0: end, index } of text.matchAll(LINE_END)) {
      this.#add(text.slice(from, index))
      if (this.#rest !== "" && !this.#isTooLong) lines.push({ text: this.#rest, isRedrawn: this.#isRedrawn })
      this.#rest = ""
      this.#isTooLong = false
      this.#isRedrawn = end !== "\n"
      from = index + 1
    }
    this.#add(text.slice(from))
    return lines
  }

  #add(part: string): void {
    this.#isTooLong ||= this.#rest.length + part.length > MAX_LINE_LENGTH
    this.#rest = this.#isTooLong ? "" : this.#rest + part
  }
}
