import type { QueueItem } from "../../item/item.ts"
import { Search } from "../live/search.ts"
import { BASE } from "../live/server.ts"
import type { Lists } from "../model/apply-updates.ts"
import type { StreamUpdate } from "../model/hub-messages.ts"
import { LaneSize, type Size } from "../model/lane-size.ts"
import { asFarAsKnown, figuresOf } from "../model/list-figures.ts"
import { type Ends, isCut, type ListName, LISTS, totalsOf } from "../model/lists.ts"
import type { Changes, Model } from "../model/model.ts"
import { ENDED, EVERYTHING, type Query, searchOf } from "../model/query.ts"
import { aboutTime, count, nameOf, standing } from "../model/wording.ts"
import { BulkActions } from "./bulk-actions.ts"
import { byId, el, mark, setText, show } from "./dom.ts"
import { empty, example, Idle, nothingFor, NothingFound, ONLY_LATER, UNREAD } from "./empty-lists.ts"
import { FiguresBar } from "./figures-bar.ts"
import { Filter, type Seek } from "./filter.ts"
import { ListSection, type ShownSection } from "./list-section.ts"
import { ItemList, type Row } from "./list.ts"
import { movingRows } from "./moving-rows.ts"
import { Pause } from "./pause.ts"
import { FailureRow, recentFailures, retryAllButton } from "./recent-failures.ts"
import { FinishedRow, WaitingRow } from "./rows.ts"
import { RunningLane } from "./running-lane.ts"
import type { Screen } from "./screen.ts"
import { isHeld, movesBelow } from "./steady-lists.ts"
import { WorkersStrip } from "./workers.ts"

const LANES = 24
const ROWS = 40
const FAILURES = 3
/** Between two items of a worker, the place of a lane is kept for this long, in milliseconds. */
const HANDOVER_MS = 3000

/** The callbacks of the queue's screen. */
export interface HomeOptions {
  /** Requests a frame. */
  readonly changed: () => void
  /** The reader has changed the query. */
  readonly seek: Seek
  /** The reader wants more of a list than is known. */
  readonly more: (list: ListName) => void
  /** The figures of the queue and its workers have changed. */
  readonly recount: () => void
}

