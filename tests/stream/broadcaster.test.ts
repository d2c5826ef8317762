import { expect, spyOn, test } from "bun:test"
import { getEventListeners } from "node:events"
import { join } from "node:path"

import { LocalBus } from "../../src/bus/bus.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { Broadcaster } from "../../src/stream/broadcaster.ts"
import { Seat, type SeatKind, type WakeReason } from "../../src/stream/seat.ts"
import type { Wanted } from "../../src/stream/selection.ts"
import { ndjson, sse } from "../../src/stream/sse-ndjson-text.ts"
import { added, put } from "../contracts/store.contract.ts"
import { temporaryFolder } from "../server.ts"
import { counting } from "./counting.ts"
import { MemoryHistory } from "./memory-history.ts"

const LONG_MS = 50_000
const never = new AbortController().signal

/** A broadcaster on a new database. `write` stores updates of items in one tick and notifies once. */
async function open({ keepaliveMs = LONG_MS } = {}) {
  const folder = temporaryFolder()
  const sqlite = new SqliteStore(join(folder.path, "test.db"))
  const { store, count, fail, hold } = counting(sqlite)
  const bus = new LocalBus()
  const reports: unknown[] = []
  const broadcaster = new Broadcaster(store, bus, { keepaliveMs, onError: (error) => reports.push(error) })
  return {
    broadcaster,
    bus,
    count,
    fail,
    hold,
    reports,
    sqlite,
    async write(items: readonly number[], message = "new"): Promise<void> {
      await Promise.all(items.map((id) => put(sqlite, id, { message })))
      bus.notify()
    },
    async [Symbol.asyncDispose]() {
      broadcaster.drain()
      await sqlite.close()
      folder[Symbol.dispose]()
    },
  }
}

/** A seat of its own, taken. */
async function seated(
  broadcaster: Broadcaster,
  kind: SeatKind,
  queueId: number | undefined,
  signal: AbortSignal,
): Promise<Seat> {
  const seat = new Seat(kind, queueId)
  await broadcaster.join(seat, signal)
  return seat
}

/** A seat that has examined everything and waits. */
async function waiting(broadcaster: Broadcaster, queueId?: number): Promise<[Seat, Promise<WakeReason>]> {
  const seat = await seated(broadcaster, queueId === undefined ? "global" : "item", queueId, never)
  seat.cursor = broadcaster.head
  return [seat, seat.wait()]
}

/** The event IDs that a seat takes; null if the tail does not reach back to it. */
const takenIds = (broadcaster: Broadcaster, seat: Seat, wanted?: Wanted): number[] | null =>
  broadcaster.tail
    .take(seat, wanted)
    ?.flat()
    .map(({ update }) => update.id) ?? null

/** Some ticks of the event loop: time for something that must not happen. */
async function ticks(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await new Promise<void>((resolve) => void setImmediate(resolve))
}

test("what is new in a tick is read once, for all streams", async () => {
  await using opened = await open()
  const { broadcaster, sqlite, count, write } = opened
  const items = await Promise.all(Array.from({ length: 30 }, () => added(sqlite)))
  const seats = await Promise.all(Array.from({ length: 200 }, () => waiting(broadcaster)))
  const before = count("page")
  await write(items)
  expect(await Promise.all(seats.map(([, woken]) => woken))).toEqual(seats.map(() => "batch"))
  expect(count("page") - before).toBe(1)
  expect(broadcaster.head).toBe(60)
})

test("many notifications of one tick are one read", async () => {
  await using opened = await open()
  const { broadcaster, bus, sqlite, count } = opened
  const [, woken] = await waiting(broadcaster)
  const before = count("page")
  await Promise.all(Array.from({ length: 50 }, () => added(sqlite).then(() => bus.notify())))
  await woken
  await ticks()
  expect(count("page") - before).toBe(1)
})

