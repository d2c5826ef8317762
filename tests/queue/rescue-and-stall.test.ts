import { expect, test } from "bun:test"
import { join } from "node:path"

import { LocalBus } from "../../src/bus/bus.ts"
import { changed } from "../../src/item/change-by-put.ts"
import { LearnedDurations } from "../../src/queue/learned-durations.ts"
import { RefuseWhenFull } from "../../src/queue/refuse-when-full.ts"
import { RescueAndStall, type RescueOptions } from "../../src/queue/rescue-and-stall.ts"
import { Workers } from "../../src/queue/workers.ts"
import { SWEEP_ROWS } from "../../src/store/contract/items.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { added, START_MS } from "../contracts/store.contract.ts"
import { temporaryFolder } from "../server.ts"

function fail(error: unknown): never {
  throw error
}

/** A database with its workers, its room, and a clock that moves only if a test moves it. */
function opened() {
  const folder = temporaryFolder()
  const clock = { nowMs: START_MS }
  const now = (): number => clock.nowMs
  const store = new SqliteStore(join(folder.path, "test.db"), () => ({ now, steadyMs: now }))
  const [bus, learned] = [new LocalBus(), new LearnedDurations(store, fail)]
  let claims = 0
  const token = (): string => `token ${(claims += 1)}`
  const room = new RefuseWhenFull()
  const serve = () => new Workers(store, bus, learned, { random: () => 0, token, room, onError: fail })
  const [workers, others] = [serve(), serve()]
  const rescues = (options: Partial<RescueOptions> = {}): RescueAndStall =>
    new RescueAndStall(store, bus, { stallAfterMs: 60_000, maxRescues: 5, onError: fail, ...options })
  const close = async (): Promise<void> => {
    await store.close()
    folder[Symbol.dispose]()
  }
  return { clock, room, store, workers, others, rescues, [Symbol.asyncDispose]: close }
}

test("an item that is taken back is counted once, with why: its worker was silent, or its token was revoked", async () => {
  await using server = opened()
  const { clock, store, workers } = server
  const why: string[] = []
  const rescue = server.rescues({ onRescued: (reason) => void why.push(reason) })
  const [silent, revoked] = [await added(store), await added(store)]
  await workers.take(silent, { worker: "a", leaseMs: 10_000 })
  await workers.take(revoked, { worker: "b", leaseMs: 60_000, holder: 7 })
  await rescue.round()
  expect(why).toEqual([])
  clock.nowMs += 10_000
  await rescue.round()
  expect(why).toEqual(["silent"])
  expect(await store.access.endLeases(7)).toBe(1)
  await rescue.round()
  expect(why).toEqual(["silent", "revoked"])
  for (const id of [silent, revoked])
    expect(await store.item(id)).toMatchObject({ status: "retrying", retry_count: 0 })
})

test("the end of an outage is noticed though no worker holds an item", async () => {
  await using server = opened()
  const { clock, store } = server
  const rescue = server.rescues()
  await added(store)
  store.outages.begin(clock.nowMs)
  clock.nowMs += 60_000
  await rescue.round()
  expect([store.outages.isUnderWay, store.outages.endedMs]).toEqual([false, clock.nowMs])
})

test("one round takes back every item whose worker is silent, though they are more than one page", async () => {
  await using server = opened()
  const { clock, store, workers } = server
  let taken = 0
  const rescue = server.rescues({ onRescued: () => void (taken += 1) })
  const ids = await Promise.all(Array.from({ length: SWEEP_ROWS + 1 }, () => added(store)))
  await Promise.all(ids.map((id) => workers.take(id, { worker: "a", leaseMs: 10_000 })))
  clock.nowMs += 10_000
  await rescue.round()
  expect(taken).toBe(SWEEP_ROWS + 1)
})

test("after an outage an item has the whole time again before it counts as stalled", async () => {
  await using server = opened()
  const { clock, store } = server
  const rescue = server.rescues()
  const id = await added(store)
  await store.change(id, (stored, moment) => changed(stored, { status: "processing", progress: 10 }, moment))
  store.outages.begin(clock.nowMs)
  clock.nowMs += 90_000
  await rescue.round()
  clock.nowMs += 59_000
  await rescue.round()
  expect(await store.item(id)).toMatchObject({ stalled: false })
  clock.nowMs += 1000
  await rescue.round()
  expect(await store.item(id)).toMatchObject({ stalled: true })
})

