import { isatty } from "node:tty"

import type { Report } from "../item/item.ts"
import type { Evidence } from "../renderers/line-reader.ts"
import { environment, outerMarks } from "../settings/environment.ts"
import { CommandOutputs } from "./command-outputs.ts"
import type { Guarded } from "./kill-guard.ts"
import { branded } from "./process-brand.ts"
import { ProcessTree } from "./process-tree.ts"
import { isInBackground } from "./processes.ts"
import type { Plan } from "./progress-arguments.ts"

const GRACE_MS = 10_000
const QUIET_MS = 1000
/** How long a command that has ended is read on while what it left behind prints, but no progress. */
const LEFT_BEHIND_MS = 30_000

/** How a command ended. */
export interface CommandEnd {
  /** The exit code; 128 plus the number of the signal if a signal ended the command. */
  readonly code: number
  /** The signal that ended the command; null if it exited by itself. */
  readonly signal: NodeJS.Signals | null
  /** What its output proves. */
  readonly evidence: Evidence
  /** The last lines of its standard error; empty if it printed nothing there. */
  readonly lastLines: string
}

/** What to run and with what. */
export interface CommandProcessOptions {
  /** The command, and how to read its progress. */
  readonly plan: Plan
  /** Ends the command if we are killed. */
  readonly guarded: Guarded
  /** Called with each report that the output gives. */
  readonly onReport: (report: Report) => void
  /** Called with what the command prints on an output, 1 or 2. The bytes do not change any more. */
  readonly onPrinted: (bytes: Uint8Array, output: number) => void
  /** Text for the standard input; if it is absent, the command shares our standard input. */
  readonly input?: string | undefined
  /** Changes to our environment; `undefined` removes a variable. Default none. */
  readonly variables?: Readonly<Record<string, string | undefined>>
}

/** ffmpeg colours its messages only on a terminal, and our pipe is not a terminal. */
const coloursOf = ({ renderer }: Plan): Record<string, string> =>
  renderer === "ffmpeg" && process.stderr.isTTY ? { AV_LOG_FORCE_COLOR: "1" } : {}

/**
 * Our standard input. If it is a terminal and we run in the background, the command gets none, because its
 * session would read from the terminal.
 */
const ownInput = (): "inherit" | "ignore" => (isatty(0) && isInBackground() ? "ignore" : "inherit")

/** A running command whose output passes through us. */
export class CommandProcess {
  /** Resolves when the command has ended and its output was passed on; never rejects. */
  readonly ended: Promise<CommandEnd>
  /** The command and every process that it started. */
  readonly session: ProcessTree
  readonly #child: Bun.Subprocess
  readonly #outputs: CommandOutputs

  private constructor(child: Bun.Subprocess, outputs: CommandOutputs, mark: string) {
    this.#child = child
    this.#outputs = outputs
    this.session = new ProcessTree(child.pid, mark)
    this.ended = this.#end()
  }

  /** Starts a command. @throws Error if it cannot be started */
  static start({
    plan,
    guarded,
    onReport,
    onPrinted,
    input,
    variables,
  }: CommandProcessOptions): CommandProcess {
    // The commands of a worker do not end with the program that reads its log: every item would fail.
    const outputs = new CommandOutputs(plan, input !== undefined)
    let child: Bun.Subprocess
    try {
      child = branded(guarded.mark, () =>
        Bun.spawn([...plan.command], {
          stdio: [input === undefined ? ownInput() : Buffer.from(input), ...outputs.targets],
          env: environment({
            ...coloursOf(plan),
            ...variables,
            TRACK_STUDIO_RUN: outerMarks() + guarded.mark,
          }),
          detached: true,
        }),
      )
    } catch (error) {
      outputs.discard()
      throw error
    }
    guarded.started(child.pid)
    outputs.listen(child, onReport, onPrinted)
    return new CommandProcess(child, outputs, guarded.mark)
  }

  /** From now on the command and its end no longer wait for a program that does not read our output. */
  hurry(): void {
    this.#outputs.hurry()
  }

  /**
   * Sends SIGTERM, and SIGKILL after `graceMs` (default 10 s) to processes that still run. Resolves when all
   * have ended.
   */
  async stop(graceMs = GRACE_MS): Promise<void> {
    this.hurry()
    await this.session.stop(graceMs)
    await this.ended
  }

  async #end(): Promise<CommandEnd> {
    const code = await this.#child.exited
    await this.#outputs.readToEnd(QUIET_MS, LEFT_BEHIND_MS)
    const { evidence } = this.#outputs
    const lastLines = this.#outputs.takeLastLines()
    const { signalCode } = this.#child
    return { code, signal: typeof signalCode === "string" ? signalCode : null, evidence, lastLines }
  }
}
