import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import type { QueueItem } from "../src/item/item.ts"

/** The tested program: the binary that TRACK_STUDIO_BINARY names, otherwise the source. */
export const PROGRAM: readonly string[] = process.env["TRACK_STUDIO_BINARY"]
  ? [process.env["TRACK_STUDIO_BINARY"]]
  : ["bun", "src/main.ts"]

/** Far longer than a start takes, even on a busy machine. */
const START_MS = 30_000

/** A folder of its own, which `dispose` removes. */
export function temporaryFolder(): { path: string; [Symbol.dispose]: () => void } {
  const path = mkdtempSync(join(tmpdir(), "track-studio-"))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

/** A tested server, in its own process. */
export class TestServer {
  readonly url: string
  readonly database: string
  readonly child: Bun.Subprocess<"ignore", "pipe", "inherit">
  /** What it has logged so far. */
  log = ""
  readonly #dispose: () => void

  constructor(url: string, database: string, child: TestServer["child"], dispose: () => void) {
    this.url = url
    this.database = database
    this.child = child
    this.#dispose = dispose
  }

  /** Calls the API. A body is sent as JSON. */
  api(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`${this.url}/api/v1${path}`, {
      method,
      headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
  }

  /** Adds an item and returns its ID. */
  async add(body: object = { song_id: 1 }): Promise<number> {
    const item: { id: number } = await (await this.api("POST", "/queue", body)).json()
    return item.id
  }

  /** Changes an item; throws if the change is refused. */
  async put(id: number, body: object): Promise<void> {
    const answer = await this.api("PUT", `/queue/${id}`, body)
    if (!answer.ok) throw new Error(`PUT ${id}: ${answer.status} ${await answer.text()}`)
    await answer.arrayBuffer()
  }

  /** An item as the server has it now. */
  async item(id: number): Promise<QueueItem> {
    const answer = await this.api("GET", `/queue/${id}`)
    if (!answer.ok) throw new Error(`GET ${id}: ${answer.status} ${await answer.text()}`)
    return await answer.json()
  }

  /** The newest event ID; 0 in an empty history. */
  async head(): Promise<number> {
    const stats: { updates: { newest_id: number | null } } = await (
      await this.api("GET", "/progress/stats")
    ).json()
    return stats.updates.newest_id ?? 0
  }

  /** Resolves when the figure of `/progress/stats` fits. */
  async connectedClients(wanted: number): Promise<void> {
    for (;;) {
      const stats: { connected_clients: number } = await (await this.api("GET", "/progress/stats")).json()
      if (stats.connected_clients === wanted) return
    }
  }

  /** Ends the process with a signal and returns its exit code. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<number> {
    this.child.kill(signal)
    return await this.child.exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL")
    this.#dispose()
  }
}

/** How a run of the program ended, and what it printed. */
export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Everything that comes through a pipe until it is closed. */
export const textOf = (pipe: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> =>
  new Response(pipe).text()

/** Runs the program to its end. */
export async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const child = Bun.spawn([...PROGRAM, ...args], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, ...env },
  })
  const [stdout, stderr] = await Promise.all([textOf(child.stdout), textOf(child.stderr)])
  return { code: await child.exited, stdout, stderr }
}

/** How to start a server. The database is new unless a path is given. */
export interface StartOptions {
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly database?: string
  /** The program, before its command; default `PROGRAM`. */
  readonly program?: readonly string[]
  /** What runs the server; default `serve`. */
  readonly command?: readonly string[]
  /** Whether to stop reading the log after its first line, like a reader that dies; default false. */
  readonly leaveLog?: boolean
}

/** Starts a server on a free port; resolves when it listens. */
export async function start({
  args = [],
  env = {},
  database,
  program = PROGRAM,
  command = ["serve"],
  leaveLog = false,
}: StartOptions = {}): Promise<TestServer> {
  const folder = database === undefined ? temporaryFolder() : undefined
  const file = database ?? join(folder?.path ?? "", "test.db")
  const child = Bun.spawn([...program, ...command, "--port", "0", "--database", file, ...args], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
    env: { ...process.env, ...env },
  })
  const timer = setTimeout(() => child.kill("SIGKILL"), START_MS)
  let log = ""
  const decoder = new TextDecoder()
  const reader = child.stdout.getReader()
  while (!/"url":.*\n/.test(log)) {
    const { value, done } = await reader.read()
    if (done) throw new Error(`the server did not start: ${log}`)
    log += decoder.decode(value, { stream: true })
  }
  clearTimeout(timer)
  const { url }: { url: string } = JSON.parse(/^.*"url":.*$/m.exec(log)?.[0] ?? "")
  const server = new TestServer(url, file, child, () => folder?.[Symbol.dispose]())
  server.log = log
  if (leaveLog) {
    await reader.cancel()
    return server
  }
  // The log must be read on, or the server would stop at a full pipe.
  void (async () => {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read())
      server.log += decoder.decode(piece.value, { stream: true })
  })()
  return server
}
