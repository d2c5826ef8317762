import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs"
import { dirname, join } from "node:path"

import { write } from "./load.ts"
import { folder, freePort, projectRoot, run, sleep } from "./machine.ts"
import { type Contender, firstAnswer, Process, ready, Target } from "./processes.ts"

/** The program that is measured. */
export const binary = join(projectRoot, "dist/track-studio")
const api = "/api/v1"

/** The name of our own column. */
export const ours = "ours"

/** The name of the column for our program with little in its database, for comparisons with itself. */
export const oursSmall = "ours, small"

/** The name of the column for our program with nothing else running. */
export const oursAlone = "ours, alone"

/**
 * The name of the column for our program without tokens, so that everybody on this machine may do everything.
 */
export const oursOpen = "ours, no token"

/** The name of the column of ours with streams that are opened in the usual way. */
export const oursUsual = "ours, usual"

/** Paths of the product that the scenarios ask for. */
export const paths = {
  queue: `${api}/queue`,
  list: `${api}/queue?limit=100`,
  claim: `${api}/queue/claim`,
  stats: `${api}/progress/stats`,
  item: `${api}/queue/%I`,
  stream: `${api}/progress/stream`,
  itemStream: `${api}/progress/stream/%I`,
  health: "/health",
} as const

/** A fresh folder for a database on the project's disk. */
export function databaseFolder(): string {
  return mkdtempSync(join(folder("run"), "ours-"))
}

/** The command that serves a database. */
export function serveCommand(port: number, databasePath: string, args: readonly string[] = []): string[] {
  return [binary, "serve", "--port", `${port}`, "--database", databasePath, ...args]
}

function newestSourceMs(path: string): number {
  const entry = statSync(path)
  if (!entry.isDirectory()) return entry.mtimeMs
  return Math.max(0, ...readdirSync(path).map((name) => newestSourceMs(join(path, name))))
}

/** Builds the binary unless it is newer than its source. Returns the error message if that fails. */
export function build(): string | undefined {
  const sources = ["src", "package.json"]
    .map((name) => join(projectRoot, name))
    .filter((path) => existsSync(path))
  const newestMs = Math.max(...sources.map(newestSourceMs))
  if (existsSync(binary) && statSync(binary).mtimeMs > newestMs) return undefined
  console.error("building dist/track-studio")
  const { ok, text } = run([process.execPath, "run", "build"], { timeoutMs: 120_000 })
  return ok && existsSync(binary) ? undefined : text.split("\n").slice(-3).join(" ") || "the build failed"
}

/** The JSON body of a write whose update has at least `message.length` bytes of data. */
export function updateBody(message: string): string {
  return JSON.stringify({ status: "processing", progress: 50, message })
}

const mark = "ts=%T"

// Our data is JSON that contains more than the message. The peers send 250 bytes, so the message fills the
// data up to that.
async function paddedBody(port: number): Promise<string> {
  const item = `http://127.0.0.1:${port}${api}/queue/1`
  const sample = "ts=0000000000000000"
  const answer = await fetch(item, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: updateBody(sample),
    signal: AbortSignal.timeout(10_000),
  })
  if (!answer.ok) throw new Error(`PUT ${item}: ${answer.status} ${await answer.text()}`)
  const data = await firstData(`http://127.0.0.1:${port}${paths.stream}/1`)
  return updateBody(mark + "x".repeat(Math.max(0, 250 - new TextEncoder().encode(data).length)))
}

async function firstData(url: string): Promise<string> {
  const answer = await fetch(url, {
    headers: { accept: "text/event-stream" },
    signal: AbortSignal.timeout(10_000),
  })
  const decoder = new TextDecoder()
  let text = ""
  for await (const bytes of answer.body ?? []) {
    text += decoder.decode(bytes, { stream: true })
    const data = /^data: (.*)\n/m.exec(text)?.[1]
    if (data !== undefined) return data
  }
  throw new Error(`${url} ended without data`)
}

/** Reads JSON. */
export async function get(target: Target, path: string): Promise<unknown> {
  const answer = await fetch(`http://127.0.0.1:${target.port}${path}`, {
    signal: AbortSignal.timeout(10_000),
  })
  if (!answer.ok) throw new Error(`GET ${path}: ${answer.status} ${await answer.text()}`)
  return answer.json()
}

/** Adds queue items; their numbers follow each other. */
export async function addItems(target: Target, count: number): Promise<void> {
  const body = JSON.stringify({ song_id: 1 })
  const load = {
    connections: Math.min(count, 64),
    requests: count,
    method: "POST",
    path: paths.queue,
    body,
  } as const
  const { ok, bad, neterr } = await write(target, load)
  if (ok !== count) throw new Error(`only ${ok} of ${count} items were added (${bad} refused, ${neterr} cut)`)
}

/** The header lines of a new token of ours; the server at the port takes it when this is done. */
function headersOfToken(port: number, databasePath: string): Promise<string[]> {
  const { ok, text } = run([binary, "token", "create", "--role", "admin", "--database", databasePath])
  const [token] = /tsk_[\w-]{43}/.exec(text) ?? []
  if (!ok || token === undefined) throw new Error(`no token: ${text}`)
  const authorization = `Bearer ${token}`
  const isTaken = async (): Promise<boolean> => {
    const url = `http://127.0.0.1:${port}${paths.stats}`
    const answers = await Promise.all([fetch(url, { headers: { authorization } }), fetch(url)])
    return answers[0]?.status === 200 && answers[1]?.status === 401
  }
  const waited = async (): Promise<string[]> => {
    while (!(await isTaken())) await sleep(50)
    return [`Authorization: ${authorization}`]
  }
  return waited()
}

/**
 * Serves a new database with one item, for as many clients as there are tokens. When the first one stops, the
 * server ends. `prepare` runs before the first token is created.
 */
export async function startForClients(
  count: number,
  args: readonly string[] = [],
  prepare: (open: Target) => Promise<void> = () => Promise.resolve(),
): Promise<Target[]> {
  const databasePath = join(databaseFolder(), "track-studio.db")
  const first = await startOurs({ items: 1, databasePath, args })
  await prepare(first)
  const clients: Target[] = []
  for (let client = 0; client < count; client++)
    clients.push(first.with(await headersOfToken(first.port, databasePath)))
  return clients
}

/** Serves a fresh database with `items` queue items, or the one at `databasePath` as it is. */
export async function startOurs(
  options: ({ items: number; databasePath?: string } | { databasePath: string }) & {
    args?: readonly string[]
  },
): Promise<Target> {
  const isFresh = "items" in options
  const databasePath = options.databasePath ?? join(databaseFolder(), "track-studio.db")
  const port = freePort()
  const { args = [] } = options
  const server = Process.start(ours, serveCommand(port, databasePath, args), { on: "server" })
  if (isFresh) void server.exited.then(() => rmSync(dirname(databasePath), { recursive: true, force: true }))
  await ready(port, [server])
  // Before it creates a database, a server listens for a moment to see whether its port is free.
  await firstAnswer(`http://127.0.0.1:${port}${paths.health}`)
  const stream = { path: paths.stream, live: true }
  const put = { method: "PUT", path: `${paths.queue}/1` } as const
  const at = (body: string): Target => new Target(ours, port, { stream, write: { ...put, body } }, [server])
  if (!("items" in options)) return at("{}")
  await addItems(at("{}"), options.items)
  return at(await paddedBody(port))
}

/** Ours, with a fresh database of one item. */
export const oursContender: Contender = { name: ours, start: () => startOurs({ items: 1 }) }
