/** How many characters are read in a quarter of a second: more than any renderer prints. */
const PIECE = 64 * 1024
const PER_MS = PIECE / 250
/**
 * How many characters are read at once after a pause, because an output that was kept in a file comes as a
 * whole.
 */
const BURST = 16 * PIECE
const LINE_END = /[\r\n\b]/

/**
 * Keeps a flood of text from being read faster than `PER_MS`. If more text comes, only the newest part is
 * kept and read a little later. A line break is put between the two parts, so that no line is made of both.
 */
export class IngestThrottle {
  #units = BURST
  #atMs: number | undefined
  #kept = ""
  /** Whether text was skipped up to the middle of a line. */
  #isTorn = false

  /** Whether text is kept for later. */
  get isKeeping(): boolean {
    return this.#kept !== ""
  }

  /** Takes text, and returns the text to read now. `nowMs` is a clock that never goes back. */
  push(text: string, nowMs: number): string {
    this.#units = Math.min(BURST, this.#units + (nowMs - (this.#atMs ?? nowMs)) * PER_MS)
    this.#atMs = nowMs
    const isEnough = this.#units >= PIECE || (!this.isKeeping && text.length <= this.#units)
    this.#keep(text, isEnough ? this.#units : PIECE)
    return isEnough ? this.take() : ""
  }

  /** The text that was kept, to read now. */
  take(): string {
    const kept = this.#kept
    this.#kept = ""
    this.#units -= kept.length
    return kept
  }

  /** After how many milliseconds the kept text may be read. */
  get waitMs(): number {
    return Math.max(0, (PIECE - this.#units) / PER_MS)
  }

  #keep(text: string, most: number): void {
    const all = this.#kept + text
    const isCut = this.#isTorn || all.length > most
    const newest = isCut ? all.slice(-most) : all
    const end = isCut ? LINE_END.exec(newest) : null
    this.#isTorn = isCut && end === null
    if (this.#isTorn) this.#kept = ""
    else this.#kept = end ? newest.slice(end.index) : newest
  }
}
