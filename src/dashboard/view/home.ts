import type { QueueItem } from "../../item/item.ts"
import { Crowd, type Size } from "../model/crowd.ts"
import type { Changes, Model } from "../model/model.ts"
import { about, count, nameOf, standing } from "../model/text.ts"
import { Bulk } from "./bulk.ts"
import { el, mark, say, show } from "./dom.ts"
import { FailureRow, recentFailures, retryAllButton } from "./failures.ts"
import { Figures } from "./figures.ts"
import { Filter } from "./filter.ts"
import { isHeld } from "./hold.ts"
import { Lane } from "./lane.ts"
import { ItemList, type Row } from "./list.ts"
import { gliding } from "./motion.ts"
import { FinishedRow, WaitingRow } from "./rows.ts"
import type { Screen } from "./screen.ts"
import { empty, example, idle, Section } from "./section.ts"

const LANES = 24
const ROWS = 40
const FAILURES = 3
/** Between two items of a worker the place of a lane is kept for this long. */
const HANDOVER_MS = 3000

/** The queue at a glance. */
export class Home implements Screen {
  readonly element: HTMLElement
  readonly #model: Model
  readonly #changed: () => void
  readonly #figures = new Figures()
  readonly #filter = new Filter(() => this.#refilter())
  readonly #bulk: Bulk
  readonly #failed: Section
  readonly #running: Section
  readonly #waiting: Section
  readonly #delayed: Section
  readonly #finished: Section
  readonly #sections: readonly Section[]
  readonly #crowd = new Crowd()
  readonly #truncated = el("p", { class: "none", hidden: true })
  readonly #example = example()
  /** What is shown is to be chosen again. */
  #isStale = true
  #shownSize: Size = "few"
  /** Failures are to be shown once the reader is in no list. */
  #isFailureDue = false
  /** The order is to be made again, of what is shown. */
  #isUnordered = false

