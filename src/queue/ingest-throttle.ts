/** How many characters are read in a quarter of a second: more than any renderer prints. */
const PIECE = 64 * 1024
const PER_MS = PIECE / 250
/**
 * How many characters are read after a pause without a wait, because an output that was kept in a file comes as
 * a whole.
 */
const BURST = 16 * PIECE
/** About how many characters are read at once: other work waits so long. */
const SLICE = 16 * 1024
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

  /** Whether text is kept that was not read yet. */
  get isKeeping(): boolean {
    return this.#kept !== ""
  }

  /**
   * Takes text. `nowMs` is a clock that never goes back. `most` is how many characters of a burst may be kept;
   * a piece always may.
   */
  push(text: string, nowMs: number, most: number = BURST): void {
    this.#earn(nowMs)
    this.#keep(text, Math.max(PIECE, Math.min(most, this.#units)))
  }

  /** After how many milliseconds the next slice may be read. */
  waitMs(nowMs: number): number {
    this.#earn(nowMs)
    return this.#kept.length <= this.#units ? 0 : (PIECE - this.#units) / PER_MS
  }

  /** The next slice of the text that was kept, to read now. Line ends are where slices end. */
  take(): string {
    const end = sliceEnd(this.#kept)
    const slice = this.#kept.slice(0, end)
    this.#kept = this.#kept.slice(end)
    this.#units -= slice.length
    return slice
  }

  /** Notes that so much time has passed, whatever the clock shows by now. */
  waited(ms: number): void {
    this.#earn((this.#atMs ?? 0) + ms)
  }

  #earn(nowMs: number): void {
    const sinceMs = this.#atMs ?? nowMs
    if (nowMs < sinceMs) return
    this.#units = Math.min(BURST, this.#units + (nowMs - sinceMs) * PER_MS)
    this.#atMs = nowMs
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

/** Where the next slice of a text ends: after a line end if there is one, else at the end of the text. */
function sliceEnd(text: string): number {
  if (text.length <= SLICE) return text.length
  const before = Math.max(...["\n", "\r", "\b"].map((end) => text.lastIndexOf(end, SLICE - 1)))
  if (before >= 0) return before + 1
  const after = text.slice(SLICE).search(LINE_END)
  return after < 0 ? text.length : SLICE + after + 1
}
