import { copyFileSync, mkdirSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"

import { inTurn, row, type Scenario } from "./bench.ts"
import { Readers, write, type WriteLoad } from "./load.ts"
import { addItems, databaseFolder, get, ours, oursSmall, paths, startOurs, updateBody } from "./ours.ts"
import type { Contender, Target } from "./processes.ts"
import { type Row, short } from "./table.ts"

const openItems = 100
const replayed = 1_000
const little = { items: 110, updates: 1_000 } as const
const message = `ts=%T${"x".repeat(100)}`

async function send(target: Target, requests: number, load: Omit<WriteLoad, "connections">): Promise<void> {
  const { ok } = await write(target, { connections: 64, seconds: 400, requests, path: paths.item, ...load })
  if (ok !== requests) throw new Error(`${ok} of ${requests} writes taken while the history was filled`)
}

/** Adds items and exactly `updates` updates of them, and completes all items but the first `left`. */
async function fill(
  target: Target,
  size: { items: number; updates: number; offset: number; left: number },
): Promise<void> {
  const { items, updates, offset, left } = size
  const ended = items - left
  const body = updateBody(message)
  await addItems(target, items)
  await send(target, items, { items, offset, body })
  await send(target, updates - 2 * items - ended, { items, offset, body })
  const completed = JSON.stringify({ status: "completed", message })
  await send(target, ended, { items: ended, offset: offset + left, body: completed })
}

interface Filled {
  path: string
  /** The item that is written to: the first that is not terminal. */
  item: number
}

// A long history ends exactly like the short one, so that lists and replays are the same.
async function filled(path: string, updates: number, items: number): Promise<Filled> {
  // On a slow disk this takes minutes, and each item that was marked stalled meanwhile had an update more.
  const target = await startOurs({ databasePath: path, args: ["--stall-after-ms", "86400000"] })
  const before = items - little.items
  try {
    if (before > 0)
      await fill(target, { items: before, updates: updates - little.updates, offset: 0, left: 0 })
    await fill(target, { ...little, offset: before, left: openItems })
    if ((await head(target)) !== updates)
      throw new Error(`${await head(target)} updates instead of ${updates}`)
  } finally {
    await target.stop()
  }
  return { path, item: before + 1 }
}

async function head(target: Target): Promise<number> {
  const stats = (await get(target, paths.stats)) as { updates: { newest_id: number } }
  return stats.updates.newest_id
}

interface Figures {
  listUs: number
  snapshotUs: number
  replayUs: number
  putUs: number
  putsPerSecond: number
  faults: string[]
}

async function untilLive(
  target: Target,
  expected: number,
  lastEventId?: number,
): Promise<{ us: number; faults: string[] }> {
  const readers = await Readers.open(target, {
    count: 40,
    inFlight: 1,
    ...(lastEventId === undefined ? {} : { lastEventId }),
  })
  await readers.finish()
  const { failed, pending, before_min, before_max, disorder, live_us } = readers.connected
  const right = before_min === expected && before_max === expected && failed + pending + disorder === 0
  const fault = `${before_min} to ${before_max} updates before live instead of ${expected}, ${disorder} out of order`
  return { us: live_us.p50, faults: right ? [] : [fault] }
}

async function measured(target: Target, item: number, seconds: number): Promise<Figures> {
  const list = (await get(target, paths.list)) as { queue: { status: string }[] }
  const open = list.queue.filter(({ status }) => status === "processing").length
  const listing = await write(target, { connections: 1, seconds, method: "GET", path: paths.list, body: "" })
  const snapshot = await untilLive(target, openItems)
  const replay = await untilLive(target, replayed, (await head(target)) - replayed)
  const put = { path: `${paths.queue}/${item}`, body: updateBody(message), seconds }
  const single = await write(target, { ...put, connections: 1 })
  const many = await write(target, { ...put, connections: 16 })
  const failed = [listing, single, many].reduce((sum, { sent, ok }) => sum + sent - ok, 0)
  const faults = [...snapshot.faults, ...replay.faults]
  if (open !== openItems) faults.push(`${open} open items listed instead of ${openItems}`)
  if (failed > 0) faults.push(`${failed} requests failed`)
  return {
    listUs: listing.rt_us.p50,
    snapshotUs: snapshot.us,
    replayUs: replay.us,
    putUs: single.rt_us.p50,
    putsPerSecond: many.per_s,
    faults,
  }
}

function tell(figures: Figures): string {
  const { listUs, snapshotUs, replayUs, putUs, putsPerSecond, faults } = figures
  const times = `list ${listUs} us, snapshot ${snapshotUs} us, replay ${replayUs} us, PUT ${putUs} us`
  return [times, `${short(putsPerSecond)} PUT/s`, ...faults].join(", ")
}

function rows(results: Map<string, Figures[]>, about: string): Row[] {
  const faults = [...results.values()].flat().flatMap((run) => run.faults)
  const bar = { kind: "at most", limit: 2, times: oursSmall } as const
  const one = (measure: string, unit = "us") => ({
    scenario: "H",
    measure: `${about}: ${measure}`,
    unit,
    bar,
  })
  return [
    row(results, ({ listUs }) => listUs, one("list of 100"), [...new Set(faults)]),
    row(results, ({ snapshotUs }) => snapshotUs, one("snapshot of 100, until live")),
    row(results, ({ replayUs }) => replayUs, one("replay of 1,000, until live")),
    row(results, ({ putUs }) => putUs, one("PUT, 1 connection")),
    row(results, ({ putsPerSecond }) => putsPerSecond, {
      ...one("PUT, 16 connections", "1/s"),
      bar: { kind: "at least", limit: 0.5, times: oursSmall },
    }),
  ]
}

// Writes make a history longer, so each run has its own copy.
function copyOf(name: string, path: string, home: string): Contender {
  const copyPath = join(home, "copy", "track-studio.db")
  return {
    name,
    start() {
      rmSync(dirname(copyPath), { recursive: true, force: true })
      mkdirSync(dirname(copyPath))
      copyFileSync(path, copyPath)
      return startOurs({ databasePath: copyPath })
    },
  }
}

/** A long history against a short one. */
export const history: Scenario = {
  letter: "H",
  name: "history",
  title: "a long history against a short one",
  async measure({ plan, ours: contender }) {
    if (!contender) return []
    const home = databaseFolder()
    const items = Math.min(10_000, plan.storedUpdates / 100)
    console.error(`  H storing ${short(plan.storedUpdates)} updates of ${short(items)} items`)
    const sizes: Record<string, Filled> = {
      [ours]: await filled(join(home, "long.db"), plan.storedUpdates, items),
      [oursSmall]: await filled(join(home, "short.db"), little.updates, little.items),
    }
    const candidates = Object.entries(sizes).map(([name, { path }]) => copyOf(name, path, home))
    const seconds = plan.writeSeconds / 2
    const one = (target: Target, name: string): Promise<Figures> =>
      measured(target, sizes[name]?.item ?? 1, seconds)
    const results = await inTurn("H", candidates, plan.runs, one, tell)
    rmSync(home, { recursive: true, force: true })
    return rows(results, `${short(plan.storedUpdates)} updates, ${short(items)} items`)
  },
}
