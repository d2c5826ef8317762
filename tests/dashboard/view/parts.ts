/** Parts of the page, each alone with what a test gives it. This file runs in the browser. */
import { Timeline } from "../../../src/dashboard/model/timeline.ts"
import { knownWorkers, type WorkerSeen } from "../../../src/dashboard/model/workers.ts"
import { choicesOf } from "../../../src/dashboard/view/actions.ts"
import { Idle, type IdleQueue } from "../../../src/dashboard/view/empty-lists.ts"
import { FailureBox } from "../../../src/dashboard/view/failure-box.ts"
import { HistoryList } from "../../../src/dashboard/view/history.ts"
import { factsOf } from "../../../src/dashboard/view/item-facts.ts"
import { ItemList } from "../../../src/dashboard/view/list.ts"
import { PrintedText } from "../../../src/dashboard/view/printed-text.ts"
import { ProgressPlot } from "../../../src/dashboard/view/progress-plot.ts"
import { recentFailures } from "../../../src/dashboard/view/recent-failures.ts"
import { FinishedRow, WaitingRow } from "../../../src/dashboard/view/rows.ts"
import { StepsBar } from "../../../src/dashboard/view/steps.ts"
import { announce, notify, notifyFailure, withdrawUndo } from "../../../src/dashboard/view/toasts-and-undo.ts"
import { WorkersStrip } from "../../../src/dashboard/view/workers.ts"
import type { QueueItem } from "../../../src/item/item.ts"
import { OWN_MESSAGES } from "../../../src/item/own-messages.ts"
import { item, time, update } from "../items.ts"
import * as acted from "./acted-parts.ts"
import { NOW_MS, queueOf } from "./shown-queue.ts"
import * as standing from "./standing-parts.ts"

const textOf = (element: Element | null): string => element?.textContent ?? ""
const textsOf = (root: Element, selector: string): string[] =>
  [...root.querySelectorAll(selector)].map(textOf)

const worker = (changes: Partial<WorkerSeen>): WorkerSeen => ({
  ...{ worker: "gpu-1", state: "idle", items: [], idle_since: null, last_heard_at: null },
  ...{ tags: null, version: "", draining: false },
  ...changes,
})

const ended = (changes: Partial<QueueItem>): QueueItem => item({ completed_at: time(90), ...changes })

/** What rows say: of items that wait, and of finished ones. */
function rows() {
  const waiting = (changes: Partial<QueueItem>): Element => {
    const row = new WaitingRow(queueOf([]))
    row.update(item(changes))
    return row.element
  }
  const retrying = { status: "retrying", attempt: 2 } as const
  const finished = (changes: Partial<QueueItem>): HTMLElement | null => {
    const row = new FinishedRow(queueOf([]))
    row.update(ended(changes))
    return row.element.querySelector<HTMLElement>(".error")
  }
  return {
    tags: [3, 4, 5].map((many) =>
      textsOf(waiting({ tags: ["a", "b", "c", "d", "e"].slice(0, many) }), ".tags .chip").join(" "),
    ),
    missing: [1, 3, 5].map((many) => {
      const tags = ["a", "b", "c", "d", "e"].slice(0, many)
      const row = new WaitingRow({ ...queueOf([]), missing: () => tags })
      row.update(item({ tags }))
      return textOf(row.element.querySelector(".since"))
    }),
    attempts: [OWN_MESSAGES.restored, OWN_MESSAGES.lostForNow, "boom"].map((message) =>
      textOf(waiting({ ...retrying, message }).querySelector(".meta")),
    ),
    errors: [
      finished({ status: "completed", outcome: "completed", error_message: "boom" })?.hidden,
      finished({ status: "failed", outcome: "failed", error_message: "boom" })?.hidden,
    ],
  }
}

/** What stands in place of running items: for these workers, and in a paused queue. */
function idle() {
  const said = (
    workers: readonly WorkerSeen[],
    tags: readonly string[],
    changes: Partial<IdleQueue> = {},
  ): string => {
    const shown = new Idle()
    shown.update({
      workers: knownWorkers(workers),
      waiting: 2,
      first: tags.map((tag, i) => item({ id: i + 1, tags: [tag] })),
      isPaused: false,
      mayChange: true,
      ...changes,
    })
    const [text, command] = [shown.element.querySelector("p"), shown.element.querySelector("code")]
    return [textOf(text), command?.hidden ? "" : textOf(command)].filter((part) => part !== "").join(" ")
  }
  return {
    none: said([], ["gpu", "4k", "gpu"]).replace(location.origin, "HERE"),
    stopping: said([worker({ draining: true })], []).replace(location.origin, "HERE"),
    ready: said([worker({}), worker({ worker: "gpu-2", draining: true })], []),
    paused: said([], ["gpu"], { isPaused: true }),
    later: said([], ["gpu"], { waiting: 0 }).replace(location.origin, "HERE"),
    // Who may only look is not asked to start one.
    viewer: [2, 0, null].map((waiting) => said([], ["gpu"], { waiting, mayChange: false })),
  }
}

