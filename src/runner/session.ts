import { type Process, processesOf, startOf, type Traces } from "./processes.ts"

const POLL_MS = 50
const KILLED_WITHIN_MS = 2000

const isGone = (error: unknown): boolean =>
  error instanceof Error && "code" in error && (error.code === "ESRCH" || error.code === "EPERM")

/** Sends a signal to a process, or to a process group as a negative number; returns whether it exists. */
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
 * A command and every process that it started: the session that it leads, the processes outside it that carry the
 * command's mark in their environment or as a brand, and what was started by any of them. Its process group alone is
 * not enough, because a shell with job control and `timeout` make groups of their own, and `setsid` even a session.
 */
export class Session {
  readonly #pid: number | undefined
  readonly #traces: Traces
  #ended = false
  /** The processes that were found last. */
  #processes: readonly Process[] = []

  /**
   * `pid` is the command's, which was started detached and so leads a session; undefined if we did not start it.
   * `mark` is what it and all that it starts carry.
   */
  constructor(pid: number | undefined, mark: string) {
    this.#pid = pid
    this.#traces = { session: pid, mark, since: pid === undefined ? 0 : startOf(pid) }
  }

  /** Passes a signal on to the command's own group, as a terminal would; returns whether the group exists. */
  forward(signal: NodeJS.Signals): boolean {
    return !this.#ended && this.#pid !== undefined && send(-this.#pid, signal)
  }

  /** Sends a signal to every process; returns whether any is left. */
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
    // Once no process is left, the system may give the number to another one.
    this.#ended = processes.length === 0
    return !this.#ended
  }

  /** Sends SIGTERM, then SIGKILL to what is left after `graceMs`; resolves when no process is left. */
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
    while (this.signal("SIGKILL") && performance.now() - startedMs < graceMs + KILLED_WITHIN_MS) {
      await Bun.sleep(POLL_MS)
    }
  }
}
