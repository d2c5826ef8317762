import type { QueueItem } from "../../item/item.ts"
import { count } from "../model/text.ts"
import { el, say, show } from "./dom.ts"

/** What shows one item in a list. */
export interface Row {
  readonly element: HTMLElement
  /** Shows the item as it is; `place` counts from 1. */
  readonly update: (item: QueueItem, place: number) => void
  /** A second has passed. */
  readonly tick: () => void
}

/** What has the focus, and in which row. */
interface Focus {
  readonly element: Element
  readonly index: number
}

/**
 * A list of items, each in a row of its own for as long as it is in the list. It shows the first few, and more when
 * asked to, so that a queue of thousands costs no more than what can be looked at.
 */
export class ItemList {
  readonly element = el("ol", { class: "items" })
  readonly more = el("button", { type: "button", class: "more", hidden: true })
  readonly #make: () => Row
  readonly #step: number
  #cap: number
  #rows = new Map<number, Row>()
  #items: readonly QueueItem[] = []
  #all: readonly QueueItem[] = []

  constructor(step: number, make: () => Row) {
    this.#make = make
    this.#step = step
    this.#cap = step
    this.more.addEventListener("click", () => {
      const first = this.#cap
      this.#cap += this.#step * 4
      this.show(this.#items, this.#all)
      const row = this.element.children[first]
      row?.querySelector<HTMLElement>("a")?.focus()
    })
  }

  /** Shows these items, in this order. Their places are those among `all`. */
  show(items: readonly QueueItem[], all: readonly QueueItem[]): void {
    this.#items = items
    this.#all = all
    const seen = items.slice(0, this.#cap)
    const focused = this.#focused()
    const rows = new Map<number, Row>()
    let place = 0
    for (const item of seen) {
      const row = this.#rows.get(item.id) ?? this.#made(item.id)
      place = all.indexOf(item, place) + 1
      row.update(item, place)
      rows.set(item.id, row)
    }
    for (const [id, row] of this.#rows) if (!rows.has(id)) row.element.remove()
    this.#rows = rows
    this.#arrange(rows)
    this.#refocus(focused)
    const rest = items.length - seen.length
    show(this.more, rest > 0)
    say(this.more, `Show ${count(Math.min(rest, this.#step * 4))} more of ${count(rest)}`)
  }

  /** Shows an item that has changed, if it is among those shown. Its place is as before. */
  update(item: QueueItem): void {
    this.#rows.get(item.id)?.update(item, 0)
  }

  /** A second has passed. */
  tick(): void {
    for (const row of this.#rows.values()) row.tick()
  }

  #made(id: number): Row {
    const row = this.#make()
    row.element.dataset["item"] = String(id)
    return row
  }

  #arrange(rows: ReadonlyMap<number, Row>): void {
    let next = this.element.firstElementChild
    for (const { element } of rows.values()) {
      if (element === next) next = next.nextElementSibling
      else this.element.insertBefore(element, next)
    }
  }

  #focused(): Focus | undefined {
    const element = document.activeElement
    if (!element || !this.element.contains(element)) return undefined
    const index = [...this.element.children].findIndex((row) => row.contains(element))
    return { element, index }
  }

  /** Gives the focus back to what lost it by being moved, or else to the row that took the place of one that left. */
  #refocus(before: Focus | undefined): void {
    if (!before || document.activeElement === before.element) return
    const { element, index } = before
    if (element.isConnected && element instanceof HTMLElement) return element.focus()
    const row = this.element.children[Math.min(index, this.element.childElementCount - 1)]
    row?.querySelector<HTMLElement>("a")?.focus()
  }
}
