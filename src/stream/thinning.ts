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

/** Pages as one list in which each item is shown once (see `thinned`). `next` reads a page, until there is no more. */
export async function thinnedPages(
  next: () => Promise<readonly Frame[]>,
  isDone: () => boolean,
): Promise<readonly Frame[]> {
  let frames: readonly Frame[] = []
  while (!isDone()) frames = thinned([...frames, ...(await next())])
  return frames
}

/** Beats are a little slower than the rate: then a stream that took late at one beat may take at the next one. */
const SLOWER = 1.05

/**
 * Wakes the streams that want few updates, all together, at most this often per second. Each stream for which it is
 * time then takes the thinned updates since it last took some. The last update is always taken, at a later beat.
 */
export class ThinningBeat {
  /** The streams that this beat wakes. */
  readonly seats = new Set<Seat>()
  readonly #shortestMs: number
  readonly #wake: (seats: readonly Seat[]) => void
  #lastMs = -Infinity
  #next: Timer | undefined

  /** `perSecond` is how many beats there are per second, at most. `wake` wakes streams. */
  constructor(perSecond: number, wake: (seats: readonly Seat[]) => void) {
    this.#shortestMs = 1000 / perSecond
    this.#wake = wake
  }

  /**
   * Whether a stream that last took updates at `tookMs`, in milliseconds of `performance.now()`, may take some again.
   */
  isDue(tookMs: number): boolean {
    return performance.now() - tookMs >= this.#shortestMs
  }

  /** Strikes now or at the next beat, because there is something new. */
  batch(): void {
    if (this.#next) return
    if (this.#waitMs > 0) this.again()
    else this.#strike()
  }

  /** Strikes at the next beat, never at once, because the last one came too early for a stream. */
  again(): void {
    this.#next ??= setTimeout(() => this.#strike(), Math.max(0, this.#waitMs))
  }

  /** Cancels the next beat, because no stream is left. */
  stop(): void {
    clearTimeout(this.#next)
  }

  get #waitMs(): number {
    return this.#lastMs + this.#shortestMs * SLOWER - performance.now()
  }

  #strike(): void {
    this.#next = undefined
    this.#lastMs = performance.now()
    this.#wake([...this.seats])
  }
}