/** A long history: its first and last entries before and after a click, and a long stretch that is opened. */
function history() {
  const timeline = new Timeline()
  for (let id = 1; id <= 250; id += 1)
    timeline.add(update(id, { status: "queued", attempt: 0, message: `Note ${id}` }))
  const list = new HistoryList()
  list.show(timeline)
  const ends = (): string[] => {
    const details = textsOf(list.element, ".detail")
    return [details[0] ?? "", details.at(-1) ?? "", list.more.hidden ? "" : textOf(list.more)]
  }
  const seen = [ends()]
  list.more.click()
  seen.push(ends())
  document.body.append(list.element)
  list.more.click()
  const focused = textOf(document.activeElement?.querySelector(".detail") ?? null)
  list.element.remove()
  return { seen, focused, stretch: stretch() }
}

function stretch() {
  const timeline = new Timeline()
  timeline.add(update(1, { status: "queued", attempt: 0 }))
  const report = (id: number): void =>
    timeline.add(update(id, { current_step: "Video", progress: id - 3, message: `Frame ${id - 3}` }))
  for (let id = 2; id <= 103; id += 1) report(id)
  const list = new HistoryList()
  list.show(timeline)
  const details = list.element.querySelector("details")
  if (details) details.open = true
  details?.dispatchEvent(new Event("toggle"))
  const seen = (): string[] => {
    const said = textsOf(list.element, "details ol .said")
    const rest = textOf(list.element.querySelector("details ol .none"))
    return [textOf(list.element.querySelector("summary .detail")), said[0] ?? "", said.at(-1) ?? "", rest]
  }
  const before = seen()
  report(104)
  list.show(timeline)
  return [before, seen()]
}

/** The rows and the offer of a list of 60 items that shows 10 at first, whole and cut. */
function list(isCut: boolean) {
  let asked = 0
  const make = () => ({
    element: document.createElement("li"),
    update: () => undefined,
    tick: () => undefined,
  })
  const readOn = (): void => void (asked += 1)
  const options = { step: 10, make, fateOf: () => "", keepMs: 0, changed: () => undefined, readOn }
  const made = new ItemList(options)
  const items = Array.from({ length: 60 }, (_, i) => item({ id: i + 1 }))
  made.show({ items, isCut, ...(!isCut && { total: items.length }) })
  const seen = (): [number, string, number] => [
    made.element.childElementCount,
    made.more.hidden ? "" : textOf(made.more),
    asked,
  ]
  const all = [seen()]
  for (let i = 0; i < 2; i += 1) {
    made.more.click()
    all.push(seen())
  }
  return all
}

/** The timeline of two attempts of 500 reports each; the first one failed, the second one as `last` says. */
function twice(last: "failed" | "processing"): Timeline {
  const timeline = new Timeline()
  let id = 0
  const say = (changes: Parameters<typeof update>[1]): void => {
    id += 1
    timeline.add(update(id, changes))
  }
  for (const attempt of [1, 2]) {
    for (let i = 0; i < 500; i += 1) {
      const current_step = attempt === 1 ? "Draft" : i < 300 ? "Images" : "Video"
      say({ attempt, progress: Math.floor(i / 10), current_step })
    }
    if (attempt === 1) say({ attempt, status: "retrying", progress: 0 })
    else if (last === "failed") say({ attempt, status: "failed", outcome: "failed", progress: 0 })
  }
  return timeline
}

/** What is drawn of two attempts: where the line of each ends, and the steps of the latest with their times. */
function course() {
  const timeline = twice("failed")
  const plot = new ProgressPlot()
  const nowMs = Date.parse(time(5000))
  plot.draw(timeline.points, nowMs, null)
  const lines = [...plot.element.querySelectorAll("path.line.latest, path.line.earlier")].slice(-2)
  const steps = (of: Timeline): string[] => {
    const bar = new StepsBar()
    bar.draw(of.entries, nowMs)
    return [...bar.element.children].map((step) => step.getAttribute("aria-label") ?? "")
  }
  return {
    name: plot.element.getAttribute("aria-label"),
    ends: lines.map((line) => line.getAttribute("d")?.split("L").at(-1)),
    ended: steps(timeline),
    running: steps(twice("processing")),
  }
}

