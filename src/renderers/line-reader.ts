import type { Report } from "../item/item.ts"

/** What the output so far proves about the render. */
export interface Evidence {
  /**
   * The fraction (0 to 1) of the total that was reached. Null if no total was given, or if the total is a guess: a
   * guess proves nothing.
   */
  readonly reached: number | null
  /** Whether the renderer said that it ended. ffmpeg says so after a SIGTERM too, so this is not a success. */
  readonly hasEnded: boolean
  /** The line in which the renderer said that it failed; undefined if it did not. */
  readonly failure: string | undefined
  /** The files that the renderer says it saved: the last thousand or so. It can say so of a file that is empty. */
  readonly saved: readonly string[]
  /** The files that an ffmpeg began to write and whose end was not seen, by the names that ffmpeg uses. */
  readonly unfinished: readonly string[]
  /**
   * What leaves a doubt, in words: how much was seen of a guessed total ("3 of 6 frames seen"), or what was printed
   * after the end of the render; undefined if nothing does.
   */
  readonly seen: string | undefined
}

/** The evidence of an output that says nothing about success. */
export const NO_EVIDENCE: Evidence = {
  reached: null,
  hasEnded: false,
  failure: undefined,
  saved: [],
  unfinished: [],
  seen: undefined,
}

/** What is known about an output before it is read. */
export interface Expected {
  /** Seconds of output for ffmpeg, frames for Blender; undefined while unknown. */
  readonly total: number | undefined
  /** Whether the total was guessed, and not given by the user. */
  readonly isTotalGuessed: boolean
  /** How many progress bars follow one another; undefined while unknown. */
  readonly bars: number | undefined
  /** Whether the renderer must print at least one frame: without any, the render failed. */
  readonly mustShowFrames: boolean
  /** Whether the renderer's messages about its end are in the output, and not only its progress. */
  readonly hearsWords: boolean
  /** Milliseconds from an arbitrary start, never going back. */
  readonly now: () => number
}

/** Understands the output of one kind of renderer. */
export interface LineReader {
  /**
   * Reads one line: without its end, never empty. `isRedrawn` means that it replaces the line before it, as progress
   * bars do. Returns what can be reported now, complete in itself; undefined if the line said nothing new.
   */
  read(line: string, isRedrawn: boolean): Report | undefined
  /** What the lines so far prove. */
  readonly evidence: Evidence
  /**
   * While there is too much output, only lines that contain this are read; undefined while every line is
   * read. `came` is how many characters came so far. If absent, every line is read.
   */
  sought?(came: number): RegExp | undefined
  /**
   * Whether there is so much output that only lines with `LOUD` in them are read. If absent, this is never
   * the case.
   */
  isFlooded?(came: number): boolean
}

const MAX_FAILURE_LENGTH = 1000

/** A renderer's line as it can be stored: without colours and control characters, and not too long. */
export const plainLine = (line: string): string =>
  line
    .replace(/\p{Cc}\[[\d;]*m/gu, "")
    .replace(/\p{Cc}/gu, " ")
    .trim()
    .slice(0, MAX_FAILURE_LENGTH)
    .toWellFormed()
