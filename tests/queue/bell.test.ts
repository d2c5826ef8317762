import { heapStats } from "bun:jsc"
import { expect, spyOn, test } from "bun:test"
import { join } from "node:path"

import { LocalBus } from "../../src/bus/bus.ts"
import { blank } from "../../src/item/blank-item.ts"
import { LearnedDurations } from "../../src/queue/learned-durations.ts"
import { Queue } from "../../src/queue/queue.ts"
import { WaitingClaims } from "../../src/queue/waiting-claims.ts"
import { Workers } from "../../src/queue/workers.ts"
import type { Items } from "../../src/store/contract/items.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { temporaryFolder } from "../server.ts"

test("claims wait with as many sets of tags as they may, and a claim that does not wait is served all the same", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const bus = new LocalBus()
  const learned = new LearnedDurations(store, console.error)
  const onError = (error: unknown): void => console.error(error)
  const options = { random: Math.random, token: () => crypto.randomUUID(), mostTagSets: 2, onError }
  const workers = new Workers(store, bus, learned, options)
  const queue = new Queue(store, bus, learned)
  const stop = new AbortController()
  const claim = (signal: AbortSignal, ...tags: string[]) =>
    workers.claim({ worker: "w", leaseMs: 60_000, tags }, signal)
  /** What is thrown to a claim that must not wait. If it waits nevertheless, its answer is null. */
  const refusalOf = async (tag: string, client?: string): Promise<unknown> => {
    const over = new AbortController()
    let isAnswered = false
    const by = { worker: "refused", leaseMs: 60_000, tags: [tag], client }
    const answer = workers
      .claim(by, over.signal)
      .catch((error: unknown) => error)
      .finally(() => (isAnswered = true))
    const isWaiting = () => workers.presence.waiting.some(({ worker }) => worker === "refused")
    while (!isAnswered && !isWaiting()) await new Promise(setImmediate)
    over.abort()
    return answer
  }
  const tooMany = { message: expect.stringContaining("2 different sets of tags") }
  const others: Promise<unknown>[] = []
  // The same tags in another order are the same set.
  const waiting = [claim(stop.signal, "a", "b"), claim(stop.signal, "b"), claim(stop.signal, "b", "a")]
  await store.items()
  expect(await refusalOf("c")).toMatchObject(tooMany)
  // Another client has its own number.
  const leave = new AbortController()
  const claimOfOther = (signal: AbortSignal, tag: string) =>
    workers.claim({ worker: "w", leaseMs: 60_000, tags: [tag], client: "other" }, signal)
  for (const tag of ["d", "e"]) {
    others.push(claimOfOther(leave.signal, tag))
    await store.items()
  }
  expect(await refusalOf("f", "other")).toMatchObject(tooMany)
  leave.abort()
  expect(await Promise.all(others)).toEqual([null, null])
  // A claim that has ended no longer counts.
  const last = new AbortController()
  const waits = claimOfOther(last.signal, "f")
  await store.items()
  last.abort()
  expect(await waits).toBeNull()
  expect(await claim(AbortSignal.abort(), "c")).toBeNull()
  const { id } = await queue.add({ song_id: 1, tags: ["c"] })
  // An item that is already there needs no waiting.
  expect((await claim(stop.signal, "c"))?.item.id).toBe(id)
  stop.abort()
  expect(await Promise.all(waiting)).toEqual([null, null, null])
  await workers.stop()
  await store.close()
})

test("the bell rings once for each change, and not for one that was made before", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const bus = new LocalBus()
  let rung = 0
  bus.listen(() => (rung += 1))
  const onError = (error: unknown): void => console.error(error)
  const options = { random: Math.random, token: () => "token", onError }
  const workers = new Workers(store, bus, new LearnedDurations(store, console.error), options)
  const queue = new Queue(store, bus, new LearnedDurations(store, console.error))
  /** How often the bell rings for an action. */
  const rings = async (act: () => Promise<unknown>): Promise<number> => {
    const before = rung
    await act()
    return rung - before
  }
  const by = { worker: "box1", leaseMs: 60_000 }
  expect(await rings(() => queue.add({ song_id: 1 }, "key"))).toBe(1)
  expect(await rings(() => queue.add({ song_id: 1 }, "key"))).toBe(0)
  expect(await rings(() => queue.add({ song_id: 1, metadata: { a: 1, b: 2 } }, "other"))).toBe(1)
  // The same body with its keys in another order.
  expect(await rings(() => queue.add({ metadata: { b: 2, a: 1 }, song_id: 1 }, "other"))).toBe(0)
  expect(await rings(() => workers.take(1, by))).toBe(1)
  expect(await rings(() => workers.heartbeat(1, "token"))).toBe(0)
  expect(await rings(() => queue.cancel(1))).toBe(1)
  expect(await rings(() => queue.cancel(1))).toBe(0)
  expect(await rings(() => workers.complete(1, "token", {}))).toBe(1)
  expect(await rings(() => workers.complete(1, "token", {}))).toBe(0)
  const claim = (): Promise<unknown> => workers.claim({ ...by, tags: [] }, AbortSignal.abort())
  expect(await rings(claim)).toBe(1)
  expect(await rings(claim)).toBe(0)
  expect(await rings(() => queue.retry(1))).toBe(1)
  expect(await rings(() => queue.cancel(1))).toBe(1)
  expect(await rings(() => queue.cancel(1))).toBe(0)
  expect(await rings(() => queue.remove(1))).toBe(1)
  // Open streams send it.
  expect(await rings(() => queue.pause())).toBe(1)
  // Then there is something to claim.
  expect(await rings(() => queue.resume())).toBe(1)
  await workers.stop()
  await store.close()
})

