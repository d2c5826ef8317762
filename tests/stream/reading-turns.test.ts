import { expect, test } from "bun:test"

import { LocalBus } from "../../src/bus/bus.ts"
import type { StoredUpdate } from "../../src/item/stored.ts"
import { Metrics } from "../../src/metrics/metrics.ts"
import type { History } from "../../src/store/contract/history.ts"
import { Broadcaster } from "../../src/stream/broadcaster.ts"
import { ReadingTurns } from "../../src/stream/reading-turns.ts"
import { sse } from "../../src/stream/sse-ndjson-text.ts"
import { Owner } from "../../src/stream/stream-limits.ts"
import { StreamMetrics } from "../../src/stream/stream-metrics.ts"
import { Streams } from "../../src/stream/streams.ts"
import { parsed, valueOf } from "../metrics/exposition.ts"

const tick = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

const update = (id: number): StoredUpdate => ({
  id,
  queue_id: 1,
  song_id: 1,
  status: "processing",
  data: "{}",
})

/** A history of this many updates. `read` is called for each page, with the number of updates that it may have. */
function historyOf(updates: number, read: (limit: number) => Promise<void>): History {
  return {
    historyId: "test",
    head: async () => updates,
    bounds: async () => ({ oldest: 1, newest: updates, lost: [], stored: updates }),
    latest: async () => ({ ids: [], head: updates }),
    latestOfItem: async () => ({ update: update(updates), head: updates }),
    updates: async (ids) => ({ updates: ids.map(update), more: false }),
    previous: async () => null,
    count: async (after, upTo) => upTo - after,
    async page({ after, limit }) {
      await read(limit)
      const upTo = Math.min(after + limit, updates)
      return {
        updates: Array.from({ length: upTo - after }, (_, i) => update(after + 1 + i)),
        more: upTo < updates,
      }
    },
  }
}

/** Where a stream resumes (by default at the start), which item it watches, and whether it wants any update. */
interface Replay {
  from?: number
  queueId?: number
  isAll?: boolean
}

/**
 * Streams on such a history that match none of its updates. Each resolves with what it sent up to `live`, or
 * up to its end.
 */
function replays(
  updates: number,
  keepaliveMs: number,
  read: (limit: number) => Promise<void>,
  metrics = new StreamMetrics(),
) {
  const onError = (error: unknown): void => expect(error).toBeUndefined()
  const history = historyOf(updates, read)
  const broadcaster = new Broadcaster(history, new LocalBus(), { keepaliveMs, onError, metrics })
  const streams = new Streams(history, broadcaster, { maxLag: 0, random: Math.random, onError })
  return async (signal: AbortSignal, { from = 0, queueId, isAll = false }: Replay = {}): Promise<string> => {
    let got = ""
    const live = Promise.withResolvers<void>()
    const write = (chunk: Uint8Array): number => {
      got += new TextDecoder().decode(chunk)
      if (got.includes("event: live")) live.resolve()
      return chunk.length
    }
    const wanted = isAll ? undefined : () => false
    const watch = { lastEventId: `${from}`, queueId, wanted, snapshot: true, untilFinished: false }
    const stream = await streams.open({ ...watch, format: sse, signal })
    const drained = async (): Promise<void> => {
      for (let next = await stream?.next(); next && !next.done; next = await stream?.next({ write }))
        write(next.value)
    }
    await Promise.race([live.promise, drained()])
    return got
  }
}

test("few stints run at once, the others in the order in which they came", async () => {
  const turns = new ReadingTurns()
  let [running, most] = [0, 0]
  const order: number[] = []
  const stint = (number: number) =>
    turns.stint(undefined, async () => {
      running += 1
      most = Math.max(most, running)
      order.push(number)
      for (let page = 0; page < 3; page += 1) await turns.page()
      running -= 1
      if (number % 5 === 0) throw new Error("unreadable")
    })
  const all = await Promise.allSettled(Array.from({ length: 40 }, (_, number) => stint(number)))
  expect(all.filter(({ status }) => status === "rejected")).toHaveLength(8)
  expect(most).toBe(8)
  expect(order).toEqual(Array.from({ length: 40 }, (_, number) => number))
})

test.each<[limit: number | undefined, mostAtOnce: number]>([
  [4, 4],
  [0, 8],
  [undefined, 8],
])("with a limit of %p stints an owner has %d at once, and owners take turns", async (limit, mostAtOnce) => {
  const turns = new ReadingTurns(limit)
  const running = new Map<string, number>()
  let most = 0
  const ended: string[] = []
  const stint = (name: string, owner: Owner) =>
    turns.stint(owner, async () => {
      const now = (running.get(name) ?? 0) + 1
      running.set(name, now)
      if (name === "greedy") most = Math.max(most, now)
      await turns.page()
      running.set(name, (running.get(name) ?? 0) - 1)
      ended.push(name)
    })
  const greedy = new Owner()
  const all = Array.from({ length: 1000 }, () => stint("greedy", greedy))
  all.push(...Array.from({ length: 20 }, (_, number) => stint(`other ${number}`, new Owner())))
  await Promise.all(all)
  expect(most).toBe(mostAtOnce)
  // Each other one waited for one round of all, and not for a thousand rounds.
  expect(ended.lastIndexOf("other 19")).toBeLessThan(60)
  expect(ended).toHaveLength(1020)
})

