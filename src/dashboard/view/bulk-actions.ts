import type { QueueItem } from "../../item/item.ts"
import { isFinished, isWaiting } from "../../item/moves.ts"
import { hasFailed } from "../../item/state-in-one-word.ts"
import { counted } from "../../text.ts"
import { server } from "../live/server.ts"
import type { KnownQueue } from "../model/known-queue.ts"
import { count } from "../model/wording.ts"
import { confirm } from "./dialogs.ts"
import { el, icon, mark, setText, show } from "./dom.ts"
import { selected } from "./selected-items.ts"
import { acting } from "./steady-lists.ts"
import { notify, notifyFailure } from "./toasts-and-undo.ts"

/** The most items that the server accepts in one request. */
const AT_ONCE = 1000

/** An action for many items. */
interface Act {
  /** The verb on its button. */
  readonly label: string
  readonly icon: string
  /** The result for one item, and for several: `is back in the queue`. */
  readonly done: readonly [one: string, several: string]
  /** The result instead, as long as one of the items still renders. */
  readonly begun?: readonly [one: string, several: string]
  /** What the reader should know about these items before they agree. */
  readonly text: (items: readonly QueueItem[]) => string
  readonly danger: boolean
  readonly fits: (item: QueueItem) => boolean
  /** The server's name of the action. */
  readonly act: "cancel" | "retry" | "delete"
}

const AS_NEW = "They go back into the queue as if they were new."
const KEPT = "Why they failed stays in their histories."

const RETRY: Act = {
  label: "Retry",
  icon: "retry",
  done: ["is back in the queue", "are back in the queue"],
  text: (items) => {
    const completed = items.filter(({ status }) => status === "completed").length
    const again = `${counted(completed, "of them is", "of them are")} completed: rendering again may replace a video.`
    const parts = [AS_NEW, items.some(hasFailed) ? KEPT : "", completed > 0 ? again : ""]
    return parts.filter((part) => part !== "").join(" ")
  },
  danger: false,
  fits: ({ status }) => isFinished(status) || status === "retrying",
  act: "retry",
}
const CANCEL: Act = {
  label: "Cancel",
  icon: "cancel",
  done: ["was cancelled", "were cancelled"],
  begun: ["is being cancelled", "are being cancelled"],
  text: (items) =>
    items.every(({ status }) => isWaiting(status))
      ? "None of them is rendering: nothing is lost."
      : "Unfinished renders will be lost.",
  danger: true,
  fits: ({ status, cancel_requested_at }) => !isFinished(status) && cancel_requested_at === null,
  act: "cancel",
}
const DELETE: Act = {
  label: "Delete",
  icon: "delete",
  done: ["was deleted", "were deleted"],
  text: () => "This removes them permanently and stops their renders. Video files are not deleted.",
  danger: true,
  fits: () => true,
  act: "delete",
}

/** What became of an act on many items. */
interface ResultOfAll {
  /** For how many items it succeeded. */
  readonly done: number
  /** Why the server refused it, for each of the other items that it has answered. */
  readonly refused: readonly string[]
  /** Why the rest got no answer; absent if all did. */
  readonly failure?: unknown
}

/** Performs the action for all items. */
async function forAll(ids: readonly number[], act: Act["act"]): Promise<ResultOfAll> {
  let done = 0
  const refused: string[] = []
  try {
    for (let at = 0; at < ids.length; at += AT_ONCE) {
      const answer = await server.batch(act, ids.slice(at, at + AT_ONCE))
      done += answer.done.length
      refused.push(...answer.refused.map(({ error }) => error))
    }
  } catch (failure) {
    return { done, refused, failure }
  }
  return { done, refused }
}

/**
 * Performs the action for all items, and reports the result: how many it changed, and how many not, with the first
 * reason.
 */
async function perform(act: Act, ids: readonly number[], queue: Pick<KnownQueue, "item">): Promise<void> {
  const { done, refused, failure } = await acting(() => forAll(ids, act.act))
  const words = (ids.some((id) => queue.item(id)?.status === "processing") && act.begun) || act.done
  if (done > 0) notify(`${counted(done, "item")} ${words[done === 1 ? 0 : 1]}`)
  const [first, ...others] = refused
  const more =
    others.length > 0 ? `. ${counted(others.length, "other item was", "other items were")} refused too` : ""
  if (first !== undefined) notifyFailure(new Error(first + more))
  if (failure !== undefined) notifyFailure(failure)
}

/** Whether the reader wants the action for these items; the question says how many of them are `hidden` now. */
async function isWanted(act: Act, items: readonly QueueItem[], hidden: number): Promise<boolean> {
  const { label, text, danger } = act
  const what = `${label} ${counted(items.length, "item")}`
  const apart = hidden === 0 ? "" : ` ${counted(hidden, "of them is", "of them are")} not in this view.`
  return await confirm(`${what}?`, text(items) + apart, { yes: what, no: "Leave them", danger })
}

/**
 * Puts all failed items back into the queue, however old they are, after a question with their present
 * number. Their errors are then only in their histories. For 10 s, and no longer, the items can be cancelled
 * again: that is no failure again, and the button says so.
 */
