import { printable } from "../text.ts"

const MAX_CHARACTERS = 2000
const MAX_LINES = 20

/** Remembers the last lines of an output, as a terminal would show them. */
export class LastLines {
  #text = ""

  /** Takes the next piece of the output. */
  push(text: string): void {
    // Keep more than is shown: colours and overwritten text are removed at the end.
    this.#text = (this.#text + text).slice(-4 * MAX_CHARACTERS)
  }

  /** At most 20 lines and 2,000 characters, without colours; empty when nothing was printed. */
  get text(): string {
    const lines = this.#text
      .split(/\r?\n/)
      .map((line) => printable(Bun.stripANSI(line.slice(line.lastIndexOf("\r") + 1))).trimEnd())
      .filter((line) => line !== "")
    return lines.slice(-MAX_LINES).join("\n").slice(-MAX_CHARACTERS).toWellFormed()
  }
}
