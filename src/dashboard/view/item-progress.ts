import type { QueueItem } from "../../item/item.ts"
import { isFinished, isWaiting } from "../../item/moves.ts"
import { isGuess, shownOf, tookOf, waitsSince } from "../../item/progress-words.ts"
import { duration } from "../../text.ts"
import type { Model } from "../model/model.ts"
import {
  at,
  bandText,
  count,
  leftText,
  messageOf,
  missingText,
  oneLine,
  paceText,
  progressLabel,
  restsOn,
  roughly,
  stalledText,
  standing,
  startsText,
  stepOf,
  unitOf,
} from "../model/wording.ts"
import { el, mark, setText } from "./dom.ts"
import { glideOf } from "./running-lane.ts"
import { WaveBar } from "./wave-bar.ts"

/** Two short texts beside the percentage. */
type Times = readonly [left: string, elapsed: string]

function waitingTimes(item: QueueItem, model: Model, nowMs: number): Times {
  const { waiting } = model.lists
  const place = waiting.findIndex(({ id }) => id === item.id) + 1
  const total = model.waitingTotal()
  const where = place > 0 && total !== null ? `${count(place)} of ${count(total)} in the queue` : "Waiting"
  const missing = model.missing(item.tags)
  if (missing.length > 0) return ["Waiting", missingText(missing)]
  if (model.counts?.paused_at) return [where, "The queue is paused"]
  const start = model.startOf(item.id)
  if (start) return [where, startsText(start, nowMs)]
  const { available_at, status } = item
  const isRetry = status === "retrying"
  if (available_at !== null && Date.parse(available_at) > nowMs)
    return [where, `${isRetry ? "retries" : "starts"} at ${at(available_at, nowMs)}`]
  if (isRetry) return [where, "ready to retry"]
  const { workers: known, lists } = model
  const isServed =
    !known.isKnown ||
    lists.running.length > 0 ||
    known.workers.some(({ state, draining }) => state !== "away" && !draining)
  const waits = `${where === "Waiting" ? "for" : "waiting"} ${roughly((nowMs - Date.parse(waitsSince(item))) / 1000)}`
  return [where, isServed ? waits : `${waits}, no worker runs`]
}

/** What is said of an item's time beside its percentage. */
export function timesOf(item: QueueItem, model: Model): Times {
  const nowMs = model.asOfMs(item)
  const since = (time: string | null): number => (nowMs - Date.parse(time ?? item.updated_at)) / 1000
  if (isWaiting(item.status)) return waitingTimes(item, model, nowMs)
  if (isFinished(item.status)) {
    const ended = `${standing(item)} ${roughly(since(item.completed_at))} ago`
    const took = tookOf(item)
    return [ended, took === "" ? "" : `after ${took}`]
  }
  const rest = [bandText(item, nowMs), `${duration(since(item.started_at))} elapsed`]
  return [
    item.stalled ? stalledText(item, nowMs) : leftText(item, nowMs) || "Estimating",
    rest.filter((part) => part !== "").join(" · "),
  ]
}

/** The item's present progress, time and step. */
export class ItemProgress {
  readonly #model: Model
  readonly #percent = el("span", { class: "number" })
  readonly #left = el("span", { class: "left" })
  readonly #elapsed = el("span", { class: "elapsed" })
  readonly #wave = new WaveBar()
  readonly #told = el("p", { class: "told", dir: "auto" })
  /** The section, for the page. */
  readonly element = el(
    "section",
    { class: "now", "aria-label": "Progress" },
    el(
      "div",
      { class: "figures-now" },
      el("p", { class: "percent", "aria-hidden": "true" }, this.#percent, el("span", { class: "sign" }, "%")),
      el("div", {}, this.#left, this.#elapsed),
    ),
    this.#wave.element,
    this.#told,
  )

  constructor(model: Model) {
    this.#model = model
  }

  /** Shows the item as it is. */
  show(item: QueueItem): void {
    setText(this.#percent, String(shownOf(item)))
    mark(this.element, "data-guess", isGuess(item) ? "" : null)
    this.#wave.show(item, progressLabel(item), shownOf(item), glideOf(item, this.#model))
    // The values of an earlier attempt do not apply now, and a completed item is in no step.
    const where = isWaiting(item.status) || item.status === "completed" ? [] : this.#where(item)
    // A tooltip would be out of reach for fingers and keys.
    const basis = item.status === "processing" ? restsOn(item) : ""
    const told = new Set([...where, messageOf(item), basis])
    setText(this.#told, [...told].filter((part) => part !== "").join(" · "))
    this.tick(item)
  }

  #where(item: QueueItem): string[] {
    return [
      [stepOf(item), oneLine(item.current_step || (item.step?.name ?? ""))].filter(Boolean).join(": "),
      unitOf(item),
      paceText(item),
    ]
  }

  /** Shows the times as they are by now. */
  tick(item: QueueItem): void {
    const [left, elapsed] = timesOf(item, this.#model)
    setText(this.#left, left)
    setText(this.#elapsed, elapsed)
  }
}
