import type { Report } from "../item/item.ts"
import type { Heard, LineReader } from "./reader.ts"

// Blender 5 begins its lines with a time and a category: "00:01.547  render           | Fra: 1 | ...".
const PREFIX = /^(?:[\d:.]+ +)?render +\| +/
const RANGE = /^Rendering animation \(frames (-?\d{1,9})\.\.(-?\d{1,9})\)/
const FRAME = /^(?:Fra: ?|Rendering frame )(-?\d{1,9})\b/
const SAMPLES = /[|,] (?:Sample|Rendering) (\d{1,9}) ?\/ ?(\d{1,9})\b/
const TILES = /\| Rendered (\d{1,9})\/(\d{1,9}) Tiles\b/
const LAYER_DONE = /\| Finished$/
const SAVED = /^(?:Saved: |Append frame |Video append frame )/
const SKIPPED = /^skipping existing frame "[^"]*"$/i
const FRAME_END = /^ ?Time: [\d:.]+/

interface Count {
  readonly done: number
  readonly total: number
}

function count(pattern: RegExp, line: string): Count | undefined {
  const [, done, total] = pattern.exec(line) ?? []
  const counted = { done: Number(done), total: Number(total) }
  return counted.total > 0 && counted.done <= counted.total ? counted : undefined
}

/** How far the frame in hand is. A frame has as many layers (and views) as the frame before it, or as were seen. */
class FrameInHand {
  samples: Count | undefined
  tiles: Count | undefined
  #layersDone = 0
  #layersBefore = 0
  #layer = 0

