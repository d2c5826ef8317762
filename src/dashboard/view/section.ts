import type { QueueItem } from "../../item/item.ts"
import { BASE } from "../live/server.ts"
import { count } from "../model/text.ts"
import { el, say, show, svg } from "./dom.ts"
import { follow } from "./hold.ts"
import type { ItemList } from "./list.ts"

/** A flat line: a wave of which nothing has been heard yet. */
function flatLine(): SVGSVGElement {
  const strokes = Array.from({ length: 40 }, (_, i) => {
    const high = i % 9 === 4 ? 3 : 1
    return `M${i * 6 + 3} ${12 - high}V${12 + high}`
  })
  return svg(
    "svg",
    { class: "flat-line", viewBox: "0 0 240 24", "aria-hidden": "true" },
    svg("path", { d: strokes.join("") }),
  )
}

/** What an empty list says. */
export const empty = (text: string, ...more: readonly Node[]): HTMLElement =>
  el("div", { class: "empty" }, el("p", {}, text), ...more)

/** What the list of running items says when nothing is running. */
export const idle = (): HTMLElement => {
  const told = empty(
    "Nothing is rendering. Start a worker:",
    el("code", {}, "track-studio work --exec ./render.sh"),
  )
  told.prepend(flatLine())
  return told
}

/** How a song is added from a terminal. */
export function example(): HTMLElement {
  const url = new URL("api/v1/queue", BASE).href
  return el("code", {}, `curl -X POST ${url} \\\n  -H "Content-Type: application/json" -d '{"song_id": 1}'`)
}

/** A part of the page: a heading with a count, a list, and what to say when it is empty. */
export class Section {
  /** The section, for the page. */
  readonly element: HTMLElement
  /** Its list. */
  readonly list: ItemList
  readonly #count = el("span", { class: "count" })
  readonly #news = el("button", { type: "button", class: "news", hidden: true })
  readonly #empty: HTMLElement
  readonly #none = el("p", { class: "none", hidden: true })

  /** `changed` asks for the list to be shown again. */
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
    const comma = el("span", { class: "for-ears" }, ", ")
    const heading = el("h2", { id: `heading-${name.toLowerCase()}` }, name, comma, this.#count)
    this.#news.addEventListener("click", () => {
      follow()
      changed()
    })
    const head = el("div", { class: "head" }, heading, this.#news, ...tools)
    const parts = [head, nothing, this.#none, list.element, list.more]
    const className = `section ${name.toLowerCase()}`
    this.element = el("section", { class: className, "aria-labelledby": heading.id }, ...parts)
  }

  /**
   * Shows those of `all` items that fit; `filter` is what they had to fit, and `nothingOf` says that none is of the
   * chosen kind. Nothing is known before it is `loaded`. With `isNew` they are not the items of before.
   */
  show(
    items: readonly QueueItem[],
    all: readonly QueueItem[],
    filter: string,
    {
      loaded,
      isNew,
      nothingOf = "",
    }: { readonly loaded: boolean; readonly isNew: boolean; readonly nothingOf?: string },
  ): void {
    this.list.show(items, all, isNew)
    const { pending, element } = this.list
    const isBlank = element.childElementCount === 0
    say(this.#count, all.length === 0 ? "" : count(all.length))
    show(this.#news, pending > 0)
    say(this.#news, `${count(pending)} new`)
    show(this.#empty, loaded && all.length === 0 && isBlank)
    show(this.#none, items.length === 0 && all.length > 0 && isBlank)
    say(this.#none, filter === "" ? nothingOf : `Nothing here matches “${filter}”.`)
    show(element, !isBlank)
  }
}
