import { readdirSync, readFileSync } from "node:fs"

import { brandOf, hasBrand } from "./process-brand.ts"

/** A running process. */
export interface Process {
  /** The number of the process. */
  readonly pid: number
  /** The number of its parent. After the parent has ended, it is the number of another process. */
  readonly parent: number
  /** Its process group. */
  readonly group: number
  /** Its session. */
  readonly session: number
  /**
   * When it started, in ticks since the machine started. It tells apart two processes that had the same
   * number.
   */
  readonly startedAt: number
}

/** The index, counted after the name, of the field in /proc/PID/stat that says when the process started. */
const STARTED_AT = 19

/** The fields of /proc/PID/stat after the name: state, parent, group, session, terminal, foreground group. */
function statOf(pid: number | string): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1")
  // The name, in brackets, may contain spaces and brackets.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")
}

const allPids = (): string[] => readdirSync("/proc").filter((name) => /^\d+$/.test(name))

/** Whether a shell runs us in the background. Then input on the terminal is not for us. */
export function isInBackground(): boolean {
  try {
    const [, , group, , , foreground] = statOf("self")
    return Number(foreground) > 0 && group !== foreground
  } catch {
    return false
  }
}

/** The children of this process that have ended and of which it has not taken note. */
export const endedChildren = (): number[] =>
  allPids()
    .filter((pid) => {
      try {
        const [state, parent] = statOf(pid)
        return state === "Z" && Number(parent) === process.pid
      } catch {
        // The process is gone.
        return false
      }
    })
    .map(Number)

function processOf(pid: string): Process | undefined {
  try {
    const stat = statOf(pid)
    const [state = "", parent, group, session] = stat
    if ("ZX".includes(state)) return undefined
    const numbers = { parent: Number(parent), group: Number(group), session: Number(session) }
    return { pid: Number(pid), ...numbers, startedAt: Number(stat[STARTED_AT]) }
  } catch {
    // The process has ended in the meantime.
    return undefined
  }
}

/** The result of `read`; false if the process has ended in the meantime, or belongs to another user. */
function known(read: () => boolean): boolean {
  try {
    return read()
  } catch {
    return false
  }
}

/** Whether a process was started with the mark in its environment. */
const hasMark = (pid: number, mark: string): boolean =>
  readFileSync(`/proc/${pid}/environ`, "latin1").includes(mark)

/** Adds all processes that these processes have started, directly or through others. */
function withChildren(members: readonly Process[], all: readonly Process[]): Process[] {
  const known = new Set(members.map(({ pid }) => pid))
  // A child nearly always has a higher number than its parent, so one pass finds nearly all.
  for (let before = 0; before < known.size;) {
    before = known.size
    for (const { pid, parent } of all) if (known.has(parent)) known.add(pid)
  }
  return all.filter(({ pid }) => known.has(pid))
}

/** How the processes of a command are found. */
export interface Traces {
  /** The session that the command leads; undefined if it is unknown. */
  readonly session: number | undefined
  /** The mark that the command and everything that it starts carry in their environment, and as a brand. */
  readonly mark: string
  /**
   * When the command was started, as `Process.startedAt`: an older process is not its child. 0 if it is
   * unknown.
   */
  readonly since: number
}

/**
 * The running processes of a command: the processes of its session, processes outside it with its mark or its
 * brand, processes of `before` that still run, and everything that any of these has started. Undefined on
 * systems without /proc.
 */
export function processesOf(
  { session, mark, since }: Traces,
  before: readonly Process[] = [],
): Process[] | undefined {
  let pids: string[]
  try {
    pids = allPids()
  } catch {
    return undefined
  }
  const all = pids.flatMap((pid) => processOf(pid) ?? [])
  const was = new Map(before.map(({ pid, startedAt }) => [pid, startedAt]))
  const brand = brandOf(mark)
  const isOf = ({ pid, session: own, startedAt }: Process): boolean =>
    own === session ||
    was.get(pid) === startedAt ||
    (startedAt >= since &&
      pid !== process.pid &&
      (known(() => hasMark(pid, mark)) || known(() => hasBrand(pid, brand))))
  return withChildren(all.filter(isOf), all)
}

/** When a process was started, as `Process.startedAt`; 0 if that is not known. */
export const startOf = (pid: number): number => processOf(String(pid))?.startedAt ?? 0
