import type { QueueItem } from "../../item/item.ts"
import { ERROR_LINES } from "../../item/progress-words.ts"
import { causeLine, colourOf, count, plain } from "../model/wording.ts"
import { copy } from "./clipboard.ts"
import { el, icon, mark, setText, show } from "./dom.ts"

/** Why an item failed: its cause in one line, the end of the text, and all of it on request. */
export class FailureBox {
  readonly #cause = el("p", { class: "cause", dir: "auto" })
  readonly #text = el("pre", { tabindex: 0, dir: "auto" })
  readonly #all = el("button", { type: "button", class: "plain-text" })
  readonly #copy = el("button", { type: "button", class: "plain-text" }, "Copy")
  readonly #symbol = el("span")
  /** The panel, for the page. */
  readonly element = el(
    "section",
    { class: "failure", "aria-label": "Error", hidden: true },
    this.#symbol,
    el("div", {}, el("div", { class: "failure-head" }, this.#cause, this.#all, this.#copy), this.#text),
  )
  #error = ""
  #why = ""
  #isWhole = false

  constructor() {
    this.#all.addEventListener("click", () => {
      this.#isWhole = !this.#isWhole
      this.#draw()
    })
    this.#copy.addEventListener("click", () => void copy(this.#error, "the error"))
  }

  /** Shows the error of an item; shows nothing if there is none. */
  show(item: QueueItem): void {
    const { error_message } = item
    show(this.element, error_message !== "")
    const tone = colourOf(item)
    if (this.element.dataset["tone"] !== tone) {
      mark(this.element, "data-tone", tone)
      this.#symbol.replaceChildren(icon(tone === "quiet" ? "cancel" : "failed"))
    }
    const why = causeLine(item)
    if (this.#error === error_message && this.#why === why) return
    this.#why = why
    this.#error = error_message
    this.#isWhole = false
    this.#draw()
  }

  #draw(): void {
    const lines = this.#error.trimEnd().split(/\r\n|[\r\n]/)
    setText(this.#cause, this.#why)
    const shown = this.#isWhole ? lines : lines.slice(-ERROR_LINES)
    const isMore = lines.length > ERROR_LINES
    setText(this.#text, (isMore && !this.#isWhole ? "…\n" : "") + plain(shown.join("\n")))
    show(this.#text, lines.length > 1 || lines[0] !== this.#why)
    // A line may be longer than the box is high.
    this.#text.scrollTop = this.#isWhole ? 0 : this.#text.scrollHeight
    show(this.#all, isMore)
    setText(this.#all, this.#isWhole ? "Show the end only" : `Show all ${count(lines.length)} lines`)
  }
}
