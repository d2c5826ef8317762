import { ServerError } from "../../client/requests.ts"
import type { QueueItem } from "../../item/item.ts"
import { isFinished } from "../../item/moves.ts"
import { ItemHistory } from "../live/item-history.ts"
import { BASE, server } from "../live/server.ts"
import { unreadHere } from "../live/unread-parts.ts"
import { after } from "../model/apply-updates.ts"
import type { StreamUpdate } from "../model/hub-messages.ts"
import type { Changes, Model } from "../model/model.ts"
import { colourOf, doneName, doneOf, leftAt, nameOf, runningTitle, standing } from "../model/wording.ts"
import { el, icon, mark, setText, show } from "./dom.ts"
import { FailureBox } from "./failure-box.ts"
import { HistoryList } from "./history.ts"
import { factsOf } from "./item-facts.ts"
import { ItemHead } from "./item-head.ts"
import { ItemProgress } from "./item-progress.ts"
import { OutputPanel } from "./output-panel.ts"
import { ProgressPlot } from "./progress-plot.ts"
import type { Screen } from "./screen.ts"
import { StepsBar } from "./steps.ts"
import { tint } from "./wave-bar.ts"

const DRAW_EVERY_MS = 250
const AGAIN_MS = 1000
/** The parts below the progress appear together, so that none moves another, and after this time as they come. */
const TOGETHER_MS = 5000
/** They wait for the output of a running command for this long: it may print nothing for long. */
const PRINTED_MS = 600

/** A part of the page below a heading. */
const part = (id: string, heading: string, ...content: readonly Node[]): HTMLElement =>
  el(
    "section",
    { class: "section", "aria-labelledby": `heading-${id}` },
    el("h2", { id: `heading-${id}` }, heading),
    ...content,
  )

const breadcrumb = (): HTMLElement =>
  el(
    "nav",
    { "aria-label": "Breadcrumb" },
    el("a", { class: "back", href: BASE.pathname }, icon("back"), "Render queue"),
  )

