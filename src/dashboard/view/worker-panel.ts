import { shownOf } from "../../item/progress-words.ts"
import { server } from "../live/server.ts"
import type { KnownQueue } from "../model/known-queue.ts"
import { inFull, nameOf, oneLine } from "../model/wording.ts"
import type { WorkerSeen } from "../model/workers.ts"
import { el, icon, setText, show } from "./dom.ts"
import { hrefOf } from "./rows.ts"
import { moved, refocused } from "./steady-lists.ts"
import { notify, notifyFailure } from "./toasts-and-undo.ts"

const NAMES = { rendering: "Rendering", idle: "Idle", away: "Away" } as const

const FACTS = ["State", "Renders", "Idle since", "Last contact", "Tags", "Version"] as const

/** The facts about a worker that are texts; an empty one is not shown. */
const textsOf = ({ state, idle_since, last_heard_at, tags, version, draining }: WorkerSeen) => ({
  State: draining ? `${NAMES[state]}, takes no more items` : NAMES[state],
  "Idle since": idle_since === null || state !== "idle" ? "" : inFull(idle_since),
  "Last contact": last_heard_at === null ? "" : inFull(last_heard_at),
  Tags: (tags ?? []).map(oneLine).join(", "),
  Version: oneLine(version),
})

async function drain({ worker, draining }: WorkerSeen, changed: () => void): Promise<void> {
  try {
    await (draining ? server.undrain(worker) : server.drain(worker))
    const what = draining ? "takes items" : "finishes what it renders, and takes no more items"
    notify(`${oneLine(worker)} ${what}`)
    changed()
  } catch (error) {
    notifyFailure(error)
  }
}

/** More of one worker, above the page: it shows the worker as it is now, for as long as it is open. */
export class WorkerPanel {
  /** The panel, for the page. */
  readonly element = el("div", { class: "stream-facts", popover: "auto", role: "dialog" })
  readonly #queue: KnownQueue
  readonly #rows = FACTS.map((name) => ({ name, value: el("dd") }))
  readonly #links = new Map<number, HTMLElement>()
  readonly #act = el("button", { type: "button" })
  readonly #buttons = el("div", { class: "buttons", "data-needs": "change" }, this.#act)
  #worker: WorkerSeen | undefined
  #opener: Element | undefined

  /** `changed` is called when the worker was drained, or may take items again. */
  constructor(queue: KnownQueue, changed: () => void) {
    this.#queue = queue
    this.#act.addEventListener("click", () => {
      const worker = this.#worker
      this.element.hidePopover()
      if (worker) void drain(worker, changed)
    })
  }

  /** Shows the worker, in the page already, below or above this element. */
  openAt(opener: Element): void {
    this.#opener = opener
    this.element.showPopover()
    this.#place()
  }

  /** Shows the worker as it is now. */
  update(worker: WorkerSeen): void {
    const before = this.#worker
    this.#worker = worker
    if (!before) this.#begin(oneLine(worker.worker))
    this.#link(worker)
    const texts = textsOf(worker)
    for (const { name, value } of this.#rows) {
      if (name !== "Renders") setText(value, texts[name])
      if (value.parentElement) show(value.parentElement, value.textContent !== "")
    }
    if (before?.draining !== worker.draining) {
      const [label, name] = worker.draining ? ["Take items again", "start"] : ["Finish, then stop", "cancel"]
      this.#act.replaceChildren(icon(name), label)
      // The reader meant what it said before.
      if (before) for (const note of [moved, refocused]) note(this.#act)
    }
    show(this.#buttons, worker.state !== "away" || worker.draining)
    this.#place()
  }

  /** The server lists the worker no longer. */
  leave(): void {
    for (const { name, value } of this.#rows) if (name === "State") setText(value, "Gone")
    show(this.#buttons, false)
  }

  #begin(name: string): void {
    this.element.setAttribute("aria-label", `Worker ${name}`)
    const rows = this.#rows.map((row) => el("div", {}, el("dt", {}, row.name), row.value))
    this.element.append(el("h2", { dir: "auto" }, name), el("dl", {}, ...rows), this.#buttons)
  }

  /** Links what it renders. The link that has the focus stays. */
  #link({ items }: WorkerSeen): void {
    for (const [id, link] of this.#links) {
      if (items.some((item) => item.id === id)) continue
      link.remove()
      this.#links.delete(id)
    }
    for (const item of items) {
      const link = this.#links.get(item.id) ?? el("a", { href: hrefOf(item.id) })
      setText(link, `#${item.id} ${nameOf(item)}, ${shownOf(this.#queue.item(item.id) ?? item)}%`)
      if (this.#links.has(item.id)) continue
      this.#links.set(item.id, link)
      this.#rows.find(({ name }) => name === "Renders")?.value.append(link)
    }
  }

  #place(): void {
    if (!this.#opener) return
    const { bottom, left } = this.#opener.getBoundingClientRect()
    const { offsetHeight, offsetWidth, style } = this.element
    const isBelow = innerHeight - bottom > offsetHeight + 16
    style.top = `${isBelow ? bottom + 8 : Math.max(8, bottom - offsetHeight - 48)}px`
    style.left = `${Math.max(8, Math.min(left, innerWidth - offsetWidth - 8))}px`
  }
}
