import { controlFrame, type Frame } from "../wire/frames.ts"

/** Whether the queue is paused is read at most once in this time, however often the bell rings. */
const LOOK_EVERY_MS = 200
const RETRY_MS = 1000

/** Whether the queue is paused, as the streams of all items say it. */
export interface PauseFrames {
  /** Since when it is paused, RFC 3339 UTC; null if it is not. */
  readonly at: string | null
  /** What a stream says before its first `live`; nothing if the queue is not paused. */
  readonly opening: readonly Frame[]
  /** What an open stream says if this differs from what it said before. */
  readonly change: readonly Frame[]
}

function pauseOf(at: string | null): PauseFrames {
  const change = [controlFrame({ event: "queue", paused_at: at })]
  return { at, change, opening: at === null ? [] : change }
}

/** The queue is not paused. This also stands for a stream that has not yet said whether it is. */
export const NO_PAUSE: PauseFrames = pauseOf(null)

/**
 * Follows whether the queue is paused. A pause is no update of an item, so it is not read with the history,
 * but on its own: when the first stream opens, and after the bell has rung.
 */
export class QueuePause {
  readonly #pausedAt: () => Promise<string | null>
  readonly #changed: () => void
  readonly #onError: (error: unknown) => void
  #now = NO_PAUSE
  /** Reads follow one another, so that an older answer never replaces a newer one. */
  #reading: Promise<void> = Promise.resolve()
  #lookedMs = Number.NEGATIVE_INFINITY
  #due: Timer | undefined

  /**
   * `pausedAt` returns since when the queue is paused, or null. `changed` is called when that has changed.
   * `onError` is called when it cannot be read; then it is read again one second later.
   */
  constructor(
    pausedAt: () => Promise<string | null>,
    changed: () => void,
    onError: (error: unknown) => void,
  ) {
    this.#pausedAt = pausedAt
    this.#changed = changed
    this.#onError = onError
  }

  /** What was read last; the same object until it changes. */
  get now(): PauseFrames {
    return this.#now
  }

  /** Reads it. @throws Error if it cannot be read (rejects) */
  read(): Promise<void> {
    this.#reading = this.#reading.catch(() => undefined).then(() => this.#read())
    return this.#reading
  }

  /** Reads it soon. */
  look(): void {
    this.#due ??= setTimeout(
      () => void this.#lookNow(),
      Math.max(0, this.#lookedMs + LOOK_EVERY_MS - performance.now()),
    )
  }

  /** Reads nothing more until `look` or `read` is called. */
  rest(): void {
    clearTimeout(this.#due)
    this.#due = undefined
  }

  async #lookNow(): Promise<void> {
    this.#due = undefined
    this.#lookedMs = performance.now()
    try {
      await this.read()
    } catch (error) {
      this.#onError(error)
      this.#due ??= setTimeout(() => void this.#lookNow(), RETRY_MS)
    }
  }

  async #read(): Promise<void> {
    const at = await this.#pausedAt()
    if (at === this.#now.at) return
    this.#now = at === null ? NO_PAUSE : pauseOf(at)
    this.#changed()
  }
}
