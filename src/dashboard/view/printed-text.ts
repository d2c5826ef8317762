import { el } from "./dom.ts"

/** A block is full at the end of the line that brings it to as many lines or characters. */
const [FULL_LINES, FULL_LENGTH] = [200, 16_384]
/** The last blocks are always laid out, so that the end of the text is where it seems to be. */
const LAID_OUT = 2

/** Some lines of the text; all but the last block end with a line. */
interface Block {
  readonly element: HTMLElement
  readonly text: Text
  lines: number
}

/** How much of a text still belongs to a block, and how many lines end in that part. */
function partFor(text: string, { lines, text: { length } }: Block): { end: number; lines: number } {
  let [end, ended] = [0, 0]
  while (end === 0 || (lines + ended < FULL_LINES && length + end < FULL_LENGTH)) {
    const next = text.indexOf("\n", end) + 1
    if (next === 0) return { end: text.length, lines: ended }
    end = next
    ended += 1
  }
  return { end, lines: ended }
}

/**
 * A long text of many lines that grows at its end. It is divided into blocks, and the browser lays out only
 * the visible blocks: the layout of all lines would stop the page for seconds.
 */
export class PrintedText {
  /** Holds the text. */
  readonly element = el("pre", { tabindex: 0, role: "region", "aria-label": "What the command printed" })
  #blocks: Block[] = []
  #length = 0

  /** How many characters it has. */
  get length(): number {
    return this.#length
  }

  /** The whole text. */
  get data(): string {
    return this.#blocks.map(({ text }) => text.data).join("")
  }

  /** Adds text at the end. */
  append(text: string): void {
    this.#length += text.length
    for (let rest = text; rest !== "";) {
      const block = this.#open()
      const { end, lines } = partFor(rest, block)
      block.text.appendData(rest.slice(0, end))
      block.lines += lines
      rest = rest.slice(end)
    }
  }

  /** Removes whole blocks from the beginning, as long as at least this many characters are left. */
  keep(length: number): void {
    for (;;) {
      const [first] = this.#blocks
      if (!first || this.#length - first.text.length < length) return
      this.#blocks.shift()
      this.#length -= first.text.length
      first.element.remove()
    }
  }

  /** Removes everything. */
  clear(): void {
    this.#blocks = []
    this.#length = 0
    this.element.replaceChildren()
  }

  /** So many characters from a place on, within one line. */
  range(at: number, length: number): Range {
    const range = new Range()
    let from = 0
    for (const { text } of this.#blocks) {
      if (at < from + text.length) {
        range.setStart(text, at - from)
        range.setEnd(text, Math.min(text.length, at - from + length))
        return range
      }
      from += text.length
    }
    return range
  }

  /** The block that the next character belongs to. */
  #open(): Block {
    const last = this.#blocks.at(-1)
    const isFull =
      last && (last.lines >= FULL_LINES || last.text.length >= FULL_LENGTH) && last.text.data.endsWith("\n")
    if (last && !isFull) return last
    const text = document.createTextNode("")
    const block = { element: el("span", { class: "block" }, text), text, lines: 0 }
    this.#blocks.push(block)
    this.element.append(block.element)
    const settled = this.#blocks.at(-1 - LAID_OUT)
    if (settled) {
      settled.element.classList.add("settled")
      settled.element.style.containIntrinsicBlockSize = `auto ${settled.lines}lh`
    }
    return block
  }
}
