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
 * The changes of a screen, one after the other. A screen may stay as it is for days, so to wait for its next change
 * must leave nothing in memory.
 */
class ScreenChanges {
  readonly #changed: TerminalScreen["changed"]
  #latest: ScreenChange | undefined
  #tell: (change: ScreenChange) => void = () => undefined

  constructor(changed: TerminalScreen["changed"]) {
    this.#changed = changed
    this.#listen()
  }

  /** Resolves with a change that was not seen yet. A promise from an earlier call may never resolve then. */
  next(): Promise<ScreenChange> {
    const { promise, resolve } = Promise.withResolvers<ScreenChange>()
    this.#tell = resolve
    if (this.#latest) resolve(this.#latest)
    return promise
  }

  /** The latest change was seen. */
  seen(): void {
    this.#latest = undefined
    this.#listen()
  }

  #listen(): void {
    void this.#changed?.().then((change) => {
      this.#latest = change
      this.#tell(change)
    })
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
  let next = said.next()
  const changes = new ScreenChanges(changed)
  try {
    for (let dueMs = 0, isForced = false; ;) {
      using tick = timer(Math.max(0, dueMs - performance.now()))
      const got = await Promise.race([next, tick.over, changes.next()])
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
        next = said.next()
      }
      dueMs = Math.min(dueMs, performance.now() + frameMs)
    }
  } finally {
    void said.return()
  }
}
