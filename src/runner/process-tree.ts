import { codeOf } from "../errors.ts"
import { type Process, processesOf, startOf, type Traces } from "./processes.ts"

const POLL_MS = 50
const KILLED_WITHIN_MS = 2000

const isGone = (error: unknown): boolean => ["ESRCH", "EPERM"].includes(codeOf(error))

/**
 * Sends a signal to a process, or to a process group if the number is negative. Returns whether the target
 * exists.
 */
function send(target: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(target, signal)
    return true
  } catch (error) {
    if (isGone(error)) return false
    throw error
  }
}

/**
 * A command and every process that it started: the session that the command leads, processes outside it with
 * the command's mark in their environment or its brand, and everything that any of these has started. The
 * process group alone is not enough: `timeout` and shells with job control make groups of their own, and
 * `setsid` makes a session of its own.
 */
export class ProcessTree {
  readonly #pid: number | undefined
  readonly #traces: Traces
  #ended = false
  /** The processes that were found last. */
  #processes: readonly Process[] = []

  /**
   * `pid` is the command's number. The command was started detached, so it leads a session. It is undefined
   * if we did not start the command. `mark` is the mark of the command and of everything that it starts.
   */
  constructor(pid: number | undefined, mark: string) {
    this.#pid = pid
    this.#traces = { session: pid, mark, since: pid === undefined ? 0 : startOf(pid) }
  }

  /**
   * Passes a signal on to the command's process group, as a terminal does. Returns whether the group exists.
   */
  forward(signal: NodeJS.Signals): boolean {
    return !this.#ended && this.#pid !== undefined && send(-this.#pid, signal)
  }

  /** Sends a signal to every process. Returns whether any process is left. */
  signal(signal: NodeJS.Signals | 0): boolean {
    if (this.#ended) return false
    const processes = processesOf(this.#traces, this.#processes)
    this.#processes = processes ?? []
    if (processes === undefined) return this.#pid !== undefined && send(-this.#pid, signal)
    const [inside, outside] = [
      processes.filter(({ session }) => session === this.#pid),
      processes.filter(({ session }) => session !== this.#pid),
    ]
    for (const group of new Set(inside.map((each) => each.group))) send(-group, signal)
    for (const { pid } of outside) send(pid, signal)
    // After the last process has ended, the system may give its number to another process.
    this.#ended = processes.length === 0
    return !this.#ended
  }

  /**
   * Sends SIGTERM, and SIGKILL after `graceMs` to processes that still run. Resolves when no process is left.
   */
  async stop(graceMs: number): Promise<void> {
    const startedMs = performance.now()
    this.signal("SIGTERM")
    // A suspended process receives SIGTERM only once it continues.
    this.signal("SIGCONT")
    while (this.signal(0)) {
      const leftMs = graceMs - (performance.now() - startedMs)
      if (leftMs <= 0) break
      await Bun.sleep(Math.min(POLL_MS, leftMs))
    }
    const killedMs = performance.now()
    while (this.signal("SIGKILL") && performance.now() - killedMs < KILLED_WITHIN_MS) {
      await Bun.sleep(POLL_MS)
    }
  }
}
