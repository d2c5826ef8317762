import { count } from "../model/wording.ts"
import { el, setText, show } from "./dom.ts"
import type { PrintedText } from "./printed-text.ts"

/** At most this many matches are marked. */
const MAX_FOUND = 2000
/** A search begins when no key was pressed for this many milliseconds. */
const TYPING_MS = 150

/** Marks ranges of text, if the browser can do that. */
function highlight(name: string, ranges: readonly Range[]): void {
  if (typeof Highlight === "undefined") return
  if (ranges.length === 0) CSS.highlights.delete(name)
  else CSS.highlights.set(name, new Highlight(...ranges))
}

/** A field that finds words in a text that grows, and leads from one match to the next. */
export class FindInOutput {
  readonly #text: PrintedText
  readonly #reveal: (range: Range) => void
  readonly #input: HTMLInputElement
  readonly #matches = el("span", { class: "matches", role: "status" })
  readonly #back: HTMLButtonElement
  readonly #forth: HTMLButtonElement
  /** The field, for the page. */
  readonly element: HTMLElement
  #found: number[] = []
  #at = -1
  #words = ""
  #timer: ReturnType<typeof setTimeout> | undefined

  /** `reveal` brings a match into view. */
  constructor(text: PrintedText, label: string, reveal: (range: Range) => void) {
    this.#text = text
    this.#reveal = reveal
    this.#input = el("input", {
      type: "search",
      placeholder: "Find",
      "aria-label": label,
      autocomplete: "off",
      spellcheck: "false",
    })
    const button = (name: string, sign: string, step: number): HTMLButtonElement => {
      const made = el("button", { type: "button", class: "plain", "aria-label": name, hidden: true }, sign)
      made.addEventListener("click", () => this.#go(step))
      return made
    }
    this.#back = button("Previous match", "↑", -1)
    this.#forth = button("Next match", "↓", 1)
    this.element = el("div", { class: "find" }, this.#input, this.#matches, this.#back, this.#forth)
    this.#input.addEventListener("input", () => {
      clearTimeout(this.#timer)
      this.#timer = setTimeout(() => this.#look(true), TYPING_MS)
    })
    this.#input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return
      event.preventDefault()
      if (this.#input.value === this.#words) this.#go(event.shiftKey ? -1 : 1)
      else this.#look(true)
    })
  }

  /** The text has changed. */
  changed(): void {
    if (this.#words !== "") this.#look(false)
  }

  #look(isNew: boolean): void {
    clearTimeout(this.#timer)
    this.#words = this.#input.value
    // Lower case is not used on both sides: it can change the length of a text, and so where all matches are.
    const words = new RegExp(this.#words.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"), "gi")
    this.#found = this.#words === "" ? [] : [...this.#text.data.matchAll(words)].map(({ index }) => index)
    const isFound = this.#found.length > 0
    if (isNew || this.#at >= this.#found.length) this.#at = this.#found.length - 1
    this.#draw()
    if (isNew && isFound) this.#show()
  }

  #go(step: number): void {
    const { length } = this.#found
    if (length === 0) return
    this.#at = (this.#at + step + length) % length
    this.#draw()
    this.#show()
  }

  #range(at: number): Range {
    return this.#text.range(at, this.#words.length)
  }

  #show(): void {
    const at = this.#found[this.#at]
    if (at !== undefined) this.#reveal(this.#range(at))
  }

  #draw(): void {
    const { length } = this.#found
    const here = this.#found[this.#at]
    highlight(
      "found",
      this.#found.slice(-MAX_FOUND).map((at) => this.#range(at)),
    )
    highlight("found-here", here === undefined ? [] : [this.#range(here)])
    const matches = length === 0 ? "not found" : `${count(this.#at + 1)} of ${count(length)}`
    setText(this.#matches, this.#words === "" ? "" : matches)
    show(this.#back, length > 1)
    show(this.#forth, length > 1)
  }
}