test("a stream that leaves while the head is still being read leaves no one following the history or its signal", async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const history = new MemoryHistory(async () => promise, 10)
  const bus = new LocalBus()
  const broadcaster = new Broadcaster(history, bus, {
    keepaliveMs: LONG_MS,
    onError: (error) => Promise.reject(error),
  })
  history.append(1, "processing")
  const seat = new Seat("global", undefined)
  const { signal } = new AbortController()
  const joined = broadcaster.join(seat, signal)
  broadcaster.leave(seat)
  expect(getEventListeners(signal, "abort")).toEqual([])
  resolve()
  await joined
  history.append(1, "processing")
  bus.notify()
  await ticks()
  // Otherwise it would seem deaf, and a later stream would open with an old state.
  expect([broadcaster.heard, broadcaster.covers(1)]).toEqual([undefined, false])
})

test("with no stream open the history is not read, and no timer runs", async () => {
  await using opened = await open()
  const { broadcaster, sqlite, count, write } = opened
  const id = await added(sqlite)
  using started = spyOn(globalThis, "setInterval")
  using cleared = spyOn(globalThis, "clearInterval")
  await write([id])
  await ticks()
  expect(count("page") + count("head")).toBe(0)
  expect(started).toHaveBeenCalledTimes(0)
  const [seat] = await waiting(broadcaster)
  const [other] = await waiting(broadcaster, id)
  expect(started).toHaveBeenCalledTimes(1)
  broadcaster.leave(seat)
  broadcaster.leave(other)
  expect(cleared).toHaveBeenCalledTimes(1)
  await write([id])
  await ticks()
  expect(count("page")).toBe(0)
})

test("an item's streams wake for their item alone", async () => {
  await using opened = await open()
  const { broadcaster, sqlite, write } = opened
  const [mine, other] = [await added(sqlite), await added(sqlite)]
  const [seat, woken] = await waiting(broadcaster, mine)
  const [stays] = await waiting(broadcaster, other)
  await write([mine])
  expect(await woken).toBe("batch")
  expect(seat.waiting).toBe(false)
  expect(stays.waiting).toBe(true)
})

test("a waiting stream's cursor jumps to the head before the batch that wakes it", async () => {
  await using opened = await open()
  const { broadcaster, sqlite, count, write } = opened
  const [mine, other] = [await added(sqlite), await added(sqlite)]
  const [seat, woken] = await waiting(broadcaster, mine)
  const [, global] = await waiting(broadcaster)
  await write(Array.from({ length: 10 }, () => other))
  await global
  expect(seat).toMatchObject({ cursor: 2, waiting: true })
  const before = count("page")
  await write([other, mine, other])
  await woken
  expect(seat.cursor).toBe(12)
  expect(takenIds(broadcaster, seat)).toEqual([14])
  expect(seat.cursor).toBe(15)
  // The tail had it: the history was read once, for the batch itself.
  expect(count("page") - before).toBe(1)
})

test("streams of all items take the very same list, which a format encodes once", async () => {
  await using opened = await open()
  const { broadcaster, sqlite, write } = opened
  const id = await added(sqlite)
  const seats = await Promise.all([waiting(broadcaster), waiting(broadcaster), waiting(broadcaster)])
  await write([id, id, id])
  await Promise.all(seats.map(([, woken]) => woken))
  const [[a = []] = [], [b] = [], [c] = []] = seats.map(([seat]) => broadcaster.tail.take(seat) ?? [])
  expect(a).toHaveLength(3)
  expect(b).toBe(a)
  expect(c).toBe(a)
  expect(sse.shared(a)).toBe(sse.shared(a))
  expect(sse.shared(a)).not.toBe(ndjson.shared(a))
})

