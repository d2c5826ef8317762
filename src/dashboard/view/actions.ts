import { ServerError } from "../../client/requests.ts"
import type { QueueItem } from "../../item/item.ts"
import { isFinished, isWaiting } from "../../item/moves.ts"
import { shownOf } from "../../item/progress-words.ts"
import { duration, shellWord } from "../../text.ts"
import { BASE, server } from "../live/server.ts"
import { tokenForCurl } from "../live/token.ts"
import type { KnownQueue } from "../model/known-queue.ts"
import { count, flagWords, nameOf } from "../model/wording.ts"
import { copy } from "./clipboard.ts"
import { confirm } from "./dialogs.ts"
import { askFlag, askPriority, askTitle } from "./forms.ts"
import type { Choice } from "./menu.ts"
import { canMove, move, moveBefore, setPriority } from "./reorder.ts"
import { acting } from "./steady-lists.ts"
import { notify, notifyFailure } from "./toasts-and-undo.ts"

/** Performs the action, and reports the result or the reason for a failure. `undo` reverses it. */
async function attempt(
  what: () => Promise<QueueItem | void>,
  done: string | ((item: QueueItem) => string),
  undo?: () => void,
): Promise<void> {
  try {
    const item = await acting(what)
    const text = typeof done === "string" ? done : item ? done(item) : ""
    notify(text, undo ? { undo } : {})
  } catch (error) {
    notifyFailure(error)
  }
}

/** That an item is back in the queue already, which the page may not know yet, is no failure of a retry. */
function unlessBack(error: unknown): void {
  if (!(error instanceof ServerError && error.code === "illegal_move")) throw error
}

/** Puts an item back into the queue, before `next` if that is given and still waits. */
const backInQueue = (item: QueueItem, next?: QueueItem): Promise<void> =>
  attempt(
    async () => {
      await server.retry(item.id).catch(unlessBack)
      if (next) await server.move(item.id, next.id).catch(() => undefined)
    },
    `${nameOf(item)} is back in the queue`,
  )

async function retry(item: QueueItem): Promise<void> {
  const name = nameOf(item)
  if (item.status === "completed") {
    const text = "This item is completed. Rendering it again takes time, and may replace its video."
    if (!(await confirm(`Render ${name} again?`, text, { yes: "Render again", no: "Keep as it is" }))) return
  }
  await backInQueue(item)
}

/** The item that follows a waiting one which somebody has moved to its place; undefined if none does. */
function followerOf({ id, priority, turn }: QueueItem, queue: KnownQueue): QueueItem | undefined {
  const waiting = queue.waiting()
  const at = waiting.findIndex((one) => one.id === id)
  const next = at < 0 ? undefined : waiting[at + 1]
  return turn !== null && next?.priority === priority ? next : undefined
}

/** In how many milliseconds a waiting item may be taken; at most 0 if it may be now. */
const inMsOf = ({ available_at }: QueueItem, queue: KnownQueue): number =>
  available_at === null ? 0 : Date.parse(available_at) - queue.nowMs()

const startNow = (item: QueueItem): Promise<void> =>
  attempt(
    () => server.update(item.id, { available_in: 0, message: "May start now" }),
    `${nameOf(item)} may start now`,
  )

async function cancel(item: QueueItem, queue: KnownQueue): Promise<void> {
  const name = nameOf(item)
  const inMs = item.status === "queued" ? inMsOf(item, queue) : 0
  const isDelayed = inMs > 0
  if (item.status === "processing") {
    const forSeconds = (queue.nowMs() - Date.parse(item.started_at ?? item.updated_at)) / 1000
    const text = `It has been running for ${duration(forSeconds)} and is ${shownOf(item)}% done. The unfinished render will be lost.`
    if (!(await confirm(`Cancel ${name}?`, text, { yes: "Stop rendering", no: "Keep rendering" }))) return
  }
  if (isDelayed) {
    const text = `It starts in ${duration(inMs / 1000)}. If it is put back later, it starts at once.`
    if (!(await confirm(`Cancel ${name}?`, text, { yes: "Cancel it", no: "Keep it" }))) return
  }
  const next = followerOf(item, queue)
  const done = ({ status }: QueueItem): string =>
    status === "processing" ? `Cancelling ${name}, waiting for the worker to stop` : `Cancelled ${name}`
  // An item that has not begun loses nothing, and can be put back.
  const undo = isWaiting(item.status) && !isDelayed ? () => void backInQueue(item, next) : undefined
  await attempt(() => server.cancel(item.id), done, undo)
}

async function remove(item: QueueItem): Promise<void> {
  const name = nameOf(item)
  const also = item.status === "processing" ? " and stops its render" : ""
  const text = `This removes the item permanently${also}. The video file is not deleted.`
  if (await confirm(`Delete ${name}?`, text, { yes: "Delete", no: "Keep" }))
    await attempt(() => server.remove(item.id), `Deleted ${name}`)
}

/**
 * What a dialog does with the chosen value: nothing if the item has it already. If somebody else has changed the value
 * since the dialog was opened, the reader learns that first, and may choose again.
 */
function unlessChanged<T>(
  item: QueueItem,
  valueOf: (item: QueueItem) => T,
  told: (now: T) => string,
  set: (chosen: T) => Promise<void>,
): (chosen: T) => Promise<void> {
  let known = valueOf(item)
  return async (chosen) => {
    const now = valueOf(await server.get(item.id))
    if (chosen === now) return
    if (now !== known) {
      known = now
      throw new Error(`${told(now)} meanwhile. Press again to replace that`)
    }
    await set(chosen)
  }
}

