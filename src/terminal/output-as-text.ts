import { notKept, printable } from "../text.ts"
import type { OutputPart } from "../wire/answers.ts"

/**
 * Writes the output of a command piece by piece, as text that cannot control a terminal. A missing part is
 * shown as a line of its own.
 */
export class OutputText {
  #attempt: number | undefined
  #isLineOpen = false

  /** The text of the piece that comes next. */
  next({ attempt, missing, text }: OutputPart): string {
    const isOther = this.#attempt !== undefined && this.#attempt !== attempt
    const head = isOther ? this.#note(`attempt ${attempt}`) : ""
    const gap = missing > 0 ? this.#note(notKept(missing)) : ""
    this.#attempt = attempt
    this.#isLineOpen = !text.endsWith("\n")
    return head + gap + text.replace(/[^\n\t]+/g, printable)
  }

  #note(line: string): string {
    const end = this.#isLineOpen ? "\n" : ""
    this.#isLineOpen = false
    return `${end}[${line}]\n`
  }

  /** What ends the last line, if it has no end. */
  get end(): string {
    return this.#isLineOpen ? "\n" : ""
  }
}
