import { every } from "../background-work.ts"
import type { Board, View } from "./board.ts"
import { Region } from "./terminal.ts"

/** Seconds are counted down. */
const TICK_MS = 1000

/** Where a board is drawn. */
export interface TerminalScreen {
  /** The size of the terminal, the style and the time; read before each frame. */
  readonly view: () => View
  /** The shortest time between two frames, in milliseconds. */
  readonly frameMs: number
  /** Resolves when the screen itself has changed and must be drawn again; absent if it never changes. */
  readonly changed?: () => Promise<ScreenChange>
}

/** What has changed a screen. */
type ScreenChange = "resized" | "overwritten"

/** How often a board asks for what no stream sends. */
const ASK_MS = 5000

/**
 * Gives a board what no stream sends, such as the time at which everything is done: now, and every 5 s until it is
 * disposed. `tell` takes each answer of `ask`; null if there was none.
 */
export function foreseeing<T>(ask: () => Promise<T>, tell: (answer: T | null) => void): Disposable {
  // Without an answer nothing is known, and the board says that the server is unavailable.
  const round = async (): Promise<void> => tell(await ask().catch(() => null))
  void round()
  const rounds = every(ASK_MS, round, () => undefined)
  return { [Symbol.dispose]: () => void rounds.stop() }
}

/** What a frame of the stream needs: no special drawing, or a new drawing even if it looks the same. */
type Taken = "shown" | "forced"

/** Resolves after `ms`, unless it is disposed before. */
function timer(ms: number): Disposable & { readonly over: Promise<"time"> } {
  const { promise, resolve } = Promise.withResolvers<"time">()
  const timeout = setTimeout(resolve, ms, "time")
  return { over: promise, [Symbol.dispose]: () => clearTimeout(timeout) }
}

/**
 * What comes one after the other, such as what a stream says. The next may be days away, and is waited for many times
 * until then, so each wait leaves nothing in memory.
 */
class Coming<T> {
  readonly #ask: (() => Promise<T>) | undefined
  #latest: Promise<T> | undefined
  #tell: (latest: Promise<T>) => void = () => undefined

  /** `ask` resolves with what comes next; undefined if nothing ever comes. */
  constructor(ask: (() => Promise<T>) | undefined) {
    this.#ask = ask
    this.#listen()
  }

  /**
   * Resolves with what has come and was not seen yet. A promise from an earlier call may never resolve then.
   * @throws what `ask` throws
   */
  next(): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<T>()
    this.#tell = resolve
    if (this.#latest) resolve(this.#latest)
    return promise
  }

  /** The latest was seen. */
  seen(): void {
    this.#latest = undefined
    this.#listen()
  }

  #listen(): void {
    const asked = this.#ask?.()
    const come = (): void => {
      this.#latest = asked
      if (asked) this.#tell(asked)
    }
    asked?.then(come, come)
  }
}

/** The frames of one board, each only if it differs from the one before. */
class Frames {
  readonly #board: Board
  readonly #region = new Region()
  #last = ""

  constructor(board: Board) {
    this.#board = board
  }

  /** The present frame, or nothing if it equals the last one and is not `forced`. */
  next(view: View, isForced: boolean): string | undefined {
    const [above, drawn] = [this.#board.news(view), this.#board.draw(view)]
    const state = JSON.stringify([view.columns, drawn])
    if (state === this.#last && above.length === 0 && !isForced) return undefined
    this.#last = state
    return this.#region.frame(above, drawn, view.columns)
  }

  /** The last frame is no longer in its place: the next one begins below. */
  leave(): void {
    this.#region.leave()
    this.#last = ""
  }
}

/**
 * Draws a board in place as long as `said` brings something, and once more at the end. `take` passes it to
 * the board. A frame is drawn only on request, so a slow terminal gets fewer frames, and no old ones.
 */
export async function* drawing<T>(
  board: Board,
  said: AsyncGenerator<T, void, undefined>,
  take: (one: T) => Taken,
  { view, frameMs, changed }: TerminalScreen,
): AsyncGenerator<string, void, undefined> {
  const frames = new Frames(board)
  const news = new Coming(() => said.next())
  const changes = new Coming(changed)
  try {
    for (let dueMs = 0, isForced = false; ;) {
      using tick = timer(Math.max(0, dueMs - performance.now()))
      const got = await Promise.race([news.next(), tick.over, changes.next()])
      if (got === "time") {
        const frame = frames.next(view(), isForced)
        if (frame !== undefined) yield frame
        isForced = false
        dueMs = performance.now() + TICK_MS
        continue
      }
      if (typeof got === "string") {
        if (got === "overwritten") frames.leave()
        changes.seen()
      } else if (got.done) {
        yield frames.next(view(), true) ?? ""
        return
      } else {
        if (take(got.value) === "forced") isForced = true
        news.seen()
      }
      dueMs = Math.min(dueMs, performance.now() + frameMs)
    }
  } finally {
    void said.return()
  }
}