function prioritise(item: QueueItem, queue: KnownQueue): Promise<void> {
  const told = (now: number): string => `The priority was set to ${now}`
  const set = async (priority: number): Promise<void> => {
    await acting(() => setPriority(item.id, priority))
    notify(`Priority of ${nameOf(item)} set to ${count(priority)}`)
  }
  return askPriority(
    item,
    queue,
    unlessChanged(item, ({ priority }) => priority, told, set),
  )
}

async function runNext(item: QueueItem, queue: KnownQueue): Promise<void> {
  const waiting = queue.waiting()
  const at = waiting.findIndex(({ id }) => id === item.id)
  const ahead = waiting.slice(0, at < 0 ? undefined : at)
  if (ahead.length === 0) return notify(`${nameOf(item)} is already next`)
  await attempt(() => moveBefore(item.id, ahead), `${nameOf(item)} is next`)
}

function rename(item: QueueItem): Promise<void> {
  const told = (now: string): string => `It was renamed to “${now}”`
  const set = async (title: string): Promise<void> => {
    await acting(() => server.update(item.id, { title, message: "Renamed" }))
    notify(`Renamed to ${title === "" ? `Song ${item.song_id}` : title}`)
  }
  return askTitle(
    item,
    unlessChanged(item, ({ title }) => title, told, set),
  )
}

function flag(item: QueueItem): Promise<void> {
  const told = (now: QueueItem["flag"]): string =>
    now ? `It was flagged “${flagWords(now)}”` : "The flag was removed"
  const set = async (chosen: QueueItem["flag"]): Promise<void> => {
    await acting(() => server.flag(item.id, chosen))
    notify(chosen === null ? `Flag of ${nameOf(item)} removed` : `Flagged ${nameOf(item)}`)
  }
  return askFlag(
    item,
    unlessChanged(item, (one) => one.flag, told, set),
  )
}

/** The command that adds an item with the same values. */
function curlOf(item: QueueItem): string {
  const { song_id, title, priority, max_attempts, kind, totals, tags, metadata } = item
  const body = JSON.stringify({ song_id, title, priority, max_attempts, kind, totals, tags, metadata })
  const url = new URL("api/v1/queue", BASE).href
  const parts = ["curl -X POST", shellWord(url), tokenForCurl(), "-H 'Content-Type: application/json'"]
  return [...parts, "-d", shellWord(body)].filter((part) => part !== "").join(" ")
}

/** The actions that are under way, by item and action. */
const underWay = new Set<string>()

/**
 * Performs an action, unless it is under way already: another click during a slow answer must not repeat it.
 */
async function once(name: string, act: () => Promise<void>): Promise<void> {
  if (underWay.has(name)) return
  underWay.add(name)
  try {
    await act()
  } finally {
    underWay.delete(name)
  }
}

type Act = (now: QueueItem, queue: KnownQueue) => Promise<void>
type Make = (label: string, icon: string, act: Act) => Choice

/** The actions that change an item in its present state, the likeliest first. */
function changesOf(item: QueueItem, queue: KnownQueue, choice: Make, minor: Make): Choice[] {
  const choices: Choice[] = []
  if (isFinished(item.status)) choices.push(choice("Retry", "retry", retry))
  if (isWaiting(item.status)) {
    const at = queue.waiting().findIndex(({ id }) => id === item.id)
    if (at > 0) choices.push(choice("Run next", "up", runNext))
    if (item.status === "retrying") choices.push(choice("Retry now", "retry", retry))
    else if (inMsOf(item, queue) > 0) choices.push(choice("Start now", "start", startNow))
    choices.push(choice("Set priority…", "order", prioritise))
  }
  if (!isFinished(item.status) && item.cancel_requested_at === null)
    choices.push(choice("Cancel", "cancel", cancel))
  if (canMove(item, "up", queue)) choices.push(minor("Move up", "rise", (now) => move(now, "up", queue)))
  if (canMove(item, "down", queue))
    choices.push(minor("Move down", "fall", (now) => move(now, "down", queue)))
  choices.push(minor("Rename…", "rename", rename))
  if (item.status === "completed" || item.flag !== null) choices.push(minor("Flag…", "flag", flag))
  return choices
}

/** What the reader can do with an item in its present state, the likeliest first. */
export function choicesOf(item: QueueItem, queue: KnownQueue): Choice[] {
  const choice: Make = (label, icon, act) => ({
    label,
    icon,
    // The item may have changed since the menu was opened.
    choose: () => void once(`${item.id} ${label}`, () => act(queue.item(item.id) ?? item, queue)),
  })
  const minor: Make = (label, icon, act) => ({ ...choice(label, icon, act), minor: true })
  const { href } = new URL(`items/${item.id}`, BASE)
  const choices: Choice[] = queue.may("change") ? changesOf(item, queue, choice, minor) : []
  choices.push(minor("Copy link", "link", () => copy(href, "the link")))
  if (queue.may("add"))
    choices.push(
      minor("Copy as curl", "copy", (now) => copy(curlOf(now), "a command that adds this song again")),
    )
  if (queue.may("change")) choices.push({ ...minor("Delete…", "delete", remove), danger: true })
  return choices
}