test("the bell rings when what it announces can be read, and not before", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const bus = new LocalBus()
  const read = (): Promise<unknown> => Promise.all([store.head(), store.pausedAt()])
  const heard: Promise<unknown>[] = []
  bus.listen(() => void heard.push(read()))
  const onError = (error: unknown): void => console.error(error)
  const learned = new LearnedDurations(store, onError)
  const workers = new Workers(store, bus, learned, { random: Math.random, token: () => "token", onError })
  const queue = new Queue(store, bus, learned)
  const by = { worker: "box1", leaseMs: 60_000 }
  const failure = { error_message: "no", retryable: true, retryInMs: 0 }
  for (const act of [
    () => queue.add({ song_id: 1 }),
    () => queue.add({ song_id: 2 }, "key"),
    () => queue.move(2, 1),
    () => queue.update(1, { title: "one" }),
    () => queue.pause(),
    () => queue.resume(),
    () => workers.claim({ ...by, tags: [] }, AbortSignal.abort()),
    () => workers.report(2, "token", { progress: 5 }),
    () => workers.declareSteps(2, "token", ["one", "two"]),
    () => workers.beginStep(2, "token"),
    () => workers.release(2, "token"),
    () => workers.take(2, by),
    () => workers.fail(2, "token", failure),
    () => workers.take(2, by),
    () => workers.complete(2, "token", {}),
    () => queue.retry(2),
    () => queue.cancel(2),
    () => queue.update(1, { status: "processing" }),
    () => queue.update(1, { status: "failed" }),
    () => queue.retryFailed(),
    () => queue.batch("cancel", [1]),
    () => queue.remove(1),
  ]) {
    heard.length = 0
    const before = await read()
    await act()
    const after = await read()
    expect(after).not.toEqual(before)
    expect(await Promise.all(heard)).toEqual([after])
  }
  await workers.stop()
  await store.close()
})

test("a claim that waited is answered without a pause when its worker is drained", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const onError = (error: unknown): void => console.error(error)
  const options = { random: Math.random, token: () => "token", onError }
  const workers = new Workers(store, new LocalBus(), new LearnedDurations(store, onError), options)
  const { signal } = new AbortController()
  const waiting = workers.claim({ worker: "box1", leaseMs: 60_000, tags: [] }, signal)
  await store.items()
  using timers = spyOn(globalThis, "setTimeout")
  workers.setDraining("box1", true)
  expect(await waiting).toBeNull()
  // Only a new claim waits for its answer, for a second. The next search may wait as well, but not that long.
  expect(timers.mock.calls.map(([, ms]) => ms)).not.toContain(1000)
  await workers.stop()
  await store.close()
})

test("nothing is kept of clients whose claims do not wait any more", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const claims = new WaitingClaims(store, { onError: () => undefined })
  const { signal } = new AbortController()
  const maps = (): number => {
    Bun.gc(true)
    return heapStats().objectTypeCounts["Map"] ?? 0
  }
  const before = maps()
  for (let client = 0; client < 1000; client += 1) claims.bell([], signal, `${client}`)?.[Symbol.dispose]()
  expect(maps() - before).toBeLessThan(100)
  claims.ringAll()
  await store.close()
})

test("all claims that wait with the same tags hear the bell, whichever of them came first", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const claims = new WaitingClaims(store, { onError: () => undefined })
  const { signal } = new AbortController()
  const bells = [["a", "b"], ["b", "a"], []].map((tags) => claims.bell(tags, signal))
  let heard = 0
  for (const bell of bells) void bell?.rung.then(() => (heard += 1))
  claims.ringAll()
  await store.items()
  expect(heard).toBe(3)
  await store.close()
})

test("a claim hears of an item that is added while the items of claims are searched", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const claims = new WaitingClaims(store, { onError: (error) => expect(error).toBeUndefined() })
  let looks = 0
  using _search = spyOn(store, "nextWaiting").mockImplementation(async () => {
    looks += 1
    // It is added just after this search could have found it.
    if (looks === 1) claims.look()
    return looks === 1 ? null : { id: 1, ...blank(1, "2026-01-02T03:04:05.000Z") }
  })
  const bell = claims.bell([], new AbortController().signal)
  claims.look()
  await bell?.rung
  expect(looks).toBe(2)
  await store.close()
})

test("a claim hears the bell although one with the same tags that was answered before ends only now", async () => {
  const items: unknown = { nextWaiting: async () => ({}) }
  const claims = new WaitingClaims(items as Items, { onError: () => undefined })
  const { signal } = new AbortController()
  const answered = claims.bell(["a"], signal)
  claims.ringAll()
  await answered?.rung
  using waits = claims.bell(["a"], signal)
  answered?.[Symbol.dispose]()
  claims.look()
  await waits?.rung
})