test("the limit of an owner counts the stints that go on when another one of it ends and none waits", async () => {
  const turns = new ReadingTurns(2)
  const owner = new Owner()
  let running = 0
  const begin = (): (() => Promise<void>) => {
    const end = Promise.withResolvers<void>()
    const over = turns.stint(owner, async () => {
      running += 1
      await end.promise
      running -= 1
    })
    return () => (end.resolve(), over)
  }
  const [first, second] = [begin(), begin()]
  await first()
  const others = [begin(), begin()]
  await tick()
  expect(running).toBe(2)
  await Promise.all([second, ...others].map((end) => end()))
  expect(running).toBe(0)
})

test("an owner who reads nothing any more is forgotten", async () => {
  const turns = new ReadingTurns(4)
  let asked = 0
  const first = new Owner()
  // Whose turn it is depends on this of each owner who is known.
  Object.defineProperty(first, "isLimited", {
    get() {
      asked += 1
      return true
    },
  })
  await turns.stint(first, async () => undefined)
  const before = asked
  await turns.stint(new Owner(), async () => undefined)
  expect([before > 0, asked]).toEqual([true, before])
})

test("streams that resume at about the same time read a page once for all, and each gets every update once", async () => {
  let pages = 0
  const replay = replays(5000, 50_000, async (limit) => {
    if (limit >= 256) pages += 1
  })
  const client = new AbortController()
  const froms = Array.from({ length: 40 }, (_, at) => at * 20)
  const all = await Promise.all(froms.map((from) => replay(client.signal, { from, isAll: true })))
  client.abort()
  for (const [at, got] of all.entries()) {
    const ids = [...got.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))
    const from = froms[at] ?? 0
    expect(ids).toEqual([...Array.from({ length: 5000 - from }, (_, next) => from + 1 + next), 5000])
  }
  // Each stream reads the last page by itself, because it grows. Otherwise there would be 760 pages.
  expect(pages).toBeLessThan(froms.length + 40)
})

test("pages are read one per tick of the event loop, however many streams replay", async () => {
  let [pages, inTurn, most] = [0, 0, 0]
  const replay = replays(20_000, 50_000, async (limit) => {
    // Each stream first looks whether only a few updates follow.
    if (limit < 256) return
    pages += 1
    inTurn += 1
    most = Math.max(most, inTurn)
    setImmediate(() => (inTurn -= 1))
  })
  const client = new AbortController()
  // Streams of one item each, which share no pages.
  const done = Promise.all(Array.from({ length: 30 }, (_, at) => replay(client.signal, { queueId: at + 1 })))
  const all = await done
  client.abort()
  expect(all.every((got) => got.includes("event: live"))).toBe(true)
  expect(pages).toBeGreaterThan(30 * 19)
  // The page of the tick before may still be counted.
  expect(most).toBeLessThanOrEqual(2)
})

test("a replay whose filter matches nothing stops reading when its client leaves", async () => {
  const client = new AbortController()
  let pages = 0
  const replay = replays(1_000_000, 50_000, async () => {
    pages += 1
    if (pages === 20) client.abort()
  })
  await replay(client.signal)
  for (let ticks = 0; ticks < 20; ticks += 1) await tick()
  expect(pages).toBeLessThan(25)
})

test("replays whose filter matches nothing hold up no other one, however long the history is", async () => {
  let pages = 0
  const replay = replays(1_000_000, 50_000, async () => {
    pages += 1
  })
  const client = new AbortController()
  const long = Array.from({ length: 12 }, (_, at) => replay(client.signal, { queueId: at + 1 }))
  await tick()
  const got = await replay(client.signal, { from: 999_000, isAll: true })
  client.abort()
  await Promise.all(long)
  expect(got).toContain("event: live")
  // One page of each of the twelve for each of its own four, where all of theirs would be 46,000.
  expect(pages).toBeLessThan(200)
})

test("a long replay whose filter matches nothing is kept alive", async () => {
  const metrics = new Metrics()
  const replay = replays(100_000, 40, () => Bun.sleep(4), new StreamMetrics(metrics))
  const client = new AbortController()
  const got = await replay(client.signal)
  client.abort()
  expect(got.match(/^: keepalive$/gm)?.length).toBeGreaterThan(2)
  expect(got).toEndWith('"history":"test"}\n\n')
  const told = parsed(await metrics.text((error) => expect(error).toBeUndefined()))
  expect(valueOf(told, "track_studio_sent_bytes_total")).toBe(got.length)
})
