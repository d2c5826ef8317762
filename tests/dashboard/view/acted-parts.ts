/** What parts of the page do when a reader acts on them. This file runs in the browser. */
import { ServerError } from "../../../src/client/client.ts"
import { server } from "../../../src/dashboard/live/server.ts"
import type { Model } from "../../../src/dashboard/model/model.ts"
import { knownWorkers, UNKNOWN_WORKERS } from "../../../src/dashboard/model/workers.ts"
import { choicesOf } from "../../../src/dashboard/view/actions.ts"
import { BulkActions } from "../../../src/dashboard/view/bulk-actions.ts"
import { Filter } from "../../../src/dashboard/view/filter.ts"
import { FindInOutput } from "../../../src/dashboard/view/find-in-output.ts"
import { addSong } from "../../../src/dashboard/view/forms.ts"
import { ItemProgress } from "../../../src/dashboard/view/item-progress.ts"
import { PrintedText } from "../../../src/dashboard/view/printed-text.ts"
import { move } from "../../../src/dashboard/view/reorder.ts"
import { WaveBar } from "../../../src/dashboard/view/wave-bar.ts"
import type { NewItem, QueueItem } from "../../../src/item/item.ts"
import { item, time } from "../items.ts"
import { queueOf } from "./shown-queue.ts"

const textOf = (element: Element | null): string => element?.textContent ?? ""

/** The text of the next toast, which is then taken away. */
async function noticed(): Promise<string> {
  const toast = (): Element | null => document.querySelector("#toasts p")
  while (!toast()) await new Promise((resolve) => setTimeout(resolve, 5))
  const text = textOf(toast())
  document.querySelector("#toasts")?.replaceChildren()
  return text
}

const accept = (): void => document.querySelector<HTMLElement>("dialog[open] [type=submit]")?.click()

/** The priority that a dialog begins with, if the item got another one after its menu was opened. */
export function changedItem() {
  const choices = choicesOf(item({ priority: 1 }), queueOf([item({ priority: 7 })]))
  choices.find(({ label }) => label === "Set priority…")?.choose()
  const dialog = document.querySelector<HTMLDialogElement>("dialog[open]")
  const shown = dialog?.querySelector("input")?.value
  dialog?.close()
  return shown
}

/**
 * What is asked before an item that starts in 5 minutes is cancelled, and before one whose percentage rests on its time;
 * and which title may be typed for one of 300 letters.
 */
export function asked() {
  const answers = (one: QueueItem, name: string): string[] => {
    choicesOf(one, queueOf([one]))
      .find(({ label }) => label === name)
      ?.choose()
    const dialog = document.querySelector<HTMLDialogElement>("dialog[open]")
    const seen = [
      textOf(dialog?.querySelector("p") ?? null),
      String(dialog?.querySelector("input")?.maxLength),
    ]
    dialog?.close()
    return seen
  }
  return {
    delayed: answers(item({ available_at: time(400) }), "Cancel")[0],
    running: answers(
      item({ id: 9, status: "processing", started_at: time(30), progress: 20, time_progress: 45.6 }),
      "Cancel",
    )[0],
    longest: ["", "T".repeat(300)].map((title, i) => answers(item({ id: i + 1, title }), "Rename…")[1]),
  }
}

