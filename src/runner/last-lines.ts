import { UnreadOutput } from "../renderers/unread-output.ts"
import { withoutBackspaces } from "../renderers/without-backspaces.ts"
import { printable } from "../text.ts"

const MAX_CHARACTERS = 2000
const MAX_LINES = 20
/** More bytes than are shown, because colours and overwritten text are removed only at the end. */
const MOST_BYTES = 8 * MAX_CHARACTERS

/** The look of a text on a terminal, in printable characters. */
const shown = (text: string): string => printable(withoutBackspaces(Bun.stripANSI(text))).trimEnd()

/** Remembers the last lines of an output, as a terminal would show them. */
export class LastLines {
  readonly #recent = new UnreadOutput(MOST_BYTES)

  /** Takes the next piece of the output, which must not change any more. */
  push(bytes: Uint8Array): void {
    this.#recent.push({ output: 2, bytes })
  }

  /**
   * Removes and returns what was pushed: at most 20 lines and 2,000 characters, without colours. Empty if
   * nothing was pushed.
   */
  take(): string {
    const last = Buffer.concat(this.#recent.take().chunks.map(({ bytes }) => bytes)).subarray(-MOST_BYTES)
    const lines = new TextDecoder()
      .decode(last)
      .split(/\r?\n/)
      .map((line) => shown(line.slice(line.lastIndexOf("\r") + 1)))
      .filter((line) => line !== "")
    return lines.slice(-MAX_LINES).join("\n").slice(-MAX_CHARACTERS).toWellFormed()
  }
}
