import { ServerError } from "../../client/client.ts"
import type { QueueItem } from "../../item/item.ts"
import { isFinished } from "../../item/moves.ts"
import { duration } from "../../text.ts"
import { Past } from "../live/past.ts"
import { BASE, server } from "../live/server.ts"
import type { StreamUpdate } from "../model/messages.ts"
import type { Changes, Model } from "../model/model.ts"
import { after, isWaiting } from "../model/state.ts"
import {
  at,
  count,
  leftOf,
  line,
  nameOf,
  paceOf,
  roughly,
  standing,
  stepOf,
  toneOf,
  unitOf,
} from "../model/text.ts"
import { choicesOf } from "./actions.ts"
import { el, icon, mark, say, show } from "./dom.ts"
import { factsOf } from "./facts.ts"
import { HistoryList } from "./history.ts"
import { glideOf } from "./lane.ts"
import { Plot } from "./plot.ts"
import type { Screen } from "./screen.ts"
import { songMark, tint, Wave } from "./wave.ts"

const DRAW_EVERY_MS = 250
const AGAIN_MS = 1000

/** The page of one item. */
export class ItemScreen implements Screen {
  readonly element: HTMLElement
  readonly #id: number
  readonly #model: Model
  readonly #changed: () => void
  readonly #past: Past
  readonly #mark = el("span", { class: "mark-box" })
  readonly #name = el("h1", { tabindex: -1 })
  readonly #about = el("span", { class: "meta" })
  readonly #standing = el("span", { class: "chip" })
  readonly #buttons = el("div", { class: "buttons" })
  readonly #percent = el("span", { class: "number" })
  readonly #wave = new Wave()
  readonly #left = el("span", { class: "left" })
  readonly #told = el("p", { class: "told" })
  readonly #elapsed = el("span", { class: "elapsed" })
  readonly #error = el(
    "section",
    { class: "failure", "aria-label": "Error", hidden: true },
    icon("failed"),
    el("pre", { tabindex: 0 }),
  )
  readonly #plot = new Plot()
  readonly #noPlot = el("p", { class: "none" }, "Nothing to draw until it is running.")
  readonly #history = new HistoryList()
  readonly #truncated = el(
    "p",
    { class: "none", hidden: true },
    "The history is longer than what is shown here.",
  )
  readonly #facts = el("div")
  readonly #body: HTMLElement
  readonly #gone = el("div", { class: "empty gone", hidden: true })
  /** The item, where it is none of those that the model keeps. */
  #own: QueueItem | undefined
  /** What the stream says while the item is being read; null while it is not. */
  #meanwhile: StreamUpdate[] | null = null
  #deleted = false
  /** What is drawn is an item of a history that is no more. */
  #foreign = false
  #known = ""
  #offered = ""
  #historyId = ""
  #drawnMs = 0
  #drawing: ReturnType<typeof setTimeout> | undefined

  /** `changed` asks for a frame. */
  constructor(id: number, model: Model, changed: () => void) {
    this.#id = id
    this.#model = model
    this.#changed = changed
    this.#past = new Past(id, changed, () => this.element.isConnected)
    const back = el(
      "nav",
      { "aria-label": "Way back" },
      el("a", { class: "back", href: BASE.pathname }, icon("back"), "Render queue"),
    )
    const head = el(
      "header",
      { class: "item-head" },
      this.#mark,
      el("div", {}, this.#name, el("p", {}, this.#standing, this.#about)),
      this.#buttons,
    )
    const percent = el(
      "p",
      { class: "percent", "aria-hidden": "true" },
      this.#percent,
      el("span", { class: "sign" }, "%"),
    )
    const now = el(
      "section",
      { class: "now", "aria-label": "Progress" },
      el("div", { class: "figures-now" }, percent, el("div", {}, this.#left, this.#elapsed)),
      this.#wave.element,
      this.#told,
    )
    const over = el(
      "section",
      { class: "section", "aria-labelledby": "heading-plot" },
      el("h2", { id: "heading-plot" }, "Progress over time"),
      this.#noPlot,
      this.#plot.element,
    )
    const history = el(
      "section",
      { class: "section", "aria-labelledby": "heading-history" },
      el("h2", { id: "heading-history" }, "History"),
      this.#truncated,
      this.#history.element,
      this.#history.more,
    )
    const facts = el(
      "section",
      { class: "section", "aria-labelledby": "heading-facts" },
      el("h2", { id: "heading-facts" }, "Details"),
      this.#facts,
    )
    this.#body = el("div", {}, head, now, this.#error, over, el("div", { class: "columns" }, history, facts))
    this.element = el("div", { class: "item" }, back, this.#gone, this.#body)
    void this.#past.read()
  }

  title(): string {
    const item = this.#item()
    if (!item) return `#${this.#id}`
    return item.status === "processing"
      ? `${item.progress}% ${nameOf(item)}`
      : `${standing(item)}: ${nameOf(item)}`
  }

  /** Takes what the stream says of this item. */
  hear(updates: readonly StreamUpdate[]): void {
    this.#past.hear(updates)
    for (const update of updates) {
      if (update.queue_id !== this.#id) continue
      this.#meanwhile?.push(update)
      if (update.deleted) this.#deleted = true
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
      if (!this.#deleted && !this.#model.item(this.#id)) void this.#fetch()
    }
    const item = this.#item()
    this.#miss(item)
    if (item && (all || lists || ids.has(this.#id) || this.#known === "" || this.#own)) this.#show(item)
    this.#history.show(this.#past.timeline)
    show(this.#truncated, this.#past.truncated)
    this.#drawing ??= setTimeout(
      () => this.#draw(),
      Math.max(0, this.#drawnMs + DRAW_EVERY_MS - performance.now()),
    )
  }

  tick(): void {
    const item = this.#item()
    if (!item) return
    this.#time(item)
    if (!isFinished(item.status)) this.#draw()
  }

  #item(): QueueItem | undefined {
    return this.#model.item(this.#id) ?? this.#own
  }

  /** The server has another history: its item of this id is another one. */
  #forget(): void {
    this.#past.reset()
    this.#own = undefined
    this.#meanwhile = null
    this.#deleted = false
    this.#foreign = true
    this.#known = ""
    this.#offered = ""
  }

  /** Reads the item; what failed is tried again. */
  async #fetch(): Promise<void> {
    if (this.#meanwhile) return
    const meanwhile: StreamUpdate[] = []
    this.#meanwhile = meanwhile
    try {
      const item = await server.get(this.#id)
      // The answer may be slower than the stream, which has the last word.
      if (meanwhile === this.#meanwhile) this.#own = meanwhile.reduce(after, item)
    } catch (error) {
      if (!(error instanceof ServerError && error.status === 404))
        setTimeout(() => this.element.isConnected && !this.#own && void this.#fetch(), AGAIN_MS)
      else if (meanwhile === this.#meanwhile) this.#own = undefined
    }
    if (meanwhile === this.#meanwhile) this.#meanwhile = null
    this.#changed()
  }

  #miss(item: QueueItem | undefined): void {
    const missing = this.#deleted || (!item && this.#past.missing)
    show(this.#gone, missing)
    if (item) this.#foreign = false
    show(this.#body, this.#deleted || (!missing && !this.#foreign))
    if (missing) {
      if (this.#buttons.contains(document.activeElement)) this.#name.focus()
      this.#buttons.replaceChildren()
      this.#offered = ""
      const text = this.#deleted
        ? "This item was deleted. Its history is still kept for a while."
        : `There is no queue item ${this.#id}.`
      this.#gone.replaceChildren(el("p", {}, text), el("a", { href: BASE.pathname }, "Back to the queue"))
    }
  }

  #show(item: QueueItem): void {
    const known = JSON.stringify([item.song_id, item.metadata, item.tags])
    if (known !== this.#known) {
      this.#known = known
      this.#mark.replaceChildren(songMark(item.song_id))
      tint(this.#plot.element, item.song_id)
    }
    mark(this.element, "data-status", item.status)
    say(this.#name, nameOf(item))
    say(
      this.#about,
      `#${item.id} · song ${item.song_id}${item.worker === "" ? "" : ` · ${line(item.worker)}`}`,
    )
    say(this.#standing, standing(item))
    mark(this.#standing, "data-tone", toneOf(item))
    say(this.#percent, String(item.progress))
    this.#wave.show(item.song_id, `Progress of ${nameOf(item)}`, item.progress, glideOf(item, this.#model))
    const told = [
      [stepOf(item), line(item.current_step || (item.step?.name ?? ""))].filter(Boolean).join(": "),
      unitOf(item),
      paceOf(item),
      line(item.message),
    ]
    say(this.#told, [...new Set(told)].filter((part) => part !== "").join(" · "))
    show(this.#error, item.error_message !== "")
    const [, text] = this.#error.children
    if (text) say(text, item.error_message)
    this.#facts.replaceChildren(factsOf(item))
    this.#offer(item)
    this.#time(item)
  }

  #offer(item: QueueItem): void {
    const choices = this.#deleted ? [] : choicesOf(item, this.#model)
    const offered = choices.map(({ label }) => label).join()
    if (offered === this.#offered) return
    this.#offered = offered
    const focused = this.#buttons.contains(document.activeElement)
    const buttons = choices.map(({ label, icon: name, danger = false, choose }) => {
      const button = el(
        "button",
        { type: "button", class: danger ? "danger quiet" : null },
        icon(name),
        label,
      )
      button.addEventListener("click", choose)
      return button
    })
    this.#buttons.replaceChildren(...buttons)
    // What had the focus may be no choice any more.
    if (focused) (buttons[0] ?? this.#name).focus()
  }

  #time(item: QueueItem): void {
    const nowMs = this.#model.isLive() ? this.#model.nowMs() : Date.parse(item.updated_at)
    const since = (time: string | null): number => (nowMs - Date.parse(time ?? item.updated_at)) / 1000
    if (item.status === "processing") {
      const left = leftOf(item, nowMs)
      say(
        this.#left,
        left === null ? "time left not known yet" : left < 1 ? "any moment" : `${duration(left)} left`,
      )
      return say(this.#elapsed, `${duration(since(item.started_at))} elapsed`)
    }
    if (isWaiting(item)) {
      const { waiting } = this.#model.lists
      const place = waiting.findIndex(({ id }) => id === item.id) + 1
      say(this.#left, place > 0 ? `${count(place)} of ${count(waiting.length)} in the queue` : "waiting")
      return say(
        this.#elapsed,
        item.available_at === null
          ? `waiting ${roughly(since(item.queued_at))}`
          : `next attempt at ${at(item.available_at, nowMs)}`,
      )
    }
    say(this.#left, `${standing(item)} ${roughly(since(item.completed_at))} ago`)
    const took =
      item.started_at && item.completed_at
        ? (Date.parse(item.completed_at) - Date.parse(item.started_at)) / 1000
        : null
    say(this.#elapsed, took === null ? "" : `after ${duration(took)}`)
  }

  #draw(): void {
    clearTimeout(this.#drawing)
    this.#drawing = undefined
    this.#drawnMs = performance.now()
    const item = this.#item()
    if (!item) return
    const nowMs = this.#model.isLive() ? this.#model.nowMs() : Date.parse(item.updated_at)
    const left = leftOf(item, nowMs)
    const expected =
      left === null ? null : { ms: nowMs + left * 1000, fromMs: nowMs, progress: item.progress }
    const { points } = this.#past.timeline
    this.#plot.draw(points, nowMs, expected)
    show(this.#noPlot, !points.some(({ running }) => running))
  }
}