/** Selects 1,001 items and deletes them, then selects others. */
export async function selection() {
  const sizes: number[] = []
  const { promise: deleted, resolve } = Promise.withResolvers<void>()
  Object.assign(server, {
    batch: async (_act: string, ids: readonly number[]) => {
      sizes.push(ids.length)
      if (sizes.length === 2) resolve()
      return { done: ids, refused: [] }
    },
  })
  let items = Array.from({ length: 1001 }, (_, i) => item({ id: i + 1 }))
  let isSearched = false
  const home = document.createElement("ul")
  const bulk = new BulkActions(
    () => home,
    (id) => items.find((one) => one.id === id),
    () => ({ items: isSearched ? items.slice(1) : items, isCut: false }),
  )
  const button = (label: string): HTMLButtonElement | undefined =>
    [...bulk.element.querySelectorAll("button")].find((one) => textOf(one) === label)
  const selected = (): string => textOf(bulk.element.querySelector("p"))
  bulk.toggle.click()
  button("Select all")?.click()
  const counts = [selected()]
  button("Delete")?.click()
  accept()
  await deleted
  bulk.toggle.click()
  bulk.toggle.click()
  counts.push(selected())
  const offered = (): (boolean | undefined)[] => {
    button("Select all")?.click()
    return [button("Retry")?.disabled, button("Cancel")?.disabled].map((isOff) => isOff === false)
  }
  items = [item({ status: "processing", cancel_requested_at: time(50) })]
  const cancelling = offered()
  items = [item({ status: "retrying" })]
  const retrying = offered()
  // A search for something else hides it.
  isSearched = true
  bulk.update()
  counts.push(selected())
  button("Retry")?.click()
  const asked = textOf(document.querySelector("dialog[open] p"))
  document.querySelector<HTMLDialogElement>("dialog[open]")?.close()
  bulk.toggle.click()
  return { sizes, counts, cancelling, retrying, asked }
}

/** The toasts after 1,001 items were deleted: the server refuses two of them, and does not answer for the last one. */
export async function halfDone() {
  const { promise: ended, resolve } = Promise.withResolvers<void>()
  Object.assign(server, {
    batch: async (_act: string, ids: readonly number[]) => {
      if (ids.length === 1) {
        setTimeout(resolve)
        throw new Error("no answer")
      }
      const refused = ids.slice(-2).map((id) => ({ id, error: `queue item ${id} is locked` }))
      return { done: ids.slice(0, -2), refused }
    },
  })
  const items = Array.from({ length: 1001 }, (_, i) => item({ id: i + 1 }))
  const bulk = new BulkActions(
    () => document.createElement("ul"),
    (id) => items.find((one) => one.id === id),
    () => ({ items, isCut: false }),
  )
  bulk.toggle.click()
  const toasts = document.querySelector("#toasts")
  toasts?.replaceChildren()
  for (const label of ["Select all", "Delete"])
    [...bulk.element.querySelectorAll("button")].find((one) => textOf(one) === label)?.click()
  accept()
  await ended
  bulk.toggle.click()
  return [...(toasts?.querySelectorAll("p") ?? [])].map(textOf)
}

/** The requests that move an item behind the last one, which has the same priority or a lower one. */
export async function movedDown() {
  const asked: string[] = []
  Object.assign(server, {
    update: async (id: number, { priority }: { readonly priority: number }) =>
      asked.push(`${id} gets priority ${priority}`),
    move: async (id: number, before: number) => asked.push(`${id} before ${before}`),
  })
  for (const priority of [0, 5]) {
    const [one, last] = [item({ id: 1, priority }), item({ id: 2 })]
    let waiting = [one, last]
    const queue = { ...queueOf([]), waiting: () => waiting }
    const done = move(one, "down", queue)
    waiting = [last, one]
    await done
  }
  return asked
}

/**
 * What is requested and said when workers took the first two of four waiting items, which the page does not know yet:
 * the last one is to run next, then it is taken as well; and when a retry comes after another one.
 */
export async function late() {
  const asked: string[] = []
  const refused = (): never => {
    throw new ServerError(409, "queue item 9 is processing", { code: "illegal_move" })
  }
  let taken = [1]
  Object.assign(server, {
    get: async (id: number) => {
      if (id === 2) throw new ServerError(404, "queue item 2 does not exist", { code: "not_found" })
      return item({ id, status: taken.includes(id) ? "processing" : "queued" })
    },
    move: async (id: number, before: number) => {
      asked.push(`${id} before ${before}`)
      return before === 3 && taken[0] === 1 ? item({ id }) : refused()
    },
    retry: async (id: number) => {
      asked.push(`retry ${id}`)
      return refused()
    },
  })
  const waiting = [1, 2, 3, 9].map((id) => item({ id }))
  document.querySelector("#toasts")?.replaceChildren()
  const toasts: string[] = []
  for (const [label, one] of [
    ["Run next", item({ id: 9 })],
    ["Run next", item({ id: 9 })],
    ["Retry", item({ id: 9, status: "failed" })],
  ] as const) {
    choicesOf(one, queueOf(waiting, [one]))
      .find((choice) => choice.label === label)
      ?.choose()
    toasts.push(await noticed())
    taken = [9]
  }
  return { asked, toasts }
}

