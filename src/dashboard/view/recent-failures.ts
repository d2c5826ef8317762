import type { QueueItem } from "../../item/item.ts"
import { hasFailed } from "../../item/state-in-one-word.ts"
import { byEnd } from "../model/apply-updates.ts"
import type { KnownQueue } from "../model/known-queue.ts"
import { causeLine, inFull, roughly } from "../model/wording.ts"
import { retryAllFailed } from "./bulk-actions.ts"
import { el, icon, mark, setText } from "./dom.ts"
import type { Row } from "./list.ts"
import { RowParts } from "./rows.ts"

/** Failures older than this are only among the finished items. */
const RECENT_MS = 86_400_000
/** How many the strip has at most; a link leads to the others. */
const MOST = 40

/** Whether an item has finished within a day. */
const isRecent = ({ completed_at }: Pick<QueueItem, "completed_at">, nowMs: number): boolean =>
  nowMs - Date.parse(completed_at ?? "") < RECENT_MS

/**
 * The items that have failed within a day, the newest first, also those that are further back than the list
 * of all that has finished is known.
 */
export const recentFailures = (items: Iterable<QueueItem>, nowMs: number): readonly QueueItem[] =>
  [...items]
    .filter((item) => hasFailed(item) && isRecent(item, nowMs))
    .sort(byEnd)
    .slice(0, MOST)

/** A failed item, with its cause in front. */
export class FailureRow implements Row {
  readonly element: HTMLElement
  readonly #queue: KnownQueue
  readonly #frame: RowParts
  readonly #cause = el("p", { class: "cause", dir: "auto" })
  readonly #ago = el("time", { class: "since" })
  #item: QueueItem | undefined

  constructor(queue: KnownQueue) {
    this.#queue = queue
    this.#frame = new RowParts(queue)
    const { link, markBox, actions } = this.#frame
    const about = el("div", { class: "about" }, link, this.#cause)
    this.element = el("li", { class: "row failed" }, markBox, about, this.#ago, actions)
  }

  update(item: QueueItem): void {
    this.#item = item
    this.#frame.update(item)
    setText(this.#cause, causeLine(item) || "No reason was given")
    mark(this.#ago, "datetime", item.completed_at)
    mark(this.#ago, "title", item.completed_at && inFull(item.completed_at))
    this.tick()
  }

  tick(): void {
    const end = this.#item?.completed_at
    if (end) setText(this.#ago, `${roughly((this.#queue.nowMs() - Date.parse(end)) / 1000)} ago`)
  }
}

/** A button that retries all that have failed in the whole queue. */
export function retryAllButton(queue: KnownQueue): HTMLButtonElement {
  const attributes = { type: "button", class: "retry-all", "data-needs": "change" }
  const button = el("button", attributes, icon("retry"), "Retry all failed")
  button.addEventListener("click", () => void retryAllFailed(queue))
  return button
}
