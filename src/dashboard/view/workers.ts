import { isFinished } from "../../item/moves.ts"
import { shownOf } from "../../item/progress-words.ts"
import { server } from "../live/server.ts"
import type { KnownQueue } from "../model/queue.ts"
import { count, inFull, line, nameOf, roughly, standing } from "../model/wording.ts"
import type { KnownWorkers, WorkerSeen } from "../model/workers.ts"
import { CutName } from "./cut-name.ts"
import { el, icon, mark, say, show } from "./dom.ts"
import { notify, notifyFailure } from "./notices.ts"
import { hrefOf } from "./rows.ts"

/** How many workers are shown at first. */
const FEW = 8

const NAMES = { rendering: "Rendering", idle: "Idle", away: "Away" } as const

/** What a worker renders: `#12 at 54%`; `#12 completed` until it is known what comes next; empty for nothing. */
function rendering({ items }: WorkerSeen, queue: KnownQueue): string {
  const now = items.map((item) => ({ ...item, known: queue.item(item.id) }))
  const [first, ...others] = now.filter(({ known }) => !known || !isFinished(known.status))
  const more = others.length > 0 ? ` and ${count(others.length)} more` : ""
  if (first) return `#${first.id} at ${shownOf(first.known ?? first)}%${more}`
  const ended = now[0]?.known
  return ended ? `#${ended.id} ${standing(ended).toLowerCase()}` : ""
}

/** What a worker does, in a few words: `#12 at 54%`, `idle 4 min`, `away 12 min`. */
function doing(worker: WorkerSeen, queue: KnownQueue): string {
  const { state, idle_since, last_heard_at, draining } = worker
  const since = (time: string | null): string =>
    time === null ? "" : ` ${roughly((queue.nowMs() - Date.parse(time)) / 1000)}`
  const what =
    (state === "rendering" && rendering(worker, queue)) ||
    (state === "idle" ? `idle${since(idle_since)}` : `away${since(last_heard_at)}`)
  return draining ? `${what}, stopping` : what
}

function rowsOf({
  state,
  items,
  idle_since,
  last_heard_at,
  tags,
  version,
  draining,
}: WorkerSeen): HTMLElement[] {
  const links = items.flatMap((item) => [
    el("a", { href: hrefOf(item.id) }, `#${item.id} ${nameOf(item)}, ${shownOf(item)}%`),
    el("br"),
  ])
  const facts: readonly (readonly [string, readonly (Node | string)[]])[] = [
    ["State", [draining ? `${NAMES[state]}, takes no more items` : NAMES[state]]],
    ["Renders", links],
    ["Idle since", idle_since === null || state !== "idle" ? [] : [inFull(idle_since)]],
    ["Last contact", last_heard_at === null ? [] : [inFull(last_heard_at)]],
    ["Tags", tags === null || tags.length === 0 ? [] : [tags.map(line).join(", ")]],
    ["Version", version === "" ? [] : [line(version)]],
  ]
  return facts
    .filter(([, value]) => value.length > 0)
    .map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, ...value)))
}

async function drain({ worker, draining }: WorkerSeen, changed: () => void): Promise<void> {
  try {
    await (draining ? server.undrain(worker) : server.drain(worker))
    const what = draining ? "takes items" : "finishes what it renders, and takes no more items"
    notify(`${line(worker)} ${what}`)
    changed()
  } catch (error) {
    notifyFailure(error)
  }
}

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
  readonly #changed: () => void
  #worker: WorkerSeen | undefined

  constructor(changed: () => void) {
    this.#changed = changed
    this.#button.addEventListener("click", () => this.#open())
  }

  update(worker: WorkerSeen, queue: KnownQueue): void {
    if (!this.#worker) this.#name.show(line(worker.worker))
    this.#worker = worker
    say(this.#doing, doing(worker, queue))
    mark(this.#button, "data-state", worker.draining ? "draining" : worker.state)
  }

  #open(): void {
    const worker = this.#worker
    if (!worker) return
    const [label, name] = worker.draining ? ["Take items again", "start"] : ["Finish, then stop", "cancel"]
    const act = el("button", { type: "button" }, icon(name), label)
    const panel = el(
      "div",
      {
        class: "stream-facts",
        popover: "auto",
        role: "dialog",
        "aria-label": `Worker ${line(worker.worker)}`,
      },
      el("h2", { dir: "auto" }, line(worker.worker)),
      el("dl", {}, ...rowsOf(worker)),
      ...(worker.state === "away" && !worker.draining
        ? []
        : [el("div", { class: "buttons", "data-needs": "change" }, act)]),
    )
    act.addEventListener("click", () => {
      panel.hidePopover()
      void drain(worker, this.#changed)
    })
    panel.addEventListener("toggle", ({ newState }) => {
      mark(this.#button, "aria-expanded", String(newState === "open"))
      if (newState === "closed") panel.remove()
    })
    this.element.append(panel)
    panel.showPopover()
    const { bottom, left } = this.#button.getBoundingClientRect()
    const below = innerHeight - bottom > panel.offsetHeight + 16
    panel.style.top = `${below ? bottom + 8 : Math.max(8, bottom - panel.offsetHeight - 48)}px`
    panel.style.left = `${Math.max(8, Math.min(left, innerWidth - panel.offsetWidth - 8))}px`
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
  readonly #queue: KnownQueue
  readonly #changed: () => void
  #isWhole = false
  #workers: KnownWorkers | undefined

  /** `changed` is called when a worker was drained, or may take items again. */
  constructor(queue: KnownQueue, changed: () => void) {
    this.#queue = queue
    this.#changed = changed
    this.#more.addEventListener("click", () => {
      const first = this.#list.childElementCount
      this.#showAll()
      this.#list.children[first]?.querySelector("button")?.focus()
    })
    // On paper nobody can ask for the others.
    addEventListener("beforeprint", () => this.#showAll())
  }

  #showAll(): void {
    this.#isWhole = true
    if (this.#workers) this.update(this.#workers)
  }

  /** Shows the workers as they are. */
  update(known: KnownWorkers): void {
    this.#workers = known
    const { workers, isKnown } = known
    const seen = this.#isWhole || workers.length <= FEW + 1 ? workers : workers.slice(0, FEW)
    show(this.#none, isKnown && workers.length === 0)
    show(this.#list, workers.length > 0)
    show(this.#more, seen.length < workers.length)
    say(this.#more, `${count(workers.length - seen.length)} more workers`)
    const names = new Set(seen.map(({ worker }) => worker))
    for (const [name, { element }] of this.#pills) {
      if (names.has(name)) continue
      element.remove()
      this.#pills.delete(name)
    }
    for (const worker of seen) {
      const shown = this.#pills.get(worker.worker)
      const pill = shown ?? new Pill(this.#changed)
      pill.update(worker, this.#queue)
      if (shown) continue
      this.#pills.set(worker.worker, pill)
      this.#list.append(pill.element)
    }
  }
}
