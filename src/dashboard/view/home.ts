import type { QueueItem } from "../../item/item.ts"
import { Crowd, type Size } from "../model/crowd.ts"
import type { Changes, Model } from "../model/model.ts"
import { fits } from "../model/tallies.ts"
import { count, nameOf, standing } from "../model/text.ts"
import { el, mark, say, show } from "./dom.ts"
import { Figures } from "./figures.ts"
import { isHeld } from "./hold.ts"
import { Lane } from "./lane.ts"
import { ItemList, type Row } from "./list.ts"
import { gliding } from "./motion.ts"
import { FinishedRow, WaitingRow } from "./rows.ts"
import type { Screen } from "./screen.ts"
import { empty, example, idle, Section } from "./section.ts"

const LANES = 24
const ROWS = 40
/** Between two items of a worker the place of a lane is kept for this long. */
const HANDOVER_MS = 3000

type Ending = "all" | "completed" | "failed"
const ENDINGS: readonly Ending[] = ["all", "completed", "failed"]

/** The queue at a glance. */
export class Home implements Screen {
  readonly element: HTMLElement
  readonly #model: Model
  readonly #changed: () => void
  readonly #figures = new Figures()
  readonly #running: Section
  readonly #waiting: Section
  readonly #finished: Section
  readonly #sections: readonly Section[]
  readonly #crowd = new Crowd()
  readonly #filter = el("input", {
    type: "search",
    id: "filter",
    placeholder: "Filter",
    autocomplete: "off",
    spellcheck: "false",
  })
  readonly #truncated = el("p", { class: "none", hidden: true })
  readonly #example = example()
  #ending: Ending = "all"
  /** What is shown is to be chosen again. */
  #isStale = true
  #shownSize: Size = "few"
  /** The order is to be made again, of what is shown. */
  #isUnordered = false

  /** `changed` asks for a frame. */
  constructor(model: Model, changed: () => void) {
    this.#model = model
    this.#changed = changed
    const waiting = empty("The queue is empty. Songs you add appear here.", this.#example)
    const finished = empty("Finished renders appear here, with the reason for any failure.")
    const again = (): void => this.#rearrange()
    this.#running = new Section(
      "Running",
      this.#list(LANES, () => new Lane(model), HANDOVER_MS),
      idle(),
      again,
    )
    this.#waiting = new Section(
      "Waiting",
      this.#list(ROWS, () => new WaitingRow(model)),
      waiting,
      again,
    )
    const list = this.#list(ROWS, () => new FinishedRow(model))
    this.#finished = new Section("Finished", list, finished, again, this.#endings())
    this.#sections = [this.#running, this.#waiting, this.#finished]
    this.#filter.addEventListener("input", () => this.#refilter())
    document.addEventListener("pointermove", () => this.#settle())
    const filter = el(
      "div",
      { class: "filter" },
      el("label", { for: "filter", class: "for-ears" }, "Filter by title, song, worker, tag or text"),
      this.#filter,
    )
    const top = el("section", { class: "top", "aria-label": "Figures" }, this.#figures.element, filter)
    const columns = el(
      "div",
      { class: "columns" },
      el("div", {}, this.#running.element, this.#waiting.element),
      this.#finished.element,
    )
    this.element = el(
      "div",
      { class: "home" },
      el("h1", { class: "for-ears", tabindex: -1 }, "Render queue"),
      top,
      this.#truncated,
      columns,
    )
  }

  title(): string {
    return ""
  }

  frame({ ids, lists, all }: Changes): void {
    const { model, words } = { model: this.#model, words: this.#words() }
    if (lists || all || this.#isStale || this.#isUnordered) this.#arrange(all || this.#isStale)
    else {
      // A filter may let in or out what has changed.
      if (words.length > 0 && ids.size > 0) this.#arrange(false)
      for (const id of ids) {
        const item = model.item(id)
        if (item) for (const { list } of this.#sections) list.update(item)
      }
    }
    if (lists || all) this.#figures.update(model.tallies, model.loaded)
  }

  tick(): void {
    for (const { list } of this.#sections) list.tick()
    this.#settle()
    if (this.#size() !== this.#shownSize) this.#rearrange()
    this.#figures.update(this.#model.tallies, this.#model.loaded)
  }

  #list(step: number, make: () => Row, keepMs = 0): ItemList {
    const changed = (): void => this.#rearrange()
    const fateOf = (id: number): string => {
      const item = this.#model.item(id)
      return item ? `${nameOf(item)} · ${standing(item)}` : "Deleted"
    }
    return new ItemList({ step, make, keepMs, changed, fateOf })
  }

  /** Shows what has waited for the reader to leave a list. */
  #settle(): void {
    if (this.#sections.some(({ list }) => list.isHolding && !isHeld(list.element))) this.#rearrange()
  }

  #size(): Size {
    return this.#crowd.sizeAt(this.#model.lists.running.length, performance.now())
  }

  /** Makes the order again; with `isNew` what is shown is not that of before. */
  #arrange(isNew: boolean): void {
    const focused = document.activeElement
    const before = focused?.closest<HTMLElement>("[data-item]")
    const seen = focused?.matches(":focus-visible") ?? false
    this.#isStale = false
    this.#isUnordered = false
    const sections = this.#sections.map(({ element }) => element)
    const lists = this.#sections.map(({ list }) => list.element)
    if (isNew) this.#show(isNew)
    else gliding(sections, lists, () => this.#show(isNew))
    if (before && !before.isConnected) this.#refocus(before.dataset["item"], seen)
  }

  #show(isNew: boolean): void {
    const { lists, loaded, state } = this.#model
    const filter = this.#filter.value.trim()
    const words = this.#words()
    const fitting = (items: readonly QueueItem[]): readonly QueueItem[] =>
      words.length === 0 ? items : items.filter((item) => fits(item, words))
    const { running, waiting, finished } = lists
    const ended = this.#ending === "all" ? finished : finished.filter(({ status }) => status === this.#ending)
    const isFree = !this.#sections.some(({ list }) => isHeld(list.element))
    if (isNew || isFree) this.#shownSize = this.#size()
    mark(this.element, "data-crowd", this.#shownSize === "few" ? null : this.#shownSize)
    this.#running.show(fitting(running), running, filter, { loaded, isNew })
    this.#waiting.show(fitting(waiting), waiting, filter, { loaded, isNew })
    const nothingOf = `No ${this.#ending} renders.`
    this.#finished.show(fitting(ended), finished, filter, { loaded, isNew, nothingOf })
    show(this.#example, state.items.size === 0)
    show(this.#truncated, state.truncated)
    say(this.#truncated, `Showing the first ${count(state.items.size)} items of a longer queue.`)
  }

  /** The item has moved to another list: the focus goes with it, and the view only where the focus is `seen`. */
  #refocus(id: string | undefined, seen: boolean): void {
    const rows = [...this.element.querySelectorAll<HTMLElement>("[data-item]")]
    const row = rows.find(({ dataset }) => dataset["item"] === id)
    const lost = document.activeElement === null || document.activeElement === document.body
    const to = row?.querySelector<HTMLElement>("a") ?? (lost ? this.element.querySelector("h1") : null)
    to?.focus({ preventScroll: !seen })
  }

  #words(): string[] {
    return this.#filter.value
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== "")
  }

  #refilter(): void {
    this.#isStale = true
    this.#changed()
  }

  #rearrange(): void {
    this.#isUnordered = true
    this.#changed()
  }

  #endings(): HTMLElement {
    const buttons = ENDINGS.map((ending) => {
      const name = ending.charAt(0).toUpperCase() + ending.slice(1)
      return el(
        "button",
        { type: "button", "aria-pressed": String(ending === this.#ending), "data-ending": ending },
        name,
      )
    })
    for (const button of buttons) {
      button.addEventListener("click", () => {
        this.#ending = ENDINGS.find((ending) => ending === button.dataset["ending"]) ?? "all"
        for (const other of buttons) mark(other, "aria-pressed", String(other === button))
        this.#refilter()
      })
    }
    return el("div", { class: "choice", role: "group", "aria-label": "Show" }, ...buttons)
  }
}