  hear(line: string): void {
    if (LAYER_DONE.test(line)) {
      this.#layersDone += 1
      this.#layer = 0
    }
    const samples = count(SAMPLES, line)
    // Adaptive sampling and tiles end with a "Sample 0/64".
    if (!samples || (samples.done === 0 && this.#layer > 0)) return
    const tiles = count(TILES, line)
    const part = samples.done / samples.total
    // The first line of a tile still has the samples of the tile before it.
    const stale = tiles !== undefined && part === 1
    this.samples = stale && tiles.done !== this.tiles?.done ? undefined : samples
    this.tiles = tiles
    const share = tiles ? (tiles.done + (stale ? 0 : part)) / tiles.total : part
    this.#layer = Math.max(this.#layer, share)
  }

  get share(): number {
    const layers = Math.max(this.#layersBefore, this.#layersDone + (this.#layer > 0 ? 1 : 0), 1)
    return (this.#layersDone + this.#layer) / layers
  }

  next(): void {
    this.#layersBefore = Math.max(this.#layersBefore, this.#layersDone)
    this.#layersDone = 0
    this.#layer = 0
    this.samples = undefined
    this.tiles = undefined
  }
}

/** The number of frames, as Blender 5 tells it: one range an animation, the step between frames never. */
class Ranges {
  #before = 0
  #from = 0
  #to = -1
  #step = Number.POSITIVE_INFINITY
  #last: number | undefined

  start(from: number, to: number): void {
    this.#before = this.total ?? 0
    this.#from = from
    this.#to = to
    this.#step = Number.POSITIVE_INFINITY
    this.#last = undefined
  }

  frame(number: number): void {
    if (this.#last !== undefined && number > this.#last) {
      this.#step = Math.min(this.#step, number - this.#last)
    }
    this.#last = number
  }

  // The distance across a skipped frame is no step.
  skip(): void {
    this.#last = undefined
  }

  get total(): number | undefined {
    if (this.#to < this.#from) return this.#before || undefined
    const step = Number.isFinite(this.#step) ? this.#step : 1
    return this.#before + Math.floor((this.#to - this.#from) / step) + 1
  }
}

class Blender implements LineReader {
  readonly #given: number | undefined
  readonly #ranges = new Ranges()
  readonly #inHand = new FrameInHand()
  #frame: number | undefined
  #done = 0
  #saved = false
  #told = ""

  constructor(given: number | undefined) {
    this.#given = given
  }

  get #total(): number | undefined {
    return this.#given ?? this.#ranges.total
  }

  get reached(): number | null {
    return this.#total === undefined ? null : Math.min(1, this.#done / this.#total)
  }

  read(line: string): Heard | undefined {
    const said = line.replace(PREFIX, "").trimEnd()
    const ended = said === "Blender quit"
    if (!ended && !this.#hear(said)) return undefined
    const report = this.#report()
    const told = JSON.stringify(report)
    if (told === this.#told && !ended) return undefined
    this.#told = told
    return { report, ended }
  }

  /** Whether the line was about frames. */
  #hear(said: string): boolean {
    const range = RANGE.exec(said)
    const frame = FRAME.exec(said)
    if (range) this.#ranges.start(Number(range[1]), Number(range[2]))
    else if (frame) this.#enter(Number(frame[1]), said)
    else if (SAVED.test(said)) this.#save()
    else if (SKIPPED.test(said)) this.#skip()
    else if (FRAME_END.test(said)) this.#leave()
    else return false
    return true
  }

  #enter(frame: number, said: string): void {
    if (frame !== this.#frame) {
      this.#leave()
      this.#ranges.frame(frame)
      this.#frame = frame
    }
    this.#inHand.hear(said)
  }

  // Stereo and file outputs save several images a frame.
  #save(): void {
    if (!this.#saved) this.#done += 1
    this.#saved = true
  }

  #skip(): void {
    this.#ranges.skip()
    this.#done += 1
  }

  // "Time:" comes after a frame that could not be saved, too: only what was saved is done.
  #leave(): void {
    this.#saved = false
    this.#frame = undefined
    this.#inHand.next()
  }

  #report(): Report {
    const total = this.#total
    const { samples } = this.#inHand
    const message = this.#message(total)
    if (total === undefined) {
      return samples && !this.#saved ? { unit: { ...samples, name: "samples" }, message } : { message }
    }
    const share = (this.#done + (this.#saved ? 0 : this.#inHand.share)) / total
    const unit = { done: Math.min(this.#done, total), total, name: "frames" }
    return { progress: Math.min(100, share * 100), unit, message }
  }

  #message(total: number | undefined): string {
    const { samples, tiles } = this.#inHand
    if (this.#saved || this.#frame === undefined) {
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

const FRAME_LIST = /^(?:[+-]?\d{1,9}|\d{1,9}\.\.\d{1,9})$/

/** How many frames one part of `--render-frame` names: "7", "+1", "3..5". */
function listed(part: string): number {
  if (!FRAME_LIST.test(part)) return Number.NaN
  const [from, to] = part.split("..").map(Number)
  return from === undefined || to === undefined ? 1 : to - from + 1
}

/**
 * How many frames a Blender command line asks for, or undefined when it does not tell.
 *
 * It tells by `--render-frame` (`-f`), and by `--render-anim` (`-a`) after `--frame-start` (`-s`) and `--frame-end`
 * (`-e`); without those the scene decides.
 */
export function framesAsked(command: readonly string[]): number | undefined {
  const end = command.indexOf("--")
  const words = end === -1 ? command : command.slice(0, end)
  let [from, to, jump, frames] = [Number.NaN, Number.NaN, 1, 0]
  for (const [index, word] of words.entries()) {
    const value = words[index + 1] ?? ""
    if (word === "-s" || word === "--frame-start") from = Number(value)
    else if (word === "-e" || word === "--frame-end") to = Number(value)
    else if (word === "-j" || word === "--frame-jump") jump = Number(value)
    else if (word === "-a" || word === "--render-anim") frames += Math.floor((to - from) / jump) + 1
    else if (word === "-f" || word === "--render-frame") {
      frames += value.split(",").reduce((sum, part) => sum + listed(part), 0)
    }
  }
  return frames > 0 && Number.isSafeInteger(frames) ? frames : undefined
}

/**
 * Reads what `blender --background` writes to its standard output, of versions 2.8 to 5.
 *
 * A frame is done when Blender says that it saved it (or that it is there already and skipped). `total` is the
 * number of frames, 1 for a still. Without it Blender 5 tells the range of an animation; older versions tell
 * nothing, and there is no progress, but the frame's number and samples as message and unit.
 */
export function blender(total: number | undefined): LineReader {
  return new Blender(total === undefined ? undefined : Math.max(1, Math.round(total)))
}