/** The ends of the lines that are drawn: of progress that begins again, and of an attempt whose end is not known. */
function lines() {
  const plot = new ProgressPlot()
  const ends = (of: readonly (readonly [attempt: number, progress: number])[]): (string | undefined)[] => {
    const points = of.map(([attempt, progress], i) => ({
      ...{ ms: 1000 * i, progress, attempt, time: null, stalled: false, running: true },
    }))
    plot.draw(points, 1000 * (of.length - 1), null)
    return [...plot.element.querySelectorAll("svg[preserveAspectRatio] path.line")].map((line) =>
      line.getAttribute("d")?.split(/[L ]/).at(-1),
    )
  }
  const many = Array.from({ length: 1001 }, (_, i) => [i < 500 ? 1 : 2, i === 499 ? 50 : 40] as const)
  const again = ends([10, 30, 5, 20].map((progress) => [1, progress] as const))
  const names = textsOf(plot.element, ".legend > span:not([hidden])")
  plot.draw(twice("processing").points, Date.parse(time(1240)), null)
  const marks = [...plot.element.querySelectorAll<HTMLElement>(".marks span")].map((one) => [
    ...[textOf(one), Math.round(parseFloat(one.style.left) + parseFloat(one.style.translate))],
  ])
  return { again, names, last: marks.at(-1), many: ends(many) }
}

/** What the strip says of workers. */
function workers() {
  const ignore = () => undefined
  let glides = 0
  const glide = (change: () => void): void => {
    glides += 1
    change()
  }
  const shown = (many: readonly WorkerSeen[], known: readonly QueueItem[] = [], lost = {}): WorkersStrip => {
    const strip = new WorkersStrip({ ...queueOf([], known), ...lost }, ignore, () => false, glide)
    strip.update(knownWorkers(many))
    return strip
  }
  const doing = (changes: Partial<WorkerSeen>, known: readonly QueueItem[] = []): string =>
    textOf(shown([worker(changes)], known).element.querySelector(".worker .meta"))
  const run = (id: number) => ({ id, title: "", song_id: 1, progress: 10 * id, time_progress: null })
  const many = (length: number): string => {
    const strip = shown(Array.from({ length }, (_, i) => worker({ worker: `w-${i}` })))
    const more = strip.element.querySelector<HTMLElement>(":scope > button")
    return `${strip.element.querySelectorAll(".worker").length}${more?.hidden ? "" : `, ${textOf(more)}`}`
  }
  return {
    doing: [
      doing({ idle_since: time(40), last_heard_at: time(95) }),
      doing({ state: "away", idle_since: time(40), last_heard_at: time(70) }),
      doing({ state: "rendering", items: [run(1)], draining: true }),
      doing({ state: "away", last_heard_at: time(70), draining: true }),
      doing({ state: "rendering", items: [run(1), run(2)] }),
      doing({ state: "rendering", items: [run(1)] }, [ended({ status: "completed", outcome: "completed" })]),
    ],
    lost: textOf(
      shown([worker({ idle_since: time(40) })], [], {
        asOfMs: () => Date.parse(time(60)),
      }).element.querySelector(".worker .meta"),
    ),
    many: [8, 9, 10, 11].map(many),
    here: textsOf(
      shown(
        Array.from({ length: 12 }, (_, i) => worker({ worker: `w-${i}`, state: i < 10 ? "away" : "idle" })),
      ).element,
      ".worker .cut-name",
    ),
    joined: (() => {
      const strip = shown([worker({ worker: "w-2" }), worker({ worker: "w-10" })])
      const before = glides
      // What is below glides once for those that are new, and not for what they do next.
      for (const state of ["idle", "away"] as const)
        strip.update(
          knownWorkers(["w-1", "w-2", "w-3", "w-10"].map((name) => worker({ worker: name, state }))),
        )
      return [...textsOf(strip.element, ".worker .cut-name"), before, glides]
    })(),
    held: (() => {
      let isHeld = false
      const strip = new WorkersStrip(queueOf([]), ignore, () => isHeld, glide)
      const named = (...names: readonly string[]) => names.map((name) => worker({ worker: name }))
      strip.update(knownWorkers(named(...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((i) => `w-${i}`))))
      isHeld = true
      const left = worker({ worker: "w-6", state: "away" })
      const busy = worker({ worker: "w-8", state: "rendering", items: [run(1)] })
      strip.update(knownWorkers([...named("a", "b", "c", "d", "e", "f", "g", "h", "i"), left, busy]))
      return textsOf(strip.element, ".worker").slice(5)
    })(),
    button: (() => {
      let isHeld = true
      const strip = new WorkersStrip(queueOf([]), ignore, () => isHeld, glide)
      const hides = (many: number): boolean => {
        strip.update(knownWorkers(Array.from({ length: many }, (_, i) => worker({ worker: `w-${i}` }))))
        return strip.element.querySelector<HTMLElement>(":scope > button")?.hidden === false
      }
      const [first, held, before] = [hides(8), hides(10), glides]
      isHeld = false
      return [first, held, hides(10), glides - before]
    })(),
  }
}

