import { LONGEST_SEARCH } from "../../item/search.ts"
import { EVERYTHING, type Query, type Which } from "../model/query.ts"
import { capital } from "../model/wording.ts"
import { el, mark } from "./dom.ts"

/** A search begins when no key was pressed for this many milliseconds. */
const TYPING_MS = 200

const ENDINGS: readonly Which[] = ["all", "completed", "failed", "cancelled"]

/** Called with the reader's query. A step is a change that the browser's back button reverses. */
export type Seek = (wanted: Query, isStep: boolean) => void

/** The reader's query: items with some words, and with some standing. */
export class Filter {
  readonly #input = el("input", {
    type: "search",
    id: "filter",
    placeholder: "Search",
    maxlength: LONGEST_SEARCH,
    autocomplete: "off",
    spellcheck: "false",
    "aria-keyshortcuts": "/",
  })
  /** The field for the words, for the page. */
  readonly element = el(
    "div",
    { class: "filter" },
    el("label", { for: "filter", class: "for-ears" }, "Search title, song, error, worker, tags and metadata"),
    this.#input,
  )
  /** The choice of endings, for the page. */
  readonly endings: HTMLElement
  readonly #buttons: ReadonlyMap<Which, HTMLButtonElement>
  readonly #seek: Seek
  #wanted = EVERYTHING
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(seek: Seek) {
    this.#seek = seek
    this.#input.addEventListener("input", () => {
      clearTimeout(this.#timer)
      this.#timer = setTimeout(() => this.#typed(), TYPING_MS)
    })
    this.#input.addEventListener("keydown", ({ key }) => {
      if (key === "Enter") this.#typed()
    })
    this.#buttons = new Map(
      ENDINGS.map((which) => {
        const button = el("button", { type: "button" }, capital(which))
        button.addEventListener("click", () => seek({ ...this.#wanted, which }, true))
        return [which, button]
      }),
    )
    this.endings = el(
      "div",
      { class: "choice", role: "group", "aria-label": "Show" },
      ...this.#buttons.values(),
    )
    this.show(EVERYTHING)
  }

  /** Shows the present query. */
  show(wanted: Query): void {
    this.#wanted = wanted
    if (this.#input.value.trim() !== wanted.text) this.#input.value = wanted.text
    for (const [which, button] of this.#buttons)
      mark(button, "aria-pressed", String(which === wanted.which || (which === "all" && !this.#hasEnding())))
  }

  /** Takes the focus, with all of its text selected. */
  focus(): void {
    this.#input.focus()
    this.#input.select()
  }

  #hasEnding(): boolean {
    return ENDINGS.includes(this.#wanted.which)
  }

  #typed(): void {
    clearTimeout(this.#timer)
    const text = this.#input.value.trim()
    if (text !== this.#wanted.text) this.#seek({ ...this.#wanted, text }, false)
  }
}
