import { Terminal } from "@xterm/headless"

/** A piece of the screen in one style. `colour` is one of the eight colours of every terminal, or none. */
export interface Span {
  text: string
  readonly colour: number | undefined
  readonly bold: boolean
  readonly dim: boolean
}

const COLUMNS = 80
const ROWS = 24

/** A program in a pseudo-terminal, and what a person would see there. */
export class TestTerminal {
  readonly child: Bun.Subprocess
  /** Everything that the program wrote. */
  raw = ""
  /**
   * The frames so far. Each is the lines on the screen when the frame was complete, without empty lines at
   * the end.
   */
  readonly frames: string[][] = []
  readonly #screen: Terminal
  readonly #decoder = new TextDecoder()
  #ended = false
  #changed: () => void = () => undefined

  /** Starts `command` in a terminal of 80 columns and 24 rows, or another size. */
  constructor(
    command: readonly string[],
    env: Readonly<Record<string, string | undefined>> = {},
    { columns = COLUMNS, rows = ROWS }: { readonly columns?: number; readonly rows?: number } = {},
  ) {
    this.#screen = new Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 10_000 })
    const inherited = { ...process.env, NO_COLOR: undefined, FORCE_COLOR: undefined, CI: undefined }
    this.child = Bun.spawn([...command], {
      env: { ...inherited, TERM: "xterm-256color", ...env },
      terminal: {
        cols: columns,
        rows,
        data: (_terminal, bytes) => this.#take(this.#decoder.decode(bytes, { stream: true })),
      },
    })
    void this.child.exited.then(() => {
      this.#ended = true
      this.#changed()
    })
  }

  /** All lines, including those that have scrolled away, without empty lines at the end. */
  get lines(): string[] {
    const { active } = this.#screen.buffer
    const all = Array.from(
      { length: active.length },
      (_, i) => active.getLine(i)?.translateToString(true) ?? "",
    )
    return all.slice(0, all.findLastIndex((line) => line !== "") + 1)
  }

  /** The same lines as a person sees them, with colours. */
  get painted(): Span[][] {
    const { active } = this.#screen.buffer
    return this.lines.map((text, y) => {
      const spans: Span[] = []
      for (let x = 0; x < text.length; x += 1) {
        const cell = active.getLine(y)?.getCell(x)
        if (!cell || cell.getWidth() === 0) continue
        const colour = cell.isFgPalette() ? cell.getFgColor() : undefined
        const look = { colour, bold: cell.isBold() !== 0, dim: cell.isDim() !== 0 }
        const last = spans.at(-1)
        const shown = cell.getChars() || " "
        if (last && last.colour === colour && last.bold === look.bold && last.dim === look.dim)
          last.text += shown
        else spans.push({ text: shown, ...look })
      }
      return spans
    })
  }

  /** Resolves when `fits` is true for the lines. */
  async until(fits: (lines: readonly string[]) => boolean): Promise<readonly string[]> {
    while (!fits(this.lines)) {
      if (this.#ended) throw new Error(`the program ended:\n${this.lines.join("\n")}`)
      await new Promise<void>((resolve) => (this.#changed = resolve))
    }
    return this.lines
  }

  /** Resolves when everything that has come is on the screen. */
  drawn(): Promise<void> {
    return new Promise((resolve) => this.#screen.write("", resolve))
  }

  /** Changes the size of the terminal, as a person does with a mouse. */
  resize(columns: number, rows: number): void {
    this.#screen.resize(columns, rows)
    this.child.terminal?.resize(columns, rows)
  }

  /** Types this text. */
  type(text: string): void {
    this.child.terminal?.write(text)
  }

  /** Interrupts with Ctrl-C and returns the exit code. */
  async interrupt(): Promise<number> {
    this.type("\u0003")
    return await this.child.exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL")
    await this.child.exited
    this.child.terminal?.close()
    this.#screen.dispose()
  }

  #take(text: string): void {
    this.raw += text
    this.#screen.write(text, () => {
      if (text.includes("\u001b[?2026l")) this.frames.push(this.lines)
      this.#changed()
    })
  }
}
