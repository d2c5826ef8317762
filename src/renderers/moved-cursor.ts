import { ESCAPE } from "./control-characters.ts"

const UP = new RegExp(`${ESCAPE}\\[\\d{0,4}[AF]`)
/** The moves from one line to another, and what erases lines. "k" goes up, and draws on behind what is there. */
const MOVES = new RegExp(`(\n|${ESCAPE}\\[\\d{0,4}[ABEFJKk])`)
const MOVE = new RegExp(`^${ESCAPE}\\[(\\d*)([A-Kk])$`)
/** The start of an escape sequence whose end has not come yet. */
const UNFINISHED = new RegExp(`${ESCAPE}(?:\\[[0-?]*|\\][^\u0007${ESCAPE}]*)?$`)
const TO_FIRST_COLUMN = new RegExp(`${ESCAPE}\\[[01]?G`, "g")
/** No screen is higher: a cursor that goes up further stays there. */
const MAX_ROWS = 200

/** Whether the cursor goes up in a text. */
export const goesUp = (text: string): boolean => UP.test(text)

/** How many lines end in a text after the cursor last went up. */
export const linesSinceUp = (text: string): number => (text.split(UP).at(-1) ?? "").split("\n").length - 1

/** A text in which the cursor stays or goes down; the last line may be open. */
export interface Redrawn {
  /** The same look in fewer characters; if the cursor is not in the last line, it goes up at the end. */
  readonly text: string
  /** How many lines above the last one the cursor went at most. */
  readonly height: number
}

/** The lines of a screen on which text is drawn. A row that was not drawn on is undefined. */
class Rows {
  readonly #rows: (string | undefined)[] = [""]
  #at = 0
  /** How many lines above the last one the cursor went at most. */
  height = 0

  /** Draws where the cursor is. */
  draw(text: string): void {
    if (text !== "") this.#rows[this.#at] = (this.#rows[this.#at] ?? "\r") + text
  }

  /** Moves to another line, or erases. */
  move(sequence: string): void {
    const [, number = "", what = "\n"] = MOVE.exec(sequence) ?? []
    const rows = Math.min(MAX_ROWS, Math.max(1, Number(number)))
    if (what === "A" || what === "F") this.#up(rows)
    else if (what === "B" || what === "E") this.#to(Math.min(this.#rows.length - 1, this.#at + rows))
    else if (what === "k") this.#at = Math.max(0, this.#at - rows)
    else if (what === "\n") this.#to(this.#at + 1)
    else this.#erase(what, number)
  }

  #up(rows: number): void {
    // The lines above were given before: they are drawn once more.
    while (this.#at < rows && this.#rows.length < MAX_ROWS) {
      this.#rows.unshift(undefined)
      this.#at += 1
    }
    this.#to(Math.max(0, this.#at - rows))
    this.height = Math.max(this.height, this.#rows.length - 1 - this.#at)
  }

  #to(row: number): void {
    const isNew = row === this.#rows.length
    this.#at = row
    if (isNew) this.#rows.push("")
    else if (this.#rows[row] !== undefined) this.#rows[row] += "\r"
  }

  /** Erases the line ("K") or what is below ("J"); from the cursor on, which is known only in the first column. */
  #erase(what: string, number: string): void {
    const isFirst = this.#rows[this.#at]?.endsWith("\r") ?? true
    const isToEnd = Number(number) === 0
    if (what === "J" && isToEnd) this.#rows.length = this.#at + 1
    if ((what === "K" && number === "2") || (isToEnd && isFirst)) this.#rows[this.#at] = "\r"
  }

  /** The rows that were drawn on, each as `shown` gives it, and the way back to the cursor. */
  text(shown: (row: string) => string): string {
    const below = this.#rows.slice(this.#at + 1).filter((row) => row !== undefined).length
    const drawn = this.#rows.flatMap((row, at) => (row === undefined && at !== this.#at ? [] : [row ?? "\r"]))
    const lines = drawn.map((row) => {
      const [before, after] = [/\r[^\r]/.test(row) ? "\r" : "", /.\r$/s.test(row) ? "\r" : ""]
      return before + shown(row) + after
    })
    return lines.join("\n") + (below > 0 ? `${ESCAPE}[${below > 1 ? below : ""}k` : "")
  }
}

/**
 * Draws a text in which the cursor goes up as a terminal does. `shown` gives the look of one line. What may be only the
 * start of an escape sequence stays at the end.
 */
export function redrawn(text: string, shown: (line: string) => string): Redrawn {
  const rest = UNFINISHED.exec(text)?.[0] ?? ""
  const rows = new Rows()
  const parts = text
    .slice(0, text.length - rest.length)
    .replace(TO_FIRST_COLUMN, "\r")
    .split(MOVES)
  for (const [at, part] of parts.entries()) {
    if (at % 2 === 0) rows.draw(part)
    else rows.move(part)
  }
  return { text: rows.text(shown) + rest, height: Math.min(MAX_ROWS, rows.height) }
}
