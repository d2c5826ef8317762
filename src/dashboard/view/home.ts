import type { QueueItem } from "../../item/item.ts"
import type { Changes, Model } from "../model/model.ts"
import { fits } from "../model/tallies.ts"
import { count } from "../model/text.ts"
import { el, mark, say, show } from "./dom.ts"
import { Figures } from "./figures.ts"
import { Lane } from "./lane.ts"
import { ItemList } from "./list.ts"
import { FinishedRow, WaitingRow } from "./rows.ts"
import type { Screen } from "./screen.ts"
import { empty, example, idle, Section } from "./section.ts"

const LANES = 24
const ROWS = 40

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
  #stale = true

  /** `changed` asks for a frame. */
  constructor(model: Model, changed: () => void) {
    this.#model = model
    this.#changed = changed
    const waiting = empty("The queue is empty. Songs you add appear here.", this.#example)
    const finished = empty("Finished renders appear here, with the reason for any failure.")
    this.#running = new Section("Running", new ItemList(LANES, () => new Lane(model)), idle())
    this.#waiting = new Section("Waiting", new ItemList(ROWS, () => new WaitingRow(model)), waiting)
    const endings = this.#endings()
    this.#finished = new Section(
      "Finished",
      new ItemList(ROWS, () => new FinishedRow(model)),
      finished,
      endings,
    )
    this.#filter.addEventListener("input", () => this.#refilter())
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
    if (lists || all || this.#stale) this.#arrange()
    else {
      // A filter may let in or out what has changed.
      if (words.length > 0 && ids.size > 0) this.#arrange()
      for (const id of ids) {
        const item = model.item(id)
        if (item) for (const { list } of [this.#running, this.#waiting, this.#finished]) list.update(item)
      }
    }
    if (lists || all) this.#figures.update(model.tallies, model.loaded)
  }

  tick(): void {
    for (const { list } of [this.#running, this.#waiting, this.#finished]) list.tick()
    this.#figures.update(this.#model.tallies, this.#model.loaded)
  }

  #arrange(): void {
    const focused = document.activeElement
    const before = focused?.closest<HTMLElement>("[data-item]")
    const seen = focused?.matches(":focus-visible") ?? false
    this.#stale = false
    const { lists, loaded, state } = this.#model
    const filter = this.#filter.value.trim()
    const words = this.#words()
    const fitting = (items: readonly QueueItem[]): readonly QueueItem[] =>
      words.length === 0 ? items : items.filter((item) => fits(item, words))
    const { running, waiting, finished } = lists
    const ended = this.#ending === "all" ? finished : finished.filter(({ status }) => status === this.#ending)
    mark(this.element, "data-crowd", running.length > 6 ? "many" : running.length === 1 ? "one" : null)
    this.#running.show(fitting(running), running, filter, loaded)
    this.#waiting.show(fitting(waiting), waiting, filter, loaded)
    this.#finished.show(fitting(ended), finished, filter, loaded, `No ${this.#ending} renders.`)
    show(this.#example, state.items.size === 0)
    show(this.#truncated, state.truncated)
    say(this.#truncated, `Showing the first ${count(state.items.size)} items of a longer queue.`)
    if (!before || before.isConnected) return
    // The item has moved to another list: the focus goes with it, and the view only where the focus is seen.
    const id = before.dataset["item"]
    const row = [...this.element.querySelectorAll<HTMLElement>("[data-item]")].find(
      ({ dataset }) => dataset["item"] === id,
    )
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
    this.#stale = true
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
