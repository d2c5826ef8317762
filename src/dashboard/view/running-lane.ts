import type { QueueItem } from "../../item/item.ts"
import { isGuess, shownOf } from "../../item/progress-words.ts"
import { duration } from "../../text.ts"
import type { LiveQueue } from "../model/known-queue.ts"
import {
  bandText,
  doneOf,
  leftAt,
  leftText,
  messageOf,
  oneLine,
  paceText,
  progressLabel,
  restsOn,
  stalledText,
  stepOf,
  unitOf,
} from "../model/wording.ts"
import { CutName } from "./cut-name.ts"
import { el, icon, mark, setText, show } from "./dom.ts"
import type { Row } from "./list.ts"
import { RowParts } from "./rows.ts"
import { type Glide, WaveBar } from "./wave-bar.ts"

const STEP_S = 0.6
const MAX_GLIDE_S = 90

/**
 * The target of an item's bar. Between two updates the bar moves at the item's own pace, and never reaches
 * the next percent before the server says so: however long a worker is silent, the bar and the percentage agree.
 */
export function glideOf(item: QueueItem, queue: LiveQueue): Glide {
  const done = doneOf(item)
  const left = leftAt(item, queue.nowMs())?.seconds ?? null
  if (left === null || item.stalled || !queue.isLive() || queue.isCrowded() || done >= 99)
    return { done, to: done, seconds: STEP_S }
  const to = Math.min(99.5, Math.max(done, Math.floor(done) + 0.95))
  const seconds = ((to - done) * left) / (100 - done)
  return { done, to, seconds: Math.min(MAX_GLIDE_S, Math.max(STEP_S, seconds)) }
}

/** A running item: its wave, and what is known of its progress. */
export class RunningLane implements Row {
  readonly element: HTMLElement
  readonly #queue: LiveQueue
  readonly #frame: RowParts
  readonly #wave = new WaveBar()
  readonly #number = el("span")
  readonly #song = el("span", { class: "song" })
  readonly #attempt = el("span", { class: "attempt" })
  readonly #worker = new CutName()
  readonly #before = el("span", {}, " · ")
  readonly #percent = el("span", { class: "number" })
  readonly #words = el("span", { class: "time" })
  readonly #band = el("small")
  /** Shows the state on lanes of one line, which have no room for both. */
  readonly #halt = el("span", { class: "halt" })
  /** Says the step and the message where a lane is a line, as long as no time is known. */
  readonly #doing = el("span", { class: "doing", dir: "auto" })
  readonly #left = el("span", { class: "left" }, this.#words, this.#band, this.#halt, this.#doing)
  readonly #figures = el("div", { class: "figures" })
  readonly #state = el("span", { class: "chip", "data-tone": "warn", hidden: true })
  readonly #step = el("span", { class: "step", dir: "auto" })
  readonly #unit = el("span", { class: "unit", dir: "auto" })
  readonly #message = el("span", { class: "message", dir: "auto" })
  readonly #elapsed = el("span", { class: "elapsed" })
  readonly #stateText = el("span")
  #isCancelling: boolean | undefined
  #item: QueueItem | undefined
  #does = ""

  constructor(queue: LiveQueue) {
    this.#queue = queue
    this.#frame = new RowParts(queue)
    const { link, markBox, actions } = this.#frame
    const percent = el(
      "p",
      { class: "percent", "aria-hidden": "true" },
      this.#percent,
      el("span", { class: "sign" }, "%"),
    )
    this.#figures.append(percent, this.#left)
    const meta = el(
      "span",
      { class: "meta" },
      this.#number,
      this.#song,
      this.#attempt,
      this.#before,
      this.#worker.element,
    )
    this.element = el(
      "li",
      { class: "lane" },
      markBox,
      el("div", { class: "about" }, link, el("p", {}, meta, this.#state)),
      this.#figures,
      actions,
      this.#wave.element,
      el(
        "div",
        { class: "foot" },
        el("p", {}, this.#step, " ", this.#unit, " ", this.#message),
        this.#elapsed,
      ),
    )
  }

  update(item: QueueItem): void {
    this.#item = item
    this.#frame.update(item)
    this.#wave.show(item, progressLabel(item), shownOf(item), glideOf(item, this.#queue))
    const attempt = item.attempt > 1 ? ` · attempt ${item.attempt} of ${item.max_attempts}` : ""
    setText(this.#number, `#${item.id}`)
    setText(this.#song, ` · song ${item.song_id}`)
    setText(this.#attempt, attempt)
    show(this.#before, item.worker !== "")
    this.#worker.show(oneLine(item.worker))
    const cancelling = item.cancel_requested_at !== null
    show(this.#state, cancelling || item.stalled)
    if (cancelling !== this.#isCancelling) {
      this.#isCancelling = cancelling
      this.#state.replaceChildren(...(cancelling ? [] : [icon("stalled")]), this.#stateText)
    }
    mark(this.element, "data-tone", item.stalled ? "warn" : "run")
    setText(this.#percent, String(shownOf(item)))
    mark(this.#figures, "data-guess", isGuess(item) ? "" : null)
    mark(this.#wave.element, "title", restsOn(item) || null)
    mark(this.#figures, "title", restsOn(item) || null)
    const name = item.current_step || item.step?.name || ""
    setText(this.#step, [stepOf(item), oneLine(name)].filter((part) => part !== "").join(": "))
    setText(this.#unit, unitOf(item) || paceText(item))
    setText(this.#message, messageOf(item))
    const parts = [this.#step, this.#unit, this.#message].map(({ textContent }) => textContent)
    this.#does = parts.filter((part) => part !== "").join(", ")
    this.tick()
  }

  tick(): void {
    const item = this.#item
    if (!item) return
    const nowMs = this.#queue.asOfMs(item)
    const state = item.cancel_requested_at === null ? stalledText(item, nowMs) : "Cancelling"
    setText(this.#stateText, state)
    setText(this.#halt, item.stalled || item.cancel_requested_at !== null ? state : "")
    setText(this.#words, leftText(item, nowMs))
    setText(this.#band, bandText(item, nowMs))
    setText(this.#doing, this.#words.textContent === "" && this.#halt.textContent === "" ? this.#does : "")
    const startedMs = Date.parse(item.started_at ?? item.updated_at)
    setText(this.#elapsed, `${duration((nowMs - startedMs) / 1000)} elapsed`)
  }
}
