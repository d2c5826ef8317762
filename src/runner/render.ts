import { isatty } from "node:tty"

import { environment } from "../config.ts"
import type { Report } from "../item/item.ts"
import { Outputs } from "./outputs.ts"
import type { Plan } from "./plan.ts"
import { isInBackground, Session } from "./session.ts"

/** How long a command has to end after SIGTERM. */
export const GRACE_MS = 10_000
/** How long the output may be silent after the command has ended, before it is left to those who still hold it. */
const QUIET_MS = 1000

/** How a command ended. */
export interface Ended {
  /** The exit code; 128 and the signal's number when a signal ended it. */
  readonly code: number
  readonly signal: NodeJS.Signals | null
  /** The share of the total, 0 to 1, that its output reached; null when the total or the share is unknown. */
  readonly reached: number | null
  /** The last lines of its standard error. */
  readonly lastWords: string
}

/** What to run and with what; by default with our own standard input and environment. */
export interface RenderOptions {
  readonly plan: Plan
  readonly onReport: (report: Report) => void
  readonly input?: string | undefined
  readonly variables?: Readonly<Record<string, string | undefined>>
}

/** ffmpeg colours its messages on a terminal alone, and would take our pipe for none. */
const coloursOf = ({ renderer }: Plan): Record<string, string> =>
  renderer === "ffmpeg" && process.stderr.isTTY ? { AV_LOG_FORCE_COLOR: "1" } : {}

/** Our standard input; the terminal only in the foreground, as the command's own session would not be kept off it. */
const ownInput = (): "inherit" | "ignore" => (isatty(0) && isInBackground() ? "ignore" : "inherit")

/** A command under way, with its output passed through. */
export class Render {
  /** Resolves when it has ended and its output is through; never rejects. */
  readonly ended: Promise<Ended>
  readonly session: Session
  readonly #child: Bun.Subprocess
  readonly #outputs: Outputs

  private constructor(child: Bun.Subprocess, outputs: Outputs) {
    this.#child = child
    this.#outputs = outputs
    this.session = new Session(child.pid)
    this.ended = this.#end()
  }

  /** Starts a command. @throws Error when it cannot be run */
  static start({ plan, onReport, input, variables }: RenderOptions): Render {
    const outputs = new Outputs(plan)
    let child: Bun.Subprocess
    try {
      child = Bun.spawn([...plan.command], {
        stdio: [input === undefined ? ownInput() : Buffer.from(input), ...outputs.to],
        env: environment({ ...coloursOf(plan), ...variables }),
        detached: true,
      })
    } catch (error) {
      outputs.discard()
      throw error
    }
    outputs.listen(child, onReport)
    return new Render(child, outputs)
  }

  /** SIGTERM to all of it, SIGKILL to what is left after `graceMs`; resolves when nothing runs any more. */
  async stop(graceMs = GRACE_MS): Promise<void> {
    await this.session.stop(graceMs)
    await this.ended
  }

  async #end(): Promise<Ended> {
    const code = await this.#child.exited
    await this.#outputs.drain(QUIET_MS)
    const { reached, lastWords } = this.#outputs
    const { signalCode } = this.#child
    return { code, signal: typeof signalCode === "string" ? signalCode : null, reached, lastWords }
  }
}
