import { isFinished } from "../item/moves.ts"
import type { Frame } from "../wire/frames.ts"
import type { Seat } from "./seat.ts"

/**
 * The updates that are left if each item is shown once: its latest update, and every update that ends it. If
 * nothing is left out, it is the same list.
 */
export function thinned<One extends Frame>(frames: readonly One[]): readonly One[] {
  const latest = new Map<number, number>()
  const note = (frame: Frame): void => {
    if (frame.type === "update") latest.set(frame.update.queue_id, frame.update.id)
  }
  frames.forEach(note)
  const isKept = (frame: Frame): boolean =>
    frame.type !== "update" ||
    isFinished(frame.update.status) ||
    latest.get(frame.update.queue_id) === frame.update.id
  return frames.every(isKept) ? frames : frames.filter(isKept)
}

/**
 * Wakes the streams that want few updates, all together, at most this often per second. Each stream then
 * takes the thinned updates since the last beat. The last update is always taken, at the next beat.
 */
export class ThinningBeat {
  /** The streams that this beat wakes. */
  readonly seats = new Set<Seat>()
  readonly #everyMs: number
  readonly #wake: (seats: readonly Seat[]) => void
  #count = 0
  #lastMs = -Infinity
  #next: Timer | undefined

  /** `perSecond` is how many beats there are per second, at most. `wake` wakes streams. */
  constructor(perSecond: number, wake: (seats: readonly Seat[]) => void) {
    this.#everyMs = 1000 / perSecond
    this.#wake = wake
  }

  /** How many beats there were. A stream takes updates at most once per beat. */
  get count(): number {
    return this.#count
  }

  /** Strikes now or at the next beat, because there is something new. */
  batch(): void {
    if (this.#next) return
    const waitMs = this.#lastMs + this.#everyMs - performance.now()
    if (waitMs > 0) this.#next = setTimeout(() => this.#strike(), waitMs)
    else this.#strike()
  }

  /** Cancels the next beat, because no stream is left. */
  stop(): void {
    clearTimeout(this.#next)
    this.#next = undefined
  }

  #strike(): void {
    this.#next = undefined
    this.#lastMs = performance.now()
    this.#count += 1
    this.#wake([...this.seats])
  }
}
