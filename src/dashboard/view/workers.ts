import { isFinished } from "../../item/moves.ts"
import { shownOf } from "../../item/progress-words.ts"
import type { KnownQueue, LiveQueue } from "../model/known-queue.ts"
import { count, oneLine, roughly, standing } from "../model/wording.ts"
import type { ListedWorkers, WorkerSeen } from "../model/workers.ts"
import { CutName } from "./cut-name.ts"
import { el, mark, setText, show } from "./dom.ts"
import { isHeld } from "./steady-lists.ts"
import { WorkerPanel } from "./worker-panel.ts"

/** How many workers are shown at first. */
const FEW = 8

/** What a worker renders: `#12 54%`; `#12 completed` until it is known what comes next; empty for nothing. */
function rendering({ items }: WorkerSeen, queue: KnownQueue): string {
  const now = items.map((item) => ({ ...item, known: queue.item(item.id) }))
  const [first, ...others] = now.filter(({ known }) => !known || !isFinished(known.status))
  const more = others.length > 0 ? ` and ${count(others.length)} more` : ""
  if (first) return `#${first.id} ${shownOf(first.known ?? first)}%${more}`
  const ended = now[0]?.known
  return ended ? `#${ended.id} ${standing(ended).toLowerCase()}` : ""
}

/** What a worker does, in a few words: `#12 54%`, `stopping (#12 54%)`, `idle 4 min`; what matters most is first. */
function doing(worker: WorkerSeen, queue: LiveQueue): string {
  const { state, idle_since, last_heard_at, draining } = worker
  const since = (time: string | null): string =>
    time === null ? "" : ` ${roughly((queue.asOfMs({ updated_at: time }) - Date.parse(time)) / 1000)}`
  const what =
    (state === "rendering" && rendering(worker, queue)) ||
    (state === "idle" ? `idle${since(idle_since)}` : `away${since(last_heard_at)}`)
  if (!draining) return what
  // Where there is no room for both, the second line is not seen.
  return `${state === "away" ? "drained" : "stopping"} (${what.replaceAll(" ", "\u00a0")})`
}

const isHere = ({ state }: WorkerSeen): boolean => state !== "away"

