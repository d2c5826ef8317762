import { expect, setDefaultTimeout, test } from "bun:test"

import { LocalBus } from "../../../src/bus/bus.ts"
import { claimed, completed } from "../../../src/item/lease.ts"
import { reported } from "../../../src/item/report.ts"
import { LearnedDurations } from "../../../src/queue/learned-durations.ts"
import { RescueAndStall } from "../../../src/queue/rescue-and-stall.ts"
import { PostgresStore } from "../../../src/store/postgres/postgres.ts"
import { added, START_MS } from "../../contracts/store.contract.ts"
import { emptyDatabase } from "./open.ts"
import { Proxy } from "./proxy.ts"
import { postgres, whyNoPostgres } from "./server.ts"

setDefaultTimeout(180_000)

const LEASE_MS = 1000
const AWAY_MS = 2500

test.skipIf(whyNoPostgres !== undefined).each([true, false])(
  "a database that is away for longer than a lease takes no item from its worker: away %j",
  async (isAway) => {
    const { port } = await postgres()
    await using database = await emptyDatabase()
    using proxy = new Proxy(port)
    const url = new URL(database.url)
    url.port = `${proxy.port}`
    const store = await PostgresStore.open(url.href)
    const rescue = new RescueAndStall(store, new LocalBus(), {
      stallAfterMs: 1e9,
      maxRescues: 5,
      onError: () => undefined,
    })
    try {
      const id = await added(store)
      const by = { worker: "w", token: "lease", leaseMs: LEASE_MS }
      await store.change(id, (stored, moment) => claimed(stored, by, moment))
      proxy.isClosed = isAway
      if (isAway) proxy.cut()
      const round = isAway ? rescue.round() : undefined
      await Bun.sleep(AWAY_MS)
      proxy.isClosed = false
      await round
      await rescue.round()
      // The control: without an outage the lease has run out.
      expect((await store.item(id)).status).toBe(isAway ? "processing" : "retrying")
    } finally {
      await store.close()
    }
  },
)

test.skipIf(whyNoPostgres !== undefined).each([true, false])(
  "a server that starts after another one has counted an outage learns nothing from an attempt that it fell into: outage %j",
  async (isOutage) => {
    await using database = await emptyDatabase()
    let nowMs = START_MS
    const clock = { now: () => nowMs, steadyMs: () => nowMs }
    const onError = (error: unknown): void => expect(error).toBeUndefined()
    const opened = async () => {
      const store = await PostgresStore.open(database.url, { clock })
      const learned = new LearnedDurations(store, onError)
      const close = async () => {
        // What it reads in the background must not meet a closed database.
        await learned.stop()
        await store.close()
      }
      return { store, learned, close }
    }
    const former = await opened()
    const id = await added(former.store)
    const by = { worker: "w", token: "lease", leaseMs: 60_000, kind: "song" }
    await former.store.change(
      id,
      former.learned.follow((stored, moment) => claimed(stored, by, moment)),
    )
    nowMs += 10_000
    await former.store.change(
      id,
      former.learned.follow((stored, moment) => reported(stored, "lease", { progress: 40 }, moment)),
    )
    await former.close()
    nowMs += isOutage ? 60_000 : 0
    const first = await opened()
    await first.store.alive()
    nowMs += 100
    const second = await opened()
    try {
      for (let seconds = 0; seconds < 10; seconds += 1) {
        await second.store.alive()
        nowMs += 1000
      }
      const change = await second.store.change(
        id,
        second.learned.follow((stored, moment) => completed(stored, "lease", {}, moment)),
      )
      // The control: without an outage the run is remembered.
      expect(change.run?.seconds).toBe(isOutage ? undefined : 20.1)
    } finally {
      await Promise.all([first.close(), second.close()])
    }
  },
)

test.skipIf(whyNoPostgres !== undefined)(
  "while one server is cut off, another one goes on watching, and learns from the renders meanwhile",
  async () => {
    await using database = await emptyDatabase()
    let nowMs = START_MS
    const clock = { now: () => nowMs, steadyMs: () => nowMs }
    const one = await PostgresStore.open(database.url, { clock })
    const two = await PostgresStore.open(database.url, { clock })
    try {
      for (let rounds = 0; rounds < 5; rounds += 1) {
        await one.alive()
        one.outages.begin(nowMs)
        for (let seconds = 0; seconds < 10; seconds += 1) {
          nowMs += 1000
          await two.alive()
        }
        nowMs += 900
      }
      expect(two.outages.known).toEqual([])
      // The control: here no server is left.
      nowMs += 10_000
      await one.alive()
      nowMs += 1000
      await two.alive()
      expect(two.outages.known).toEqual([{ sinceMs: nowMs - 11_900, endedMs: nowMs - 1000 }])
    } finally {
      await Promise.all([one.close(), two.close()])
    }
  },
)

test.skipIf(whyNoPostgres !== undefined)(
  "the start of a server is an outage only if no other server was alive until then",
  async () => {
    await using database = await emptyDatabase()
    let nowMs = START_MS
    const clock = { now: () => nowMs, steadyMs: () => nowMs }
    const started = async () => {
      const store = await PostgresStore.open(database.url, { clock })
      nowMs += 1000
      await store.alive()
      return store
    }
    const stores = [await started()]
    try {
      nowMs += 900
      stores.push(await started())
      nowMs += 10_000
      stores.push(await started())
      const alone = { sinceMs: START_MS + 2900, endedMs: START_MS + 13_900 }
      expect(stores.map(({ outages }) => outages.known)).toEqual([[], [], [alone]])
    } finally {
      for (const store of stores) await store.close()
    }
  },
)