  /** `changed` asks for a frame. */
  constructor(model: Model, changed: () => void) {
    this.#model = model
    this.#changed = changed
    const again = (): void => this.#rearrange()
    const section = (name: string, list: ItemList, nothing: HTMLElement, ...tools: Node[]): Section =>
      new Section(name, list, nothing, again, ...tools)
    const none = empty("The queue is empty. Songs you add appear here.", this.#example)
    const nothingYet = empty("Finished renders appear here, with the reason for any failure.")
    const lanes = this.#list(LANES, () => new Lane(model), HANDOVER_MS)
    const failures = this.#list(FAILURES, () => new FailureRow(model))
    const finished = this.#list(ROWS, () => new FinishedRow(model))
    this.#failed = section(
      "Failed",
      failures,
      el("p"),
      retryAllButton(() => this.#failures()),
    )
    this.#running = section("Running", lanes, idle())
    const rows = (): ItemList => this.#list(ROWS, () => new WaitingRow(model))
    this.#waiting = section("Waiting", rows(), none)
    this.#delayed = section("Later", rows(), el("p"))
    this.#finished = section("Finished", finished, nothingYet, this.#filter.endings)
    this.#sections = [this.#failed, this.#running, this.#waiting, this.#delayed, this.#finished]
    this.#bulk = new Bulk(
      () => this.element,
      (id) => model.item(id),
      () => this.#shown(),
    )
    document.addEventListener("pointermove", () => this.#settle())
    this.element = this.#drawn()
  }

  title(): string {
    return ""
  }

  frame({ ids, lists, all }: Changes): void {
    const model = this.#model
    if (lists || all || this.#isStale || this.#isUnordered) this.#arrange(all || this.#isStale)
    else {
      // A filter may let in or out what has changed.
      if (this.#filter.text !== "" && ids.size > 0) this.#arrange(false)
      for (const id of ids) {
        const item = model.item(id)
        if (item) for (const { list } of this.#sections) list.update(item)
      }
    }
    if (lists || all) this.#figures.update(model.tallies, model.loaded, this.#done())
  }

  tick(): void {
    for (const { list } of this.#sections) list.tick()
    this.#settle()
    if (this.#size() !== this.#shownSize) this.#rearrange()
    this.#figures.update(this.#model.tallies, this.#model.loaded, this.#done())
  }

  #drawn(): HTMLElement {
    const top = el(
      "section",
      { class: "top", "aria-label": "Figures" },
      this.#figures.element,
      el("div", { class: "tools" }, this.#filter.element, this.#bulk.toggle),
    )
    const columns = el(
      "div",
      { class: "columns" },
      el("div", {}, this.#running.element, this.#waiting.element, this.#delayed.element),
      this.#finished.element,
    )
    const heading = el("h1", { class: "for-ears", tabindex: -1 }, "Render queue")
    return el(
      "div",
      { class: "home" },
      heading,
      top,
      this.#truncated,
      this.#failed.element,
      columns,
      this.#bulk.element,
    )
  }

  /** Everything that is wanted, whether there is a row for it yet or not. */
  #shown(): readonly QueueItem[] {
    const { running, waiting, delayed, finished } = this.#model.lists
    return [...this.#filter.fitting([...running, ...waiting, ...delayed]), ...this.#filter.ended(finished)]
  }

  #failures(): readonly QueueItem[] {
    return recentFailures(this.#model.lists.finished, this.#model.nowMs())
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
    const isOver = this.#sections.some(({ list }) => list.isHolding && !isHeld(list.element))
    if (isOver || (this.#isFailureDue && !this.#isHeld())) this.#rearrange()
  }

  #isHeld(): boolean {
    return this.#sections.some(({ list }) => isHeld(list.element))
  }

  #size(): Size {
    return this.#crowd.sizeAt(this.#model.lists.running.length, performance.now())
  }

  /** Makes the order again; with `isNew` what is shown is not that of before. */
  /** When everything is done; empty while unknown. */
  #done(): string {
    const { foreseen } = this.#model
    return foreseen.doneMs === null ? "" : about(foreseen.doneMs, this.#model.nowMs())
  }

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
    const { text, ending } = this.#filter
    const { running, waiting, delayed, finished } = lists
    const isFree = isNew || !this.#isHeld()
    if (isFree) this.#shownSize = this.#size()
    mark(this.element, "data-crowd", this.#shownSize === "few" ? null : this.#shownSize)
    const failures = this.#failures()
    const how = { loaded, isNew }
    // It stands above all others, and would push them away from under the pointer.
    this.#isFailureDue = !isFree
    if (isFree) this.#failed.show(this.#filter.fitting(failures), failures, text, how)
    show(this.#failed.element, this.#failed.list.element.childElementCount > 0)
    this.#running.show(this.#filter.fitting(running), running, text, how)
    this.#waiting.show(this.#filter.fitting(waiting), waiting, text, how)
    this.#delayed.show(this.#filter.fitting(delayed), delayed, text, how)
    show(this.#delayed.element, this.#delayed.list.element.childElementCount > 0)
    const ended = this.#filter.ended(finished)
    this.#finished.show(ended, finished, text, { ...how, nothingOf: `No ${ending} renders.` })
    this.#bulk.update()
    show(this.#example, state.items.size === 0)
    show(this.#truncated, state.truncated)
    say(this.#truncated, `Showing the first ${count(state.items.size)} items of a longer queue.`)
  }

  /** The item has moved to another list: the focus goes with it, and the view only where the focus is `seen`. */
  #refocus(id: string | undefined, seen: boolean): void {
    const rows = [...this.element.querySelectorAll<HTMLElement>("[data-item]")]
    // The strip of failures repeats what stands among the finished items.
    const row = rows.findLast(({ dataset }) => dataset["item"] === id)
    const lost = document.activeElement === null || document.activeElement === document.body
    const to = row?.querySelector<HTMLElement>("a") ?? (lost ? this.element.querySelector("h1") : null)
    to?.focus({ preventScroll: !seen })
  }

  #refilter(): void {
    this.#isStale = true
    this.#changed()
  }

  #rearrange(): void {
    this.#isUnordered = true
    this.#changed()
  }
}
