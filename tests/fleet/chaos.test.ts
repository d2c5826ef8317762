import { describe, expect, setDefaultTimeout, test } from "bun:test"

import { figure, PROVE, quantile, size } from "../proof.ts"
import { Viewer } from "./chaos-viewer.ts"
import { Client } from "./client.ts"
import { Fleet, FREE_FOR_ALL, whyNoFleet } from "./fleet.ts"

setDefaultTimeout(300_000)

const LASTS_MS = size(10_000, 60_000)
const KILLED_EVERY_MS = size(3000, 5000)
const AWAY_MS = size(3000, 10_000)
const VIEWERS = size(40, 1000)
const WORKERS = 4
const REPORTS = 20
const LEASE_S = 10

const why = whyNoFleet()

interface Claimed {
  readonly item: { readonly id: number }
  readonly lease: { readonly token: string }
}

/** Adds items until `isOver`, each with its own key. Returns how many. */
async function adding(client: Client, isOver: () => boolean): Promise<number> {
  let added = 0
  for (; !isOver(); added += 1) {
    const key = { "idempotency-key": `song-${added}` }
    const { status } = await client.ask("POST", "/queue", { song_id: added + 1 }, key)
    expect(status).toBe(201)
    await Bun.sleep(size(200, 400))
  }
  return added
}

/** Whether every item is finished: a list begins with those that are not. */
async function isAllDone(client: Client): Promise<boolean> {
  const { body } = await client.ask("GET", "/queue?limit=1")
  const { queue } = body as { readonly queue: readonly { readonly completed_at: string | null }[] }
  return queue.every(({ completed_at }) => completed_at !== null)
}

/** Renders one item after the other until none is left and `isOver`. Returns how many it completed. */
async function working(client: Client, name: string, isOver: () => boolean): Promise<number> {
  for (let completed = 0; ;) {
    const claim = await client.ask("POST", "/queue/claim", { worker: name, wait: 1, lease: LEASE_S })
    // An item whose claim was never answered waits for the end of its lease.
    if (claim.status === 204 && isOver() && (await isAllDone(client))) return completed
    if (claim.status !== 200) continue
    const { item, lease } = claim.body as Claimed
    const path = `/queue/${item.id}`
    const headers = { lease: lease.token }
    for (let report = 1; report <= REPORTS; report += 1) {
      const progress = Math.floor((report * 100) / REPORTS) - 1
      const { status } = await client.ask("POST", `${path}/progress`, { progress }, headers)
      expect([report, status]).toEqual([report, 200])
      await Bun.sleep(40)
    }
    expect((await client.ask("POST", `${path}/complete`, {}, headers)).status).toBe(200)
    completed += 1
  }
}

/** Kills an instance every few seconds, stops Redis for a while, and restarts PostgreSQL hard. */
async function chaos({ instances, redis, postgres }: Fleet): Promise<void> {
  const killing = async (): Promise<void> => {
    for (let killed = 0; (killed + 1) * KILLED_EVERY_MS < LASTS_MS; killed += 1) {
      await Bun.sleep(KILLED_EVERY_MS)
      const instance = instances[killed % instances.length]
      await instance?.end()
      await Bun.sleep(KILLED_EVERY_MS / 6)
      instance?.begin()
    }
  }
  const ringing = async (): Promise<void> => {
    await Bun.sleep(LASTS_MS / 4)
    await redis?.crash()
    await Bun.sleep(AWAY_MS)
    await redis?.start()
  }
  const storing = async (): Promise<void> => {
    await Bun.sleep(LASTS_MS * 0.65)
    await postgres.crash()
    await postgres.start()
  }
  await Promise.all([killing(), ringing(), storing()])
}

interface Kept {
  readonly id: number
  readonly queue_id: number
  readonly status: string
}

/** The whole history, as one instance replays it. */
async function historyOf(fleet: Fleet): Promise<Kept[]> {
  const found: Kept[] = []
  const stream = await fetch(`${fleet.url}/api/v1/progress/stream?format=ndjson&last_event_id=0`)
  let rest = ""
  const decoder = new TextDecoder()
  for await (const bytes of stream.body ?? []) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines) {
      const frame: Kept & { readonly event?: string } = JSON.parse(line)
      if (frame.event === "live") return found
      found.push(frame)
    }
  }
  throw new Error("the replay ended before it was live")
}

const from1 = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1)

async function tried(bus: "redis" | "postgres"): Promise<void> {
  await using fleet = await Fleet.start({ bus, args: FREE_FOR_ALL })
  const client = new Client(fleet.url)
  const viewers = Array.from({ length: VIEWERS }, () => new Viewer(fleet.url))
  for (const viewer of viewers) viewer.watch()
  let isOver = false
  const items = adding(client, () => isOver)
  const done = Promise.all(from1(WORKERS).map((n) => working(client, `box-${n}`, () => isOver)))
  await chaos(fleet)
  await Promise.all(fleet.instances.map((instance) => instance.listening()))
  isOver = true
  const added = await items
  const completed = (await done).reduce((sum, one) => sum + one, 0)
  const history = await historyOf(fleet)
  const head = history.at(-1)?.id ?? 0
  for (let waitedMs = 0; waitedMs < 30_000 && viewers.some(({ last }) => last < head); waitedMs += 50) {
    await Bun.sleep(50)
  }
  for (const viewer of viewers) viewer.stop()
  const delays = viewers[0]?.delaysMs ?? []
  const reconnects = viewers.reduce((sum, viewer) => sum + viewer.reconnects, 0)
  figure(
    `${bus}: ${added} items, ${head} updates, ${VIEWERS} viewers, ${reconnects} reconnects; update to viewer p50 ${quantile(delays, 0.5)}, p99 ${quantile(delays, 0.99)}, max ${quantile(delays, 1)} ms; faults mended: ${JSON.stringify(Object.fromEntries(client.faults))}`,
  )
  expect(history.map(({ id }) => id)).toEqual(from1(head))
  const ends = history.filter(({ status }) => status === "completed").map(({ queue_id }) => queue_id)
  expect(ends.toSorted((a, b) => a - b)).toEqual(
    [...new Set(history.map(({ queue_id }) => queue_id))].toSorted((a, b) => a - b),
  )
  expect([completed, ends.length]).toEqual([added, added])
  expect(viewers.flatMap(({ faults }) => faults)).toEqual([])
  expect(viewers.filter(({ last, updates }) => last !== head || updates !== head)).toEqual([])
  expect(reconnects).toBeGreaterThan(VIEWERS / 2)
}

describe.skipIf(why !== undefined)(
  `a fleet in which anything may die${why ? ` (skipped: ${why})` : ""}`,
  () => {
    // The short form has one of them: with Redis, whose absence is one more fault.
    test.each(PROVE ? (["redis", "postgres"] as const) : (["redis"] as const))(
      "ringing by %s, shows every viewer every update once and in order, and ends every item once",
      (bus) => tried(bus),
    )
  },
)
