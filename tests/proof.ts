import { readdirSync, readFileSync, readlinkSync } from "node:fs"

import type { TestServer } from "./server.ts"

/** Whether the long forms run, as `bun run prove` asks for. */
export const PROVE = process.env["TRACK_STUDIO_PROVE"] === "1"

/** How much of something is done: a little in every run of the tests, everything in the proof. */
export const size = (short: number, long: number): number => (PROVE ? long : short)

/** Prints a figure of a proof. */
export const figure = (text: string): void => console.log(`    ${text}`)

/** Resident memory of the server, in MB. */
export function memory({ child: { pid } }: TestServer): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8")
  return Number(/^Rss:\s+(\d+) kB$/m.exec(rollup)?.[1]) / 1024
}

/** How many files and sockets the server holds open. */
export const descriptors = ({ child: { pid } }: TestServer): number => readdirSync(`/proc/${pid}/fd`).length

/** How many descriptors the server holds open, by what they lead to. */
export function held({ child: { pid } }: TestServer): ReadonlyMap<string, number> {
  const folder = `/proc/${pid}/fd`
  const counts = new Map<string, number>()
  for (const descriptor of readdirSync(folder)) {
    try {
      const target = readlinkSync(`${folder}/${descriptor}`).replace(/:\[\d+\]$/, ":")
      counts.set(target, (counts.get(target) ?? 0) + 1)
    } catch {
      // It was closed since the folder was read.
    }
  }
  return counts
}

/** How many sockets the server holds open: unlike its files, no other work of the server changes them. */
export const sockets = (server: TestServer): number => held(server).get("socket:") ?? 0

/** How to write many updates. */
export interface Load {
  readonly count: number
  readonly message?: string
  readonly writers?: number
  /** Called before each update with how many came before it. */
  readonly before?: (index: number) => void
}

/** Changes items in turn, several at a time; resolves when all changes are acknowledged. */
export async function write(server: TestServer, items: readonly number[], load: Load): Promise<void> {
  const { count, message = "new", writers = 8, before } = load
  let index = 0
  const writer = async (): Promise<void> => {
    while (index < count) {
      const mine = index++
      before?.(mine)
      await server.put(items[mine % items.length] ?? 0, { message })
    }
  }
  await Promise.all(Array.from({ length: writers }, writer))
}

/** The part of an update that a proof checks. */
export interface Kept {
  readonly id: number
  readonly message: string
}

/** The history of one item as the API has it, page by page. */
export async function historyOf(server: TestServer, item: number): Promise<Kept[]> {
  const found: Kept[] = []
  for (;;) {
    const path = `/queue/${item}/updates?limit=1000&after=${found.at(-1)?.id ?? 0}`
    const { updates }: { updates: Kept[] } = await (await server.api("GET", path)).json()
    found.push(...updates)
    if (updates.length === 0) return found
  }
}

/** Resolves when `holds` is true, which is checked every few milliseconds; rejects after `limitMs`. */
export async function eventually(holds: () => boolean, limitMs = 60_000): Promise<void> {
  const deadline = performance.now() + limitMs
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not so after ${limitMs} ms`)
    await Bun.sleep(5)
  }
}

/** The value below which this fraction of all values is. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
}
