import { ServerError, type Watched, type WatchOptions } from "../../../src/client/client.ts"
import { ORDERS } from "../../../src/dashboard/model/apply-updates.ts"
import type { StreamUpdate } from "../../../src/dashboard/model/hub-messages.ts"
import type { ListName } from "../../../src/dashboard/model/lists.ts"
import type { QueueItem, Status } from "../../../src/item/item.ts"
import { isFinished, isWaiting } from "../../../src/item/moves.ts"
import { updateOf } from "../../../src/item/update.ts"
import { item, time } from "../items.ts"

/** Items per page of a list. */
const PAGE = 3

/** The list that contains an item. */
export const listOf = ({ status }: Pick<QueueItem, "status">): ListName =>
  status === "processing" ? "running" : isFinished(status) ? "finished" : "waiting"

/** What a retry changes in an item. */
export const AFRESH = { outcome: null, attempt: 0, started_at: null, completed_at: null }

/** A request to the server: first the server reads, and later its answer arrives, or never. */
interface Question {
  next(hasFailed: boolean): void
}

/** A server whose answers and updates arrive when the test decides. */
export class Far {
  readonly items = new Map<number, QueueItem>()
  readonly updates: StreamUpdate[] = []
  readonly questions: Question[] = []
  /** The frames that are on their way to the reader of the one stream. */
  #coming: Watched[] = []
  #isConnected = false
  /** The latest update that was sent, and the update after which the reader goes on. */
  #sentId = 0
  #heardId: number | undefined
  /** The name of its history. */
  history = "h"
  /** How many frames may arrive. */
  #arriving = 0
  #wake: () => void = () => undefined

  /** The next update: something that can happen to the item, if anything can. */
  happen(what: number, at: number): void {
    const [id, timestamp] = [this.updates.length + 1, time(this.updates.length + 1)]
    const known = [...this.items.values()][at % Math.max(1, this.items.size)]
    const put = (one: QueueItem, deleted = false): void => {
      const next = { ...one, updated_at: timestamp }
      if (deleted) this.items.delete(one.id)
      else this.items.set(one.id, next)
      this.updates.push({ id, ...updateOf({ item: next, deleted }) })
    }
    if (!known || what === 0) return put(item({ id, queued_at: timestamp }))
    if (what === 1 && at % 3 === 0) return put(known, true)
    // An update has no priority, and the page does not read running items again.
    if (what === 2)
      return put({ ...known, title: `title ${id}`, ...(isWaiting(known.status) && { priority: at % 3 }) })
    if (isWaiting(known.status))
      return put({ ...known, status: "processing", attempt: known.attempt + 1, started_at: timestamp })
    if (known.status !== "processing") return put({ ...known, status: "queued", ...AFRESH })
    if (what === 3) return put({ ...known, progress: known.progress + 1 })
    if (at % 3 === 0) return put({ ...known, status: "retrying", progress: 0 })
    const outcome = at % 3 === 1 ? "completed" : "failed"
    return put({ ...known, status: outcome, outcome, completed_at: timestamp })
  }

  /** Changes one item, in an update. */
  change(id: number, change: Partial<QueueItem>): void {
    const event = this.updates.length + 1
    const next = { ...this.get(id), ...change, updated_at: time(event) }
    this.items.set(id, next)
    this.updates.push({ id: event, ...updateOf({ item: next, deleted: false }) })
  }

  /** Lets the stream send this about itself. */
  async say(control: Extract<Watched, { type: "control" }>["control"]): Promise<void> {
    this.#coming.push({ type: "control", control })
    await this.arrive(1)
  }

  /** Sends what has happened since, and lets this many frames of the stream arrive. */
  async arrive(count: number): Promise<void> {
    if (this.#isConnected) this.#send(this.updates.filter(({ id }) => id > this.#sentId))
    this.#arriving += count
    this.#wake()
    await settled()
  }

  /** Cuts the stream. Frames that were on their way are lost. */
  async cut(): Promise<void> {
    if (!this.#isConnected) return
    this.#isConnected = false
    this.#coming = [{ type: "offline", reason: "cut", status: 0, code: "", retryMs: 100 }]
    await this.arrive(1)
  }

  /** Connects the stream again. `isGone`: the missed updates are no longer stored. */
  connect(isGone: boolean): void {
    if (this.#isConnected) return
    this.#isConnected = true
    if (this.#heardId === undefined || isGone) {
      if (this.#heardId !== undefined) {
        const gap = { event: "gap", reason: "expired", last_event_id: this.#heardId, missed: null } as const
        this.#coming.push({ type: "control", control: gap })
      }
      this.#sentId = this.updates.length
    } else {
      this.#sentId = this.#heardId
      this.#send(this.updates.filter(({ id }) => id > this.#sentId))
    }
    const live = { event: "live", last_event_id: this.#sentId, history: this.history } as const
    this.#coming.push({ type: "control", control: live })
  }

  #send(updates: readonly StreamUpdate[]): void {
    for (const { id, ...rest } of updates) this.#coming.push({ type: "update", id, update: rest })
    this.#sentId = updates.at(-1)?.id ?? this.#sentId
  }

  async *watch({ lastEventId, signal, onHeard }: WatchOptions): AsyncGenerator<Watched, void, undefined> {
    this.#coming = []
    this.#isConnected = false
    this.#heardId = lastEventId
    signal?.addEventListener("abort", () => this.#wake())
    while (!signal?.aborted) {
      const next = this.#arriving > 0 ? this.#coming.shift() : undefined
      if (!next) {
        this.#arriving = 0
        await new Promise<void>((resolve) => (this.#wake = resolve))
        continue
      }
      this.#arriving -= 1
      if (next.type === "update") this.#heardId = next.id
      if (next.type === "control" && next.control.event === "live") this.#heardId = next.control.last_event_id
      yield next
      onHeard?.()
    }
  }

  /** Answers a request: its first call reads, and its second lets the answer arrive. */
  ask<T>(read: () => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    let result: (() => void) | undefined
    const question: Question = {
      next: (hasFailed) => {
        const at = this.questions.indexOf(question)
        if (at >= 0 && (result || hasFailed)) this.questions.splice(at, 1)
        if (hasFailed) return reject(new ServerError(0, "no answer", { code: "unreachable" }))
        if (result) return result()
        try {
          const value = structuredClone(read())
          result = () => resolve(value)
        } catch (error) {
          result = () => reject(error)
        }
      },
    }
    this.questions.push(question)
    return promise
  }

  /** A page of the items of one status, in the server's order. */
  page(status: Status, after: string | undefined): { queue: QueueItem[]; next: string | null } {
    const order = ORDERS[listOf({ status })]
    const last: QueueItem | undefined = after === undefined ? undefined : JSON.parse(after)
    const all = [...this.items.values()].filter((one) => one.status === status).sort(order)
    const rest = last ? all.filter((one) => order(one, last) > 0) : all
    const queue = rest.slice(0, PAGE)
    return { queue, next: rest.length > PAGE ? JSON.stringify(queue.at(-1)) : null }
  }

  get(id: number): QueueItem {
    const found = this.items.get(id)
    if (!found) throw new ServerError(404, "no such item", { code: "not_found" })
    return found
  }
}

/** Waits until everything has happened that needs no timer. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 30; turn += 1) await Promise.resolve()
}
