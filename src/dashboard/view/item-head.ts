import type { QueueItem } from "../../item/item.ts"
import type { KnownQueue } from "../model/known-queue.ts"
import { colourOf, nameOf, oneLine, standing } from "../model/wording.ts"
import { choicesOf } from "./actions.ts"
import { el, icon, mark, setText } from "./dom.ts"
import { toggleMenu } from "./menu.ts"
import { moved } from "./steady-lists.ts"
import { songMark } from "./wave-bar.ts"

/** The head of an item's page: its name, its standing, and the actions. */
export class ItemHead {
  /** The heading, which takes the focus when the page opens. */
  readonly name = el("h1", { tabindex: -1, dir: "auto" })
  readonly #queue: KnownQueue
  readonly #mark = el("span", { class: "mark-box" })
  readonly #standing = el("span", { class: "chip" })
  readonly #about = el("span", { class: "meta" })
  readonly #buttons = el("div", { class: "buttons" })
  /** The head, for the page. */
  readonly element = el(
    "header",
    { class: "item-head" },
    this.#mark,
    el("div", {}, this.name, el("p", {}, this.#standing, this.#about)),
    this.#buttons,
  )
  readonly #more = el(
    "button",
    { type: "button", "aria-haspopup": "menu", "aria-expanded": "false" },
    icon("more"),
    "More",
  )
  #item: QueueItem | undefined
  #songId = 0
  #offered = ""

  constructor(queue: KnownQueue) {
    this.#queue = queue
    this.#more.addEventListener("click", () => {
      const item = this.#item
      if (!item) return
      const minor = choicesOf(item, queue).filter((choice) => choice.minor)
      toggleMenu(this.#more, `More actions for ${nameOf(item)}`, minor)
    })
  }

  /** Shows the item as it is; one that `isGone` can no longer be acted on. */
  show(item: QueueItem, isGone: boolean): void {
    if (this.#songId !== item.song_id) {
      this.#songId = item.song_id
      this.#mark.replaceChildren(songMark(item.song_id))
    }
    setText(this.name, nameOf(item))
    const worker = item.worker === "" ? "" : ` · ${oneLine(item.worker)}`
    setText(this.#about, `#${item.id} · song ${item.song_id}${worker}`)
    setText(this.#standing, standing(item))
    mark(this.#standing, "data-tone", colourOf(item))
    if (!isGone) this.#offer(item)
  }

  /** Takes the buttons away, because the item does not exist. */
  withdraw(): void {
    if (this.#buttons.contains(document.activeElement)) this.name.focus()
    this.#buttons.replaceChildren()
    this.#offered = ""
  }

  #offer(item: QueueItem): void {
    this.#item = item
    const choices = choicesOf(item, this.#queue)
    const offered = choices.map(({ label }) => label).join()
    if (offered === this.#offered) return
    this.#offered = offered
    if (this.#buttons.hasChildNodes()) moved(this.#buttons)
    const focused = this.#buttons.contains(document.activeElement)
    const major = choices.filter(({ minor }) => !minor)
    const buttons = major.map(({ label, icon: name, choose }) => {
      const button = el("button", { type: "button" }, icon(name), label)
      button.addEventListener("click", choose)
      return button
    })
    this.#buttons.replaceChildren(...buttons, this.#more)
    // The action that had the focus may no longer exist.
    if (focused) (buttons[0] ?? this.#more).focus()
  }
}
