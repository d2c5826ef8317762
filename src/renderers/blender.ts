import type { Report } from "../item/item.ts"
import { BarsInSequence } from "./bars-in-sequence.ts"
import { BlenderFailures } from "./blender-failures.ts"
import { FrameInHand, FrameRange } from "./blender-frame-in-hand.ts"
import { type Evidence, type Expected, type LineReader, NO_EVIDENCE } from "./line-reader.ts"
import { WHOLE } from "./whole-from-98-percent.ts"

// Blender 5 begins its lines with a time and a category: "00:01.547  render           | Fra: 1 | ...". Other
// programs may write a line without its end, and then their text stands before Blender's.
const CATEGORY = /\brender +\| +/
/** What a farm or a container puts before each line: "0: STDOUT: Fra:1 Mem:9M", "blender-1  | Fra:1 Mem:9M". */
export const PREFIX = /^.{0,80}?[\]|:>] +(?=Fra: ?-?\d+ Mem:)/
const RANGE = /^Rendering animation \(frames (-?\d{1,9})\.\.(-?\d{1,9})\)/
// The words are translated: "Fra:1 Mem:9M", "Fot:1 Mem:42.10M (Pico 43.00M)".
const FRAME =
  /^(?:Fra: ?|Rendering frame |(?:\p{L}{2,12}|\p{sc=Han}): ?(?=-?\d+ (?:\| )?\p{L}{2,12}: ?[\d.]+[KMG]))(-?\d{1,9})\b/u
