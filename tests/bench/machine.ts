import { mkdirSync, readdirSync, readFileSync } from "node:fs"
import { cpus, release, totalmem } from "node:os"
import { join, resolve } from "node:path"

/** The project's root. */
export const projectRoot = resolve(import.meta.dir, "../..")

/** Where compiled programs and the files of a run are kept; ignored by git, on the project's disk. */
export const cacheFolder = join(projectRoot, ".cache/bench")

/** A folder under the cache that exists. */
export function folder(...names: string[]): string {
  const path = join(cacheFolder, ...names)
  mkdirSync(path, { recursive: true })
  return path
}

function allowedCpus(): number[] {
  const line = /Cpus_allowed_list:\s*(\S+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0"
  return line.split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number)
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
}

const [firstCpu = 0, secondCpu = firstCpu] = allowedCpus()

/** The CPU that a process of the bench is pinned to: servers on one, everything else on the other. */
export const cpu = { server: firstCpu, client: secondCpu } as const

/** Whether servers and clients have a CPU each. */
export const hasTwoCpus = firstCpu !== secondCpu

/** Moves the bench itself to a CPU. Processes that it starts afterwards begin there. */
export function moveTo(where: keyof typeof cpu): void {
  run(["taskset", "-apc", `${cpu[where]}`, `${process.pid}`])
}

/** Sleeps. */
export function sleep(durationMs: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, durationMs))
}

/** A loopback port that is free now. */
export function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  const { port } = listener
  listener.stop(true)
  return port
}

/** Waits until the port takes connections. */
export async function listening(port: number, timeoutMs = 15_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (Date.now() < deadline) {
    try {
      const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } })
      socket.end()
      return
    } catch {
      await sleep(10)
    }
  }
  throw new Error(`nothing listens on port ${port} after ${timeoutMs} ms`)
}

/** Runs a command to its end and returns what it printed. `ok` is false if it failed or took too long. */
export function run(argv: string[], options: { timeoutMs?: number; cwd?: string } = {}) {
  try {
    const { exitCode, stdout, stderr } = Bun.spawnSync(argv, {
      cwd: options.cwd ?? projectRoot,
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      timeout: options.timeoutMs ?? 30_000,
    })
    return { ok: exitCode === 0, text: `${stdout}${stderr}`.trim() }
  } catch (error) {
    return { ok: false, text: String(error) }
  }
}

interface Stat {
  parent: number
  ticks: number
}

// Fields are counted after the command's closing bracket, since a command may hold spaces and brackets.
function stat(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8")
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ")
    return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) }
  } catch {
    return undefined
  }
}

function processes(): Map<number, Stat> {
  const all = new Map<number, Stat>()
  for (const name of readdirSync("/proc")) {
    const pid = Number(name)
    const found = pid > 0 ? stat(pid) : undefined
    if (found) all.set(pid, found)
  }
  return all
}

/** The processes and all they started. */
export function tree(roots: number[]): number[] {
  const all = processes()
  const members = new Set(roots.filter((pid) => all.has(pid)))
  for (let before = -1; before !== members.size;) {
    before = members.size
    for (const [pid, { parent }] of all) if (members.has(parent)) members.add(pid)
  }
  return [...members]
}

const msPerTick = 1000 / Number(run(["getconf", "CLK_TCK"]).text || 100)

/** CPU time that these processes have used so far, user and system. */
export function cpuMs(pids: number[]): number {
  return pids.reduce((sum, pid) => sum + (stat(pid)?.ticks ?? 0), 0) * msPerTick
}

/**
 * The CPU time that a process has used so far, in milliseconds, exact to a microsecond. Threads that have
 * ended do not count.
 */
export function exactCpuMs(pid: number): number {
  const folderOfThreads = `/proc/${pid}/task`
  return readdirSync(folderOfThreads).reduce((sum, thread) => {
    const [ns] = readFileSync(join(folderOfThreads, thread, "schedstat"), "utf8").split(" ")
    return sum + Number(ns) / 1e6
  }, 0)
}

/** Lets a process and what it starts run on both CPUs. */
export const onBoth = (argv: string[]): string[] => ["taskset", "-c", `${cpu.server},${cpu.client}`, ...argv]

/** Bytes that a process has written to disks so far. */
export const writtenBytes = (pid: number): number =>
  Number(/^write_bytes: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1])

/** A figure of the kernel on the memory of a process. */
export type MemoryKey = "Pss" | "Rss" | "Private_Dirty"

function smaps(pid: number, key: MemoryKey): number {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8")
    return Number(new RegExp(`^${key}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}

/** Memory of these processes: PSS (a page shared by n processes counts for 1/n in each) or RSS. */
export function memoryBytes(pids: number[], key: MemoryKey = "Pss"): number {
  return pids.reduce((sum, pid) => sum + smaps(pid, key), 0)
}

function fileSystem(): string {
  const { ok, text } = run(["findmnt", "-no", "FSTYPE", "-T", projectRoot])
  return ok ? text : "unknown file system"
}

/** One line on the machine. */
export function machine(): string {
  const model = cpus()[0]?.model.trim() ?? "?"
  const memoryGiB = Math.round(totalmem() / 2 ** 30)
  return `${cpus().length} CPUs (${model}), ${memoryGiB} GiB, Linux ${release()}, ${fileSystem()}`
}