test("a machine that is suspended in the middle of a round costs no worker its lease", async () => {
  await using server = opened()
  const { clock, store, workers } = server
  const rescue = server.rescues()
  const id = await added(store)
  await workers.take(id, { worker: "a", leaseMs: 10_000 })
  const isAnyLeased = store.isAnyLeased.bind(store)
  store.isAnyLeased = async () => {
    clock.nowMs += 600_000
    store.isAnyLeased = isAnyLeased
    return isAnyLeased()
  }
  await rescue.round()
  expect(await store.item(id)).toMatchObject({ status: "processing", stalled: false })
  clock.nowMs += 9000
  await rescue.round()
  expect(await store.item(id)).toMatchObject({ status: "processing" })
  clock.nowMs += 1000
  await rescue.round()
  expect(await store.item(id)).toMatchObject({ status: "retrying" })
})

test("an item whose worker was cut off, and gets it back by its place or by its number, is never lost; one that others get is", async () => {
  await using server = opened()
  const { clock, store, workers } = server
  const rescue = server.rescues({ maxRescues: 2 })
  const id = await added(store)
  const by = { worker: "box", leaseMs: 10_000 }
  const claim = (instance?: string) => workers.claim({ ...by, tags: ["gpu"], instance }, AbortSignal.abort())
  const afterSilence = async (): Promise<string> => {
    clock.nowMs += 10_000
    await rescue.round()
    return (await store.item(id)).status
  }
  for (let cutOff = 0; cutOff < 3; cutOff += 1) {
    const claimed = await claim("first start")
    expect(await afterSilence()).toBe("retrying")
    const taken = await workers.take(id, { ...by, former: claimed?.lease.token })
    // It still is a worker that takes other items.
    expect(taken && workers.presence.afterwards(taken.item)).toEqual({ worker: "box", tags: ["gpu"] })
    expect(await afterSilence()).toBe("retrying")
  }
  // The first silence counts: it was not known then that the worker was only cut off.
  await claim("second start")
  expect(await afterSilence()).toBe("retrying")
  await claim()
  expect(await afterSilence()).toBe("failed")
  expect(await store.item(id)).toMatchObject({ outcome: "lost" })
})

test("the time by which a round comes late takes no lease, if it is more than two seconds", async () => {
  await using server = opened()
  const { clock, store, workers } = server
  const rescue = server.rescues()
  const id = await added(store)
  await workers.take(id, { worker: "a", leaseMs: 10_000 })
  clock.nowMs += 600_000
  await rescue.round(600_000)
  clock.nowMs += 9999
  await rescue.round(2000)
  expect((await store.item(id)).status).toBe("processing")
  clock.nowMs += 1
  await rescue.round(2000)
  expect((await store.item(id)).status).toBe("retrying")
})

test("a report that is refused because the database is full shows that its worker is alive", async () => {
  await using server = opened()
  const { clock, room, store, workers } = server
  const rescue = server.rescues()
  const id = await added(store)
  const token = (await workers.take(id, { worker: "a", leaseMs: 10_000 }))?.lease.token
  room.isFull = true
  const reports = [
    () => workers.report(id, token, { progress: 5 }),
    () => workers.declareSteps(id, token, ["images", "video"]),
  ]
  for (const report of reports) {
    clock.nowMs += 9000
    await expect(report()).rejects.toThrow("as large as")
    await rescue.round()
    expect((await store.item(id)).status).toBe("processing")
  }
})

test("the item of a start that was drained is its last, and that of a later start of the worker is not", async () => {
  await using server = opened()
  const { store, workers } = server
  const signal = AbortSignal.abort()
  const claim = async (instance: string): Promise<boolean | undefined> => {
    const leased = await workers.claim({ worker: "box", leaseMs: 10_000, tags: [], instance }, signal)
    if (instance === "first start") workers.setDraining("box", true)
    return leased ? (await workers.heartbeat(leased.item.id, leased.lease.token)).isDraining : undefined
  }
  await added(store)
  await added(store)
  expect(await claim("first start")).toBe(true)
  expect(await claim("second start")).toBe(false)
})

test("an item that workers of two servers lose in turn is lost in the end", async () => {
  await using server = opened()
  const { clock, store } = server
  const rescue = server.rescues({ maxRescues: 4 })
  const id = await added(store)
  const both = [server.workers, server.others]
  for (let loss = 0; loss < 5; loss += 1) {
    expect(await store.item(id)).not.toMatchObject({ outcome: "lost" })
    const by = { worker: `box ${loss % 2}`, instance: `start ${loss % 2}`, leaseMs: 10_000, tags: [] }
    await both[loss % 2]?.claim(by, AbortSignal.abort())
    clock.nowMs += 10_000
    await rescue.round()
  }
  expect(await store.item(id)).toMatchObject({ outcome: "lost" })
})
