import { closeSync, fstatSync } from "node:fs"

import { reasonOf } from "../errors.ts"
import type { Report } from "../item/item.ts"
import { nonBlockingOutput } from "../non-blocking-output.ts"
import { type Evidence, NO_EVIDENCE } from "../renderers/line-reader.ts"
import { type Renderer, renderer } from "../renderers/renderer.ts"
import { LastLines } from "./last-lines.ts"
import { makePipe, type Pipe, Tap } from "./pipes.ts"
import type { OutputDescriptor, Plan } from "./progress-arguments.ts"
import { toStderr } from "./stderr.ts"

/** Turns the outputs of one command into reports. */
class ProgressReader {
  readonly #onReport: (report: Report) => void
  readonly #renderer: Renderer
  readonly #decoders = new Map<OutputDescriptor, TextDecoder>()

  constructor(plan: Plan, onReport: (report: Report) => void) {
    this.#onReport = onReport
    this.#renderer = renderer(plan.renderer, plan)
  }

  get evidence(): Evidence {
    return this.#renderer.evidence
  }

  push(bytes: Uint8Array, output: OutputDescriptor): void {
    const decoder = this.#decoders.get(output) ?? new TextDecoder()
    this.#decoders.set(output, decoder)
    this.#read(decoder.decode(this.#renderer.worthDecoding(bytes, output), { stream: true }), output)
  }

  /** Reads the last line of an output, even if it has no line break. */
  end(output: OutputDescriptor): void {
    this.#read("\n", output)
  }

  #read(text: string, output: OutputDescriptor): void {
    for (const report of this.#renderer.push(text, output)) this.#onReport(report)
  }
}

/** Whether our standard output and standard error are the same file: then their lines must stay in order. */
function isOneOutput(): boolean {
  try {
    const [out, error] = [fstatSync(1), fstatSync(2)]
    return out.dev === error.dev && out.ino === error.ino
  } catch {
    return false
  }
}

/** Where an output of a command goes: a file descriptor, our own output, or a pipe that Bun makes. */
type Target = number | "inherit" | "pipe"

/**
 * The outputs of one command. They are passed on as they come, read for progress, and remembered for the
 * error message.
 */
export class CommandOutputs {
  readonly #plan: Plan
  readonly #outlivesSink: boolean
  readonly #isMerged: boolean
  /** The outputs that we read. If both outputs are merged, 1 also stands for 2. */
  readonly #read: readonly OutputDescriptor[]
  /** A pipe for each output that we read; undefined if Bun makes its own. */
  readonly #pipes: readonly (Pipe | undefined)[]
  readonly #lastLines = new LastLines()
  #reader: ProgressReader | undefined
  /** The latest position that the output gave once the command had ended, and since when it stands still. */
  #position = ""
  #stillSinceMs: number | undefined
  readonly #taps: Tap[] = []

  /** `outlivesSink`: whether the command may go on when nobody reads our own output any more. */
  constructor(plan: Plan, outlivesSink: boolean) {
    this.#plan = plan
    this.#outlivesSink = outlivesSink
    const read = ([1, 2, 3] as const).filter((output) => output === 2 || plan.outputs.includes(output))
    this.#isMerged = read.includes(1) && isOneOutput()
    this.#read = this.#isMerged ? read.filter((output) => output !== 2) : read
    this.#pipes = this.#read.map(makePipe)
  }

