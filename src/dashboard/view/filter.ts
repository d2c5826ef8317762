import type { QueueItem } from "../../item/item.ts"
import { fits } from "../model/tallies.ts"
import { el, mark } from "./dom.ts"

/** Which finished items are shown. */
export type Ending = "all" | "completed" | "failed" | "cancelled"

const ENDINGS: readonly Ending[] = ["all", "completed", "failed", "cancelled"]

/** Whether an item has failed, and was not cancelled. */
export const hasFailed = ({ status, outcome }: Pick<QueueItem, "status" | "outcome">): boolean =>
  status === "failed" && outcome !== "cancelled"

/** What the reader wants to see of the queue: items that fit some words, and of the finished ones some endings. */
export class Filter {
  readonly #input = el("input", {
    type: "search",
    id: "filter",
    placeholder: "Filter",
    autocomplete: "off",
    spellcheck: "false",
  })
  /** The field for the words, for the page. */
  readonly element = el(
    "div",
    { class: "filter" },
    el("label", { for: "filter", class: "for-ears" }, "Filter by title, song, worker, tag or text"),
    this.#input,
  )
  /** The choice of endings, for the page. */
  readonly endings: HTMLElement
  #ending: Ending = "all"

  /** `changed` is called when something else is wanted. */
  constructor(changed: () => void) {
    this.#input.addEventListener("input", changed)
    const buttons = ENDINGS.map((ending) => {
      const name = ending.charAt(0).toUpperCase() + ending.slice(1)
      const attributes = { type: "button", "aria-pressed": String(ending === this.#ending) }
      const button = el("button", attributes, name)
      button.addEventListener("click", () => {
        this.#ending = ending
        for (const other of buttons) mark(other, "aria-pressed", String(other === button))
        changed()
      })
      return button
    })
    this.endings = el("div", { class: "choice", role: "group", "aria-label": "Show" }, ...buttons)
  }

  /** The words as they were typed. */
  get text(): string {
    return this.#input.value.trim()
  }

  /** Which finished items are wanted. */
  get ending(): Ending {
    return this.#ending
  }

  /** Those items that fit the words. */
  fitting(items: readonly QueueItem[]): readonly QueueItem[] {
    const words = this.text
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== "")
    return words.length === 0 ? items : items.filter((item) => fits(item, words))
  }

  /** Those finished items that fit the words and ended as wanted. */
  ended(finished: readonly QueueItem[]): readonly QueueItem[] {
    const wanted = {
      all: () => true,
      completed: ({ status }: QueueItem) => status === "completed",
      failed: hasFailed,
      cancelled: ({ outcome }: QueueItem) => outcome === "cancelled",
    }[this.#ending]
    return this.fitting(finished.filter(wanted))
  }
}
