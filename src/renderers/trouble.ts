import { plainLine } from "./reader.ts"

const NO_MEMORY = /\berror\b[^|]*?: .*\bout of\b.*\bmemory\b/i
const NO_CAMERA = /\bcannot render, no camera\b|\bno camera found\b/i
const TRACEBACK = /\bTraceback \(most recent call last\):/
const EXCEPTION = /^[A-Za-z_][\w.]*(?::|$)/

/** What Blender says of failure. */
export class Trouble {
  #isInTraceback = false
  #memory: string | undefined
  #other: string | undefined

  /** Reads a line. */
  hear(line: string): void {
    if (this.#memory === undefined && NO_MEMORY.test(line)) this.#memory = plainLine(line)
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
    return this.#memory ?? (frames === 0 ? this.#other : undefined)
  }
}