  /** What the command gets as standard output, standard error, and file descriptor 3 if the plan needs it. */
  get targets(): [Target, Target, ...Target[]] {
    const third = this.#read.includes(3) ? [this.#target(3)] : []
    return [this.#target(1), this.#target(this.#isMerged ? 1 : 2), ...third]
  }

  /**
   * Starts to read from the command, and closes our copies of its file descriptors. `onPrinted` gets what the
   * command prints, but not what comes through our own pipe.
   */
  listen(
    child: Bun.Subprocess,
    onReport: (report: Report) => void,
    onPrinted: (bytes: Uint8Array, output: OutputDescriptor) => void,
  ): void {
    const reader = new ProgressReader(this.#plan, (report) => {
      if (this.#stillSinceMs !== undefined) this.#noteMove(report)
      onReport(report)
    })
    this.#reader = reader
    for (const [index, output] of this.#read.entries()) {
      const onBytes = (bytes: Uint8Array): void => {
        if (output !== 3) onPrinted(bytes, output)
        reader.push(bytes, output)
        if (this.#isError(output)) this.#lastLines.push(bytes)
      }
      this.#listenTo(output, index, child, onBytes)
    }
    this.#closeTargets()
  }

  /** Closes all file descriptors. Call it when the command could not be started. */
  discard(): void {
    for (const pipe of this.#pipes) if (pipe) closeSync(pipe.from)
    this.#closeTargets()
  }

  /**
   * Reads each output to its end, or until it has been silent for `quietMs`, or printed for `stillMs` while the progress
   * stood still.
   */
  async readToEnd(quietMs: number, stillMs: number): Promise<void> {
    this.#stillSinceMs = performance.now()
    const isEnough = (): boolean => performance.now() - (this.#stillSinceMs ?? 0) > stillMs
    await Promise.all(this.#taps.map((tap) => tap.readToEnd(quietMs, isEnough)))
    for (const output of this.#read) this.#reader?.end(output)
  }

  /** From now on no longer waits for one of our own outputs that has taken nothing for a second. */
  hurry(): void {
    for (const tap of this.#taps) tap.hurry()
  }

  /** What the output proves about the render. */
  get evidence(): Evidence {
    return this.#reader?.evidence ?? NO_EVIDENCE
  }

  /** Removes and returns the last lines of standard error; empty when nothing was printed there. */
  takeLastLines(): string {
    return this.#lastLines.take()
  }

  #noteMove({ progress, step_progress, unit, media }: Report): void {
    const position = `${progress} ${step_progress} ${unit?.done} ${media?.out_time}`
    if (position !== this.#position) this.#stillSinceMs = performance.now()
    this.#position = position
  }

  #listenTo(
    output: OutputDescriptor,
    index: number,
    child: Bun.Subprocess,
    onBytes: (bytes: Uint8Array) => void,
  ): void {
    const descriptor = this.#pipes[index]?.from
    const stream = descriptor === undefined ? streamOf(child, output) : Bun.file(descriptor).stream()
    const sink = output === 3 ? undefined : nonBlockingOutput(output)
    const onUnwritten = (error: Error): void => {
      const which = output === 1 ? "standard output" : "standard error"
      toStderr(
        `${which} cannot be written: ${reasonOf(error)}; rendering continues, but these lines are lost`,
      )
    }
    const outlivesSink = this.#outlivesSink
    this.#taps.push(new Tap(stream, { sink, outlivesSink, onUnwritten, onBytes, descriptor }))
  }

  /** Whether this output carries standard error. */
  #isError(output: OutputDescriptor): boolean {
    return output === 2 || (output === 1 && this.#isMerged)
  }

  #target(output: OutputDescriptor): Target {
    const index = this.#read.indexOf(output)
    return index === -1 ? "inherit" : (this.#pipes[index]?.to ?? "pipe")
  }

  #closeTargets(): void {
    for (const pipe of this.#pipes) if (pipe) closeSync(pipe.to)
  }
}

/** An output of the command if we could not make a pipe, so that Bun made its own. */
function streamOf(child: Bun.Subprocess, output: OutputDescriptor): ReadableStream<Uint8Array> {
  const stream = output === 1 ? child.stdout : child.stderr
  if (output !== 3 && stream instanceof ReadableStream) return stream
  const descriptor = child.stdio[output]
  if (typeof descriptor !== "number") throw new Error(`output ${output} of the command cannot be read`)
  return Bun.file(descriptor).stream()
}
