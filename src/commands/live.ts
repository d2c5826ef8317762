import type { Watched } from "../client/client.ts"
import { wantsColour } from "../config.ts"
import { Board, type View } from "../terminal/board.ts"
import { coloured, colourless, Region } from "../terminal/terminal.ts"

/** As fast as the eye follows. */
const FRAME_MS = 100
/** For the seconds that are counted down. */
const TICK_MS = 1000

/** The board on this terminal: drawn anew in place when something has changed, and as the seconds pass. */
export class LiveBoard implements Disposable {
  readonly #board: Board
  readonly #region = new Region()
  readonly #style = wantsColour(process.stdout) ? coloured : colourless
  readonly #ticks = setInterval(() => this.#draw(), TICK_MS)
  readonly #resized = (): void => this.#soon()
  /** After a pause the shell has written below: what was drawn is not in its place any more. */
  readonly #continued = (): void => {
    this.#region.leave()
    this.#last = ""
    this.#soon()
  }
  #timer: Timer | undefined
  #drawnMs = 0
  #last = ""

  /** With a `queueId`, the board of that item alone. */
  constructor(queueId: number | undefined) {
    this.#board = new Board(queueId)
    process.stdout.on("resize", this.#resized)
    process.on("SIGCONT", this.#continued)
    this.#draw()
  }

  /** Takes what the stream said. */
  take(said: Watched): void {
    this.#board.take(said, Date.now())
    this.#soon()
  }

  /** Draws the last state, and leaves it there. */
  [Symbol.dispose](): void {
    clearInterval(this.#ticks)
    process.stdout.off("resize", this.#resized)
    process.off("SIGCONT", this.#continued)
    this.#draw()
  }

  get #view(): View {
    // Some terminals do not tell their size, and say 0.
    const { columns, rows } = process.stdout
    return {
      columns: columns || 80,
      rows: rows || 24,
      nowMs: Date.now(),
      style: this.#style,
      widthOf: Bun.stringWidth,
    }
  }

  #soon(): void {
    const restMs = this.#drawnMs + FRAME_MS - performance.now()
    this.#timer ??= setTimeout(() => this.#draw(), Math.max(0, restMs))
  }

  #draw(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#drawnMs = performance.now()
    const view = this.#view
    const above = this.#board.news(view)
    const drawn = this.#board.draw(view)
    const state = JSON.stringify([view.columns, drawn])
    if (above.length === 0 && state === this.#last) return
    this.#last = state
    process.stdout.write(this.#region.frame(above, drawn, view.columns))
  }
}
