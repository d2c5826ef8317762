import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

import type { ProgressUpdate, QueueItem } from "../../src/item/item.ts"
import { isFinished, MOVES } from "../../src/item/moves.ts"
import { Reader } from "../reader.ts"
import { PROGRAM, temporaryFolder, type TestServer } from "../server.ts"

/** An update, as the history has it. */
export type Told = ProgressUpdate & { readonly id: number }

/** The path of ffmpeg; null if there is none. Root on a Debian system gets it installed. */
export function ffmpegProgram(): string | null {
  if (Bun.which("ffmpeg") === null && process.getuid?.() === 0 && Bun.which("apt-get") !== null) {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" }
    Bun.spawnSync(["apt-get", "update"], { env })
    Bun.spawnSync(["apt-get", "install", "-y", "--no-install-recommends", "ffmpeg"], { env })
  }
  return Bun.which("ffmpeg")
}

/** ffmpeg's arguments for a small video of this many seconds. `realTime` takes as long as the video is. */
export const video = (seconds: number, file: string, realTime = false): string[] =>
  `-hide_banner ${realTime ? "-re" : ""} -f lavfi -i testsrc=s=160x90:r=10 -t ${seconds} -threads 1 -c:v mpeg4 -y`
    .split(/ +/)
    .concat(file)

/** The folder for the leases of our workers, so that tests leave nothing in the user's own folder. */
const state = temporaryFolder()
process.on("exit", () => state[Symbol.dispose]())

/** How to start a program of ours. */
export interface StudioOptions {
  readonly stdin?: "pipe" | "ignore"
  readonly env?: Readonly<Record<string, string>>
}

/** A program of ours, or one that works for our server, with its output. */
export class Program {
  readonly child: Bun.Subprocess<"pipe" | "ignore", "pipe", "pipe">
  readonly stdout: Promise<Buffer>
  readonly stderr: Promise<Buffer>
  #printed = ""
  #changed: () => void = () => undefined

  constructor(command: readonly string[], server: string, { stdin = "ignore", env }: StudioOptions = {}) {
    this.child = Bun.spawn([...command], {
      stdin,
      stdout: "pipe",
      stderr: "pipe",
      env: { ...process.env, XDG_STATE_HOME: state.path, TRACK_STUDIO_SERVER: server, ...env },
    })
    this.stdout = this.#read(this.child.stdout)
    this.stderr = this.#read(this.child.stderr)
  }

  /** Resolves when it has printed this, on either output. */
  async prints(text: string): Promise<void> {
    while (!this.#printed.includes(text)) {
      const next = Promise.withResolvers<"more">()
      this.#changed = () => next.resolve("more")
      const what = await Promise.race([next.promise, this.child.exited.then(() => "over")])
      if (what === "over") {
        await Promise.all([this.stdout, this.stderr])
        if (this.#printed.includes(text)) return
        throw new Error(`it ended without "${text}":\n${this.#printed}`)
      }
    }
  }

  /** The exit code, when it has ended and everything was read. */
  async ends(): Promise<number> {
    await Promise.all([this.stdout, this.stderr])
    return this.child.exited
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** Writes to its standard input. */
  type(text: string): void {
    const { stdin } = this.child
    if (stdin === undefined) throw new Error("its standard input is not ours")
    stdin.write(text)
    void stdin.flush()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGTERM")
    // A suspended process would not receive it.
    this.child.kill("SIGCONT")
    const timer = setTimeout(() => this.child.kill("SIGKILL"), 15_000)
    await this.child.exited
    clearTimeout(timer)
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<Buffer> {
    const chunks: Uint8Array[] = []
    for await (const chunk of stream) {
      chunks.push(chunk)
      this.#printed += Buffer.from(chunk).toString("latin1")
      this.#changed()
    }
    return Buffer.concat(chunks)
  }
}

/** Starts `track-studio ...` against a server. */
export const studio = (
  server: string | TestServer,
  args: readonly string[],
  options: StudioOptions = {},
): Program => new Program([...PROGRAM, ...args], typeof server === "string" ? server : server.url, options)

/** The item of this song that was added last. */
export async function latestOf(server: TestServer, song: number): Promise<number> {
  const { queue }: { queue: QueueItem[] } = await (await server.api("GET", `/queue?song_id=${song}`)).json()
  return Math.max(...queue.map(({ id }) => id))
}

/** The item as it is. */
export async function itemOf(server: TestServer, id: number): Promise<QueueItem> {
  return (await server.api("GET", `/queue/${id}`)).json()
}

/** The item once it is finished. */
export async function finished(server: TestServer, id: number): Promise<QueueItem> {
  return (await server.api("GET", `/queue/${id}?wait=finished&timeout=300`)).json()
}

/** The latest update of an item that fits, as soon as there is one. */
export async function until(
  server: TestServer,
  id: number,
  fits: (update: ProgressUpdate) => boolean,
): Promise<ProgressUpdate> {
  const reader = await Reader.open(`${server.url}/api/v1/progress/stream/${id}`)
  let found: ProgressUpdate | undefined
  await reader.until(() => {
    found = reader.updates.map(({ data }): ProgressUpdate => JSON.parse(JSON.stringify(data))).find(fits)
    return found !== undefined
  })
  reader.leave()
  if (!found) throw new Error("no update fits")
  return found
}

/** All updates of an item. */
export async function historyOf(server: TestServer, id: number): Promise<Told[]> {
  const all: Told[] = []
  for (;;) {
    const path = `/queue/${id}/updates?after=${all.at(-1)?.id ?? 0}`
    const { updates }: { updates: Told[] } = await (await server.api("GET", path)).json()
    if (updates.length === 0) return all
    all.push(...updates)
  }
}

/** What is wrong with a history, according to the table of moves; empty if it is valid. */
export function faultsOf(history: readonly Told[]): string[] {
  const faults: string[] = []
  const back = new Set<number>()
  if (history[0]?.status !== "queued") faults.push(`it starts as ${history[0]?.status}`)
  for (const [index, update] of history.entries()) {
    const before = history[index - 1]
    if (!before) continue
    const { id, status, attempt = 0, progress } = update
    if (id <= before.id) faults.push(`update ${id} comes after ${before.id}`)
    if (status !== before.status && !MOVES[before.status].includes(status)) {
      faults.push(`update ${id} moves from ${before.status} to ${status}`)
    }
    if (isFinished(before.status) && status === before.status) faults.push(`update ${id} comes after the end`)
    const isStart = status === "processing" && before.status !== "processing"
    if (attempt !== (before.attempt ?? 0) + (isStart ? 1 : 0))
      faults.push(`update ${id} is of attempt ${attempt}`)
    // Once in an attempt progress may go back, from a guess. After queueing or a retry it begins at 0.
    const isBack = status === "processing" && !isStart && progress < before.progress
    if (isBack && (before.basis !== "guess" || back.has(attempt)))
      faults.push(`update ${id} falls to ${progress}`)
    if (isBack) back.add(attempt)
    if (progress === 100 && status !== "completed") faults.push(`update ${id} has 100 while ${status}`)
  }
  return faults
}

/** The command lines of the processes that contain this text, except one process. */
export function processesWith(text: string, except?: Program): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== except?.child.pid)
    .flatMap((pid) => {
      try {
        const line = readFileSync(join("/proc", pid, "cmdline"), "latin1").replaceAll("\0", " ")
        return line.includes(text) ? [line] : []
      } catch {
        // It has ended in the meantime.
        return []
      }
    })
}