/** The toasts after an item that waits was cancelled, and after one that renders. */
export async function cancelled() {
  Object.assign(server, {
    batch: async (_act: string, ids: readonly number[]) => ({ done: ids, refused: [] }),
  })
  const toasts: string[] = []
  for (const status of ["queued", "processing"] as const) {
    const one = item({ status })
    const home = document.createElement("ul")
    const bulk = new BulkActions(
      () => home,
      () => one,
      () => ({ items: [one], isCut: false }),
    )
    bulk.toggle.click()
    for (const label of ["Select all", "Cancel"])
      [...bulk.element.querySelectorAll("button")].find((button) => textOf(button) === label)?.click()
    accept()
    toasts.push(await noticed())
    bulk.toggle.click()
  }
  return toasts
}

/** The requests that put back a cancelled item which was moved: to its place in the line, or one that no worker could take. */
export async function putBack() {
  const asked: string[] = []
  const [one, first, second] = [item({ id: 3, turn: 1.5 }), item({ id: 1 }), item({ id: 2 })]
  let acted = Promise.withResolvers<void>()
  Object.assign(server, {
    cancel: async () => one,
    retry: async (id: number) => {
      asked.push(`retry ${id}`)
      setTimeout(() => acted.resolve(), 50)
      return one
    },
    move: async (id: number, before: number) => asked.push(`${id} before ${before}`),
  })
  for (const waiting of [
    [first, one, second],
    [first, second],
  ]) {
    acted = Promise.withResolvers<void>()
    document.querySelector("#toasts")?.replaceChildren()
    choicesOf(one, queueOf(waiting))
      .find(({ label }) => label === "Cancel")
      ?.choose()
    const undo = (): HTMLElement | null => document.querySelector<HTMLElement>(".toast .undo")
    while (!undo()) await new Promise((resolve) => setTimeout(resolve, 5))
    undo()?.click()
    await acted.promise
  }
  document.querySelector("#toasts")?.replaceChildren()
  return asked
}

/** The searches that begin when a reader types, and then adds spaces and a word. */
export function searches() {
  const sought: string[] = []
  const filter = new Filter(({ text }) => sought.push(text))
  const input = filter.element.querySelector("input")
  const type = (text: string): void => {
    if (input) input.value = text
    input?.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }))
  }
  type(" tide ")
  filter.show({ text: "tide", which: "all" })
  type("tide  ")
  type("tide lines")
  return sought
}

/** The tags of a song that is added with one of them twice. */
export async function addedTags() {
  let tags: NewItem["tags"]
  Object.assign(server, {
    add: async (body: NewItem) => {
      tags = body.tags
      return item()
    },
  })
  const added = addSong()
  const inputs = [...document.querySelectorAll<HTMLInputElement>("dialog[open] input")]
  const [song, last] = [inputs[0], inputs.at(-1)]
  if (song) song.value = "5"
  if (last) last.value = "gpu, 4k,gpu ,"
  accept()
  await added
  return tags
}

