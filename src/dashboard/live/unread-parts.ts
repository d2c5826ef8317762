import { ServerError } from "../../client/requests.ts"
import type { PagePart, Unread } from "../model/unread.ts"
import { sentenceOf } from "./server.ts"

/** What a reader may not see, or does not exist, is no fault: the page says it in another place. */
const ANSWERS: readonly number[] = [401, 403, 404]

/** Which parts of the page cannot be loaded. A single failure may be an accident, so a part counts from the second in a row. */
export class UnreadParts {
  readonly #failures = new Map<PagePart, { readonly reason: string; readonly times: number }>()
  readonly #readMs = new Map<PagePart, number>()
  /** Called when there are others than before. */
  changed: () => void = () => undefined

  /** The parts whose requests fail. */
  get parts(): readonly Unread[] {
    return [...this.#failures].flatMap(([part, { reason, times }]) =>
      times > 1 ? [{ part, reason, readMs: this.#readMs.get(part) }] : [],
    )
  }

  /** A request for the part has failed. */
  failed(part: PagePart, error: unknown): void {
    if (error instanceof ServerError && ANSWERS.includes(error.status)) return this.read(part)
    this.#failures.set(part, { reason: sentenceOf(error), times: this.#timesOf(part) + 1 })
    if (this.#timesOf(part) > 1) this.changed()
  }

  /** Notes how the request for a part ends, and returns its answer. */
  async note<T>(part: PagePart, request: Promise<T>): Promise<T> {
    try {
      const answer = await request
      this.read(part)
      this.#readMs.set(part, Date.now())
      return answer
    } catch (error) {
      this.failed(part, error)
      throw error
    }
  }

  /** The part was loaded, or is no longer needed. */
  read(part: PagePart): void {
    const wasListed = this.#timesOf(part) > 1
    this.#failures.delete(part)
    if (wasListed) this.changed()
  }

  /** There was no connection: failures from that time say nothing of the parts, except of those that are `owed` still. */
  forget(owed: (part: PagePart) => boolean = () => false): void {
    for (const part of this.#failures.keys()) if (!owed(part)) this.#failures.delete(part)
    this.changed()
  }

  #timesOf(part: PagePart): number {
    return this.#failures.get(part)?.times ?? 0
  }
}

/** What this tab itself requests and does not get. */
export const unreadHere = new UnreadParts()
