import { afterEach, beforeEach, expect, jest, test } from "bun:test"

import type { Me } from "../../../src/client/client.ts"
import { State } from "../../../src/dashboard/model/apply-updates.ts"
import {
  CONNECTING,
  type Connection,
  type Counts,
  type FromHub,
} from "../../../src/dashboard/model/hub-messages.ts"
import { Model } from "../../../src/dashboard/model/model.ts"
import { readerRights, unknownRights } from "../../../src/dashboard/model/rights.ts"
import { knownWorkers } from "../../../src/dashboard/model/workers.ts"
import type { QueueItem } from "../../../src/item/item.ts"
import { item, time, update } from "../items.ts"

const NOW = Date.parse(time(100))

/** The model of a tab, and what it has reported. */
class Scene {
  readonly told: string[] = []
  readonly model = new Model(
    {
      changed: () => undefined,
      updates: () => undefined,
      items: (items, removed) =>
        this.told.push(`items ${items.map(({ id }) => id).join()} without ${removed.join()}`),
      gap: ({ reason }) => this.told.push(`gap ${reason}`),
      turned: () => this.told.push("turned"),
      ended: (text) => this.told.push(text),
    },
    unknownRights(false),
  )

  /** Lets the hub say that these are all items, over this connection. */
  state(items: readonly QueueItem[], more: Partial<Extract<FromHub, { type: "state" }>> = {}): void {
    this.model.hear({
      type: "state",
      items,
      ends: { running: null, waiting: null, finished: null },
      ...{ connection: live(), stats: null, counts: null, loaded: true, unread: [], ...more },
    })
  }
}

const live = (more: Partial<Connection> = {}): Connection => ({
  ...CONNECTING,
  ...{ state: "live", confirmedMs: NOW, history: "h", lastEventId: 1, ...more },
})

const counts = (waiting: number): Counts =>
  ({ status: { processing: 0, queued: waiting, retrying: 0 }, outcome: {} }) as Counts

beforeEach(() => {
  jest.useFakeTimers()
  jest.setSystemTime(NOW)
})
afterEach(() => void jest.useRealTimers())

test("a change of history is reported, and its figures are unknown; the first history is no change", () => {
  const scene = new Scene()
  scene.state([item()], { counts: counts(1) })
  scene.model.hear({ type: "connection", connection: live({ confirmedMs: NOW + 1 }) })
  expect([scene.told, scene.model.loaded]).toEqual([[], true])
  scene.model.hear({ type: "connection", connection: live({ history: "other" }) })
  expect([scene.told, scene.model.loaded, scene.model.counts]).toEqual([["turned"], false, null])
})

test("a hub that is silent for too long makes the page stale", () => {
  const scene = new Scene()
  scene.state([])
  jest.setSystemTime(NOW + 6900)
  expect(scene.model.isLive()).toBe(true)
  jest.setSystemTime(NOW + 7100)
  expect(scene.model.connection).toMatchObject({ state: "stale", retryAtMs: null })
  scene.model.hear({ type: "connection", connection: live() })
  expect(scene.model.isLive()).toBe(true)
})

test("a page whose connection is lost says why, however long its hub is silent", () => {
  const scene = new Scene()
  const lost = {
    state: "reconnecting",
    reason: "The server is being restarted",
    retryAtMs: NOW + 30_000,
  } as const
  scene.state([], { connection: live(lost) })
  jest.setSystemTime(NOW + 20_000)
  expect(scene.model.connection).toMatchObject(lost)
})

test("an item is shown as of now while the stream is live, and never as of before its last update", () => {
  const scene = new Scene()
  const old = item({ updated_at: time(10) })
  const young = item({ updated_at: time(200) })
  scene.state([old], { connection: live({ skewMs: 50_000 }) })
  expect(scene.model.asOfMs(old)).toBe(NOW + 50_000)
  const lost = { state: "stale", skewMs: 50_000 } as const
  scene.model.hear({ type: "connection", connection: live(lost) })
  jest.setSystemTime(NOW + 30_000)
  expect(scene.model.asOfMs(old)).toBe(NOW + 50_000)
  expect(scene.model.asOfMs(young)).toBe(Date.parse(time(200)))
})

