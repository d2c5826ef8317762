import { constants, fstatSync, openSync, writeSync } from "node:fs"

import { codeOf } from "./errors.ts"

/** A write that the terminal does not take is repeated at once this many times, and then less and less often. */
const TRIES_AT_ONCE = 20
const MOST_PAUSE_MS = 50

/** Our own standard output or standard error. */
export interface NonBlockingOutput {
  /** Writes in the order of the calls. `done` is called once the bytes were taken, or with the error. */
  write(bytes: Uint8Array | string, done?: (error?: Error | null) => void): unknown
  /** Calls `listener` with each error of a write. */
  on(event: "error", listener: (error: NodeJS.ErrnoException) => void): unknown
}

/**
 * A terminal that may take nothing for a while (Ctrl-S, a connection that hangs). The runtime's own write would stop
 * the whole program until then: a render would lose its lease, a server would serve nobody, and no signal would end
 * either.
 */
export class TerminalOutput implements NonBlockingOutput {
  readonly #descriptor: number
  readonly #waiting: { bytes: Uint8Array; readonly done: ((error?: Error | null) => void) | undefined }[] = []
  readonly #listeners: ((error: NodeJS.ErrnoException) => void)[] = []
  #tries = 0

  constructor(descriptor: number) {
    this.#descriptor = descriptor
  }

  write(bytes: Uint8Array | string, done?: (error?: Error | null) => void): void {
    this.#waiting.push({ bytes: typeof bytes === "string" ? Buffer.from(bytes) : bytes, done })
    if (this.#waiting.length === 1) this.#go()
  }

  on(_event: "error", listener: (error: NodeJS.ErrnoException) => void): void {
    this.#listeners.push(listener)
  }

  #go(): void {
    for (let one = this.#waiting[0]; one; one = this.#waiting[0]) {
      let fault: Error | null = null
      try {
        if (one.bytes.length > 0) one.bytes = one.bytes.subarray(writeSync(this.#descriptor, one.bytes))
        this.#tries = 0
        if (one.bytes.length > 0) continue
      } catch (error) {
        if (codeOf(error) === "EAGAIN") return this.#later()
        fault = error instanceof Error ? error : new Error(String(error))
      }
      this.#waiting.shift()
      one.done?.(fault)
      if (fault) for (const listener of this.#listeners) listener(fault)
    }
  }

  #later(): void {
    const go = (): void => this.#go()
    this.#tries += 1
    if (this.#tries <= TRIES_AT_ONCE) setImmediate(go)
    else setTimeout(go, Math.min(this.#tries - TRIES_AT_ONCE, MOST_PAUSE_MS))
  }
}

/** The terminals of our outputs, by their files: mostly it is one, and what both say keeps its order. */
const terminals = new Map<string, NonBlockingOutput>()

/** The terminal of a descriptor, opened again, because a flag on the descriptor itself would also hold for others. */
function terminalOf(descriptor: 1 | 2): NonBlockingOutput | undefined {
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants
  try {
    const { dev, ino } = fstatSync(descriptor)
    const file = `${dev} ${ino}`
    const known = terminals.get(file)
    if (known) return known
    const again = openSync(`/proc/self/fd/${descriptor}`, O_WRONLY | O_NONBLOCK | O_NOCTTY)
    const terminal = new TerminalOutput(again)
    terminals.set(file, terminal)
    return terminal
  } catch {
    // There is no /proc, or the terminal belongs to another user.
    return undefined
  }
}

const opened = new Map<1 | 2, NonBlockingOutput>()

/** Our standard output (1) or standard error (2). */
export function nonBlockingOutput(descriptor: 1 | 2): NonBlockingOutput {
  const known = opened.get(descriptor)
  if (known) return known
  const stream = descriptor === 1 ? process.stdout : process.stderr
  const output = (stream.isTTY ? terminalOf(descriptor) : undefined) ?? stream
  opened.set(descriptor, output)
  return output
}
