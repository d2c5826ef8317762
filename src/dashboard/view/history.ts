import { counted, tookWords } from "../../text.ts"
import type { Entry, Happening, Stretch, Timeline } from "../model/timeline.ts"
import { at, count, inFull, messageOf, oneLine } from "../model/wording.ts"
import { el, icon, mark, setText, show } from "./dom.ts"

/** How many entries are shown at first. */
const ENTRIES = 100
/** Updates of a stretch that are listed, the latest ones. */
const LISTED = 100

const ICONS = { run: "start", warn: "stalled", good: "done", bad: "failed", quiet: "dot" } as const

/** What shows one entry of the timeline. */
interface EntryView {
  readonly element: HTMLElement
  readonly update: () => void
}

const when = (time: string): HTMLElement =>
  el("time", { datetime: time, title: inFull(time) }, at(time, Date.now()))

function happeningView({ what, detail, tone, time }: Happening): EntryView {
  const body = el(
    "div",
    {},
    el("p", { class: "what" }, what),
    ...(detail === "" ? [] : [el("p", { class: "detail", dir: "auto" }, oneLine(detail))]),
  )
  const element = el("li", { class: "happening", "data-tone": tone }, icon(ICONS[tone]), body, when(time))
  return { element, update: () => undefined }
}

/** The latest updates of a stretch, line by line. */
function listOf(updates: Stretch["updates"]): HTMLElement[] {
  const latest = updates.slice(-LISTED).reverse()
  const rows = latest.map(({ progress, message, timestamp }) =>
    el(
      "li",
      {},
      el("span", {}, `${progress}%`),
      el("span", { class: "said" }, oneLine(message)),
      when(timestamp),
    ),
  )
  const rest = updates.length - latest.length
  return rest > 0 ? [...rows, el("li", { class: "none" }, `and ${counted(rest, "earlier update")}`)] : rows
}

/**
 * A stretch in a few words: its first and last progress, the number of updates, and the time that they took.
 */
function summaryOf({ updates }: Stretch): string {
  const [first, last] = [updates[0], updates.at(-1)]
  if (!first || !last) return ""
  const isStill = first.progress === last.progress
  const done = isStill ? `${last.progress}%` : `${first.progress} to ${last.progress}%`
  if (updates.length === 1) return [done, messageOf({ ...last, unit: null })].filter(Boolean).join(" · ")
  const tookS = (Date.parse(last.timestamp) - Date.parse(first.timestamp)) / 1000
  return `${done} · ${count(updates.length)} updates in ${tookWords(tookS)}`
}

function stretchView(stretch: Stretch): EntryView {
  const name = el("span", { class: "what" }, oneLine(stretch.step) || "Progress")
  const facts = el("span", { class: "detail" })
  const listed = el("ol")
  const details = el(
    "details",
    {},
    el("summary", {}, name, el("span", { class: "for-ears" }, ", "), facts),
    listed,
  )
  const since = when(stretch.updates[0]?.timestamp ?? "")
  let known = 0
  const list = (): void => {
    if (details.open) listed.replaceChildren(...listOf(stretch.updates))
  }
  details.addEventListener("toggle", list)
  return {
    element: el("li", { class: "stretch" }, icon("dot"), details, since),
    update: () => {
      if (stretch.updates.length === known) return
      known = stretch.updates.length
      setText(facts, summaryOf(stretch))
      list()
    },
  }
}

const viewOf = (entry: Entry): EntryView =>
  entry.kind === "happening" ? happeningView(entry) : stretchView(entry)

/** The timeline of an item, the latest first. */
export class HistoryList {
  /** The entries, for the page. */
  readonly element = el("ol", { class: "timeline" })
  /** Shows earlier entries; hidden if there are none. */
  readonly more = el("button", { type: "button", class: "more", hidden: true })
  #timeline: Timeline | undefined
  /** Views of the entries from `#from` on. */
  #views: EntryView[] = []
  #from = 0

  constructor() {
    this.more.addEventListener("click", () => this.#earlier())
  }

  /** Shows the present entries of the timeline. */
  show(timeline: Timeline): void {
    if (timeline !== this.#timeline) {
      this.#timeline = timeline
      this.#views = []
      this.#from = Math.max(0, timeline.entries.length - ENTRIES)
      this.element.replaceChildren()
    }
    this.#views.at(-1)?.update()
    for (const entry of timeline.entries.slice(this.#from + this.#views.length)) {
      const view = viewOf(entry)
      view.update()
      this.#views.push(view)
      this.element.prepend(view.element)
    }
    this.#offer()
  }

  #earlier(): void {
    const entries = this.#timeline?.entries ?? []
    const from = Math.max(0, this.#from - ENTRIES)
    const views = entries.slice(from, this.#from).map(viewOf)
    for (const view of views) view.update()
    this.element.append(...views.map(({ element }) => element).reverse())
    this.#views = [...views, ...this.#views]
    this.#from = from
    this.#offer()
    const first = views.at(-1)?.element
    if (!this.more.hidden || !first) return
    // The button that had the focus is gone.
    first.tabIndex = -1
    first.focus({ preventScroll: true })
  }

  #offer(): void {
    show(this.more, this.#from > 0)
    mark(this.element, "data-cut", this.#from > 0 ? "" : null)
    setText(this.more, `Show ${count(Math.min(this.#from, ENTRIES))} earlier of ${count(this.#from)}`)
  }
}