export async function retryAllFailed(queue: KnownQueue): Promise<void> {
  const { label, done } = RETRY
  try {
    const { outcome } = await server.counts()
    const what = `${label} ${counted(outcome.failed + outcome.lost, "failed render")}`
    if (!(await confirm(`${what}?`, `${AS_NEW} ${KEPT}`, { yes: what, no: "Leave them", danger: false })))
      return
    const ids = await acting(() => server.retryFailed())
    const undo =
      ids.length === 0 ? {} : { undo: () => void perform(CANCEL, ids, queue), undoes: "Cancel them" }
    notify(`${counted(ids.length, "item")} ${done[ids.length === 1 ? 0 : 1]}`, undo)
  } catch (error) {
    notifyFailure(error)
  }
}

/** The item of the row in which a box is. */
const idOf = (box: Element): number => Number(box.closest<HTMLElement>("[data-item]")?.dataset["item"])

/** What can be selected. */
interface Selectable {
  /** The known items among the shown ones. */
  readonly items: readonly QueueItem[]
  /** Whether there are others that are not known here. */
  readonly isCut: boolean
}

/** Selects items, and acts on all that are selected. */
export class BulkActions {
  /** Begins and ends the selecting, for the page. */
  readonly toggle = el(
    "button",
    { type: "button", "aria-pressed": "false", "data-needs": "change" },
    "Select",
  )
  /** What can be done with the selection, for the page. */
  readonly element = el("div", {
    class: "bulk",
    role: "region",
    "aria-label": "Selected items",
    hidden: true,
  })
  readonly #count = el("p", { role: "status" })
  readonly #buttons: readonly (readonly [Act, HTMLButtonElement])[]
  readonly #everything = el("button", { type: "button" })
  readonly #done = el("button", { type: "button", class: "primary" }, "Done")
  readonly #all: () => Selectable
  readonly #home: () => HTMLElement
  readonly #item: KnownQueue["item"]
  #isOn = false

  /** `home` is where the rows are, `item` knows an item by its ID, and `all` are those that can be selected. */
  constructor(home: () => HTMLElement, item: KnownQueue["item"], all: () => Selectable) {
    this.#home = home
    this.#all = all
    this.#item = item
    this.#buttons = [RETRY, CANCEL, DELETE].map((act) => {
      const attributes = { type: "button", class: act === DELETE ? "danger quiet" : null }
      const button = el("button", attributes, icon(act.icon), act.label)
      button.addEventListener("click", () => void this.#do(act))
      return [act, button]
    })
    this.#everything.addEventListener("click", () => {
      for (const { id } of all().items) selected.add(id)
      this.update()
    })
    this.#done.addEventListener("click", () => this.#set(false))
    this.element.append(
      this.#count,
      this.#everything,
      ...this.#buttons.map(([, button]) => button),
      this.#done,
    )
    this.toggle.addEventListener("click", () => this.#set(!this.#isOn))
    document.addEventListener("keydown", ({ key }) => {
      if (key === "Escape" && this.#isOn && !document.querySelector("dialog, .menu")) this.#set(false)
    })
    document.addEventListener("change", ({ target }) => {
      if (target instanceof HTMLInputElement && target.matches(".check")) this.#mark(target)
    })
  }

  /** Shows the present selection. Items that no longer exist are removed from it. */
  update(): void {
    if (!this.#isOn) return
    for (const box of this.#home().querySelectorAll<HTMLInputElement>(".check"))
      box.checked = selected.has(idOf(box))
    const items = this.#items()
    const { items: all, isCut } = this.#all()
    setText(this.#everything, isCut ? `Select these ${count(all.length)}` : "Select all")
    const hidden = this.#hidden(items)
    const apart = hidden === 0 ? "" : `, ${count(hidden)} not in this view`
    setText(this.#count, `${counted(items.length, "item")} selected${apart}`)
    for (const [{ fits }, button] of this.#buttons) {
      const isUseless = !items.some(fits)
      // A button that is disabled would lose the focus.
      if (isUseless && button.matches(":focus-visible")) this.#done.focus()
      button.disabled = isUseless
    }
  }

  #mark(box: HTMLInputElement): void {
    if (box.checked) selected.add(idOf(box))
    else selected.delete(idOf(box))
    this.update()
  }

  #items(): readonly QueueItem[] {
    return [...selected].flatMap((id) => this.#item(id) ?? [])
  }

  #set(isOn: boolean): void {
    this.#isOn = isOn
    mark(this.toggle, "aria-pressed", String(isOn))
    mark(this.#home(), "data-selecting", isOn ? "" : null)
    show(this.element, isOn)
    if (!isOn) {
      selected.clear()
      this.toggle.focus()
    }
    this.update()
  }

  /** How many of these are not among the items of the present view: a search hides what was selected before it. */
  #hidden(items: readonly QueueItem[]): number {
    const shown = new Set(this.#all().items.map(({ id }) => id))
    return items.filter(({ id }) => !shown.has(id)).length
  }

  async #do(act: Act): Promise<void> {
    const items = this.#items().filter(act.fits)
    const ids = items.map(({ id }) => id)
    if (await isWanted(act, items, this.#hidden(items))) await perform(act, ids, { item: this.#item })
    this.update()
  }
}
