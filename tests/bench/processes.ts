import { join } from "node:path"

import { cpu, cpuMs, folder, listening, memoryBytes, sleep, tree } from "./machine.ts"

const running = new Set<Process>()

process.on("exit", () => {
  for (const child of running) child.kill()
})
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130))

/** How a process is started. */
export interface Launch {
  /** Its CPU. Without it the process runs on the CPU of the bench, and is started directly. */
  on?: keyof typeof cpu
  /** Whether the bench reads its output. */
  pipe?: boolean
  /**
   * Whether it goes before the other processes on its CPU, so that the times it measures do not contain its
   * waits for them. Only root may do this; for others it has no effect.
   */
  isFirst?: boolean
  cwd?: string
  env?: Record<string, string>
}

/** A process of the bench: pinned to a CPU, with as many open files as the machine allows. */
export class Process {
  readonly #child: Bun.Subprocess<"ignore", "pipe" | Bun.BunFile, Bun.BunFile>

  private constructor(child: Bun.Subprocess<"ignore", "pipe" | Bun.BunFile, Bun.BunFile>) {
    this.#child = child
    running.add(this)
    void child.exited.then(() => running.delete(this))
  }

  /** Starts `argv`; without `pipe` its output goes to a file named after it. */
  static start(name: string, argv: string[], options: Launch): Process {
    const log = Bun.file(join(folder("log"), `${name}.log`))
    const limits = 'ulimit -n "$(ulimit -Hn)"; exec "$@"'
    const first = options.isFirst ? ["nice", "-n", "-20"] : []
    const pinned = options.on
      ? ["sh", "-c", limits, "sh", "taskset", "-c", String(cpu[options.on]), ...first]
      : []
    const child = Bun.spawn([...pinned, ...argv], {
      cwd: options.cwd ?? folder("run"),
      env: { ...process.env, ...options.env },
      stdin: "ignore",
      stdout: options.pipe ? "pipe" : log,
      stderr: Bun.file(join(folder("log"), `${name}.err`)),
    })
    return new Process(child)
  }

  get pid(): number {
    return this.#child.pid
  }

  get exited(): Promise<number> {
    return this.#child.exited
  }

  /** The lines it prints; only for a process started with `pipe`. */
  async *lines(): AsyncGenerator<string> {
    const output = this.#child.stdout
    if (!(output instanceof ReadableStream)) return
    const decoder = new TextDecoder()
    let rest = ""
    for await (const bytes of output) {
      const parts = (rest + decoder.decode(bytes, { stream: true })).split("\n")
      rest = parts.pop() ?? ""
      yield* parts
    }
  }

  /**
   * The CPU time of the process and of everything that it started and waited for; known after it has ended.
   */
  get usedMs(): number {
    return Number(this.#child.resourceUsage()?.cpuTime.total ?? 0) / 1000
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** Ends it and all it started at once. */
  kill(): void {
    for (const pid of tree([this.pid])) {
      try {
        process.kill(pid, "SIGKILL")
      } catch {
        // gone already
      }
    }
  }

  /** Ends it with SIGTERM, and with SIGKILL if it has not ended in time. */
  async stop(timeoutMs = 3_000): Promise<void> {
    this.signal("SIGTERM")
    await Promise.race([this.exited, sleep(timeoutMs)])
    if (running.has(this)) this.kill()
    await this.exited
  }
}

/** Waits until a server takes connections; ends its processes when it doesn't. */
export async function ready(port: number, processes: Process[]): Promise<void> {
  try {
    await listening(port)
  } catch (error) {
    for (const process of processes) await process.stop()
    throw error
  }
}

/** Sends a request again and again, like any program that waits for the server, until there is an answer. */
export async function firstAnswer(url: string): Promise<Response> {
  for (const limitMs = performance.now() + 10_000; ;) {
    try {
      return await fetch(url)
    } catch (error) {
      if (performance.now() > limitMs) throw error
      await sleep(1)
    }
  }
}

/** How a server is spoken to. */
export interface Protocol {
  stream: {
    path: string
    /** Streams say `event: live`, and updates have consecutive IDs. */
    live: boolean
  }
  write: { method: "POST" | "PUT"; path: string; body: string }
  /** Header lines that each request carries; absent for none. */
  headers?: readonly string[]
}

/** A server under test, ours or a peer's. */
export class Target {
  readonly name: string
  readonly port: number
  readonly stream: Protocol["stream"]
  readonly write: Protocol["write"]
  readonly headers: readonly string[]
  readonly #processes: Process[]

  constructor(name: string, port: number, protocol: Protocol, processes: Process[]) {
    this.name = name
    this.port = port
    this.stream = protocol.stream
    this.write = protocol.write
    this.headers = protocol.headers ?? []
    this.#processes = processes
  }

  /** The same server, asked with these header lines. */
  with(headers: readonly string[]): Target {
    return new Target(
      this.name,
      this.port,
      { stream: this.stream, write: this.write, headers },
      this.#processes,
    )
  }

  #pids(): number[] {
    return tree(this.#processes.map(({ pid }) => pid))
  }

  cpuMs(): number {
    return cpuMs(this.#pids())
  }

  memoryBytes(): number {
    return memoryBytes(this.#pids())
  }

  async stop(): Promise<void> {
    for (const process of this.#processes.toReversed()) await process.stop()
  }
}

/** Something that can be measured: its name and how to start it afresh. */
export interface Contender {
  readonly name: string
  start(): Promise<Target>
}