test("before the first stream an item is shown as of when the page was opened", () => {
  const scene = new Scene()
  const old = item({ updated_at: time(10) })
  jest.setSystemTime(NOW + 30_000)
  scene.state([old], { connection: CONNECTING })
  expect(scene.model.asOfMs(old)).toBe(NOW)
})

test("the end of an item is reported once, with how it ended, and a deletion is not reported as an end", () => {
  const scene = new Scene()
  scene.state([1, 2, 3, 4].map((id) => item({ id, title: `Song ${id}`, status: "processing" })))
  const end = { status: "failed", outcome: "failed" } as const
  scene.model.hear({
    type: "updates",
    updates: [
      update(1, { queue_id: 1, status: "completed", outcome: "completed" }),
      update(2, { queue_id: 2, ...end }),
      update(3, { queue_id: 2, ...end }),
      update(4, { queue_id: 3, ...end, outcome: "cancelled" }),
      update(5, { queue_id: 4, ...end, deleted: true }),
      update(6, { queue_id: 9, ...end }),
    ],
  })
  expect(scene.told).toEqual(["Song 1 is completed", "Song 2 has failed", "Song 3 is cancelled"])
})

test("the lists follow reports without being sorted again, and moves between them", () => {
  const scene = new Scene()
  scene.state([1, 2].map((id) => item({ id, status: "processing", started_at: time(-id) })))
  const ids = (): number[] => scene.model.lists.running.map(({ id }) => id)
  expect(ids()).toEqual([2, 1])
  scene.model.take()
  scene.model.hear({ type: "updates", updates: [update(1, { queue_id: 2, progress: 40 })] })
  expect(scene.model.lists.running[0]).toMatchObject({ id: 2, progress: 40 })
  expect(scene.model.take()).toEqual({ ids: new Set([2]), lists: false, all: false })
  scene.model.hear({ type: "updates", updates: [update(2, { queue_id: 2, status: "completed" })] })
  expect([ids(), scene.model.lists.finished.map(({ id }) => id)]).toEqual([[1], [2]])
  expect(scene.model.take().lists).toBe(true)
  expect(scene.model.take()).toEqual({ ids: new Set(), lists: false, all: false })
})

test("an item that was delayed waits once its time has come", () => {
  const scene = new Scene()
  scene.state([item({ status: "queued", available_at: time(105) })])
  const sizes = (): number[] => [scene.model.lists.waiting.length, scene.model.lists.delayed.length]
  expect(sizes()).toEqual([0, 1])
  jest.setSystemTime(Date.parse(time(104)))
  scene.model.tick()
  expect(sizes()).toEqual([0, 1])
  jest.setSystemTime(Date.parse(time(105)))
  scene.model.tick()
  expect(sizes()).toEqual([1, 0])
})

test("the number of waiting items is shown if it is known, without delayed items", () => {
  const scene = new Scene()
  const [first, delayed] = [item({ id: 1 }), item({ id: 2, available_at: time(500) })]
  scene.state([first, delayed])
  expect(scene.model.waitingTotal()).toBeNull()
  scene.state([first, delayed], { counts: counts(2) })
  expect(scene.model.waitingTotal()).toBe(1)
  const ends = { running: null, waiting: delayed, finished: null }
  scene.state([first, delayed], { counts: counts(900), ends })
  expect(scene.model.waitingTotal()).toBe(899)
  // The figures may be older than the list.
  scene.state([first, delayed], { counts: counts(0), ends })
  expect(scene.model.waitingTotal()).toBe(1)
})

