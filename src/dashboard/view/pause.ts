import { server } from "../live/server.ts"
import { aboutTime } from "../model/wording.ts"
import { el, setText, show } from "./dom.ts"
import { refocused } from "./steady-lists.ts"
import { notify, notifyFailure } from "./toasts-and-undo.ts"

/** Pauses the queue, says that it is paused, and resumes it. */
export class Pause {
  readonly #text = el("p")
  readonly #resume = el("button", { type: "button", "data-needs": "change" }, "Resume")
  /** Says that the queue is paused, for the page. */
  readonly element = el(
    "section",
    { class: "paused", "aria-label": "The queue is paused", hidden: true },
    this.#text,
    this.#resume,
  )
  /** Pauses the queue, for the page. */
  readonly button = el("button", { type: "button", "data-needs": "change" }, "Pause the queue")
  readonly #changed: () => void
  #isAsking = false

  /** `changed` is called when the queue was paused or resumed here. */
  constructor(changed: () => void) {
    this.#changed = changed
    this.button.addEventListener("click", () => void this.#do(() => server.pause(), "The queue is paused"))
    this.#resume.addEventListener("click", () => void this.#do(() => server.resume(), "The queue is resumed"))
  }

  /** Shows since when the queue is paused; null if it is not. */
  update(pausedAt: string | null, nowMs: number): void {
    const [from, to] = pausedAt === null ? [this.#resume, this.button] : [this.button, this.#resume]
    const isFocused = from.matches(":focus-visible")
    show(this.element, pausedAt !== null)
    show(this.button, pausedAt === null)
    if (isFocused) {
      // A key that is held down must not do the opposite.
      refocused(to)
      to.focus()
    }
    if (pausedAt === null) return
    setText(
      this.#text,
      `The queue has been paused since ${aboutTime(Date.parse(pausedAt), nowMs)}: workers get no more items.`,
    )
  }

  async #do(act: () => Promise<void>, done: string): Promise<void> {
    if (this.#isAsking) return
    this.#isAsking = true
    try {
      await act()
      notify(done)
      this.#changed()
    } catch (error) {
      notifyFailure(error)
    } finally {
      this.#isAsking = false
    }
  }
}
