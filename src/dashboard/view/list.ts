import type { QueueItem } from "../../item/item.ts"
import { count } from "../model/wording.ts"
import { el, setText, show } from "./dom.ts"
import { follow, refocused } from "./steady-lists.ts"

/** What shows one item in a list. */
export interface Row {
  /** The row, for its list. */
  readonly element: HTMLElement
  /** Shows the item. `place` counts from 1; 0 means unknown, and if it is absent the place stays. */
  readonly update: (item: QueueItem, place?: number) => void
  /** A second has passed. */
  readonly tick: () => void
}

/** What a list shows, and how. */
export interface ItemListOptions {
  /** How many rows are shown at first; each request for more shows four times as many. */
  readonly step: number
  /** Makes a row for one more item. */
  readonly make: () => Row
  /** Why an item has left the list, in a few words. */
  readonly fateOf: (id: number) => string
  /**
   * How long the place of an item that has left is kept for the next one, in milliseconds; 0 disables this.
   */
  readonly keepMs: number
  /** Requests that the list is shown again. */
  readonly changed: () => void
  /** Requests the items that follow the known ones. */
  readonly readOn: () => void
}

/** What a list shows. */
export interface Listed {
  /** The items, in their order. */
  readonly items: readonly QueueItem[]
  /** Whether others follow that are not known here; default false. */
  readonly isCut?: boolean
  /** How many there are in all; absent if that is not known. */
  readonly total?: number | undefined
  /** The places of the items by their numbers; default: their places in this list. */
  readonly places?: ReadonlyMap<number, number>
  /** Whether these are other items than before; default false. */
  readonly isNew?: boolean
  /** Whether the reader is in the list; default false. */
  readonly isHeld?: boolean
}

/** What has the focus, and in which row. */
interface Focus {
  readonly element: Element
  readonly index: number
}

/**
 * A list of items. Each item has its own row as long as it is in the list. The list shows the first few, and
 * more on request, so that a queue of thousands costs only as much as the visible part.
 *
 * While the reader is in it, its rows stay where they are: the place of an item that leaves is kept, and new
 * items that belong between others wait.
 */
