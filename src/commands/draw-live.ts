import type { Watched } from "../client/client.ts"
import { Board, type BoardOptions } from "../terminal/board.ts"
import { drawing, type TerminalScreen } from "../terminal/drawing.ts"
import { print, styleOn } from "./command.ts"

/** As fast as the eye follows. */
const FRAME_MS = 100

/** The events after which the terminal no longer shows what was drawn there. */
class Disturbance implements Disposable {
  #next = Promise.withResolvers<"resized" | "overwritten">()
  readonly #resized = (): void => this.#next.resolve("resized")
  /** While this program was stopped, the shell wrote below the board. */
  readonly #continued = (): void => this.#next.resolve("overwritten")

  constructor() {
    process.stdout.on("resize", this.#resized)
    process.on("SIGCONT", this.#continued)
  }

  /** Resolves at the next event. */
  next(): Promise<"resized" | "overwritten"> {
    this.#next = Promise.withResolvers()
    return this.#next.promise
  }

  [Symbol.dispose](): void {
    process.stdout.off("resize", this.#resized)
    process.off("SIGCONT", this.#continued)
  }
}

/**
 * Draws the stream's contents on this terminal until the stream ends, and leaves the last state there.
 * `foreseen` gives the board what no stream sends, until it is disposed. `signal` ends the wait for a terminal that takes
 * nothing.
 */
export async function drawLive(
  said: AsyncGenerator<Watched, void, undefined>,
  options: BoardOptions,
  foreseen: (board: Board) => Disposable,
  signal: AbortSignal,
): Promise<void> {
  const board = new Board(options)
  using _ = foreseen(board)
  const style = styleOn()
  using disturbance = new Disturbance()
  const screen: TerminalScreen = {
    frameMs: FRAME_MS,
    changed: () => disturbance.next(),
    view() {
      // Some terminals report their size as 0.
      const { columns, rows } = process.stdout
      return {
        columns: columns || 80,
        rows: rows || 24,
        nowMs: Date.now(),
        style,
        widthOf: Bun.stringWidth,
      }
    },
  }
  const take = (one: Watched): "shown" => {
    board.take(one, Date.now())
    return "shown"
  }
  for await (const frame of drawing(board, said, take, screen)) await print(frame, signal)
}