/** The queue at a glance. */
export class Home implements Screen {
  readonly element: HTMLElement
  readonly #model: Model
  readonly #options: HomeOptions
  readonly #figures = new FiguresBar()
  readonly #filter: Filter
  readonly #bulk: BulkActions
  readonly #workersStrip: WorkersStrip
  readonly #pause: Pause
  readonly #idle = new Idle()
  readonly #failed: ListSection
  readonly #running: ListSection
  readonly #waiting: ListSection
  readonly #delayed: ListSection
  readonly #finished: ListSection
  readonly #sections: readonly ListSection[]
  readonly #laneSize = new LaneSize()
  readonly #retryEvery: HTMLElement
  /** Leads to all failures, if the strip does not have all of them. */
  readonly #allFailures = el("a", {
    class: "all",
    href: BASE.pathname + searchOf({ text: "", which: "failed" }),
    hidden: true,
  })
  /** Shown if nothing is found: why, and the way back. */
  readonly #nothing = new NothingFound()
  readonly #example = example()
  #wanted = EVERYTHING
  /** The query of the shown items: the previous one until the server has answered. */
  #seen = EVERYTHING
  /** What the server has found for it; undefined if the page itself knows all that is shown. */
  #sought: Search | undefined
  /** The search that the server has not answered yet. */
  #seeking: Search | undefined
  /** Whether the shown items must be chosen again. */
  #isStale = true
  #shownSize: Size = "few"
  /** Whether failures will be shown when the reader has left the lists. */
  #isFailureDue = false
  /** Whether the order of the shown items must be computed again. */
  #isUnordered = false

  constructor(model: Model, options: HomeOptions) {
    this.#model = model
    this.#options = options
    this.#retryEvery = retryAllButton(model)
    this.#filter = new Filter(options.seek)
    this.#workersStrip = new WorkersStrip(
      model,
      options.recount,
      () => this.#isHeld(),
      (change) => this.#glide(change),
    )
    this.#pause = new Pause(options.recount)
    const section = (name: string, list: ItemList, nothing: HTMLElement, ...tools: Node[]): ListSection =>
      new ListSection(name, list, nothing, () => this.#rearrange(), ...tools)
    const none = empty("The queue is empty. Added songs appear here.", this.#example)
    const nothingYet = empty("Finished renders appear here, with the reason for any failure.")
    const lanes = this.#list("running", LANES, () => new RunningLane(model), HANDOVER_MS)
    const failures = this.#list("finished", FAILURES, () => new FailureRow(model))
    const finished = this.#list("finished", ROWS, () => new FinishedRow(model))
    this.#failed = section("Failed", failures, el("p"), this.#allFailures, retryAllButton(model))
    this.#running = section("Running", lanes, this.#idle.element)
    const rows = (): ItemList => this.#list("waiting", ROWS, () => new WaitingRow(model))
    this.#waiting = section("Waiting", rows(), none, this.#pause.button)
    this.#delayed = section("Later", rows(), el("p"))
    this.#finished = section("Finished", finished, nothingYet, this.#retryEvery, this.#filter.endings)
    this.#sections = [this.#failed, this.#running, this.#waiting, this.#delayed, this.#finished]
    this.#bulk = new BulkActions(
      () => this.element,
      (id) => this.#item(id),
      () => this.#shown(),
    )
    document.addEventListener("pointermove", () => this.#settle())
    this.element = this.#drawn()
    const above = [byId("banner", HTMLElement), this.#pause.element, this.#workersStrip.element]
    movesBelow(above, this.#sections)
  }

  title(): string {
    return ""
  }

  /** Shows the items of the query. Items that only the server knows appear when it has answered. */
  want(wanted: Query): void {
    const { text, which } = this.#wanted
    if (wanted.text === text && wanted.which === which) return
    this.#wanted = wanted
    this.#filter.show(wanted)
    this.#figures.lead(wanted)
    this.#seeking?.end()
    this.#seeking = undefined
    const isKnown = wanted.text === "" && ["all", "running", "waiting"].includes(wanted.which)
    if (isKnown) this.#showFound(undefined)
    else this.#seeking = new Search(wanted, () => this.#found())
    mark(this.#filter.element, "data-busy", isKnown ? null : "")
  }

  /** Moves the focus to the search. */
  search(): void {
    this.#filter.focus()
  }

  /** Takes what the stream says. */
  hear(updates: readonly StreamUpdate[]): void {
    for (const search of [this.#sought, this.#seeking]) search?.hear(updates)
  }

  /** Takes items as the server has them now. */
  put(items: readonly QueueItem[], removed: readonly number[]): void {
    for (const search of [this.#sought, this.#seeking]) search?.put(items, removed)
  }

  /** The server has another history. */
  forget(): void {
    for (const search of [this.#sought, this.#seeking]) search?.forget()
  }

  frame({ ids, lists, all }: Changes): void {
    if (all) this.#sought?.refresh()
    if (lists || all || this.#isStale || this.#isUnordered) this.#arrange(all || this.#isStale)
    else
      for (const id of ids) {
        const item = this.#item(id)
        if (item) for (const { list } of this.#sections) list.update(item)
      }
    if (lists || all) this.#count()
    else this.#workersStrip.update(this.#model.workers)
  }

  tick(): void {
    for (const { list } of this.#sections) list.tick()
    this.#settle()
    if (this.#size() !== this.#shownSize) this.#rearrange()
    this.#count()
  }

  #drawn(): HTMLElement {
    const top = el(
      "section",
      { class: "top", "aria-label": "Figures", "data-needs": "figures" },
      el("div", {}, this.#figures.element, this.#figures.lately),
      el("div", { class: "tools" }, this.#filter.element, this.#bulk.toggle),
    )
    const columns = el(
      "div",
      { class: "columns" },
      el("div", {}, this.#running.element, this.#waiting.element, this.#delayed.element),
      this.#finished.element,
    )
    const heading = el("h1", { class: "for-ears", tabindex: -1 }, "Render queue")
    const parts = [heading, top, this.#pause.element, this.#workersStrip.element, this.#failed.element]
    return el("div", { class: "home" }, ...parts, this.#nothing.element, columns, this.#bulk.element)
  }

  /** The server has answered: from now on its results are shown. */
  #found(): void {
    if (this.#seeking?.isLoaded) {
      const found = this.#seeking
      this.#seeking = undefined
      mark(this.#filter.element, "data-busy", null)
      this.#showFound(found)
    } else this.#rearrange()
  }

  /** Shows something else than before. */
  #showFound(sought: Search | undefined): void {
    this.#sought?.end()
    this.#sought = sought
    this.#seen = this.#wanted
    for (const { list } of this.#sections) list.restart()
    this.#isStale = true
    this.#options.changed()
  }

  #item(id: number): QueueItem | undefined {
    return this.#sought?.state.items.get(id) ?? this.#model.item(id)
  }

  #lists(): Lists {
    const { which } = this.#seen
    const lists = this.#sought ? this.#model.listsIn(this.#sought.state) : this.#model.lists
    if (which !== "running" && which !== "waiting") return lists
    const { running, waiting, delayed } = lists
    const none = { ...lists, running: [], waiting: [], delayed: [], finished: [] }
    return which === "running" ? { ...none, running } : { ...none, waiting, delayed }
  }

  /** Every known item that matches the query, with or without a row. */
  #shown() {
    const { running, waiting, delayed, finished } = this.#lists()
    return { items: [...running, ...waiting, ...delayed, ...finished], isCut: isCut(this.#ends, this.#seen) }
  }

  /** How many items of the whole queue have failed. */
  #failedCount(): number {
    const { counts } = this.#model
    return counts ? totalsOf(counts, { text: "", which: "failed" }).finished : 0
  }

  #list(name: ListName, step: number, make: () => Row, keepMs = 0): ItemList {
    const changed = (): void => this.#rearrange()
    const fateOf = (id: number): string => {
      const item = this.#item(id)
      return item ? `${nameOf(item)} · ${standing(item)}` : "Deleted"
    }
    const readOn = (): void => {
      if (this.#sought) void this.#sought.more(name)
      else this.#options.more(name)
    }
    return new ItemList({ step, make, keepMs, changed, fateOf, readOn })
  }

  /** Shows the changes that waited until the reader left a list. */
  #settle(): void {
    const isOver = this.#sections.some(({ list }) => list.isHolding && !isHeld(list.element))
    if (isOver || (this.#isFailureDue && !this.#isHeld())) this.#rearrange()
  }

  #isHeld(): boolean {
    return this.#sections.some(({ list }) => isHeld(list.element))
  }

  #size(): Size {
    return this.#laneSize.sizeAt(this.#model.lists.running.length, performance.now())
  }

  /** Shows the figures, the workers, and whether the queue is paused. */
  #count(): void {
    const { tallies, loaded, counts, foreseen, workers } = this.#model
    const nowMs = this.#model.nowMs()
    const isDone = tallies.running === 0 && tallies.waiting === 0
    const done = foreseen.doneMs === null || isDone ? "" : aboutTime(foreseen.doneMs, nowMs)
    const pausedAt = counts?.paused_at ?? null
    this.#figures.update(tallies, loaded, done, counts)
    this.#workersStrip.update(workers)
    this.#pause.update(pausedAt, nowMs)
    const { waiting, delayed } = this.#model.lists
    this.#idle.update({
      workers,
      waiting: tallies.waiting === null ? null : Math.max(0, tallies.waiting - delayed.length),
      first: [...waiting, ...delayed].slice(0, ROWS),
      isPaused: pausedAt !== null,
      mayChange: this.#model.may("change"),
    })
  }

  /** Computes the order again. With `isNew`, the query has changed. */
  #arrange(isNew: boolean): void {
    const focused = document.activeElement
    const before = focused?.closest<HTMLElement>("[data-item]")
    const seen = focused?.matches(":focus-visible") ?? false
    this.#isStale = false
    this.#isUnordered = false
    if (isNew) this.#show(isNew)
    else this.#glide(() => this.#show(isNew))
    if (before && !before.isConnected) this.#refocus(before.dataset["item"], seen)
  }

  #glide(change: () => void): void {
    const sections = this.#sections.map(({ element }) => element)
    const lists = this.#sections.map(({ list }) => list.element)
    movingRows(sections, lists, change)
  }

  #show(isNew: boolean): void {
    const { loaded, lists: all } = this.#model
    const { text, which } = this.#seen
    const isAll = text === "" && which === "all"
    // Read before any list changes: a list that grows moves the others away from under the pointer.
    const held = new Set(this.#sections.filter(({ list }) => isHeld(list.element)))
    const isFree = isNew || held.size === 0
    if (isFree) this.#shownSize = this.#size()
    mark(this.element, "data-crowd", this.#shownSize === "few" ? null : this.#shownSize)
    mark(this.element, "data-view", isAll ? null : which)
    // The strip is above all lists, and would move them away from under the pointer.
    this.#isFailureDue = !isFree
    // If the reader may see only one item, the page does not say that there are no others.
    const isOptional = !isAll || !this.#model.may("figures")
    const how = (section: ListSection) => ({ isLoaded: loaded, isNew, isOptional, isHeld: held.has(section) })
    if (isFree) this.#showFailures(how(this.#failed), isAll)
    const { running, waiting, delayed, finished } = this.#lists()
    this.#running.show({ ...how(this.#running), name: "Running", ...this.#part("running", running) })
    const places = new Map(all.waiting.map(({ id }, at) => [id, at + 1]))
    const inOrder = { name: "Waiting", ...this.#part("waiting", waiting, delayed.length), places }
    const later = delayed.length > 0 && { nothing: ONLY_LATER }
    this.#waiting.show({ ...how(this.#waiting), ...inOrder, ...later })
    // These items have no place in the order: each starts when it can.
    const parts = { name: "Later", items: delayed, places: new Map<number, number>(), isOptional: true }
    this.#delayed.show({ ...how(this.#delayed), ...parts, count: this.#known("waiting", delayed) })
    // The choice of endings is beside its heading.
    const hasChoice = which === "completed" || which === "failed" || which === "cancelled"
    const why = nothingFor(this.#seen, this.#sought?.isElsewhere ?? false)
    // Beside its heading are the buttons that show everything.
    const nothing = isAll ? {} : { nothing: text === "" ? { ...why, way: "" } : why }
    const ended = { name: ENDED[which][0], isOptional: isOptional && !hasChoice, ...nothing }
    this.#finished.show({ ...how(this.#finished), ...ended, ...this.#part("finished", finished) })
    show(this.#retryEvery, which === "failed" && text === "" && this.#failedCount() > 0)
    this.#nothing.say(why)
    const isBlank = this.#sections.every((section) => section.isBlank)
    const isUnread = LISTS.some((list) => this.#ends[list] === "unread")
    show(this.#nothing.element, !isAll && !hasChoice && isBlank && !isUnread)
    this.#bulk.update()
    show(this.#example, this.#model.state.items.size === 0)
  }

  /** Shows the latest failures, and how many there are in the whole queue. */
  #showFailures(how: Pick<ShownSection, "isLoaded" | "isNew" | "isHeld">, isAll: boolean): void {
    const items = isAll ? recentFailures(this.#model.state.items.values(), this.#model.nowMs()) : []
    const total = Math.max(items.length, this.#failedCount())
    const number = this.#model.counts ? count(total) : this.#known("finished", items)
    this.#failed.show({ ...how, name: "Failed", items, isOptional: true, count: number })
    show(this.#allFailures, total > items.length)
    setText(this.#allFailures, `Show all ${count(total)}`)
  }

  /** A list as its section shows it: its items, how many there are in all, and the number for its heading. */
  #part(list: ListName, items: readonly QueueItem[], apart = 0) {
    const [ends, { counts }, wanted] = [this.#ends, this.#model, this.#seen]
    const figures = figuresOf(list, items.length, { ends, counts, wanted }, apart)
    return { items, ...(ends[list] === "unread" && UNREAD), ...figures }
  }

  /** How far the lists of the shown query are known. */
  get #ends(): Ends {
    return (this.#sought?.state ?? this.#model.state).ends
  }

  /** How many items of a list there are, as far as they are known. */
  #known(list: ListName, { length }: readonly QueueItem[]): string {
    return asFarAsKnown(length, this.#ends[list])
  }

  /**
   * The item has moved to another list. The focus moves with it, but the view scrolls only if the focus is
   * `seen`.
   */
  #refocus(id: string | undefined, seen: boolean): void {
    const rows = [...this.element.querySelectorAll<HTMLElement>("[data-item]")]
    // The strip of failures repeats items that are also in the finished list.
    const row = rows.findLast(({ dataset }) => dataset["item"] === id)
    const lost = document.activeElement === null || document.activeElement === document.body
    const to = row?.querySelector<HTMLElement>("a") ?? (lost ? this.element.querySelector("h1") : null)
    to?.focus({ preventScroll: !seen })
  }

  #rearrange(): void {
    this.#isUnordered = true
    this.#options.changed()
  }
}
