import { AppError } from "../../src/errors.ts"
import type { Status } from "../../src/item/item.ts"
import type { StoredUpdate } from "../../src/item/stored.ts"
import type {
  Bounds,
  History,
  LatestIds,
  LatestOf,
  Lost,
  Page,
  PageQuery,
} from "../../src/store/contract/history.ts"

/** A history in memory. Event IDs ascend from 1 without gaps, except for gaps after a roll back. */
export class MemoryHistory implements History {
  readonly historyId = "memory"
  /** All updates. The update with event ID n is at index n - 1 until something is rolled back. */
  readonly all: StoredUpdate[] = []
  #newest = 0
  #lost: readonly Lost[] = []
  /** The oldest event ID that is stored. */
  oldest = 1
  readonly #read: (name: string) => Promise<void>
  readonly #most: number

  /**
   * `read` is called before each answer. The answer waits for it, and fails if it fails. Pages are cut at
   * `most` updates, as those of a database are cut at 256 KiB.
   */
  constructor(read: (name: string) => Promise<void>, most: number) {
    this.#read = read
    this.#most = most
  }

  append(queueId: number, status: Status): void {
    this.#newest += 1
    this.all.push({ id: this.#newest, queue_id: queueId, song_id: queueId, status, data: "{}" })
  }

  /** Loses the updates after an event ID, as a late standby does. The next IDs are given above `upTo`. */
  rollBack(after: number, upTo: number): void {
    this.all.splice(this.all.findLastIndex(({ id }) => id <= after) + 1)
    this.#lost = [{ after, upTo, reason: "rolled_back" }]
    this.#newest = upTo + 1
  }

  /** The latest update of each item that has one. */
  latestByItem(): Map<number, StoredUpdate> {
    return new Map(this.all.map((update) => [update.queue_id, update]))
  }

  async head(): Promise<number> {
    await this.#read("head")
    return this.#newest
  }

  async bounds(): Promise<Bounds> {
    await this.#read("bounds")
    const newest = this.#newest
    return { oldest: this.oldest, newest, stored: newest - this.oldest + 1, lost: this.#lost }
  }

  async page({ after, queueId, limit }: PageQuery): Promise<Page> {
    await this.#read("page")
    const kept = this.all.filter(({ id }) => id > after && id >= this.oldest)
    const updates = kept.filter(({ queue_id }) => queueId === undefined || queue_id === queueId)
    const most = Math.min(limit, this.#most)
    return { updates: updates.slice(0, most), more: updates.length >= most }
  }

  async latest(which: LatestOf): Promise<LatestIds> {
    await this.#read("latest")
    const isMeant = ({ id, queue_id, status }: StoredUpdate): boolean =>
      which.of === "open"
        ? status !== "completed"
        : id > which.after && (which.queueId ?? queue_id) === queue_id
    const ids = [...this.latestByItem().values()].filter(isMeant).map(({ id }) => id)
    return { ids: ids.sort((a, b) => a - b), head: this.#newest }
  }

  async latestOfItem(id: number): Promise<{ update: StoredUpdate; head: number }> {
    await this.#read("latestOfItem")
    const update = this.latestByItem().get(id)
    if (!update) throw new AppError("not_found", `queue item ${id} does not exist`)
    return { update, head: this.#newest }
  }

  async updates(ids: readonly number[]): Promise<Page> {
    await this.#read("updates")
    const updates = this.all.filter(({ id }) => ids.includes(id))
    return { updates: updates.slice(0, this.#most), more: updates.length > this.#most }
  }

  async previous(): Promise<StoredUpdate | null> {
    return null
  }

  async count(after: number, upTo: number, queueId?: number): Promise<number> {
    await this.#read("count")
    const counted = this.all.filter(({ id }) => id > after && id <= upTo)
    return counted.filter(({ queue_id }) => (queueId ?? queue_id) === queue_id).length
  }
}
