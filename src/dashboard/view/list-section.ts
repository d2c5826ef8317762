import { count } from "../model/wording.ts"
import { el, setText, show } from "./dom.ts"
import { type Nothing, NothingFound } from "./empty-lists.ts"
import type { ItemList, Listed } from "./list.ts"
import { follow } from "./steady-lists.ts"

/** What a section shows. */
export interface ShownSection extends Listed {
  /** The text of its heading. */
  readonly name: string
  /** The number in its heading; empty for none. */
  readonly count: string
  /** Whether the contents are known yet. */
  readonly isLoaded: boolean
  /** What the section says if there is nothing to show; default: the section's own text. */
  readonly nothing?: Nothing
  /** Whether the section is hidden while it is empty; default false. */
  readonly isOptional?: boolean
}

/** A part of the page: a heading with a count, a list, and what to say when it is empty. */
export class ListSection {
  /** The section, for the page. */
  readonly element: HTMLElement
  /** Its list. */
  readonly list: ItemList
  readonly #name = el("span")
  readonly #comma = el("span", { class: "for-ears" }, ", ")
  readonly #count = el("span", { class: "count" })
  readonly #news = el("button", { type: "button", class: "news", hidden: true })
  readonly #empty: HTMLElement
  readonly #none = new NothingFound()

  /** `nothing` is shown where the list is empty; `changed` asks for the list to be shown again. */
  constructor(
    name: string,
    list: ItemList,
    nothing: HTMLElement,
    changed: () => void,
    ...tools: readonly Node[]
  ) {
    this.list = list
    this.#empty = nothing
    nothing.hidden = true
    const heading = el("h2", { id: `heading-${name.toLowerCase()}` }, this.#name, this.#comma, this.#count)
    setText(this.#name, name)
    this.#news.addEventListener("click", () => {
      follow()
      changed()
    })
    const head = el("div", { class: "head" }, heading, this.#news, ...tools)
    const parts = [head, nothing, this.#none.element, list.element, list.more]
    const className = `section ${name.toLowerCase()}`
    this.element = el("section", { class: className, "aria-labelledby": heading.id }, ...parts)
  }

  /** Whether it shows nothing. */
  get isBlank(): boolean {
    return this.list.element.childElementCount === 0
  }

  /** Shows these items. */
  show({ name, count: number, isLoaded, isOptional = false, nothing, ...listed }: ShownSection): void {
    this.list.show(listed)
    const { pending, element } = this.list
    setText(this.#name, name)
    setText(this.#count, number)
    show(this.#comma, number !== "")
    show(this.#news, pending > 0)
    setText(this.#news, `${count(pending)} new`)
    show(this.#empty, isLoaded && this.isBlank && !isOptional && !nothing)
    show(this.#none.element, this.isBlank && !isOptional && nothing !== undefined)
    if (nothing) this.#none.say(nothing)
    show(element, !this.isBlank)
    const isHidden = isOptional && this.isBlank
    // The button that has the focus would lose it.
    if (isHidden && this.element.querySelector(":focus-visible"))
      document.querySelector<HTMLElement>("main h1")?.focus({ preventScroll: true })
    show(this.element, !isHidden)
  }
}