const SAVED = /(?:^Saved: |Saved: '|\b(?:Append|Video append) frame \d)/
const SAVED_FILE = /Saved: '(.*)'/
const SKIPPED = /skipping existing frame "[^"]*"$/i
const FRAME_END = /(?:^|' ) ?Time: [\d:.]+/
/** The most files that are remembered: after a full disk, all further files are empty. */
export const MAX_FILES = 1000
const USUAL = /^(?:Blender \d|Read (?:blend|prefs)|Blender quit)|\bRead blend: /

class Blender implements LineReader {
  readonly #expected: Expected
  readonly #range = new FrameRange()
  readonly #inHand = new FrameInHand()
  readonly #trouble = new BlenderFailures()
  #sequence: BarsInSequence
  /** Whether a still was seen to have several layers. */
  #isLayered = false
  #frame: number | undefined
  /** Frames of the current bar, if several renders follow one another. */
  #done = 0
  #most = 0
  #isSaved = false
  #hasQuit = false
  #hasSpoken = false
  readonly #saved: string[] = []
  #told = ""

  constructor(expected: Expected) {
    this.#expected = expected
    this.#sequence = this.#newSequence()
  }

  get #total(): number | undefined {
    const { total } = this.#expected
    return total === undefined ? this.#range.total : Math.max(1, Math.round(total))
  }

  get #isTotalGiven(): boolean {
    return this.#expected.total !== undefined && !this.#expected.isTotalGuessed
  }

  get evidence(): Evidence {
    const total = this.#total
    const { printed } = this.#trouble
    // If bars were declared, all must be full.
    const most = this.#expected.bars === undefined ? 1 : this.#sequence.fraction
    const fraction = total === undefined ? null : Math.min(most, this.#most / total)
    return {
      ...NO_EVIDENCE,
      reached: this.#isTotalGiven ? fraction : null,
      hasEnded: this.#hasQuit,
      failure: this.#failure(fraction),
      saved: this.#saved,
      seen:
        !this.#isTotalGiven && fraction !== null && fraction < 1
          ? `${this.#most} of ${total} frames seen`
          : printed && `after the last frame: ${printed}`,
    }
  }

  #failure(fraction: number | null): string | undefined {
    const said = this.#trouble.failure(this.#most)
    if (said !== undefined) return said
    if (this.#expected.mustShowFrames && this.#hasSpoken && this.#most === 0) return "no frame was rendered"
    // The end of a total in seconds may be missing, but no frame of a total in frames.
    const isShort = this.#isTotalGiven && fraction !== null && fraction < 1 && fraction >= WHOLE
    return isShort ? `only ${this.#most} of ${this.#total} frames were rendered` : undefined
  }

  read(line: string): Report | undefined {
    const before = CATEGORY.exec(line) ?? PREFIX.exec(line)
    const said = (before ? line.slice(before.index + before[0].length) : line).trimEnd()
    this.#trouble.hear(said)
    if (USUAL.test(said)) this.#hasSpoken = true
    if (said === "Blender quit") this.#hasQuit = true
    else if (!this.#hear(said)) return undefined
    const report = this.#report()
    const told = JSON.stringify(report)
    if (told === this.#told) return undefined
    this.#told = told
    return report
  }

  /** Whether the line was about frames. A line can have several messages, because its end can be missing. */
  #hear(said: string): boolean {
    const range = RANGE.exec(said)
    const frame = FRAME.exec(said)
    const [isSave, isSkip, isEnd] = [SAVED.test(said), SKIPPED.test(said), FRAME_END.test(said)]
    if (frame || isSave || isSkip) this.#trouble.goOn()
    if (range) this.#begin(Number(range[1]), Number(range[2]))
    if (frame) this.#enter(Number(frame[1]), said)
    if (isSave) this.#save(SAVED_FILE.exec(said)?.[1])
    if (isSkip) this.#skip()
    if (isEnd) this.#leave()
    return range !== null || frame !== null || isSave || isSkip || isEnd
  }

  /** An animation begins. Its frames are the total, unless the user gave one. */
  #begin(from: number, to: number): void {
    if (this.#expected.total === undefined && this.#range.total !== undefined) this.#again()
    this.#range.start(from, to)
  }

  #enter(frame: number, said: string): void {
    if (this.#hasQuit && this.#done >= (this.#total ?? Number.POSITIVE_INFINITY)) this.#again()
    this.#hasQuit = false
    if (frame !== this.#frame) {
      this.#leave()
      this.#range.frame(frame)
      this.#frame = frame
    }
    this.#inHand.hear(said)
  }

  /** All frames are done, and more are rendered: this is another bar. */
  #again(): void {
    this.#done = 0
    this.#sequence.begin()
  }

  // Stereo and file outputs save several images for each frame.
  #save(file: string | undefined): void {
    if (file !== undefined) this.#saved.push(file)
    if (this.#saved.length > 2 * MAX_FILES) this.#saved.splice(0, MAX_FILES)
    if (!this.#isSaved) this.#count()
    this.#isSaved = true
  }

  #skip(): void {
    this.#range.skip()
    this.#count()
  }

  #count(): void {
    this.#done += 1
    this.#most = Math.max(this.#most, this.#done)
  }

  // "Time:" also comes after a frame that could not be saved: only saved frames are done.
  #leave(): void {
    this.#isSaved = false
    this.#frame = undefined
    this.#inHand.next()
  }

  #report(): Report {
    const total = this.#total
    const { samples } = this.#inHand
    const message = this.#message(total)
    if (total === undefined) {
      return samples && !this.#isSaved ? { unit: { ...samples, name: "samples" }, message } : { message }
    }
    const unit = { done: Math.min(this.#done, total), total, name: "frames" }
    return { ...this.#progress(total), unit, message }
  }

  #progress(total: number): Report {
    const inHand = this.#isSaved ? 0 : this.#inHand.fraction
    const fraction = Math.min(1, (this.#done + inHand) / total)
    // The first of several frames is a small part: its progress is not set back if it was too high.
    if (total === 1) this.#setBack(fraction)
    const sequence = this.#sequence
    sequence.move(fraction)
    const progress = sequence.fraction * 100
    if (this.#expected.bars !== undefined) return { progress, basis: "declared" }
    if (!sequence.isFirst) return { progress, basis: "guess", eta_seconds: null }
    // After the first layer of a still it is unknown whether another one will follow.
    if (total === 1 && inHand >= 1) return { progress, basis: "guess" }
    // After its last frame it is unknown whether another render will follow.
    if (this.#hasQuit || (!this.#isTotalGiven && progress === 100)) return { progress, basis: "guess" }
    return { progress, basis: this.#isTotalGiven ? "declared" : "counted" }
  }

  /** The progress that was shown for a still was only that of its first layer. */
  #setBack(fraction: number): void {
    if (this.#isLayered || this.#isSaved || !this.#inHand.isLayered || !this.#sequence.isFirst) return
    this.#isLayered = true
    if (fraction < this.#sequence.fraction) this.#sequence = this.#newSequence()
  }

  #newSequence(): BarsInSequence {
    return new BarsInSequence({ ...this.#expected, countsQuick: true })
  }

  #message(total: number | undefined): string {
    const { samples, tiles } = this.#inHand
    if (this.#isSaved || this.#frame === undefined) {
      return total === undefined
        ? `frames saved: ${this.#done}`
        : `${Math.min(this.#done, total)} of ${total} frames`
    }
    return [
      total === undefined ? `frame ${this.#frame}` : `frame ${Math.min(this.#done + 1, total)} of ${total}`,
      tiles && `tile ${Math.min(tiles.done + 1, tiles.total)} of ${tiles.total}`,
      samples && `sample ${samples.done} of ${samples.total}`,
    ]
      .filter((part) => part)
      .join(", ")
  }
}

/**
 * Reads the output of `blender --background`, of versions 2.7 to 5, and finds the failures in it.
 *
 * A frame is done when Blender says that it saved the frame (or that the frame exists already and is
 * skipped). `total` is the number of frames, 1 for a still. Without a total, Blender 5 prints the range of an
 * animation. Older versions print nothing, and then there is no progress, but the frame's number and samples
 * as message and unit.
 */
export const blender = (expected: Expected): LineReader => new Blender(expected)
