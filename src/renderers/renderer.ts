import { AppError } from "../errors.ts"
import { blender } from "./blender.ts"
import { ffmpeg } from "./ffmpeg.ts"
import { lines } from "./lines.ts"
import type { Heard, LineReader } from "./reader.ts"

/** Longest line of a renderer's output, in characters: 64 KiB of ASCII. */
export const MAX_LINE_LENGTH = 64 * 1024

/** The least fraction of a total that counts as all of it: containers round, and the last frames may be shorter. */
const WHOLE = 0.98

/** Whether a render that reached this fraction (0 to 1) of its total has finished. */
export const isWhole = (fraction: number): boolean => fraction >= WHOLE

/** Text to progress, piece by piece: pure but for what it remembers of its own input. */
export interface Renderer {
  /**
   * Takes the next piece of output, cut anywhere, and answers what it said: nothing, or several things.
   *
   * Lines end with LF, CR or both. A line is heard once it has ended, so `push("\n")` hears a last line that has
   * no end. The list does not depend on where the output was cut.
   * @throws AppError `too_large` for a line longer than `MAX_LINE_LENGTH`; nothing can be pushed after it
   */
  push(text: string): Heard[]
  /** The fraction of the total (0 to 1) that the output has reached so far, or null when the total is unknown. */
  readonly reached: number | null
}

/** The renderers whose output is understood; `lines` is any program that prints percents or "n of m". */
export const RENDERER_NAMES = ["ffmpeg", "blender", "lines"] as const

/** One of `RENDERER_NAMES`. */
export type RendererName = (typeof RENDERER_NAMES)[number]

const READERS: Readonly<Record<RendererName, (total: number | undefined) => LineReader>> = {
  ffmpeg,
  blender,
  lines,
}

// A backspace starts over as a CR does.
const LINE_END = /[\r\n\b]/

class LineCutter implements Renderer {
  #rest = ""
  readonly #reader: LineReader

  constructor(reader: LineReader) {
    this.#reader = reader
  }

  get reached(): number | null {
    return this.#reader.reached
  }

  push(text: string): Heard[] {
    const [first = "", ...others] = text.split(LINE_END)
    const cut = [this.#rest + first, ...others]
    if (cut.some((line) => line.length > MAX_LINE_LENGTH)) {
      throw new AppError(
        "too_large",
        `a line of the renderer's output is too long; it can have at most ${MAX_LINE_LENGTH} characters`,
      )
    }
    this.#rest = cut.pop() ?? ""
    return cut.flatMap((line) => (line === "" ? [] : (this.#reader.read(line) ?? [])))
  }
}

/**
 * A new listener for one run of a renderer.
 *
 * `total` is how much there is to do: seconds of output for ffmpeg (fractions welcome), frames for Blender; lines
 * tell their own total. Absent, or not above 0 and finite, it is unknown, and so is the progress until the output
 * itself tells the total.
 */
export function renderer(name: RendererName, total: number | undefined): Renderer {
  const known = total !== undefined && total > 0 && total <= 1e12 ? total : undefined
  return new LineCutter(READERS[name](known))
}