/** One worker: its name, what it does, and more of it on a click. */
class Pill {
  readonly #name = new CutName()
  readonly #doing = el("span", { class: "meta" })
  readonly #button = el(
    "button",
    { type: "button", class: "worker", "aria-haspopup": "dialog", "aria-expanded": "false" },
    el("span", { class: "dot", "aria-hidden": "true" }),
    this.#name.element,
    " ",
    this.#doing,
  )
  readonly element = el("li", {}, this.#button)
  readonly #queue: LiveQueue
  readonly #changed: () => void
  #worker: WorkerSeen | undefined
  #panel: WorkerPanel | undefined

  constructor(queue: LiveQueue, changed: () => void) {
    this.#queue = queue
    this.#changed = changed
    this.#button.addEventListener("click", () => this.#open())
  }

  update(worker: WorkerSeen): void {
    if (!this.#worker) this.#name.show(oneLine(worker.worker))
    this.#worker = worker
    setText(this.#doing, doing(worker, this.#queue))
    mark(this.#button, "data-state", worker.draining ? "draining" : worker.state)
    this.#panel?.update(worker)
  }

  /** Whether the reader has more of it open. */
  get isOpen(): boolean {
    return this.#panel !== undefined
  }

  /** The server lists the worker no longer. */
  leave(): void {
    setText(this.#doing, "gone")
    mark(this.#button, "data-state", "away")
    this.#panel?.leave()
  }

  #open(): void {
    if (!this.#worker) return
    const panel = new WorkerPanel(this.#queue, this.#changed)
    panel.update(this.#worker)
    panel.element.addEventListener("toggle", ({ newState }) => {
      mark(this.#button, "aria-expanded", String(newState === "open"))
      if (newState === "open") return
      panel.element.remove()
      this.#panel = undefined
    })
    this.#panel = panel
    this.element.append(panel.element)
    panel.openAt(this.#button)
  }
}

/** The workers: a strip with a pill for each. */
export class WorkersStrip {
  readonly #list = el("ul", { class: "workers" })
  readonly #none = el("p", {}, "No workers")
  readonly #more = el("button", { type: "button", class: "plain", hidden: true })
  /** The strip, for the page. */
  readonly element = el(
    "section",
    { class: "workers-strip", "aria-label": "Workers", "data-needs": "figures" },
    this.#none,
    this.#list,
    this.#more,
  )
  readonly #pills = new Map<string, Pill>()
  readonly #queue: LiveQueue
  readonly #changed: () => void
  readonly #isHeld: () => boolean
  readonly #glide: (change: () => void) => void
  #isWhole = false
  #workers: ListedWorkers | undefined

  /**
   * `changed` is called when a worker was drained, or may take items again; `isHeld` says whether the reader is in a
   * list below; `glide` makes a change, and lets what is below glide to its new place.
   */
  constructor(
    queue: LiveQueue,
    changed: () => void,
    isHeld: () => boolean,
    glide: (change: () => void) => void,
  ) {
    this.#queue = queue
    this.#changed = changed
    this.#isHeld = isHeld
    this.#glide = glide
    this.#more.addEventListener("click", () => {
      const known = new Set(this.#list.children)
      this.#showAll()
      ;[...this.#list.children]
        .find((one) => !known.has(one))
        ?.querySelector("button")
        ?.focus()
    })
    // On paper nobody can ask for the others.
    addEventListener("beforeprint", () => this.#showAll())
  }

  #showAll(): void {
    this.#isWhole = true
    if (this.#workers) this.update(this.#workers, true)
  }

  /**
   * Shows the workers as they are. While the reader is in a list or among them, the same ones stay, with what they do now,
   * unless others are asked for (`isAsked`).
   */
  update(known: ListedWorkers, isAsked = false): void {
    this.#workers = known
    const { workers } = known
    // Those that are away must not hide the others.
    const few = new Set([...new Set([...workers.filter(isHere), ...workers])].slice(0, FEW))
    const seen = this.#isWhole || workers.length <= FEW + 1 ? workers : workers.filter((one) => few.has(one))
    const pills = seen.map(({ worker }) => this.#pills.get(worker))
    const isOther =
      pills.includes(undefined) ||
      pills.length < this.#pills.size ||
      this.#more.hidden !== (seen.length === workers.length)
    // Another row of them would move the lists away from under the pointer, and one that goes would close its panel.
    const isInUse = [...this.#pills.values()].some(({ isOpen }) => isOpen) || isHeld(this.element)
    if (isOther && this.#pills.size > 0 && !isAsked && (isInUse || this.#isHeld())) return this.#keep(workers)
    if (isOther && this.#pills.size > 0) this.#glide(() => this.#draw(known, seen))
    else this.#draw(known, seen)
  }

  #draw({ workers, isKnown }: ListedWorkers, seen: readonly WorkerSeen[]): void {
    show(this.#none, isKnown && workers.length === 0)
    show(this.#list, workers.length > 0)
    show(this.#more, seen.length < workers.length)
    setText(this.#more, `${count(workers.length - seen.length)} more workers`)
    const names = new Set(seen.map(({ worker }) => worker))
    const longest = Math.max(0, ...seen.map(({ worker }) => worker.length))
    this.element.style.setProperty("--longest", String(longest))
    this.element.style.setProperty("--workers", String(seen.length))
    for (const [name, { element }] of this.#pills) {
      if (names.has(name)) continue
      element.remove()
      this.#pills.delete(name)
    }
    let before: Element | null = null
    for (const worker of seen) {
      const shown = this.#pills.get(worker.worker)
      const pill: Pill = shown ?? new Pill(this.#queue, this.#changed)
      pill.update(worker)
      if (!shown) {
        this.#pills.set(worker.worker, pill)
        // The others stay where they are in the document: one that is moved would close its panel.
        if (before) before.after(pill.element)
        else this.#list.prepend(pill.element)
      }
      before = pill.element
    }
  }

  /** The same workers stay, with what is known of them now. */
  #keep(workers: readonly WorkerSeen[]): void {
    for (const [name, pill] of this.#pills) {
      const worker = workers.find((one) => one.worker === name)
      if (worker) pill.update(worker)
      else pill.leave()
    }
  }
}