/** The page of one item. */
export class ItemScreen implements Screen {
  readonly element: HTMLElement
  readonly #id: number
  readonly #model: Model
  readonly #changed: () => void
  readonly #past: ItemHistory
  readonly #head: ItemHead
  readonly #now: ItemProgress
  readonly #failure = new FailureBox()
  readonly #plot = new ProgressPlot()
  readonly #steps = new StepsBar()
  readonly #noPlot = el("p", { class: "none" })
  readonly #course = part("plot", "Progress over time", this.#noPlot, this.#plot.element, this.#steps.element)
  readonly #output: OutputPanel
  readonly #history = new HistoryList()
  readonly #truncated = el(
    "p",
    { class: "none", hidden: true },
    "The history is longer than what is shown here.",
  )
  readonly #facts = el("div")
  readonly #body: HTMLElement
  /** Everything below the head; hidden until the item is known. */
  readonly #rest: HTMLElement
  #shownMs = Number.POSITIVE_INFINITY
  readonly #gone = el("div", { class: "empty gone", hidden: true })
  readonly #why = el("p")
  /** The item, if the model does not keep it. */
  #own: QueueItem | undefined
  /** Updates of the stream that arrive while the item is being read; null if it is not. */
  #meanwhile: StreamUpdate[] | null = null
  #isDeleted = false
  /** Whether the item that is drawn belongs to another history than the server's. */
  #isForeign = false
  #isShown = false
  #historyId = ""
  #drawnMs = 0
  #drawing: ReturnType<typeof setTimeout> | undefined

  /** `changed` asks for a frame. */
  constructor(id: number, model: Model, changed: () => void) {
    this.#id = id
    this.#model = model
    this.#changed = changed
    this.#past = new ItemHistory(id, changed, () => this.element.isConnected)
    this.#head = new ItemHead(model)
    this.#now = new ItemProgress(model)
    this.#output = new OutputPanel(id, () => this.#reveal())
    const history = part("history", "History", this.#truncated, this.#history.element, this.#history.more)
    this.#rest = el(
      "div",
      { hidden: true, "data-blank": "" },
      this.#now.element,
      this.#failure.element,
      this.#course,
      this.#output.element,
      el("div", { class: "columns" }, history, part("facts", "Details", this.#facts)),
    )
    this.#body = el("div", {}, this.#head.element, this.#rest)
    setText(this.#head.name, `#${id}`)
    this.element = el("div", { class: "item" }, breadcrumb(), this.#gone, this.#body)
    void this.#past.read()
  }

  title(): string {
    const item = this.#item()
    if (!item) return `#${this.#id}`
    return item.status === "processing"
      ? runningTitle(doneName(item), [item], this.#model.nowMs())
      : `${standing(item)}: ${nameOf(item)}`
  }

  /** Takes what the stream says of this item. */
  hear(updates: readonly StreamUpdate[]): void {
    this.#past.hear(updates)
    for (const update of updates) {
      if (update.queue_id !== this.#id) continue
      this.#meanwhile?.push(update)
      if (update.deleted) this.#isDeleted = true
      if (this.#own) this.#own = after(this.#own, update)
    }
  }

  frame({ ids, all, lists }: Changes): void {
    const { history } = this.#model.connection
    const turned = history !== "" && this.#historyId !== "" && history !== this.#historyId
    if (turned) this.#forget()
    this.#historyId = history || this.#historyId
    if (all || turned) {
      void this.#past.read()
      if (!this.#isDeleted && !this.#model.item(this.#id)) void this.#fetch()
    }
    const item = this.#item()
    this.#miss(item)
    if (item && (all || lists || ids.has(this.#id) || !this.#isShown || this.#own)) this.#show(item)
    this.#history.show(this.#past.timeline)
    show(this.#truncated, this.#past.truncated)
    this.#reveal()
    this.#drawing ??= setTimeout(
      () => this.#draw(),
      Math.max(0, this.#drawnMs + DRAW_EVERY_MS - performance.now()),
    )
  }

  tick(): void {
    const item = this.#item()
    if (!item) return
    this.#now.tick(item)
    if (!isFinished(item.status)) this.#draw()
  }

  #item(): QueueItem | undefined {
    return this.#model.item(this.#id) ?? this.#own
  }

  /** The server has another history: its item of this ID is another one. */
  #forget(): void {
    this.#past.reset()
    this.#output.reset()
    this.#own = undefined
    this.#meanwhile = null
    this.#isDeleted = false
    this.#isForeign = true
    this.#isShown = false
    this.#head.withdraw()
  }

  /** Reads the item; repeats this after a failure. */
  async #fetch(): Promise<void> {
    if (this.#meanwhile) return
    const meanwhile: StreamUpdate[] = []
    this.#meanwhile = meanwhile
    try {
      const item = await server.get(this.#id)
      unreadHere.read("item")
      // The stream may be ahead of a slow answer, so its updates are applied last.
      if (meanwhile === this.#meanwhile) this.#own = meanwhile.reduce(after, item)
    } catch (error) {
      if (!(error instanceof ServerError && error.status === 404)) {
        if (this.element.isConnected) unreadHere.failed("item", error)
        setTimeout(() => this.element.isConnected && !this.#own && void this.#fetch(), AGAIN_MS)
      } else if (meanwhile === this.#meanwhile) this.#own = undefined
    }
    if (meanwhile === this.#meanwhile) this.#meanwhile = null
    this.#changed()
  }

  #miss(item: QueueItem | undefined): void {
    const isMissing = this.#isDeleted || (!item && this.#past.missing)
    show(this.#gone, isMissing)
    if (item) this.#isForeign = false
    show(this.#body, this.#isDeleted || (!isMissing && !this.#isForeign))
    show(this.#rest, item !== undefined || this.#isShown)
    if (!isMissing) return
    mark(this.#rest, "data-blank", null)
    this.#head.withdraw()
    // A reader who may see only one item is not told which others there are.
    const end = this.#model.may("figures") ? "." : ", or this link does not show it."
    const text = this.#isDeleted ? "This item was deleted." : `There is no item ${this.#id}${end}`
    if (this.#why.textContent === text) return
    setText(this.#why, text)
    // What was shown of a deleted item stays, and has a heading.
    const heading = this.#isDeleted ? [] : [el("h1", { class: "for-ears", tabindex: -1 }, "No such item")]
    const back = el("a", { href: BASE.pathname }, "Back to the queue")
    this.#gone.replaceChildren(...heading, this.#why, back)
  }

  /** Shows the parts below the progress once they are known. */
  #reveal(): void {
    const shownForMs = performance.now() - this.#shownMs
    const mayBeSilent = this.#item()?.status === "processing" && shownForMs > PRINTED_MS
    const isComplete = this.#isShown && this.#past.isKnown && (this.#output.isAsked || mayBeSilent)
    if (this.#rest.dataset["blank"] === undefined || !(isComplete || shownForMs > TOGETHER_MS)) return
    // A chart that is drawn later would move what is below it.
    this.#draw()
    mark(this.#rest, "data-blank", null)
  }

  #show(item: QueueItem): void {
    if (this.#shownMs === Number.POSITIVE_INFINITY) {
      this.#shownMs = performance.now()
      for (const ms of [PRINTED_MS, TOGETHER_MS]) setTimeout(() => this.#reveal(), ms + 1)
    }
    this.#isShown = true
    mark(this.element, "data-tone", colourOf(item))
    tint(this.#plot.element, item.song_id)
    this.#head.show(item, this.#isDeleted)
    this.#now.show(item)
    this.#failure.show(item)
    this.#output.show(item)
    const facts = factsOf(item)
    // A reader may have selected some of them, or scrolled.
    if (!this.#facts.firstElementChild?.isEqualNode(facts)) this.#facts.replaceChildren(facts)
  }

  #draw(): void {
    clearTimeout(this.#drawing)
    this.#drawing = undefined
    this.#drawnMs = performance.now()
    const item = this.#item()
    if (!item) return
    const nowMs = this.#model.asOfMs(item)
    const left = leftAt(item, nowMs)
    const expected =
      left === null ? null : { ms: nowMs + left.seconds * 1000, fromMs: nowMs, progress: doneOf(item) }
    const { points } = this.#past.timeline
    const isDrawn = this.#plot.draw(points, nowMs, expected)
    this.#steps.draw(this.#past.timeline.entries, nowMs)
    const hasRun = points.some(({ running }) => running)
    show(this.#noPlot, !isDrawn && this.#past.isKnown)
    const none = isFinished(item.status) ? "No progress was reported." : "No progress is reported yet."
    setText(this.#noPlot, hasRun ? none : "The chart appears once rendering starts.")
    // An item that was cancelled before it began has no course, and will get none.
    show(this.#course, hasRun || !isFinished(item.status))
  }
}