/** The toasts that are left after 6 s and after 10 s, and what is read aloud. */
function toasts() {
  const timers: { readonly ms: number; readonly act: () => void }[] = []
  const real = globalThis.setTimeout
  Object.assign(globalThis, { setTimeout: (act: () => void, ms = 0) => timers.push({ ms, act }) })
  const area = document.querySelector("#toasts") ?? document.body
  const left = (): string[] => textsOf(area, "p")
  notify("Cancelled A", { undo: () => undefined })
  for (const text of ["B", "C", "C", "D", "E"]) notify(text)
  const first = left()
  notifyFailure(new Error("the disk is full"))
  const pass = (fromMs: number, toMs: number): void => {
    for (const { ms, act } of timers.slice()) if (ms > fromMs && ms <= toMs) act()
  }
  pass(0, 6000)
  const later = left()
  pass(6000, 10_000)
  const last = left()
  // The server has another history.
  notify("Cancelled F", { undo: () => undefined })
  notify("The server is another one", { undo: () => undefined, stays: true })
  withdrawUndo()
  const turned = left()
  const heard = [4, 5].map((many) => {
    for (let i = 1; i <= many; i += 1) announce(`Song ${i}`)
    timers.at(-1)?.act()
    return textOf(document.querySelector("#announcer"))
  })
  Object.assign(globalThis, { setTimeout: real })
  return { first, later, last, turned, heard }
}

/** What is shown of the error of an item, then of another error after all of the first was requested. */
function errors() {
  const box = new FailureBox()
  const lines = (word: string, many: number): string =>
    Array.from({ length: many }, (_, i) => `${word} ${i + 1}`).join("\n")
  const shown = (error_message: string): string => {
    box.show(item({ status: "failed", outcome: "failed", error_message }))
    const text = box.element.querySelector("pre")
    return text?.hidden ? "" : (textOf(text).split("\n")[0] ?? "")
  }
  const first = shown(lines("step", 30))
  box.element.querySelector("button")?.click()
  const whole = shown(lines("step", 30))
  return [first, whole, shown(lines("part", 30)), shown("out of memory"), shown("frame 1\rout of memory")]
}

/** How much is left of a text of blocks when so much must be kept, and the attempts of an item beyond its most. */
function rest() {
  const text = new PrintedText()
  for (let i = 0; i < 40; i += 1) text.append(`${"x".repeat(999)}\n`)
  text.keep(20_000)
  const fact = (changes: Partial<QueueItem>): string => {
    const found = [...factsOf(item(changes)).children].find((one) => textOf(one).startsWith("Attempts"))
    return textOf(found?.lastElementChild ?? null)
  }
  const failed = (hours: number, id: number): QueueItem =>
    item({
      ...{ id, status: "failed", outcome: "failed" },
      completed_at: new Date(NOW_MS - hours * 3_600_000).toISOString(),
    })
  const labels = (one: QueueItem): string[] => choicesOf(one, queueOf([])).map(({ label }) => label)
  return {
    isEnough: text.length >= 20_000 && text.length < 40_000,
    attempts: [2, 3, 4].map((attempt) => fact({ attempt, max_attempts: 3 })),
    recent: recentFailures([failed(23, 2), failed(25, 3), failed(1, 1)], NOW_MS).map(({ id }) => id),
    flags: [
      labels(ended({ status: "failed", flag: "image_issue" })).includes("Flag…"),
      labels(ended({ status: "failed" })).includes("Flag…"),
    ],
  }
}

/** What each part shows, by its name. */
const parts = {
  ...{ rows, idle, history, course, workers, toasts, errors, rest },
  ...acted,
  ...standing,
  lines,
  lists: () => [list(false), list(true)],
}
export type Parts = typeof parts

Object.assign(globalThis, { parts })
