import { expect, test } from "bun:test"
import { join } from "node:path"

import fc from "fast-check"

import { LocalBus } from "../../src/bus/bus.ts"
import type { Store } from "../../src/store/contract/store.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { Broadcaster } from "../../src/stream/broadcaster.ts"
import { Selection } from "../../src/stream/selection.ts"
import { ndjson } from "../../src/stream/sse-ndjson-text.ts"
import { Streams } from "../../src/stream/streams.ts"
import { added, put } from "../contracts/store.contract.ts"
import { temporaryFolder } from "../server.ts"

const tick = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

/** Small numbers that look random and are the same for the same seed. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 1664525 + 1013904223) % 4294967296
    return Math.floor((state / 4294967296) * below)
  }
}

/** A store as if it were behind a network: each answer takes some ticks, and answers overtake each other. */
function remote(inner: Store, random: (below: number) => number): Store {
  const wait = async (): Promise<void> => {
    for (let left = random(4); left > 0; left -= 1) await tick()
  }
  return new Proxy(inner, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key, target)
      if (typeof member !== "function") return member
      return async (...given: unknown[]): Promise<unknown> => {
        await wait()
        const answer: unknown = await Reflect.apply(member, target, given)
        await wait()
        return answer
      }
    },
  })
}

interface Line {
  readonly id?: number
  readonly event?: string
  readonly queue_id?: number
  readonly last_event_id?: number
}

/** One viewer: reads at its own pace, notes what it sees. */
class Viewer {
  readonly lines: Line[] = []
  readonly client = new AbortController()
  readonly queueId: number | undefined
  /** Whether it gives the stream a sink to write to, as Bun does. */
  readonly givesSink: boolean
  done: Promise<void> = Promise.resolve()

  constructor(queueId: number | undefined, givesSink: boolean) {
    this.queueId = queueId
    this.givesSink = givesSink
  }

  watch(streams: Streams, lastEventId: string | undefined, pace: () => number): void {
    const read = async (left: number): Promise<void> => {
      for (let ticks = left; ticks > 0; ticks -= 1) await tick()
    }
    const write = (chunk: Uint8Array): number | Promise<void> => {
      this.#note(chunk)
      const left = pace()
      return left > 0 ? read(left) : chunk.length
    }
    const sink = this.givesSink ? { write } : undefined
    this.done = (async () => {
      const stream = await streams.open({
        queueId: this.queueId,
        lastEventId,
        snapshot: true,
        untilFinished: false,
        format: ndjson,
        signal: this.client.signal,
      })
      for (let next = await stream?.next(); next && !next.done; next = await stream?.next(sink)) {
        this.#note(next.value)
        await read(pace())
      }
    })()
  }

  #note(chunk: Uint8Array): void {
    const text = new TextDecoder().decode(chunk)
    for (const line of text.split("\n").slice(0, -1)) this.lines.push(JSON.parse(line))
  }

  /** The updates after `live`, or after the last event ID that was given. */
  after(event: "live" | "start"): (number | undefined)[] {
    const from = event === "start" ? 0 : this.lines.findIndex((line) => line.event === "live") + 1
    return this.lines.slice(from).flatMap(({ id, event: name }) => (name === undefined ? [id] : []))
  }

  /** The updates before `live`. */
  get snapshot(): (number | undefined)[] {
    return this.lines
      .slice(
        0,
        this.lines.findIndex(({ event }) => event === "live"),
      )
      .map(({ id }) => id)
  }

  get live(): number | undefined {
    return this.lines.find(({ event }) => event === "live")?.last_event_id
  }
}

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("write" as const), items: fc.array(fc.nat(2), { maxLength: 6 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("open" as const),
      item: fc.option(fc.nat(2)),
      resume: fc.boolean(),
      sink: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("leave" as const), which: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("wait" as const), ticks: fc.nat(12) }) },
)

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/**
 * This was a real fault: a read for streams that had left made a hole in the tail of streams that had come.
 */
