import { closeSync, fstatSync } from "node:fs"

import type { Report } from "../item/item.ts"
import { type Renderer, renderer } from "../renderers/renderer.ts"
import { printable } from "../text.ts"
import { makePipes, type Pipe, Tap } from "./pipes.ts"
import type { Plan, Source } from "./plan.ts"

/** Hears one output. A line of absurd length makes it start anew: what it cannot read stops nothing. */
class Listener {
  readonly #plan: Plan
  readonly #onReport: (report: Report) => void
  #renderer: Renderer
  #told: number | null = null

  constructor(plan: Plan, onReport: (report: Report) => void) {
    this.#plan = plan
    this.#onReport = onReport
    this.#renderer = renderer(plan.renderer, plan.total)
  }

  get reached(): number | null {
    // Lines know no total of their own; who gave one wants the end to be held against something.
    return this.#renderer.reached ?? (this.#plan.total === undefined ? null : this.#told)
  }

  hear(text: string): void {
    try {
      for (const { report } of this.#renderer.push(text)) {
        if (report.progress !== undefined) this.#told = report.progress / 100
        this.#onReport(report)
      }
    } catch {
      this.#renderer = renderer(this.#plan.renderer, this.#plan.total)
    }
  }
}

const MAX_WORDS = 2000
const MAX_LINES = 20

/** Remembers the last lines of an output, as a terminal would show them. */
class LastWords {
  #text = ""

  hear(text: string): void {
    // More than is kept, for what is overwritten and for colours.
    this.#text = (this.#text + text).slice(-4 * MAX_WORDS)
  }

  get text(): string {
    const lines = this.#text
      .split(/\r?\n/)
      .map((line) => printable(Bun.stripANSI(line.slice(line.lastIndexOf("\r") + 1))).trimEnd())
      .filter((line) => line !== "")
    return lines.slice(-MAX_LINES).join("\n").slice(-MAX_WORDS).toWellFormed()
  }
}

/** Whether our standard output and standard error are the same: then their order must be kept. */
function isOneOutput(): boolean {
  try {
    const [out, error] = [fstatSync(1), fstatSync(2)]
    return out.dev === error.dev && out.ino === error.ino && out.rdev === error.rdev
  } catch {
    return false
  }
}

/** The ends that a command writes to. */
type To = number | "inherit" | "pipe"

/** What we hear of a command: its outputs, passed on as they come, read for progress, and kept for last words. */
export class Outputs {
  readonly #plan: Plan
  readonly #isMerged: boolean
  readonly #wires: readonly Source[]
  readonly #pipes: readonly Pipe[] | undefined
  readonly #lastWords = new LastWords()
  readonly #listeners: Listener[] = []
  readonly #taps: Tap[] = []

  constructor(plan: Plan) {
    this.#plan = plan
    const heard = ([1, 2, 3] as const).filter((output) => output === 2 || plan.sources.includes(output))
    this.#isMerged = heard.includes(1) && isOneOutput()
    this.#wires = this.#isMerged ? heard.filter((output) => output !== 2) : heard
    this.#pipes = makePipes(this.#wires.length)
  }

  /** Standard output, standard error and what comes after, for the command. */
  get to(): [To, To, ...To[]] {
    const own = this.#wires.includes(3) ? [this.#to(3)] : []
    return [this.#to(1), this.#to(this.#isMerged ? 1 : 2), ...own]
  }

  /** Reads from the command that was started, and lets go of its ends. */
  listen(child: Bun.Subprocess, onReport: (report: Report) => void): void {
    for (const [index, wire] of this.#wires.entries()) {
      const listener = this.#plan.sources.includes(wire) ? new Listener(this.#plan, onReport) : undefined
      if (listener) this.#listeners.push(listener)
      const words = wire === 2 || (wire === 1 && this.#isMerged) ? this.#lastWords : undefined
      const descriptor = this.#pipes?.[index]?.from
      const stream = descriptor === undefined ? streamOf(child, wire) : Bun.file(descriptor).stream()
      const sink = wire === 1 ? process.stdout : wire === 2 ? process.stderr : undefined
      const hear = (text: string): void => {
        listener?.hear(text)
        words?.hear(text)
      }
      this.#taps.push(new Tap(stream, { sink, hear, descriptor }))
    }
    this.#letGo()
  }

  /** Lets go of everything, where no command could be started. */
  discard(): void {
    for (const { from } of this.#pipes ?? []) closeSync(from)
    this.#letGo()
  }

  /** Reads to the end, or until nothing has come for `quietMs`. */
  async drain(quietMs: number): Promise<void> {
    await Promise.all(this.#taps.map((tap) => tap.drain(quietMs)))
    // A last line without its end.
    for (const listener of this.#listeners) listener.hear("\n")
  }

  /** The share of the total, 0 to 1, that was reached; null when the total or the share is unknown. */
  get reached(): number | null {
    const shares = this.#listeners.flatMap(({ reached }) => reached ?? [])
    return shares.length === 0 ? null : Math.max(...shares)
  }

  /** The last lines of standard error. */
  get lastWords(): string {
    return this.#lastWords.text
  }

  #to(output: Source): To {
    const index = this.#wires.indexOf(output)
    return index === -1 ? "inherit" : (this.#pipes?.[index]?.to ?? "pipe")
  }

  #letGo(): void {
    for (const { to } of this.#pipes ?? []) closeSync(to)
  }
}

/** An output where we could make no pipes, and Bun made its own. */
function streamOf(child: Bun.Subprocess, wire: Source): ReadableStream<Uint8Array> {
  const stream = wire === 1 ? child.stdout : child.stderr
  if (wire !== 3 && stream instanceof ReadableStream) return stream
  const descriptor = child.stdio[wire]
  if (typeof descriptor !== "number") throw new Error(`output ${wire} of the command cannot be read`)
  return Bun.file(descriptor).stream()
}
