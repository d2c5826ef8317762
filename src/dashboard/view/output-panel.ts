import type { QueueItem } from "../../item/item.ts"
import { OutputReading } from "../live/output-reading.ts"
import { plain } from "../model/wording.ts"
import { copy } from "./clipboard.ts"
import { el, icon, mark, setText, show } from "./dom.ts"
import { FindInOutput } from "./find-in-output.ts"
import { PrintedText } from "./printed-text.ts"

/** The most characters of an output that the page shows; the end of the output matters most. */
const MOST_SHOWN = 1_000_000
/** A text this close to its end counts as scrolled down. */
const NEAR_PX = 24

/** The output of an item's command, by attempt, followed while the command prints. */
export class OutputPanel {
  readonly #id: number
  readonly #changed: () => void
  readonly #text = new PrintedText()
  readonly #body = this.#text.element
  readonly #frame = el("div", { class: "printed" }, this.#body)
  readonly #none = el("p", { class: "none" }, "Nothing was printed, or it is no longer kept.")
  readonly #attempts = el("select", { "aria-label": "Attempt" })
  readonly #follow = el("button", { type: "button", "aria-pressed": "true" }, "Follow")
  readonly #copy = el("button", { type: "button" }, icon("copy"), "Copy")
  readonly #find = new FindInOutput(this.#text, "Find in the output", (range) => this.#reveal(range))
  /** The section, for the page. */
  readonly element = el(
    "section",
    { class: "section output", "aria-labelledby": "heading-output", hidden: true },
    el(
      "div",
      { class: "output-head" },
      el("h2", { id: "heading-output" }, "Output"),
      this.#follow,
      this.#copy,
      this.#attempts,
      this.#find.element,
    ),
    this.#none,
    this.#frame,
  )
  #reading: OutputReading | undefined
  /** The shown attempt, and when it began, because its number can come again. */
  #shown = ""
  /** What has come since the last frame. */
  #coming = ""
  #isRunning = false
  /** The attempt that the reader wants; undefined for the last one. */
  #picked: number | undefined
  #last = 0
  #isAsked = false

  /** `changed` is called once it is known whether anything was printed. */
  constructor(id: number, changed: () => void) {
    this.#id = id
    this.#changed = changed
    this.#attempts.addEventListener("change", () => {
      const attempt = Number(this.#attempts.value)
      this.#picked = attempt === this.#last ? undefined : attempt
      this.#read()
    })
    this.#follow.addEventListener("click", () => this.#setFollowing(!this.#isFollowing))
    this.#body.addEventListener("scroll", () => this.#scrolled())
    this.#copy.addEventListener("click", () => void copy(this.#text.data, "the output"))
  }

  /** Shows the output of the item as it is now. */
  show({ attempt, started_at, status }: QueueItem): void {
    const isRunning = status === "processing"
    const shown = `${attempt} ${started_at}`
    if (shown === this.#shown && isRunning === this.#isRunning) return
    const isOther = shown !== this.#shown
    this.#shown = shown
    this.#isRunning = isRunning
    if (isOther) {
      this.#last = attempt
      this.#picked = undefined
      this.#offer(attempt)
      this.#read()
    }
    this.#draw()
  }

  /** Whether it is known if anything was printed, so that the panel has its place. */
  get isAsked(): boolean {
    return this.#isAsked || this.#last === 0
  }

  /** Forgets the item: its number now belongs to another one. */
  reset(): void {
    this.#reading?.close()
    this.#shown = ""
    this.#clear()
  }

  get #isFollowing(): boolean {
    return this.#follow.getAttribute("aria-pressed") === "true"
  }

  #offer(attempts: number): void {
    const options = Array.from({ length: attempts }, (_, i) =>
      el("option", { value: i + 1 }, i + 1 === attempts ? `Attempt ${i + 1}, the last` : `Attempt ${i + 1}`),
    )
    this.#attempts.replaceChildren(...options.reverse())
    this.#attempts.value = String(attempts)
  }

  #read(): void {
    this.#reading?.close()
    this.#clear()
    this.#setFollowing(true)
    const attempt = this.#picked ?? this.#last
    if (attempt === 0) return
    const isFollowed = this.#isRunning && attempt === this.#last
    this.#reading = new OutputReading(this.#id, attempt, isFollowed, {
      text: (text) => this.#add(text),
      begunAgain: () => this.#clear(),
      ended: () => this.#answered(),
      isWanted: () => this.element.isConnected,
    })
  }

  /** Shows it in the next frame, with all that comes until then. */
  #add(text: string): void {
    if (this.#coming === "") requestAnimationFrame(() => this.#flush())
    this.#coming += text
  }

  #flush(): void {
    const isFirst = this.#text.length === 0
    this.#text.append(plain(this.#coming))
    this.#coming = ""
    this.#text.keep(MOST_SHOWN)
    this.#find.changed()
    if (isFirst) this.#answered()
    this.#keepUp()
  }

  #answered(): void {
    this.#draw()
    if (this.#isAsked) return
    this.#isAsked = true
    this.#changed()
  }

  #clear(): void {
    this.#coming = ""
    this.#text.clear()
    this.#find.changed()
    this.#draw()
  }

  #draw(): void {
    const isEmpty = this.#text.length === 0
    show(this.element, !isEmpty || this.#last > 1)
    show(this.#frame, !isEmpty)
    show(this.#none, isEmpty)
    show(this.#find.element, !isEmpty)
    show(this.#copy, !isEmpty)
    show(this.#attempts, this.#last > 1)
    const isFollowable = !isEmpty && this.#isRunning && this.#picked === undefined
    // The button that has the focus would lose it.
    if (!isFollowable && this.#follow.matches(":focus-visible")) this.#body.focus({ preventScroll: true })
    show(this.#follow, isFollowable)
    const nothing = this.#isRunning && this.#picked === undefined ? "No whole line has been printed yet." : ""
    setText(this.#none, nothing || "Nothing was printed, or it is no longer kept.")
  }

  #setFollowing(isFollowing: boolean): void {
    mark(this.#follow, "aria-pressed", String(isFollowing))
    this.#keepUp()
  }

  /** Shows the end, if that is followed. */
  #keepUp(): void {
    if (this.#isFollowing) this.#body.scrollTop = this.#body.scrollHeight
  }

  /** A reader who scrolls up wants to read. A reader who scrolls to the end wants to see new text. */
  #scrolled(): void {
    const { scrollTop, clientHeight, scrollHeight } = this.#body
    const isAtEnd = scrollTop + clientHeight >= scrollHeight - NEAR_PX
    mark(this.#follow, "aria-pressed", String(isAtEnd))
  }

  #reveal(range: Range): void {
    this.#setFollowing(false)
    this.#bringIntoView(range)
    // The layout that happens only now may have moved it.
    requestAnimationFrame(() => this.#bringIntoView(range))
  }

  #bringIntoView(range: Range): void {
    const [place, box] = [range.getBoundingClientRect(), this.#body.getBoundingClientRect()]
    if (place.top >= box.top && place.bottom <= box.bottom) return
    this.#body.scrollTop += place.top - box.top - box.height / 2
  }
}
