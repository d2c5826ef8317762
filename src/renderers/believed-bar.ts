import { LateStart } from "./late-start.ts"

/** A fall of at most this fraction is not a new beginning: totals are corrected while they are counted. */
const SMALL_FALL = 0.05
/** A bar begins at this fraction or below. */
export const NEAR_START = 0.1
/** A bar that is this far is near its end. */
export const NEAR_END = 0.9

/** What a new line says about a percentage that was seen before. */
export type Growth = "unproven" | "same" | "grew" | "restarted" | "rejected"

/** How a line was printed, and its text beside the percentage. */
export interface LineLook {
  /** Whether it replaced the line before it. */
  readonly isRedrawn: boolean
  /** Whether a bar is drawn in it. */
  readonly hasDrawing: boolean
  /** The shape of the text after the percentage. Only a line that is not drawn is asked. */
  readonly tail: () => string
  /** Whether it is a row of figures. Only a line that is not drawn is asked. */
  readonly isRow: () => boolean
  /** Whether the percentage comes first, in brackets: then the text after it changes. */
  readonly isHead: boolean
  /** Whether figures stand before it that are not a count, as in a summary: "4 received, 0% lost". */
  readonly isSummary: boolean
  /** Whether its words only name something and say nothing of work: "health: 45%". Only a first line is asked. */
  readonly isNoun: () => boolean
  /** Its number, if it is one of several: "Frame 1: 45%". Asked while every earlier line had one. */
  readonly ordinal: () => string | undefined
}

/** The look of a line that shows nothing beside its percentage. */
export const BARE: LineLook = {
  isRedrawn: false,
  hasDrawing: false,
  tail: () => "",
  isRow: () => false,
  isHead: false,
  isSummary: false,
  isNoun: () => false,
  ordinal: () => undefined,
}

/** Whether a line looks like a bar. */
export const isDrawnAs = ({ isRedrawn, hasDrawing }: LineLook): boolean => isRedrawn || hasDrawing

/** Whether a bar has just begun. If it is not drawn, it counts as a new one only at 0. */
export const isAtStart = (fraction: number, look: LineLook): boolean =>
  (fraction === 0 && !look.isSummary) || (isDrawnAs(look) && fraction <= NEAR_START)

/**
 * One percentage over time, distinguished by the words before it. It is believed to be a bar when it was seen
 * again with a higher value. A bar falls only to its start, and then another begins. A percentage that falls
 * otherwise is a gauge or a table, and is never believed again.
 */
export class BelievedBar {
  /** When it was seen first, in milliseconds. */
  readonly startedMs: number
  /** The highest fraction since it began, 0 to 1. */
  fraction: number
  /** The number of the line that showed it last. */
  seenAt: number
  /** The number of the line with which it began, or began again. */
  begunAt: number
  /** Whether it has grown, and so is a bar. */
  isBelieved = false
  /** Whether it fell as a bar never does. */
  isRejected = false
  /** Whether it began when no other bar had come far. */
  isEarly = false
  /** Whether it has begun again. */
  hasRestarted = false
  /** Whether it was inside another bar, and began once more after the end of that one. */
  isLast = false
  /** Whether it is drawn as a bar. */
  isDrawn: boolean
  /** Whether it is redrawn in its place. */
  isRedrawn: boolean
  /** Whether its words only name something, and say nothing of work. */
  readonly isNamed: boolean
  /** Whether it failed and begins once more, perhaps where it stopped: then it may fall, once. */
  mayFall = false
  /** Whether it is the first of several, as its number says: it does not change while the bar grows. */
  isFirstOfSeveral: boolean
  #ordinal: string | undefined
  /** The bar around this one. */
  parent: BelievedBar | undefined
  #tail: () => string
  readonly #start: LateStart
  #rises = 0
  #falls = 0

  constructor(fraction: number, look: LineLook, line: number, startedMs: number) {
    this.fraction = fraction
    this.startedMs = startedMs
    this.seenAt = line
    this.begunAt = line
    this.isDrawn = isDrawnAs(look)
    this.isRedrawn = look.isRedrawn
    this.#tail = look.tail
    this.isNamed = !look.isHead && look.isNoun()
    this.#ordinal = look.ordinal()
    this.isFirstOfSeveral = /^[01]$/.test(this.#ordinal ?? "")
    this.#start = new LateStart(this.isNamed, fraction)
  }

  /** Whether it may be a value that is measured while the work goes on. */
  get isDoubtful(): boolean {
    return this.isNamed && !this.isDrawn
  }

  /** Whether it looks like a bar, or behaves like one. */
  get isBar(): boolean {
    return this.isDrawn || this.isBelieved
  }

  /** Reads a later line. */
  see(fraction: number, look: LineLook, line: number): Growth {
    if (this.isRejected) return "unproven"
    const isDrawn = isDrawnAs(look)
    const isAlike = isDrawn || this.#isLine(fraction, look)
    this.#tail = look.tail
    this.isDrawn ||= isDrawn
    this.isRedrawn = look.isRedrawn
    this.seenAt = line
    if (!this.isDrawn && this.#start.doubts(fraction)) {
      this.fraction = fraction
      return "unproven"
    }
    if (!isAlike) return "unproven"
    if (fraction === this.fraction) return this.isBelieved ? "same" : "unproven"
    const isRise = fraction > this.fraction
    if (this.isFirstOfSeveral) this.#number(look.ordinal(), isRise)
    return isRise ? this.#rise(fraction) : this.#fall(fraction, look.isRedrawn, line)
  }

  /** Whether it is the line that was seen before. Only a bar goes back to 0, whatever follows on the line. */
  #isLine(fraction: number, { isHead, isRow, tail }: LineLook): boolean {
    return (isHead || fraction === 0 || tail() === this.#tail()) && !isRow()
  }

  /** A bar that goes on when its number goes up is of all that is numbered. */
  #number(ordinal: string | undefined, isRise: boolean): void {
    if (isRise) this.isFirstOfSeveral = ordinal === this.#ordinal
    this.#ordinal = ordinal
  }

  #rise(fraction: number): Growth {
    this.fraction = fraction
    this.isBelieved = true
    this.#rises += 1
    return "grew"
  }

  #fall(fraction: number, isRedrawn: boolean, line: number): Growth {
    const fall = this.fraction - fraction
    if (this.mayFall || this.#isRestart(fraction, isRedrawn)) {
      this.mayFall = false
      this.fraction = fraction
      this.begunAt = line
      this.hasRestarted = true
      return this.isBelieved ? "restarted" : "unproven"
    }
    this.#falls += 1
    const isRare = this.#falls * (isRedrawn ? 2 : 10) <= this.#rises
    if (fall <= SMALL_FALL && isRare) return "same"
    this.isRejected = true
    this.isBelieved = false
    return "rejected"
  }

  #isRestart(fraction: number, isRedrawn: boolean): boolean {
    const fall = this.fraction - fraction
    if (fall <= SMALL_FALL) return fraction === 0
    if (fraction <= NEAR_START || this.fraction >= 0.99) return true
    return isRedrawn && fraction <= this.fraction / 2
  }
}
