/** What parts of the page show while what they show changes. This file runs in the browser. */
import { server } from "../../../src/dashboard/live/server.ts"
import { CONNECTING, type Counts } from "../../../src/dashboard/model/hub-messages.ts"
import { choicesOf } from "../../../src/dashboard/view/actions.ts"
import { ConnectionBadge } from "../../../src/dashboard/view/connection-badge.ts"
import { FiguresBar } from "../../../src/dashboard/view/figures-bar.ts"
import { askPriority, askToken } from "../../../src/dashboard/view/forms.ts"
import { ItemHead } from "../../../src/dashboard/view/item-head.ts"
import { PrintedText } from "../../../src/dashboard/view/printed-text.ts"
import { FinishedRow } from "../../../src/dashboard/view/rows.ts"
import { RunningLane } from "../../../src/dashboard/view/running-lane.ts"
import { showVersion } from "../../../src/dashboard/view/server-version.ts"
import { moved, refocused, watchReader } from "../../../src/dashboard/view/steady-lists.ts"
import { WorkerPanel } from "../../../src/dashboard/view/worker-panel.ts"
import { item, time } from "../items.ts"
import { queueOf } from "./shown-queue.ts"

const textOf = (element: Element | null): string => element?.textContent ?? ""

/** The links in the panel of a worker that renders these items, one after the other. */
export function panelLinks(): string[][] {
  const panel = new WorkerPanel(queueOf([]), () => undefined)
  return [[1], [], [1, 2], [2]].map((ids) => {
    panel.update({
      ...{ worker: "gpu-1", state: "rendering", idle_since: null, last_heard_at: null },
      ...{ tags: null, version: "", draining: false },
      items: ids.map((id) => ({ id, title: "", song_id: id, progress: 10, time_progress: null })),
    })
    return [...panel.element.querySelectorAll("a")].map(textOf)
  })
}

/** What the row of an item says of its end, first when it failed and then when its worker was lost. */
export function endsInRow(): string[] {
  const row = new FinishedRow(queueOf([]))
  return (["failed", "lost"] as const).map((outcome) => {
    row.update(item({ status: "failed", outcome, completed_at: time(50) }))
    return textOf(row.element.querySelector("p > span"))
  })
}

/** Into how many parts 450 lines are divided that come one by one. */
export function dividedText(): number {
  const text = new PrintedText()
  for (let line = 0; line < 450; line += 1) text.append("a line\n")
  return text.element.children.length
}

/** For how long an item runs, as its lane says it. */
export function laneElapsed(): string {
  const lane = new RunningLane(queueOf([]))
  lane.update(item({ status: "processing", started_at: time(40) }))
  return textOf(lane.element.querySelector(".elapsed"))
}

/** What the lane of an item says of its state: as it is, stalled, cancelled, and both. */
export function laneStates(): string[] {
  const lane = new RunningLane(queueOf([]))
  const running = { status: "processing", started_at: time(0), updated_at: time(40) } as const
  return [
    {},
    { stalled: true },
    { cancel_requested_at: time(90) },
    { stalled: true, cancel_requested_at: time(90) },
  ].map((changes) => {
    lane.update(item({ ...running, ...changes }))
    const chip = lane.element.querySelector<HTMLElement>("p > .chip")
    return chip?.hidden ? "" : textOf(chip)
  })
}

/** How many buttons an item has: at first, when it was gone, and when the same item is there again. */
export function buttonsAgain(): boolean[] {
  const head = new ItemHead(queueOf([]))
  const hasButtons = (): boolean => head.element.querySelector(".buttons button") !== null
  head.show(item(), false)
  const seen = [hasButtons()]
  head.withdraw()
  seen.push(hasButtons())
  head.show(item(), false)
  return [...seen, hasButtons()]
}

/** Before which item one goes that was not in the order any more when its reader chose that it runs next. */
export async function nextOutOfOrder(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  Object.assign(server, {
    move: async (id: number, before: number) => resolve(`${id} before ${before}`),
    update: async () => undefined,
  })
  const [first, one] = [item({ id: 1 }), item({ id: 9 })]
  let waiting = [first, one]
  const choices = choicesOf(one, { ...queueOf([], [first, one]), waiting: () => waiting })
  waiting = [first]
  choices.find(({ label }) => label === "Run next")?.choose()
  return promise
}

