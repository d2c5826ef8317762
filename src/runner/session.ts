import { readdirSync, readFileSync } from "node:fs"

interface Member {
  readonly pid: number
  readonly group: number
}

const isGone = (error: unknown): boolean =>
  error instanceof Error && "code" in error && (error.code === "ESRCH" || error.code === "EPERM")

/** Sends a signal to a group; answers whether there is one. */
function send(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-group, signal)
    return true
  } catch (error) {
    if (isGone(error)) return false
    throw error
  }
}

/** What /proc tells of a process after its name: state, parent, group, session, terminal, the terminal's group. */
function statOf(pid: number | string): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1")
  // The name, in brackets, may hold anything.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")
}

/** Whether a shell runs us in the background, so that what is typed is not for us. */
export function isInBackground(): boolean {
  try {
    const [, , group, , , foreground] = statOf("self")
    return Number(foreground) > 0 && group !== foreground
  } catch {
    return false
  }
}

/** The processes of a session that still run, as /proc tells; undefined where it does not. */
function membersOf(session: number): Member[] | undefined {
  let pids: string[]
  try {
    pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name))
  } catch {
    return undefined
  }
  const members: Member[] = []
  for (const pid of pids) {
    try {
      const [state = "", , group, of] = statOf(pid)
      if (Number(of) === session && !"ZX".includes(state))
        members.push({ pid: Number(pid), group: Number(group) })
    } catch {
      // It has ended meanwhile.
    }
  }
  return members
}

const POLL_MS = 50
const KILLED_WITHIN_MS = 2000

/**
 * A command and all that it started: the session that it leads. A shell gives its children groups of their own, and
 * `timeout` takes one, so that its group alone may not be all. `pid` is that of the command, started detached.
 */
export class Session {
  readonly #pid: number
  #ended = false

  constructor(pid: number) {
    this.#pid = pid
  }

  /** Passes a signal on to the command's own group, as a terminal would; answers whether there is one. */
  forward(signal: NodeJS.Signals): boolean {
    return !this.#ended && send(this.#pid, signal)
  }

  /** Sends a signal to every group of the session; answers whether anything runs. */
  signal(signal: NodeJS.Signals | 0): boolean {
    if (this.#ended) return false
    const members = membersOf(this.#pid)
    if (members === undefined) return send(this.#pid, signal)
    for (const group of new Set(members.map((member) => member.group))) send(group, signal)
    // Once nothing is left, the number may become somebody else's.
    this.#ended = members.length === 0
    return !this.#ended
  }

  /** SIGTERM to all, SIGKILL to what is left after `graceMs`; resolves when nothing runs any more. */
  async stop(graceMs: number): Promise<void> {
    const startedMs = performance.now()
    this.signal("SIGTERM")
    // What is stopped could not take it.
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
