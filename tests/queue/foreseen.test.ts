import { expect, test } from "bun:test"
import { join } from "node:path"

import { blank } from "../../src/item/blank-item.ts"
import type { QueueItem } from "../../src/item/item.ts"
import { KnownWorkers } from "../../src/queue/known-workers.ts"
import { LearnedDurations } from "../../src/queue/learned-durations.ts"
import { type QueueForecast, StartForecasts } from "../../src/queue/start-forecasts.ts"
import type { Items } from "../../src/store/contract/items.ts"
import type { Life } from "../../src/store/contract/life.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { temporaryFolder } from "../server.ts"

const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5)
const at = (second: number): string => new Date(NOW_MS + second * 1000).toISOString()

const item = (id: number, more: Partial<QueueItem> = {}): QueueItem => ({
  id,
  ...blank(1, at(-60)),
  ...more,
})

/** What is foreseen for the first items of a queue, of which more follow after `next`; each takes 100 s. */
function foreseen(
  items: readonly QueueItem[],
  next: string | null = null,
  pausedAt: string | null = null,
): Promise<QueueForecast> {
  const store: unknown = {
    clock: { now: () => NOW_MS, steadyMs: () => NOW_MS },
    list: async () => ({ items, next }),
    pausedAt: async () => pausedAt,
  }
  const learned: unknown = {
    isAnythingKnown: async () => true,
    outlookOf: async () => () => ({ seconds: 100, low: 100, high: 100 }),
  }
  const presence = new KnownWorkers(() => NOW_MS)
  presence.took(1, [])
  presence.took(7, null)
  return new StartForecasts(store as Items & Life, presence, learned as LearnedDurations).now()
}

/** When the one waiting item starts, in seconds, while a worker renders this item. */
async function startsIn(inHand: Partial<QueueItem>): Promise<number | undefined> {
  const { starts } = await foreseen([item(1, { status: "processing", worker: "box", ...inHand }), item(2)])
  return starts.find(({ id }) => id === 2)?.startsIn
}

test("when all is done is known of a queue whose waiting items were all looked at", async () => {
  const hand = item(1, { status: "processing", worker: "box", eta_seconds: 90, updated_at: at(0) })
  const over = item(4, { status: "completed" })
  expect((await foreseen([hand, item(2), item(3)])).doneIn).toBe(290)
  expect((await foreseen([hand, item(2), item(3), over], "2.0.0.4")).doneIn).toBe(290)
  expect((await foreseen([hand, item(2), item(3)], "1.0.0.3")).doneIn).toBeUndefined()
})

test("all is done when the last running item is, also in a paused queue and of a worker that takes no other item", async () => {
  const hand = item(1, { status: "processing", worker: "box", eta_seconds: 90, updated_at: at(0) })
  const byNumber = { ...hand, id: 7, worker: "other", eta_seconds: 400 }
  expect((await foreseen([byNumber])).doneIn).toBe(400)
  expect((await foreseen([byNumber, hand, item(2)])).doneIn).toBe(400)
  expect((await foreseen([{ ...byNumber, eta_seconds: 20 }, hand, item(2)])).doneIn).toBe(190)
  expect((await foreseen([{ ...byNumber, eta_seconds: null }, hand, item(2)])).doneIn).toBeUndefined()
  expect((await foreseen([hand, byNumber], null, at(-5))).doneIn).toBe(400)
  expect((await foreseen([hand, item(2)], null, at(-5))).doneIn).toBeUndefined()
})

test("the time left counts from the last report, and an overdue item may end any moment, until that is unknown", async () => {
  expect(await startsIn({ eta_seconds: 90, updated_at: at(0) })).toBe(90)
  expect(await startsIn({ eta_seconds: 90, updated_at: at(-30) })).toBe(60)
  expect(await startsIn({ eta_seconds: 90, updated_at: at(-110) })).toBe(0)
  expect(await startsIn({ eta_seconds: 90, updated_at: at(-130) })).toBeUndefined()
  const band = { eta_seconds: 90, eta_low_seconds: 60, eta_high_seconds: 190 }
  expect(await startsIn({ ...band, updated_at: at(-180) })).toBe(0)
  expect(await startsIn({ ...band, updated_at: at(-200) })).toBeUndefined()
})

test("what follows an item starts within that item's band, or within two fifths of the time left if only the pace tells it", async () => {
  const hand = item(1, { status: "processing", worker: "box", eta_seconds: 100, updated_at: at(0) })
  const startAfter = async (inHand: QueueItem) => (await foreseen([inHand, item(2)])).starts[0]
  const [low, high] = [expect.closeTo(60), expect.closeTo(140)]
  expect(await startAfter(hand)).toMatchObject({ startsIn: 100, low, high })
  const band = { eta_low_seconds: 90, eta_high_seconds: 190 }
  const within = { low: expect.closeTo(90), high: expect.closeTo(190) }
  expect(await startAfter({ ...hand, ...band })).toMatchObject(within)
})

test("a worker that is asked to stop its item takes the next one soon, whatever was left", async () => {
  expect(await startsIn({ eta_seconds: 90, updated_at: at(0), cancel_requested_at: at(0) })).toBe(0)
  expect(await startsIn({ eta_seconds: null, cancel_requested_at: at(0) })).toBe(0)
})

test("behind an item whose end is unknown nothing is foreseen", async () => {
  expect(await startsIn({ eta_seconds: null })).toBeUndefined()
})

