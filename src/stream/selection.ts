import { AppError, type ErrorCode } from "../errors.ts"
import type { StoredUpdate } from "../item/stored.ts"
import type { History } from "../store/contract/history.ts"
import { controlFrame, type Frame, updateFrames } from "../wire/frames.ts"

/** Whether an update is wanted; undefined if all updates are wanted. */
export type Wanted = ((update: StoredUpdate) => boolean) | undefined

/** How many items a viewer may select. */
export const MAX_CHOSEN = 256
/** How many questions are kept until the viewer reads their answers. */
const MAX_ASKED = 32

/** What a viewer can ask while its stream is open. `refuse` is for a message that could not be understood. */
export type Question =
  /** Watch these items, or stop watching them. */
  | { readonly do: "subscribe" | "unsubscribe"; readonly ids: readonly number[] }
  /** Answer with this refusal. */
  | { readonly do: "refuse"; readonly code: ErrorCode; readonly error: string }

const refused = (code: ErrorCode, error: string): Frame =>
  controlFrame({ event: "refused", error, code, request_id: crypto.randomUUID() })

/** What a viewer may select. */
interface Choosing {
  /** Restricts every selection; default: no restriction. */
  readonly among?: Wanted
  /** Whether every change of the selection is refused; default false. */
  readonly isFixed?: boolean
  /** The only items that the viewer may select; default: all items. */
  readonly only?: Only | undefined
}

/** The only items that a viewer may select. */
export interface Only {
  /** The IDs of the items. */
  readonly ids: ReadonlySet<number>
  /** The refusal for any other item. */
  readonly refusal: (id: number) => AppError
}

/**
 * The items that a viewer has selected, and the changes of the selection that it requests.
 *
 * The stream itself answers these requests, in order and one at a time, between two of its chunks. So a
 * viewer that does not read gets no answers either, and an added item begins with its state at exactly that
 * point of the stream.
 */
export class Selection {
  /** Which updates are wanted now; undefined for all. */
  wanted: Wanted
  readonly #among: Wanted
  readonly #isFixed: boolean
  readonly #only: Only | undefined
  readonly #asked: Question[] = []
  #ids: Set<number> | undefined
  #viewer: { asked(): void } | undefined

  /** `ids` is the first choice; undefined for all items. */
  constructor(ids: Iterable<number> | undefined, { among, isFixed = false, only }: Choosing = {}) {
    this.#only = only
    this.#ids = ids && new Set(ids)
    this.#among = among
    this.#isFixed = isFixed
    this.wanted = this.#filter()
  }

  /** Connects the viewer whose stream answers: `asked` is called at each question. */
  attach(viewer: { asked(): void }): void {
    this.#viewer = viewer
  }

  /** Takes a question; false if too many are unanswered, so that the viewer must have stopped reading. */
  ask(ask: Question): boolean {
    if (this.#asked.length >= MAX_ASKED) return false
    this.#asked.push(ask)
    this.#viewer?.asked()
    return true
  }

  /** Whether a question waits for its answer. */
  get isAsked(): boolean {
    return this.#asked.length > 0
  }

  /** Whether more than this one item is selected. */
  isWider(queueId: number | undefined): boolean {
    return queueId !== undefined && !(this.#ids?.size === 1 && this.#ids.has(queueId))
  }

  /**
   * Answers the oldest question. `cursor` is the event ID up to which the stream has examined everything: added items
   * begin with the state they had there, because later updates are still to be sent.
   */
  async answer(history: History, cursor: number): Promise<readonly Frame[]> {
    const asked = this.#asked.shift()
    if (!asked) return []
    if (asked.do === "refuse") return [refused(asked.code, asked.error)]
    try {
      const state = asked.do === "subscribe" ? await this.#subscribe(asked.ids, history) : []
      if (asked.do === "unsubscribe") this.#unsubscribe(asked.ids)
      const shown = state.filter((update) => update.id <= cursor && (this.#among?.(update) ?? true))
      return [controlFrame({ event: "watching", ids: [...(this.#ids ?? [])] }), ...updateFrames(shown)]
    } catch (error) {
      if (error instanceof AppError) return [refused(error.code, error.message)]
      throw error
    }
  }

  async #subscribe(ids: readonly number[], history: History): Promise<StoredUpdate[]> {
    this.#mayChange()
    const only = this.#only
    const other = ids.find((id) => only?.ids.has(id) === false)
    if (only && other !== undefined) throw only.refusal(other)
    const chosen = new Set([...(this.#ids ?? []), ...ids])
    if (chosen.size > MAX_CHOSEN) {
      throw new AppError(
        "invalid",
        `a socket can choose at most ${MAX_CHOSEN} items to watch, not ${chosen.size}`,
      )
    }
    const known = this.#ids
    const added = [...new Set(ids)].filter((id) => !known?.has(id))
    const latest = await Promise.all(added.map((id) => history.latestOfItem(id)))
    this.#ids = chosen
    this.wanted = this.#filter()
    return latest.map(({ update }) => update).sort((a, b) => a.id - b.id)
  }

  #unsubscribe(ids: readonly number[]): void {
    this.#mayChange()
    if (!this.#ids) {
      throw new AppError(
        "invalid",
        "this socket watches everything; subscribe to some items before you unsubscribe from others",
      )
    }
    for (const id of ids) this.#ids.delete(id)
  }

  #mayChange(): void {
    if (this.#isFixed) {
      throw new AppError(
        "invalid",
        "with until=finished a socket watches one item, and its choice cannot be changed",
      )
    }
  }

  #filter(): Wanted {
    const ids = this.#ids
    const among = this.#among
    return ids ? (update) => ids.has(update.queue_id) && (among?.(update) ?? true) : among
  }
}