export class ItemList {
  /** The list, for the page. */
  readonly element = el("ol", { class: "items" })
  /** Shows more rows; hidden when all are shown. */
  readonly more = el("button", { type: "button", class: "more", hidden: true })
  readonly #options: ItemListOptions
  #cap: number
  readonly #rows = new Map<number, Row>()
  /** The places of items that have left, and until when they are kept. */
  readonly #standIns = new Map<Element, number>()
  #listed: Listed = { items: [] }
  #pending = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(options: ItemListOptions) {
    this.#options = options
    this.#cap = options.step
    this.more.addEventListener("click", () => {
      const first = this.#cap
      this.#cap += options.step * 4
      follow()
      this.show({ ...this.#listed, isNew: false, isHeld: false })
      this.#reach()
      this.element.children[first]?.querySelector<HTMLElement>("a")?.focus()
    })
  }

  /** How many items wait until the reader has left the list. */
  get pending(): number {
    return this.#pending
  }

  /** Whether anything waits until the reader has left the list. */
  get isHolding(): boolean {
    return this.#pending > 0 || this.#standIns.size > 0
  }

  /** Shows these items, in this order. */
  show(listed: Listed): void {
    this.#listed = listed
    const { items, isNew = false, isHeld = false, places } = listed
    const seen = items.slice(0, this.#cap)
    const focused = this.#focused()
    const held = !isNew && isHeld
    const keepMs = isNew ? 0 : this.#options.keepMs
    this.#pending = 0
    this.#leave(new Set(seen.map(({ id }) => id)), held ? Number.POSITIVE_INFINITY : keepMs)
    if (!held) this.#expire(isNew)
    const order = held || keepMs > 0 ? this.#kept(seen, held) : seen.map((item) => this.#rowOf(item).element)
    this.#arrange(order)
    for (const [at, item] of seen.entries())
      this.#rows.get(item.id)?.update(item, places ? (places.get(item.id) ?? 0) : at + 1)
    this.#refocus(focused)
    this.#offer(seen.length)
  }

  /** Offers to show more if there is more than is shown. */
  #offer(seen: number): void {
    const { items, isCut = false, total } = this.#listed
    const rest = (total ?? items.length) - seen
    show(this.more, rest > 0 || isCut)
    const next = Math.min(rest, this.#options.step * 4)
    const of = total === undefined || next === rest ? "" : ` of ${count(rest)}`
    setText(this.more, rest > 0 ? `Show ${count(next)} more${of}` : "Show more")
  }

  /** Requests more items if more must be shown than are known. */
  #reach(): void {
    const { items, isCut = false } = this.#listed
    if (isCut && this.#cap > items.length) this.#options.readOn()
  }

  /** Shows the first rows alone again. */
  restart(): void {
    this.#cap = this.#options.step
  }

  /** Shows an item that has changed, if it is among the shown ones. Its place stays. */
  update(item: QueueItem): void {
    this.#rows.get(item.id)?.update(item)
  }

  /** A second has passed. */
  tick(): void {
    for (const row of this.#rows.values()) row.tick()
  }

  #rowOf({ id }: QueueItem): Row {
    const known = this.#rows.get(id)
    if (known) return known
    const row = this.#options.make()
    const { element } = row
    element.dataset["item"] = String(id)
    // Before it is drawn, its height is only a guess.
    element.classList.add("fresh")
    requestAnimationFrame(() => requestAnimationFrame(() => element.classList.remove("fresh")))
    this.#rows.set(id, row)
    return row
  }

  /** Removes the rows of items that have left. If the place of a row must be kept, a stand-in says what became of it. */
  #leave(stay: ReadonlySet<number>, keepMs: number): void {
    for (const [id, { element }] of this.#rows) {
      if (stay.has(id)) continue
      this.#rows.delete(id)
      if (keepMs === 0) {
        element.remove()
        continue
      }
      const standIn = el("li", { class: "stand-in" }, this.#options.fateOf(id))
      standIn.style.height = `${element.getBoundingClientRect().height}px`
      element.replaceWith(standIn)
      this.#standIns.set(standIn, performance.now() + keepMs)
    }
  }

  /** Removes the stand-ins whose time is over, and sets a timer for the others. */
  #expire(all: boolean): void {
    clearTimeout(this.#timer)
    const nowMs = performance.now()
    let nextMs = Number.POSITIVE_INFINITY
    for (const [element, untilMs] of this.#standIns) {
      // A stand-in that is kept only for the reader has no time of its own.
      const endMs = Number.isFinite(untilMs) ? untilMs : nowMs
      if (all || endMs <= nowMs) {
        element.remove()
        this.#standIns.delete(element)
      } else nextMs = Math.min(nextMs, endMs)
    }
    if (Number.isFinite(nextMs)) this.#timer = setTimeout(this.#options.changed, nextMs - nowMs)
  }

  /** The rows and stand-ins that are there, in their places, and the new rows where they fit. */
  #kept(seen: readonly QueueItem[], held: boolean): Element[] {
    const order: Element[] = [...this.element.children]
    const lastKnown = seen.findLastIndex(({ id }) => this.#rows.has(id))
    const fresh = seen.filter(({ id }) => !this.#rows.has(id))
    for (const item of fresh) {
      const free = held ? -1 : order.findIndex((element) => this.#standIns.has(element))
      if (held && seen.indexOf(item) < lastKnown) this.#pending += 1
      else if (free < 0) order.push(this.#rowOf(item).element)
      else {
        const [standIn] = order.splice(free, 1, this.#rowOf(item).element)
        if (standIn) this.#standIns.delete(standIn)
      }
    }
    return order
  }

  #arrange(order: readonly Element[]): void {
    const wanted = new Set(order)
    for (const child of [...this.element.children]) if (!wanted.has(child)) child.remove()
    let next = this.element.firstElementChild
    for (const element of order) {
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

  /**
   * Returns the focus to the element that lost it because it was moved. If its row was removed, the row that is now
   * in its place gets the focus.
   */
  #refocus(before: Focus | undefined): void {
    if (!before || document.activeElement === before.element) return
    const { element, index } = before
    if (element.isConnected && element instanceof HTMLElement) return element.focus()
    const row = this.element.children[Math.min(index, this.element.childElementCount - 1)]
    if (!row) return
    // This is not the row whose button the reader meant.
    refocused(row)
    row.querySelector<HTMLElement>("a")?.focus()
  }
}
