import { plainLine } from "./reader.ts"

const NO_MEMORY = /\berror\b[^|]*?: .*\bout of\b.*\bmemory\b/i
const NOT_SAVED = /\bcannot save: '/i
const NO_CAMERA = /\bcannot render, no camera\b|\bno camera found\b/i
const TRACEBACK = /\bTraceback \(most recent call last\):/
const EXCEPTION = /^[A-Za-z_][\w.]*(?::|$)/

/** What Blender says of failure. */
export class Trouble {
  #isInTraceback = false
  /** What no frame makes good: memory that is gone, and a frame that could not be saved. */
  #lasting: string | undefined
  #other: string | undefined

  /** Reads a line. */
  hear(line: string): void {
    if (this.#lasting === undefined && (NO_MEMORY.test(line) || NOT_SAVED.test(line)))
      this.#lasting = plainLine(line)
    if (TRACEBACK.test(line)) {
      this.#isInTraceback = true
      this.#other ??= plainLine(line)
    } else if (this.#isInTraceback && EXCEPTION.test(line)) {
      // The last line of a traceback says what happened, and so does the last of several tracebacks.
      this.#isInTraceback = false
      this.#other = plainLine(line)
    } else if (NO_CAMERA.test(line)) this.#other = plainLine(line)
  }

  /** The line that fails the render, which has this many frames; undefined if none does. */
  failure(frames: number): string | undefined {
    return this.#lasting ?? (frames === 0 ? this.#other : undefined)
  }
}
