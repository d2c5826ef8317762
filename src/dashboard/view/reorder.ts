import { ServerError } from "../../client/requests.ts"
import type { QueueItem } from "../../item/item.ts"
import { isWaiting } from "../../item/moves.ts"
import { server } from "../live/server.ts"
import type { KnownQueue } from "../model/known-queue.ts"
import { count, nameOf } from "../model/wording.ts"
import { acting } from "./steady-lists.ts"
import { announce, notifyFailure } from "./toasts-and-undo.ts"

/** A way to move a waiting item by one place. */
export type Direction = "up" | "down"

/** Whether the reader may move a waiting item, and there is another one above or below it. */
export function canMove({ id }: QueueItem, direction: Direction, queue: KnownQueue): boolean {
  if (!queue.may("change")) return false
  const waiting = queue.waiting()
  const at = waiting.findIndex((one) => one.id === id)
  return at >= 0 && (direction === "up" ? at > 0 : at < waiting.length - 1)
}

/** How long to wait until a moved item is at its new place, in milliseconds. */
const SETTLE_MS = 1000

/** Resolves once the item is at another place than before, as the stream says, or after a second. */
async function settled(id: number, before: number, queue: KnownQueue): Promise<void> {
  const endMs = performance.now() + SETTLE_MS
  while (queue.waiting().findIndex((one) => one.id === id) === before && performance.now() < endMs)
    await new Promise((resolve) => setTimeout(resolve, 20))
}

/** Whether an item waits no longer: a worker has taken it, or it was cancelled or deleted. */
async function hasLeft(id: number): Promise<boolean> {
  try {
    return !isWaiting((await server.get(id)).status)
  } catch (error) {
    return error instanceof ServerError && error.code === "not_found"
  }
}

/**
 * Moves an item before the first of `others` that still waits: the page may not know yet that a worker has taken one of
 * them. Nothing is moved if none waits.
 */
export async function moveBefore(id: number, others: readonly QueueItem[]): Promise<void> {
  for (const other of others) {
    try {
      return void (await server.move(id, other.id))
    } catch (error) {
      if (!(await hasLeft(other.id))) throw error
    }
  }
}

/** Gives an item another priority. */
export const setPriority = (id: number, priority: number): Promise<unknown> =>
  server.update(id, { priority, message: `Priority set to ${priority}` })

/** Moves a waiting item by one place; at the end of the queue it does nothing. */
export async function move(item: QueueItem, direction: Direction, queue: KnownQueue): Promise<void> {
  if (!canMove(item, direction, queue)) return
  const waiting = queue.waiting()
  const at = waiting.findIndex(({ id }) => id === item.id)
  const [above, below, next] = [waiting[at - 1], waiting[at + 1], waiting[at + 2]]
  try {
    await acting(async () => {
      if (direction === "up" && above) return await moveBefore(item.id, [above])
      if (next) return await server.move(item.id, next.id)
      if (!below) return undefined
      // No item follows: the last item is moved in front of this one instead, and keeps its own priority.
      const { priority } = below
      if (priority !== item.priority) await setPriority(item.id, priority)
      return await server.move(below.id, item.id)
    })
    const place = at + 1 + (direction === "up" ? -1 : 1)
    await settled(item.id, at, queue)
    announce(`${nameOf(item)} is ${count(place)} of ${count(queue.waitingTotal() ?? waiting.length)}`)
  } catch (error) {
    notifyFailure(error)
  }
}

/** The moves by keys, one after the other: each begins where the one before has ended. */
let moving = Promise.resolve()
let underWay = 0

/** Alt and an arrow key move the waiting item whose row has the focus, by one place for each press. */
export function moveByKeys(row: HTMLElement, item: () => QueueItem | undefined, queue: KnownQueue): void {
  row.querySelector("a")?.setAttribute("aria-keyshortcuts", "Alt+ArrowUp Alt+ArrowDown")
  row.addEventListener("keydown", (event) => {
    const direction = { ArrowUp: "up", ArrowDown: "down" } as const
    const to =
      event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown") ? direction[event.key] : null
    const moved = item()
    if (!to || !moved) return
    event.preventDefault()
    // A key that is held down must not continue after it was released.
    if (event.repeat && underWay > 0) return
    underWay += 1
    moving = moving.then(() => move(moved, to, queue)).finally(() => (underWay -= 1))
  })
}
