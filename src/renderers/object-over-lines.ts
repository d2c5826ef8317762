/** The first line of an object: "{", "Progress: {". */
const FIRST = /^(?:[\w .-]{1,40}[:=] ?)?\{$/
const OPENS = /[{[]$/
const CLOSES = /^[}\]]/
/** A line that is read by itself: "progress": 45. */
const ALONE = /(?:progress|percent\w*|pct)["']? ?: ?\d|%/i
/** An object with more characters is no report of progress. */
const MAX_LENGTH = 1000

/** Puts the lines of an object, as programs print it for people, into one line: `{ "frame": 12, "total": 240 }`. */
export class ObjectOverLines {
  /** The lines so far, in one; empty outside of an object. */
  #text = ""
  #depth = 0

  /** The rest of an object says nothing more. */
  leave(): void {
    this.#text = ""
  }

  /** Reads a line. Returns the whole object if this line ends one; otherwise undefined. */
  read(line: string): string | undefined {
    if (this.#text === "" && !line.endsWith("{")) return undefined
    const text = line.trim()
    if (this.#text === "") {
      if (FIRST.test(text)) [this.#text, this.#depth] = [text, 1]
      return undefined
    }
    if (ALONE.test(text)) {
      this.leave()
      return undefined
    }
    this.#text += ` ${text}`
    this.#depth += (OPENS.test(text) ? 1 : 0) - (CLOSES.test(text) ? 1 : 0)
    if (this.#depth > 0 && this.#text.length < MAX_LENGTH) return undefined
    const object = this.#depth > 0 ? undefined : this.#text
    this.#text = ""
    return object
  }
}