test("a filter takes its updates out of a batch, and the cursor passes the others", async () => {
  await using opened = await open()
  const { broadcaster, sqlite, write } = opened
  const items = [await added(sqlite), await added(sqlite)]
  const [seat, woken] = await waiting(broadcaster)
  await write([...items, ...items])
  await woken
  expect(takenIds(broadcaster, seat, ({ queue_id }) => queue_id === items[1])).toEqual([4, 6])
  expect(seat.cursor).toBe(6)
  expect(broadcaster.tail.take(seat)).toBeNull()
})

test("a stream somewhere within the tail gets what it lacks, no more", async () => {
  await using opened = await open()
  const { broadcaster, sqlite, write } = opened
  const id = await added(sqlite)
  const [seat] = await waiting(broadcaster)
  for (let i = 0; i < 3; i += 1) {
    const [other, woken] = await waiting(broadcaster)
    await write([id, id, id])
    await woken
    broadcaster.leave(other)
  }
  seat.cursor = 5
  expect(takenIds(broadcaster, seat)).toEqual([6, 7, 8, 9, 10])
})

test("the tail is bounded: what is older must come from the history", async () => {
  await using opened = await open()
  const { broadcaster, sqlite, write } = opened
  const id = await added(sqlite)
  const [seat] = await waiting(broadcaster)
  seat.wake("batch")
  for (let i = 0; i < 4; i += 1) {
    const [other, woken] = await waiting(broadcaster)
    await write(
      Array.from({ length: 64 }, () => id),
      "x".repeat(16_000),
    )
    await woken
    while (broadcaster.head < 1 + 64 * (i + 1)) await ticks()
    broadcaster.leave(other)
  }
  expect(broadcaster.tail.take(seat)).toBeNull()
  seat.cursor = broadcaster.head - 10
  const taken = takenIds(broadcaster, seat)
  expect(taken?.at(-1)).toBe(broadcaster.head)
  expect(taken).toHaveLength(10)
})

test("a notification that comes twice or late repeats no update and loses none", async () => {
  await using opened = await open()
  const { broadcaster, bus, sqlite } = opened
  const [seat, woken] = await waiting(broadcaster)
  await added(sqlite)
  await added(sqlite)
  await ticks()
  expect(seat.waiting).toBe(true)
  bus.notify()
  bus.notify()
  await woken
  bus.notify()
  await ticks()
  expect(takenIds(broadcaster, seat)).toEqual([1, 2])
  const again = seat.wait()
  bus.notify()
  await ticks()
  expect(seat.waiting).toBe(true)
  await added(sqlite)
  bus.notify()
  expect(await again).toBe("batch")
})

test("a stream whose client goes away gives up its seat at once, and is woken to end", async () => {
  await using opened = await open()
  const { broadcaster } = opened
  const client = new AbortController()
  const seat = await seated(broadcaster, "item", 7, client.signal)
  const woken = seat.wait()
  expect(broadcaster.streams).toEqual({ global: 0, item: 1 })
  client.abort()
  expect(broadcaster.streams).toEqual({ global: 0, item: 0 })
  expect(await woken).toBe("over")
  await seated(broadcaster, "global", undefined, client.signal)
  expect(broadcaster.streams).toEqual({ global: 0, item: 0 })
})

test("a held answer is woken like a stream, and not counted as one", async () => {
  await using opened = await open()
  const { broadcaster, sqlite, write } = opened
  const id = await added(sqlite)
  const seat = await seated(broadcaster, "held", id, never)
  seat.cursor = broadcaster.head
  expect(broadcaster.streams).toEqual({ global: 0, item: 0 })
  const woken = seat.wait()
  await write([id])
  expect(await woken).toBe("batch")
})

test("a keepalive goes to idle streams alone, however many there are", async () => {
  await using opened = await open({ keepaliveMs: 150 })
  const { broadcaster } = opened
  const seats = await Promise.all(Array.from({ length: 600 }, () => waiting(broadcaster)))
  const busy = await seated(broadcaster, "global", undefined, never)
  expect(await Promise.all(seats.map(([, woken]) => woken))).toEqual(seats.map(() => "keepalive"))
  const [late, woken] = await waiting(broadcaster)
  expect(late.waiting).toBe(true)
  expect(busy.waiting).toBe(false)
  const startedMs = performance.now()
  expect(await woken).toBe("keepalive")
  expect(performance.now() - startedMs).toBeGreaterThan(140)
})