test("the servers of a fleet notice what one of them has learned or forgotten", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const fail = (error: unknown): void => expect(error).toBeUndefined()
  const [one, other, alone] = [
    new LearnedDurations(store, fail, 0),
    new LearnedDurations(store, fail, 0),
    new LearnedDurations(store, fail),
  ]
  const runsAt = (learned: LearnedDurations): number => learned.of("song", "Draw")?.earlierRuns.length ?? 0
  const once = async (count: number): Promise<void> => {
    while (runsAt(other) !== count) await Bun.sleep(1)
  }
  for (const learned of [one, other, alone]) expect(await learned.isAnythingKnown()).toBe(false)
  await once(0)
  const step = { name: "Draw", index: 1, unit: "", size: 0, at: 0, lines: {} }
  for (const queue_id of [1, 2]) {
    const run = { kind: "song", look: "Draw", queue_id, worker: "box", seconds: 100, steps: [step] }
    await store.runs.addLearned([{ ...run, ended_at: at(queue_id) }])
    await one.note(run)
    await once(queue_id)
  }
  expect([await other.isAnythingKnown(), await alone.isAnythingKnown()]).toEqual([true, false])
  const before = other.of("song", "Draw")
  await Bun.sleep(20)
  // What has not changed is not learned a second time.
  expect(other.of("song", "Draw")).toBe(before)
  expect(await one.forget("song")).toBe(2)
  await once(0)
  for (const learned of [one, other]) expect(await learned.isAnythingKnown()).toBe(false)
  await Promise.all([one.stop(), other.stop(), alone.stop()])
  await store.close()
})

test("once enough items without a kind went alike, the next one is expected to, without being asked for before", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const learned = new LearnedDurations(store, (error) => expect(error).toBeUndefined())
  const item = { id: 9, ...blank(1, at(0)) }
  const seconds = async (): Promise<number | undefined> => (await learned.outlookOf(item))("box")?.seconds
  const step = { name: "", index: 1, unit: "", size: 0, at: 0, lines: {} }
  const expected: (number | undefined)[] = [await seconds()]
  for (const queue_id of [1, 2, 3]) {
    const run = { kind: "alike", look: "alike", queue_id, worker: "box", seconds: 100, steps: [step] }
    await store.runs.addLearned([{ ...run, ended_at: at(queue_id) }])
    await learned.note(run)
    expected.push(await seconds())
  }
  expect(expected).toEqual([undefined, undefined, undefined, expect.closeTo(100, 0)])
  // The first claim after a restart, too, has its time left at once.
  const restarted = new LearnedDurations(store, (error) => expect(error).toBeUndefined())
  await restarted.start()
  expect(restarted.of("", "")?.earlierRuns).toHaveLength(3)
  await restarted.stop()
  await store.close()
})

test("a forecast that could not be made is made for the next caller", async () => {
  let [failures, reads, steadyMs] = [1, 0, NOW_MS]
  const store: unknown = {
    clock: { now: () => NOW_MS, steadyMs: () => steadyMs },
    list: async () => {
      reads += 1
      if (failures-- > 0) throw new Error("the disk is broken")
      return { items: [], next: null }
    },
    pausedAt: async () => null,
  }
  const learned: unknown = { isAnythingKnown: true }
  const forecasts = new StartForecasts(
    store as Items & Life,
    new KnownWorkers(() => NOW_MS),
    learned as LearnedDurations,
  )
  await expect(forecasts.now()).rejects.toThrow("broken")
  expect(await forecasts.now()).toMatchObject({ starts: [], workers: 0 })
  // The clock of a database can go back.
  for (const ms of [999, -1, -1000]) {
    steadyMs = NOW_MS + ms
    await forecasts.now()
  }
  expect(reads).toBe(3)
})

test("a read that began before a run ended replaces nothing that was read after it", async () => {
  const step = { name: "", index: 1, unit: "", size: 0, at: 0, lines: {} }
  const run = { kind: "song", look: "song", queue_id: 1, worker: "box", seconds: 100, steps: [step] }
  const stored: (typeof run)[] = []
  const reads: (() => void)[] = []
  const store: unknown = {
    runs: {
      alike: () => {
        const { promise, resolve } = Promise.withResolvers<readonly (typeof run)[]>()
        const found = [...stored]
        reads.push(() => resolve(found))
        return promise
      },
    },
  }
  const learned = new LearnedDurations(store as SqliteStore, (error) => expect(error).toBeUndefined())
  expect(learned.of("song", "song")).toBeNull()
  stored.push(run)
  let isNoted = false
  const noting = learned.note(run).then(() => (isNoted = true))
  // If several reads are under way, the newest one counts.
  for (; !isNoted; await new Promise(setImmediate)) reads.pop()?.()
  await noting
  for (; reads.length > 0; await new Promise(setImmediate)) reads.pop()?.()
  expect(learned.of("song", "song")?.earlierRuns).toHaveLength(1)
})

test("runs that are forgotten estimate nothing any more, from that moment on", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const learned = new LearnedDurations(store, console.error)
  const step = { name: "Draw", index: 1, unit: "images", size: 3, at: 0, lines: {} }
  const run = { kind: "song", look: "2 steps, Draw", worker: "box", queue_id: 1, seconds: 60, steps: [step] }
  await store.runs.addLearned([{ ...run, ended_at: at(0) }])
  await learned.start()
  expect(learned.of("song", "2 steps, Draw")?.earlierRuns).toHaveLength(1)
  expect(await learned.forget("song")).toBe(1)
  expect(learned.of("song", "2 steps, Draw")).toBeNull()
  await learned.stop()
  await store.close()
})
