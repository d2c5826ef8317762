import type { QueueItem } from "../../item/item.ts"
import { tookOf, waitsSince } from "../../item/progress-words.ts"
import { duration } from "../../text.ts"
import { BASE } from "../live/server.ts"
import type { KnownQueue } from "../model/known-queue.ts"
import {
  causeLine,
  colourOf,
  count,
  endOfAttempt,
  flagWords,
  inFull,
  missingText,
  nameOf,
  oneLine,
  roughly,
  standing,
  startsText,
} from "../model/wording.ts"
import { choicesOf } from "./actions.ts"
import { el, icon, mark, setText, show } from "./dom.ts"
import type { Row } from "./list.ts"
import { type Choice, toggleMenu } from "./menu.ts"
import { moveByKeys } from "./reorder.ts"
import { selected } from "./selected-items.ts"
import { songMark } from "./wave-bar.ts"

/** The address of an item's page. */
export const hrefOf = (id: number): string => new URL(`items/${id}`, BASE).pathname

/** The parts of every row: the song's mark, the name that leads to the item's page, and the actions. */
export class RowParts {
  /** The name, which leads to the item's page. */
  readonly link = el("a", { class: "name", dir: "auto" })
  /** Holds the mark of the song. */
  readonly markBox = el("span", { class: "mark-box" })
  /** The buttons. */
  readonly actions = el("span", { class: "actions" })
  readonly #quick = el("button", { type: "button", class: "plain quick" })
  readonly #check = el("input", { type: "checkbox", class: "check" })
  readonly #menu = el(
    "button",
    { type: "button", class: "plain", "aria-haspopup": "menu", "aria-expanded": "false" },
    icon("more"),
  )
  readonly #queue: KnownQueue
  #item: QueueItem | undefined
  #songId = 0
  #label = ""

  constructor(queue: KnownQueue) {
    this.#queue = queue
    this.actions.append(this.#quick, this.#menu)
    this.#quick.addEventListener("click", () => this.#first()?.choose())
    this.#menu.addEventListener("click", () => {
      if (this.#item) toggleMenu(this.#menu, `Actions for ${nameOf(this.#item)}`, this.#choices())
    })
  }

  /** Shows the item. */
  update(item: QueueItem): void {
    const name = nameOf(item)
    if (this.#item?.id !== item.id) mark(this.link, "href", hrefOf(item.id))
    this.#item = item
    setText(this.link, name)
    mark(this.link, "title", name)
    if (this.#songId !== item.song_id) {
      this.#songId = item.song_id
      this.markBox.replaceChildren(songMark(item.song_id), this.#check)
    }
    this.#check.checked = selected.has(item.id)
    const first = this.#first()
    const label = `${first?.label} ${name}`
    if (label === this.#label) return
    this.#label = label
    const focused = document.activeElement === this.#quick
    show(this.#quick, first !== undefined && !first.label.endsWith("…"))
    if (focused && this.#quick.hidden) this.#menu.focus()
    mark(this.#menu, "aria-label", `Actions for ${name}`)
    mark(this.#check, "aria-label", `Select ${name}`)
    if (!first) return
    this.#quick.replaceChildren(icon(first.icon))
    mark(this.#quick, "aria-label", `${first.label} ${name}`)
    mark(this.#quick, "title", first.label)
  }

  /** The actions outside of the menu. */
  #first(): Choice | undefined {
    return this.#choices().find(({ minor }) => !minor)
  }

  #choices(): ReturnType<typeof choicesOf> {
    return this.#item ? choicesOf(this.#item, this.#queue) : []
  }
}

/** How many tags a row names; the item's page has them all. */
const MOST_TAGS = 3

/** The tags of an item, as chips. */
function tagChips(tags: readonly string[]): Node[] {
  const more = tags.length - MOST_TAGS
  const chips = tags.slice(0, MOST_TAGS).map((tag) => el("span", { class: "chip" }, oneLine(tag)))
  return more > 0 ? [...chips, el("span", { class: "chip" }, `+${more}`)] : chips
}

/** A row of the queue: its place, its priority, how long it has waited. */
export class WaitingRow implements Row {
  readonly element: HTMLElement
  readonly #queue: KnownQueue
  readonly #frame: RowParts
  readonly #place = el("span", { class: "place", "aria-hidden": "true" })
  readonly #meta = el("span", { class: "meta" })
  readonly #tags = el("span", { class: "tags" })
  readonly #priority = el("span", { class: "priority" })
  readonly #waited = el("span", { class: "since" })
  readonly #error = el("p", { class: "error", dir: "auto", hidden: true })
  #item: QueueItem | undefined

  constructor(queue: KnownQueue) {
    this.#queue = queue
    this.#frame = new RowParts(queue)
    const { link, markBox, actions } = this.#frame
    const about = el("div", { class: "about" }, link, el("p", {}, this.#meta, this.#tags), this.#error)
    this.element = el(
      "li",
      { class: "row waiting" },
      this.#place,
      markBox,
      about,
      el("div", { class: "when" }, this.#priority, this.#waited),
      actions,
    )
    moveByKeys(this.element, () => this.#item, queue)
  }

  update(item: QueueItem, place?: number): void {
    const tags = item.tags.join()
    if (tags !== this.#item?.tags.join()) this.#tags.replaceChildren(...tagChips(item.tags))
    this.#item = item
    this.#frame.update(item)
    // A reader who may see only one item does not learn its place in the queue.
    const isPlaced = place !== 0 && this.#queue.may("figures")
    if (place !== undefined) setText(this.#place, isPlaced ? count(place) : "")
    const attempts =
      item.status === "retrying"
        ? ` · attempt ${item.attempt} of ${item.max_attempts} ${endOfAttempt(item.message)}`
        : ""
    setText(this.#meta, `#${item.id} · song ${item.song_id}${attempts}`)
    setText(this.#priority, item.priority === 0 ? "" : `priority ${count(item.priority)}`)
    show(this.#error, item.error_message !== "")
    setText(this.#error, causeLine(item))
    this.tick()
  }

  tick(): void {
    const item = this.#item
    if (!item) return
    const nowMs = this.#queue.nowMs()
    const missing = this.#queue.missing(item.tags)
    if (missing.length > 0) {
      mark(this.#waited, "data-tone", "warn")
      return setText(this.#waited, missingText(missing, MOST_TAGS))
    }
    const start = this.#queue.startOf(item.id)
    if (start) {
      mark(this.#waited, "data-tone", null)
      return setText(this.#waited, startsText(start, nowMs))
    }
    const againMs = item.available_at === null ? 0 : Date.parse(item.available_at) - nowMs
    mark(this.#waited, "data-tone", item.status === "retrying" ? "warn" : null)
    const isRetry = item.status === "retrying"
    if (againMs > 0)
      return setText(this.#waited, `${isRetry ? "Retries" : "Starts"} in ${duration(againMs / 1000)}`)
    const forMs = nowMs - Date.parse(waitsSince(item))
    setText(this.#waited, isRetry ? "Ready to retry" : `waiting ${roughly(forMs / 1000)}`)
  }
}

const TAKEN_ICON = { good: "done", bad: "failed", quiet: "cancel", warn: "failed", run: "done" } as const

/** A row of a finished item: its result, when it ended, and how long it took. */
export class FinishedRow implements Row {
  readonly element: HTMLElement
  readonly #queue: KnownQueue
  readonly #frame: RowParts
  readonly #end = el("span", { class: "end" })
  readonly #meta = el("span", { class: "meta" })
  readonly #flag = el("span", { class: "chip", "data-tone": "warn", hidden: true })
  readonly #ago = el("time", { class: "since" })
  readonly #error = el("p", { class: "error", dir: "auto", hidden: true })
  #item: QueueItem | undefined

  constructor(queue: KnownQueue) {
    this.#queue = queue
    this.#frame = new RowParts(queue)
    const { link, markBox, actions } = this.#frame
    const about = el(
      "div",
      { class: "about" },
      link,
      el("p", {}, this.#end, this.#meta, this.#flag),
      this.#error,
    )
    this.element = el("li", { class: "row finished" }, markBox, about, this.#ago, actions)
  }

  update(item: QueueItem): void {
    const tone = colourOf(item)
    if (!this.#item || colourOf(this.#item) !== tone || standing(this.#item) !== standing(item)) {
      this.#end.replaceChildren(icon(TAKEN_ICON[tone]), standing(item))
      mark(this.#end, "data-tone", tone)
    }
    this.#item = item
    this.#frame.update(item)
    const { completed_at } = item
    const took = tookOf(item)
    const attempts = item.attempt > 1 ? ` · ${item.attempt} attempts` : ""
    setText(this.#meta, `#${item.id}${took === "" ? "" : ` · took ${took}`}${attempts}`)
    show(this.#flag, item.flag !== null)
    setText(this.#flag, flagWords(item.flag))
    show(this.#error, item.error_message !== "" && item.status === "failed")
    mark(this.#error, "data-tone", tone)
    setText(this.#error, causeLine(item))
    if (completed_at) {
      mark(this.#ago, "datetime", completed_at)
      mark(this.#ago, "title", inFull(completed_at))
    }
    this.tick()
  }

  tick(): void {
    const end = this.#item?.completed_at
    if (end) setText(this.#ago, `${roughly((this.#queue.nowMs() - Date.parse(end)) / 1000)} ago`)
  }
}