const FOUND: Step[] = [
  { do: "open", item: 0, resume: true, sink: false },
  { do: "write", items: [0, 0] },
  { do: "open", item: 0, resume: false, sink: false },
  { do: "write", items: [0] },
  { do: "leave", which: 0 },
  { do: "write", items: [] },
  { do: "open", item: 1, resume: false, sink: false },
]

test("streams that come and go while the history is read slowly lose nothing and see nothing twice", async () => {
  using folder = temporaryFolder()
  let databases = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), fc.nat(), async (steps, seed) => {
      const random = numbers(seed)
      const sqlite = new SqliteStore(join(folder.path, `${(databases += 1)}.db`))
      const bus = new LocalBus()
      const reports: unknown[] = []
      const report = (error: unknown) => reports.push(error)
      const store = remote(sqlite, random)
      const broadcaster = new Broadcaster(store, bus, { keepaliveMs: 50_000, onError: report })
      const streams = new Streams(store, broadcaster, { maxLag: 0, onError: report, random: () => 0.5 })
      const items = [await added(sqlite), await added(sqlite), await added(sqlite)]
      const viewers: { viewer: Viewer; resumed: number | undefined; left: boolean }[] = []
      for (const action of steps) {
        if (action.do === "write") {
          for (const item of action.items) {
            await put(sqlite, items[item] ?? 0, {})
            bus.notify()
          }
        } else if (action.do === "open") {
          const viewer = new Viewer(action.item === null ? undefined : items[action.item], action.sink)
          const resumed = action.resume ? random(await sqlite.head()) : undefined
          viewer.watch(streams, resumed?.toString(), () => random(3))
          viewers.push({ viewer, resumed, left: false })
        } else if (action.do === "leave") {
          const gone = viewers[action.which]
          if (gone) gone.left = true
          gone?.viewer.client.abort()
        } else for (let left = action.ticks; left > 0; left -= 1) await tick()
      }
      // Viewers that stay must see everything up to a last update of each item.
      for (const item of items) await put(sqlite, item, { message: "the last" })
      bus.notify()
      const head = await sqlite.head()
      const history = (await sqlite.page({ after: 0, limit: 10_000 })).updates
      for (const { viewer, resumed, left } of viewers) {
        const mine = history.filter(
          ({ queue_id }) => viewer.queueId === undefined || queue_id === viewer.queueId,
        )
        const last = mine.at(-1)?.id ?? 0
        const isUpToDate = (): boolean =>
          viewer.lines.some(({ id = 0, last_event_id = 0 }) => Math.max(id, last_event_id) >= last)
        const patientUntilMs = performance.now() + 2000
        while (!left && !isUpToDate() && performance.now() < patientUntilMs) await tick()
        viewer.client.abort()
        await viewer.done
        const wanted = (from: number): number[] => mine.map(({ id }) => id).filter((id) => id > from)
        const from = resumed ?? viewer.live ?? head
        const seen = viewer.after(resumed === undefined ? "live" : "start")
        if (resumed === undefined && viewer.live !== undefined) {
          // Before `live` came the state there: the latest update of each item up to that event ID.
          const { live } = viewer
          const state = Map.groupBy(
            mine.filter(({ id }) => id <= live),
            ({ queue_id }) => queue_id,
          )
          const latest = [...state.values()].map((updates) => updates.at(-1)?.id ?? 0)
          expect(viewer.snapshot).toEqual(latest.sort((a, b) => a - b))
        }
        // A viewer that left has seen only a beginning of it.
        expect(seen).toEqual(left ? wanted(from).slice(0, seen.length) : wanted(from))
      }
      expect(reports).toEqual([])
      broadcaster.drain()
      await sqlite.close()
    }),
    { numRuns: 100, examples: [[FOUND, 20]] },
  )
}, 180_000)

