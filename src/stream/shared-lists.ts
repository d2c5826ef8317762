import type { Frame } from "../wire/frames.ts"
import type { Wanted } from "./selection.ts"

/** How much the kept lists may take together, in characters of JSON. */
const KEPT_SIZE = 16 * 1024 * 1024
/** What a list takes besides its updates: it keeps its choice, which may name 256 items. */
const LIST_SIZE = 4096

/** The first frame of a stream. */
export type Greeting = Extract<Frame, { type: "hello" }>

/** The beginning of a stream, without the greeting. */
interface Beginning {
  /** The frames of the updates that are wanted; `pause` stands before `live`. */
  frames(wanted: Wanted, pause: readonly Frame[]): readonly Frame[]
}

/** The lists of one beginning, by what is wanted and by reconnection time. */
interface Kept {
  readonly pause: readonly Frame[]
  readonly lists: Map<Wanted, Map<number, readonly Frame[]>>
}

/**
 * What streams send first, in one list for all streams that send the same: a format encodes each shared list once.
 * However many different lists are asked for, they take a bounded room: when it is full, all of them are dropped.
 */
export class SharedLists {
  /** A beginning that nothing else refers to is never sent again, and so keeps nothing here. */
  #kept = new WeakMap<Beginning, Kept>()
  /** What was put in since all lists were dropped. */
  #size = 0

  /**
   * The greeting and the frames of the updates that are wanted, in one list for all streams that want the same and are
   * given the same reconnection time; `pause` stands before `live`.
   */
  of(beginning: Beginning, greeting: Greeting, wanted: Wanted, pause: readonly Frame[]): readonly Frame[] {
    const kept = this.#kept.get(beginning)
    const known = kept?.pause === pause ? kept.lists.get(wanted)?.get(greeting.retryMs) : undefined
    if (known) return known
    const list = [greeting, ...beginning.frames(wanted, pause)]
    this.#keep(beginning, wanted, pause, greeting.retryMs, list)
    return list
  }

  #keep(
    beginning: Beginning,
    wanted: Wanted,
    pause: readonly Frame[],
    retryMs: number,
    list: readonly Frame[],
  ): void {
    this.#size += listSize(list)
    if (this.#size > KEPT_SIZE) {
      this.#kept = new WeakMap()
      this.#size = listSize(list)
    }
    let kept = this.#kept.get(beginning)
    if (kept?.pause !== pause) this.#kept.set(beginning, (kept = { pause, lists: new Map() }))
    let lists = kept.lists.get(wanted)
    if (!lists) kept.lists.set(wanted, (lists = new Map()))
    lists.set(retryMs, list)
  }
}

const listSize = (list: readonly Frame[]): number =>
  list.reduce((sum, frame) => sum + (frame.type === "update" ? frame.update.data.length : 0), LIST_SIZE)
