import type { Report } from "../item/item.ts"
import { blender } from "./blender.ts"
import { hasEnd, worthDecoding } from "./failures-in-flood.ts"
import { ffmpeg } from "./ffmpeg.ts"
import { LineCutter } from "./line-cutter.ts"
import type { Evidence, Expected, LineReader } from "./line-reader.ts"
import { lines } from "./lines.ts"
import type { RendererName } from "./names.ts"

/**
 * Reads the output of one run of a renderer. It is pure: it depends only on its input and on the time that it
 * is given.
 */
export interface Renderer {
  /**
   * Takes the next piece of output, cut anywhere, and returns the reports that follow from it, each complete in
   * itself. The same command can write to several outputs (1 standard output, 2 standard error); their lines are cut
   * apart.
   *
   * A line is heard once it has ended, so `push("\n")` hears a last line that has no end.
   */
  push(text: string, output?: number): Report[]
  /**
   * The part of the next bytes that must be decoded and pushed: not all of it if there is too much output, or
   * if a line is too long.
   */
  worthDecoding(bytes: Uint8Array, output?: number): Uint8Array
  /** What the output so far proves. */
  readonly evidence: Evidence
}

const READERS: Readonly<Record<RendererName, (expected: Expected) => LineReader>> = {
  ffmpeg,
  blender,
  lines,
}

const NOTHING = new Uint8Array()

class CutOutput implements Renderer {
  readonly #cutters = new Map<number, LineCutter>()
  readonly #reader: LineReader
  #came = 0

  constructor(reader: LineReader) {
    this.#reader = reader
  }

  get evidence(): Evidence {
    return this.#reader.evidence
  }

  worthDecoding(bytes: Uint8Array, output = 1): Uint8Array {
    if (this.#cutters.get(output)?.isTooLong && !hasEnd(bytes)) return NOTHING
    return this.#reader.isFlooded?.(this.#came) ? worthDecoding(bytes) : bytes
  }

  push(text: string, output = 1): Report[] {
    const cutter = this.#cutters.get(output) ?? new LineCutter()
    this.#cutters.set(output, cutter)
    const reports: Report[] = []
    cutter.feed(text)
    this.#came += text.length
    for (;;) {
      const sought = this.#reader.sought?.(this.#came)
      const line = sought ? cutter.nextWith(sought) : cutter.next()
      if (!line) return reports
      const report = this.#reader.read(line.text, line.isRedrawn)
      if (report) reports.push(report)
    }
  }
}

const isTotal = (total: number): boolean => total > 0 && total <= 1e12

/** A new reader for one run of a renderer; see `Expected` for what can be known before. By default nothing is. */
export function renderer(name: RendererName, known: Partial<Expected> = {}): Renderer {
  const { total, isTotalGuessed = false, mustShowFrames = false, bars } = known
  const expected: Expected = {
    total: total !== undefined && isTotal(total) ? total : undefined,
    isTotalGuessed,
    mustShowFrames,
    bars,
    hearsWords: false,
    now: known.now ?? (() => performance.now()),
  }
  return new CutOutput(READERS[name](expected))
}
