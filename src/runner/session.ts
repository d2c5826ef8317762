import { readdirSync, readFileSync } from "node:fs"

interface Member {
  readonly pid: number
  readonly group: number
}

const isGone = (error: unknown): boolean =>
  error instanceof Error && "code" in error && (error.code === "ESRCH" || error.code === "EPERM")

/** Sends a signal to a process group; returns whether the group exists. */
function send(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-group, signal)
    return true
  } catch (error) {
    if (isGone(error)) return false
    throw error
  }
}

/** The fields of /proc/PID/stat after the name: state, parent, group, session, terminal, foreground group. */
function statOf(pid: number | string): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1")
  // The name, in brackets, may contain spaces and brackets.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")
}

/** Whether a shell runs us in the background: then what is typed on the terminal is not for us. */
export function isInBackground(): boolean {
  try {
    const [, , group, , , foreground] = statOf("self")
    return Number(foreground) > 0 && group !== foreground
  } catch {
    return false
  }
}

/** The running processes of a session, read from /proc; undefined on systems without it. */
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
      // The process has ended meanwhile.
    }
  }
  return members
}

const POLL_MS = 50
const KILLED_WITHIN_MS = 2000

/**
 * A command and every process that it started: the session that it leads. Its process group alone is not enough,
 * because a shell with job control and `timeout` make groups of their own.
 */
export class Session {
  readonly #pid: number
  #ended = false

  /** `pid` is the command's, which was started detached and so leads a session. */
  constructor(pid: number) {
    this.#pid = pid
  }

  /** Passes a signal on to the command's own group, as a terminal would; returns whether the group exists. */
  forward(signal: NodeJS.Signals): boolean {
    return !this.#ended && send(this.#pid, signal)
  }

  /** Sends a signal to every group of the session; returns whether any process is left. */
  signal(signal: NodeJS.Signals | 0): boolean {
    if (this.#ended) return false
    const members = membersOf(this.#pid)
    if (members === undefined) return send(this.#pid, signal)
    for (const group of new Set(members.map((member) => member.group))) send(group, signal)
    // Once no process is left, the system may give the number to another one.
    this.#ended = members.length === 0
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