test("a wait for the end of an item ends with it, at whatever moment it comes", async () => {
  using folder = temporaryFolder()
  const inner = new SqliteStore(join(folder.path, "queue.db"))
  const bus = new LocalBus()
  for (let seed = 1; seed <= 60; seed += 1) {
    const random = numbers(seed)
    const store = remote(inner, random)
    const broadcaster = new Broadcaster(store, bus, {
      keepaliveMs: 60_000,
      onError: (error) => expect(error).toBeUndefined(),
    })
    const streams = new Streams(store, broadcaster, {
      maxLag: 0,
      onError: () => undefined,
      random: Math.random,
    })
    const id = await added(inner)
    await put(inner, id, { status: "processing" })
    const client = new AbortController()
    const waiting = streams.finished(id, client.signal).then(() => "heard")
    for (let left = random(12); left > 0; left -= 1) await tick()
    await put(inner, id, { status: "completed" })
    bus.notify()
    const tooLong = Bun.sleep(500).then(() => "missed")
    expect([seed, await Promise.race([waiting, tooLong])]).toEqual([seed, "heard"])
    client.abort()
  }
  await inner.close()
}, 180_000)

test("a sink that fails ends its own stream, is reported, and keeps nothing from the others", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "queue.db"))
  const bus = new LocalBus()
  const reports: unknown[] = []
  const broadcaster = new Broadcaster(store, bus, {
    keepaliveMs: 60_000,
    onError: (error) => reports.push(error),
  })
  const report = (error: unknown) => reports.push(error)
  const streams = new Streams(store, broadcaster, { maxLag: 0, onError: report, random: Math.random })
  const client = new AbortController()
  const watch = { snapshot: true, untilFinished: false, format: ndjson, signal: client.signal }
  const broken = await streams.open(watch)
  await broken?.next()
  const ended = broken?.next({
    write() {
      throw new Error("no such socket")
    },
  })
  const viewer = new Viewer(undefined, true)
  viewer.watch(streams, undefined, () => 0)
  const id = await added(store)
  for (let updates = 0; updates < 3; updates += 1) {
    await put(store, id, {})
    bus.notify()
    while (viewer.lines.at(-1)?.id !== (await store.head())) await tick()
  }
  expect(await ended).toEqual({ done: true, value: "failed" })
  expect(reports).toEqual([new Error("no such socket")])
  expect(broadcaster.streams.global).toBe(1)
  client.abort()
  viewer.client.abort()
  await viewer.done
  await store.close()
})

test("a viewer that asks something while others get an update gets it too", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "queue.db"))
  const bus = new LocalBus()
  const report = (error: unknown) => expect(error).toBeUndefined()
  const broadcaster = new Broadcaster(store, bus, { keepaliveMs: 60_000, onError: report })
  const streams = new Streams(store, broadcaster, { maxLag: 0, onError: report, random: Math.random })
  const client = new AbortController()
  const id = await added(store)
  // More than are woken in one tick: at the update of the first one, the last one sends its request.
  const selections = Array.from({ length: 200 }, () => new Selection(undefined))
  const seen = selections.map(() => "")
  const ask = (): void => void selections.at(-1)?.ask({ do: "refuse", code: "invalid", error: "what?" })
  for (const [place, selection] of selections.entries()) {
    const stream = await streams.open({
      selection,
      snapshot: false,
      untilFinished: false,
      format: ndjson,
      signal: client.signal,
    })
    const write = (chunk: Uint8Array): number => {
      seen[place] += new TextDecoder().decode(chunk)
      if (place === 0 && seen[place]?.includes('"id":3')) ask()
      return chunk.length
    }
    void (async () => {
      for (let next = await stream?.next(); next && !next.done; next = await stream?.next({ write }))
        write(next.value)
    })()
  }
  const isTold = (update: number): boolean => seen.every((text) => text.includes(`"id":${update},`))
  for (const update of [2, 3, 4]) {
    await put(store, id, {})
    bus.notify()
    for (const untilMs = performance.now() + 1000; !isTold(update) && performance.now() < untilMs;)
      await tick()
  }
  expect([2, 3, 4].map(isTold)).toEqual([true, true, true])
  expect(seen.at(-1)).toContain("what?")
  client.abort()
  await store.close()
})