test("other workers, and other rights, move items and are shown; the same ones are not", () => {
  const scene = new Scene()
  scene.state([item({ status: "queued", tags: ["4k"] })])
  const box = { worker: "box", tags: ["hd"], draining: false, state: "idle" } as never
  expect(scene.model.lists.waiting).toHaveLength(1)
  scene.model.take()
  scene.model.workers = knownWorkers([box])
  expect(scene.model.take().lists).toBe(true)
  expect([scene.model.missing(["4k"]), scene.model.lists.delayed.length]).toEqual([["4k"], 1])
  scene.model.workers = knownWorkers([box])
  expect(scene.model.take().lists).toBe(false)
  const me = { role: "viewer", item: null, expires_at: null, may: ["read"] } as const
  scene.model.rights = readerRights({ ...me, may: [...me.may] }, NOW)
  expect([scene.model.may("read"), scene.model.may("change"), scene.model.take().lists]).toEqual([
    true,
    false,
    true,
  ])
})

test("until the server has sent the rights, a reader may change nothing, and see nothing with a token", () => {
  const rights = [unknownRights(false), unknownRights(true)]
  expect(rights.map(({ all }) => all)).toEqual(["read figures add change unknown", ""])
})

test("a gap is reported, and figures that are not known yet remove none", () => {
  const scene = new Scene()
  const stats = { uptime_seconds: 1 } as never
  scene.model.hear({ type: "stats", stats })
  scene.state([], { counts: counts(3) })
  scene.state([])
  expect([scene.model.stats, scene.model.counts]).toEqual([stats, counts(3)])
  scene.model.hear({ type: "gap", gap: { reason: "slow", missed: 3 } })
  expect(scene.told).toEqual(["gap slow"])
  scene.model.take()
  scene.model.hear({ type: "counts", counts: counts(4) })
  expect([scene.model.counts, scene.model.take().lists]).toEqual([counts(4), true])
})

test("bars move by themselves for up to 40 running items", () => {
  const scene = new Scene()
  const running = (count: number): QueueItem[] =>
    Array.from({ length: count }, (_, i) => item({ id: i + 1, status: "processing" }))
  scene.state(running(40))
  expect(scene.model.isCrowded()).toBe(false)
  scene.state(running(41))
  expect(scene.model.isCrowded()).toBe(true)
})

test("a reader learns why the page offers less, and until when", () => {
  const why = (role: "viewer" | "operator" | "worker", may: Me["may"], more: Partial<Me> = {}): string =>
    readerRights({ role, item: null, expires_at: null, may, ...more }, NOW).why
  expect(why("operator", ["read", "figures", "add", "change"])).toBe("")
  expect(why("viewer", ["read", "figures"])).toStartWith("View only: your token has the role viewer.")
  expect(why("worker", ["add", "claim"])).toStartWith(
    "Your token has the role worker, which may not see the queue.",
  )
  const link = why("viewer", ["read"], { item: 7, expires_at: time(3600) })
  expect(link).toStartWith("View only: this link shows item 7 and nothing else. It works until ")
})

test("items that were read again are reported, together with those that are gone", () => {
  const scene = new Scene()
  scene.state([item({ id: 1 }), item({ id: 2 })])
  scene.model.hear({ type: "items", items: [item({ id: 1, title: "New" })], removed: [2] })
  expect(scene.told).toEqual(["items 1 without 2"])
  expect([scene.model.item(1)?.title, scene.model.item(2)]).toEqual(["New", undefined])
})

test("an item that moves on takes its song and title along, and is read again where an update cannot say all", () => {
  const state = new State()
  state.replace([item({ id: 1, status: "processing", song_id: 1 }), item({ id: 2, status: "queued" })])
  const moved = state.apply([update(1, { queue_id: 1, status: "processing", song_id: 5, title: "New" })])
  expect(state.items.get(1)).toMatchObject({ song_id: 5, title: "New" })
  expect([...moved.unsure]).toEqual([])
  const ended = state.apply([
    update(2, { queue_id: 1, status: "completed" }),
    update(3, { queue_id: 2, status: "processing" }),
  ])
  expect([...ended.unsure]).toEqual([1, 2])
})