test("a keepalive between two slices of a fan-out takes no update from any stream", async () => {
  class Slow extends Seat {
    override wake(why: WakeReason, examined?: number): void {
      for (const until = performance.now() + (why === "batch" ? 40 : 0); performance.now() < until;);
      super.wake(why, examined)
    }
  }
  await using opened = await open({ keepaliveMs: 10 })
  const { broadcaster, sqlite, write } = opened
  const id = await added(sqlite)
  const seats = [new Slow("global", undefined)]
  while (seats.length < 200) seats.push(new Seat("global", undefined))
  const told = seats.map(async (seat) => {
    await broadcaster.join(seat, never)
    seat.cursor = broadcaster.head
    for (;;) {
      await seat.wait()
      const last = takenIds(broadcaster, seat)?.at(-1)
      if (last !== undefined) return last
    }
  })
  await ticks()
  await write([id])
  expect(await Promise.race([Promise.all(told), Bun.sleep(3000)])).toEqual(seats.map(() => 2))
})

test("a history that cannot be read is reported and read again: streams lose nothing", async () => {
  await using opened = await open()
  const { broadcaster, sqlite, fail, reports, write } = opened
  const id = await added(sqlite)
  const [seat, woken] = await waiting(broadcaster)
  const error = new Error("disk on fire")
  fail("page", error)
  await write([id])
  expect(await woken).toBe("batch")
  expect(reports).toEqual([error])
  expect(takenIds(broadcaster, seat)).toEqual([2])
})

test("a head that cannot be read lets no stream in, and later streams do not read the whole history", async () => {
  await using opened = await open()
  const { broadcaster, bus, sqlite, count, fail, hold, reports, write } = opened
  const id = await added(sqlite)
  await write(Array.from({ length: 50 }, () => id))
  const error = new Error("disk on fire")
  fail("bounds", error)
  const release = hold("bounds")
  const refused = new Seat("global", undefined)
  const joining = broadcaster.join(refused, never)?.catch((reason: unknown) => reason)
  bus.notify()
  // By now the ring waits for the head, too.
  await ticks()
  release()
  expect(await joining).toMatchObject({ code: "unavailable" })
  await ticks()
  broadcaster.leave(refused)
  expect(reports).toEqual([error])
  expect(count("page")).toBe(0)
  const [seat, woken] = await waiting(broadcaster)
  await write([id])
  await woken
  expect(takenIds(broadcaster, seat)).toEqual([52])
})

test("a drain wakes every stream, and nothing more is read", async () => {
  await using opened = await open()
  const { broadcaster, sqlite, count, write } = opened
  const id = await added(sqlite)
  const seats = await Promise.all([waiting(broadcaster), waiting(broadcaster, id)])
  broadcaster.drain()
  expect(broadcaster.draining).toBe(true)
  expect(await Promise.all(seats.map(([, woken]) => woken))).toEqual(["over", "over"])
  const before = count("page")
  await write([id])
  await ticks()
  expect(count("page")).toBe(before)
})

test("more updates than one batch holds arrive in order, in several", async () => {
  await using opened = await open()
  const { broadcaster, sqlite, write } = opened
  const id = await added(sqlite)
  const [seat, woken] = await waiting(broadcaster)
  await write(Array.from({ length: 3000 }, () => id))
  await woken
  const found: number[] = []
  while (seat.cursor < 3001) {
    const taken = takenIds(broadcaster, seat)
    if (taken === null) await ticks()
    else found.push(...taken)
  }
  expect(found).toEqual(Array.from({ length: 3000 }, (_, i) => i + 2))
})
