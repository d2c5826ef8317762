import { readdirSync, readFileSync } from "node:fs"

/** A running process. */
export interface Process {
  /** Its number. */
  readonly pid: number
  /** Its process group. */
  readonly group: number
  /** Its session. */
  readonly session: number
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

function processOf(pid: string): Process | undefined {
  try {
    const [state = "", , group, session] = statOf(pid)
    if ("ZX".includes(state)) return undefined
    return { pid: Number(pid), group: Number(group), session: Number(session) }
  } catch {
    // The process has ended meanwhile.
    return undefined
  }
}

function hasMark(pid: number, mark: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1").includes(mark)
  } catch {
    // It has ended meanwhile, or it belongs to another user.
    return false
  }
}

/**
 * The running processes of a session, and those that were started with `mark` in their environment, which finds what
 * left the session. Undefined on systems without /proc.
 */
export function processesOf(session: number | undefined, mark: string): Process[] | undefined {
  let pids: string[]
  try {
    pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name))
  } catch {
    return undefined
  }
  return pids
    .flatMap((pid) => processOf(pid) ?? [])
    .filter((each) => each.session === session || hasMark(each.pid, mark))
}