/** What was stored, and said before, when an item was renamed that somebody else had renamed meanwhile. */
export async function renamedTwice() {
  const said: string[] = []
  const others = item({ title: "Theirs" })
  Object.assign(server, {
    get: async () => others,
    update: async (_id: number, { title = "" }: Partial<QueueItem>) => void said.push(title),
  })
  const one = item({ title: "As it was" })
  choicesOf(one, queueOf([one]))
    .find(({ label }) => label === "Rename…")
    ?.choose()
  const input = document.querySelector<HTMLInputElement>("dialog[open] input")
  if (input) input.value = "Mine"
  accept()
  const problem = (): string => textOf(document.querySelector("dialog[open] .problem"))
  while (problem() === "") await new Promise((resolve) => setTimeout(resolve, 5))
  said.push(problem())
  accept()
  await noticed()
  return said
}

/** What the page of an item that was put back says: while the queue runs, and while it is paused. */
export function waits() {
  const one = item({ queued_at: time(-3600), requeued_at: time(0) })
  const other = item({ id: 2, status: "processing" })
  const known = [UNKNOWN_WORKERS, knownWorkers([])]
  return [
    { paused_at: null, workers: known[0], running: [] },
    { paused_at: time(50), workers: known[1], running: [] },
    { paused_at: null, workers: known[1], running: [] },
    // What reports with PUT alone is no worker that the server lists.
    { paused_at: null, workers: known[1], running: [other] },
  ].map(({ paused_at, workers, running }) => {
    const lists = { waiting: [one], running }
    const model: unknown = { ...queueOf([one]), lists, counts: { paused_at }, workers }
    const progress = new ItemProgress(model as Model)
    progress.show(one)
    return [".left", ".elapsed"].map((part) => textOf(progress.element.querySelector(part))).join(", ")
  })
}

/** Where a bar is going that has glided on within its percent, when nothing more is certain, and when the percentage is lower. */
export function bar() {
  const wave = new WaveBar()
  const one = item({ status: "processing", progress: 40 })
  const going = (done: number, to: number): string | undefined => {
    wave.show(one, "", Math.floor(done), { done, to, seconds: 0 })
    return wave.element.querySelector<HTMLElement>(".wave-head")?.style.transform
  }
  return [going(40, 40), going(40, 40.5), going(40, 40), going(39, 39)]
}

/** Where bars are going after a second without a report: one that is new, and one that has jumped. */
export async function barsGoOn(): Promise<(string | undefined)[]> {
  const one = item({ status: "processing", progress: 40 })
  const bars = [new WaveBar(), new WaveBar()]
  for (const bar of bars) bar.show(one, "", 40, { done: 40, to: 40.95, seconds: 9 })
  bars[1]?.show(one, "", 60, { done: 60, to: 60.95, seconds: 9 })
  const going = (): (string | undefined)[] =>
    bars.map(({ element }) => element.querySelector<HTMLElement>(".wave-head")?.style.transform)
  const atFirst = going()
  await new Promise((resolve) => setTimeout(resolve, 1000))
  return [...atFirst, ...going()]
}

/** In how many seconds a bar gets to its next place that has jumped, and of which more is reported on its way. */
export function barThatJumps(): (string | undefined)[] {
  const one = item({ status: "processing", progress: 20 })
  const bar = new WaveBar()
  bar.show(one, "", 20, { done: 20, to: 20, seconds: 0 })
  return [60, 60.2].map((done) => {
    bar.show(one, "", 60, { done, to: 60.95, seconds: 9 })
    return bar.element.style.getPropertyValue("--glide")
  })
}

/** The places to which a search in an output of three matches leads: at first, and with the next and the previous. */
export function matchesFound() {
  const text = new PrintedText()
  text.append("frame 1\nframe 2\nframe 3\n")
  document.body.append(text.element)
  const find = new FindInOutput(text, "Find", () => undefined)
  const input = find.element.querySelector("input")
  if (input) input.value = "frame"
  input?.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }))
  const matches = [textOf(find.element.querySelector(".matches"))]
  for (const sign of ["↓", "↑"]) {
    const button = [...find.element.querySelectorAll("button")].find((one) => textOf(one) === sign)
    button?.click()
    matches.push(textOf(find.element.querySelector(".matches")))
  }
  text.element.remove()
  return matches
}
