import type { QueueItem } from "../../item/item.ts"
import { cancelItem, changeItem, deleteItem, Refusal, retryItem } from "../live/api.ts"
import { isFinished, isWaiting } from "../model/state.ts"
import { counter, nameOf } from "../model/text.ts"
import { askPriority, confirm } from "./dialogs.ts"
import type { Choice } from "./menu.ts"
import { notify } from "./notices.ts"

/** What the actions need of the page. */
export interface Bench {
  /** The items that wait, in their order. */
  readonly waiting: () => readonly QueueItem[]
  /** The item as it is known now. */
  readonly item: (id: number) => QueueItem | undefined
  /** Milliseconds of the server's clock. */
  readonly nowMs: () => number
}

const MAX_PRIORITY = 1_000_000_000

/** Does it, and says what came of it, or why nothing did. */
async function attempt(
  what: () => Promise<QueueItem | void>,
  done: string | ((item: QueueItem) => string),
): Promise<void> {
  try {
    const item = await what()
    notify(typeof done === "string" ? done : item ? done(item) : "")
  } catch (error) {
    notify(error instanceof Refusal ? error.message : String(error), true)
  }
}

async function cancel(item: QueueItem, bench: Bench): Promise<void> {
  const name = nameOf(item)
  if (item.status === "processing") {
    const forSeconds = (bench.nowMs() - Date.parse(item.started_at ?? item.updated_at)) / 1000
    const text = `It has been running for ${counter(forSeconds)} and is ${item.progress}% done. What it has rendered so far is lost.`
    if (!(await confirm(`Cancel ${name}?`, text, "Cancel the render"))) return
  }
  await attempt(
    () => cancelItem(item.id),
    ({ status }) =>
      status === "processing" ? `The worker of ${name} is told to stop` : `${name} is cancelled`,
  )
}

async function remove(item: QueueItem): Promise<void> {
  const name = nameOf(item)
  const also = isFinished(item) ? "" : " It is cancelled first."
  const text = `It disappears from the queue for good.${also} Its video, if there is one, stays where it is.`
  if (await confirm(`Delete ${name}?`, text, "Delete it"))
    await attempt(() => deleteItem(item.id), `${name} is deleted`)
}

async function prioritise(item: QueueItem, bench: Bench): Promise<void> {
  const priority = await askPriority(item, bench.waiting())
  if (priority === null || priority === item.priority) return
  await attempt(
    () => changeItem(item.id, { priority, message: `Priority set to ${priority}` }),
    `${nameOf(item)} has priority ${priority}`,
  )
}

async function runNext(item: QueueItem, bench: Bench): Promise<void> {
  const [first] = bench.waiting()
  if (!first || first.id === item.id) return notify(`${nameOf(item)} is next already`)
  const priority = Math.min(MAX_PRIORITY, first.priority + 1)
  await attempt(
    () => changeItem(item.id, { priority, message: "Moved to the front" }),
    `${nameOf(item)} is next`,
  )
}

/** What can be done with an item as it stands, the likeliest first. */
export function choicesOf(item: QueueItem, bench: Bench): Choice[] {
  const choice = (
    label: string,
    icon: string,
    what: (now: QueueItem, bench: Bench) => Promise<void>,
    danger = false,
  ): Choice => ({
    label,
    icon,
    danger,
    // It may have changed since the menu was opened.
    choose: () => void what(bench.item(item.id) ?? item, bench),
  })
  const again = choice("Retry", "retry", (now) =>
    attempt(() => retryItem(now.id), `${nameOf(now)} waits for another attempt`),
  )
  const choices: Choice[] = []
  if (isFinished(item)) choices.push(again)
  if (isWaiting(item)) {
    choices.push(choice("Run next", "up", runNext), choice("Set priority…", "order", prioritise))
    if (item.status === "retrying") choices.push({ ...again, label: "Retry now" })
  }
  if (!isFinished(item) && item.cancel_requested_at === null) choices.push(choice("Cancel", "cancel", cancel))
  choices.push(choice("Delete…", "delete", remove, true))
  return choices
}