/** The offset of a server's clock that is a minute behind, as the facts about the connection show it. */
export function clockOffset(): string[] {
  const made = (["button", "div", "div"] as const).map((name, i) => {
    const element = document.createElement(name)
    element.id = ["badge", "facts", "banner"][i] ?? ""
    document.body.append(element)
    return element
  })
  const badge = new ConnectionBadge(() => undefined)
  const said = [-60_000, 1500].map((skewMs) => {
    badge.update({ ...CONNECTING, state: "live", skewMs }, null, {
      isExplained: false,
      isAny: true,
      unread: "",
    })
    made[1]?.dispatchEvent(new ToggleEvent("beforetoggle", { newState: "open" }))
    const rows = [...(made[1]?.querySelectorAll("dl > div") ?? [])].map(textOf)
    return rows.find((row) => row.startsWith("Clock offset")) ?? ""
  })
  for (const element of made) element.remove()
  return said
}

/** How a token is asked for: its field hides what is typed, and a password manager may fill it in. */
export function tokenField(): (string | null)[] {
  void askToken("An access token")
  const dialog = document.querySelector<HTMLDialogElement>("dialog[open]")
  const input = dialog?.querySelector("input")
  const said = ["type", "autocomplete"].map((name) => input?.getAttribute(name) ?? null)
  dialog?.close()
  return said
}

/**
 * Whether a button acts, which has just moved, or has just got the focus by itself: by a key and by the pointer. All
 * clicks of this page are watched from then on.
 */
export function steadyButtons(): boolean[] {
  watchReader()
  return [moved, refocused].flatMap((happened) =>
    [0, 1].map((detail) => {
      const button = document.createElement("button")
      let hasActed = false
      button.addEventListener("click", () => (hasActed = true))
      document.body.append(button)
      happened(button)
      const place = { clientX: 100 * detail, clientY: happened === moved ? 0 : 100 }
      button.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, detail, ...place }))
      button.remove()
      return hasActed
    }),
  )
}

/** What is found in a long output: the last line of its first block, and the first line of the next block. */
export function foundInBlocks(): string[] {
  const printed = new PrintedText()
  printed.append(Array.from({ length: 300 }, (_, i) => `line ${i + 1}\n`).join(""))
  return ["line 200", "line 201"].map((words) =>
    printed.range(printed.data.indexOf(words), words.length).toString(),
  )
}

/** What is said after each answer about the version of a server, of which the reader dismisses every toast. */
export async function versionToasts(): Promise<string[]> {
  const shown = document.createElement("footer")
  shown.id = "version"
  document.body.append(shown)
  const toasts = (): NodeListOf<Element> => document.querySelectorAll(".toast")
  const dismiss = (): void => [...toasts()].forEach((toast) => toast.remove())
  dismiss()
  const said: string[] = []
  for (const version of ["1.0.0", "1.0.0", "1.1.0", "1.1.0", "1.0.0"]) {
    Object.assign(server, { health: async () => ({ version, commit: "abc" }) })
    await showVersion()
    said.push([textOf(shown), ...[...toasts()].map((one) => textOf(one.querySelector("p")))].join(": "))
    dismiss()
  }
  shown.remove()
  return said
}

/** The place that the dialog for a priority promises to the eleventh of these items, for several priorities. */
export function places(): (string | undefined)[] {
  const waiting = Array.from({ length: 23 }, (_, i) => item({ id: i + 1, priority: i < 10 ? 5 : 0 }))
  void askPriority(item({ id: 11, priority: 0 }), queueOf(waiting), async () => undefined)
  const dialog = document.querySelector("dialog")
  const input = dialog?.querySelector("input")
  const said = [9, 5, 0, -1].map((priority) => {
    if (input) input.value = String(priority)
    input?.dispatchEvent(new Event("input"))
    return / be (.*)\.$/.exec(textOf(dialog?.querySelector(".hint") ?? null))?.[1]
  })
  dialog?.close()
  return said
}

/** The figures of a day that is the first of its week, and of one that is not. */
export function week(): string[] {
  const since = { since: "", failed: 0, cancelled: 0, lost: 0, shortest_seconds: 8, longest_seconds: 8 }
  const lately = (today: number, all: number, failed = 0): string => {
    const bar = new FiguresBar()
    const counts: Pick<Counts, "today" | "this_week"> = {
      today: { ...since, completed: today, mean_seconds: 8 },
      this_week: { ...since, completed: all, failed, mean_seconds: 8 },
    }
    const none = { running: 0, waiting: 0, stalled: 0, completed: 0, failed: 0, hour: [], done: 0 }
    bar.update(none, true, "", Object.assign(Object.create(null), counts))
    return textOf(bar.lately)
  }
  return [lately(3, 3), lately(3, 9), lately(3, 3, 2)]
}
