import { pause } from "../../client/missed-keepalives.ts"
import type { ListName } from "../model/lists.ts"
import type { PagePart } from "../model/unread.ts"

/** A list is read again after this time, and then after twice as long, up to a limit. In milliseconds. */
const AGAIN_MS = 600
const AGAIN_MOST_MS = 10_000

/** Lists of which something was requested and did not come. They are read again until it comes. */
export class OwedLists {
  readonly #owed = new Set<ListName>()
  readonly #read: (list: ListName) => Promise<void>
  #isReading = false
  #now = Promise.withResolvers<void>()

  /** `read` reads a list again, and takes it out of these if it comes. */
  constructor(read: (list: ListName) => Promise<void>) {
    this.#read = read
  }

  /** Whether something of the list is owed. */
  has(list: PagePart): boolean {
    return [...this.#owed].some((one) => one === list)
  }

  /** Something of the list did not come. */
  add(list: ListName): void {
    this.#owed.add(list)
    void this.#again()
  }

  /** It has come. */
  delete(list: ListName): void {
    this.#owed.delete(list)
  }

  /** Nothing is owed any more. */
  clear(): void {
    this.#owed.clear()
    this.now()
  }

  /** Ends each `wait`. */
  now(): void {
    this.#now.resolve()
    this.#now = Promise.withResolvers()
  }

  /** Waits until it is time to read again, if `times` attempts to read again have failed. */
  async wait(times: number): Promise<void> {
    const ms = Math.min(AGAIN_MOST_MS, AGAIN_MS * 2 ** times)
    await Promise.race([pause(ms), this.#now.promise])
  }

  async #again(): Promise<void> {
    if (this.#isReading) return
    this.#isReading = true
    for (let times = 0; this.#owed.size > 0; times += 1) {
      await this.wait(times)
      for (const list of this.#owed) await this.#read(list)
    }
    this.#isReading = false
  }
}
