import { Database } from "bun:sqlite"
import { expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"

import { LocalBus } from "../../src/bus/bus.ts"
import { changed } from "../../src/item/change-by-put.ts"
import type { QueueItem } from "../../src/item/item.ts"
import { LearnedDurations } from "../../src/queue/learned-durations.ts"
import { RescueAndStall } from "../../src/queue/rescue-and-stall.ts"
import { Workers } from "../../src/queue/workers.ts"
import type { Store } from "../../src/store/contract/store.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { added, codeOf, START_MS } from "../contracts/store.contract.ts"
import { temporaryFolder } from "../server.ts"

// Each test starts its own servers, and the machine may be busy.
setDefaultTimeout(180_000)

const LEASE_MS = 60_000
const HOUR_MS = 3_600_000
const NEVER = new AbortController().signal
const AT_ONCE = AbortSignal.abort()

/**
 * The workers' part of the queue on its own store, with clocks that stand still until the test moves them.
 */
class Bench {
  wallMs = START_MS
  steadyMs = START_MS
  random = 0.5
  readonly reports: unknown[] = []
  store: SqliteStore
  readonly bus = new LocalBus()
  workers: Workers
  rescue: RescueAndStall
  readonly #folder = temporaryFolder()
  readonly #path = join(this.#folder.path, "test.db")
  #tokens = 0

  constructor(wrap: (store: Store) => Store = (store) => store) {
    this.store = this.#open()
    const store = wrap(this.store)
    this.workers = this.#workers(store)
    this.rescue = this.#rescue(store)
  }

  #workers(store: Store): Workers {
    return new Workers(store, this.bus, new LearnedDurations(store, console.error), {
      random: () => this.random,
      token: () => `token ${(this.#tokens += 1)}`,
      onError: this.#onError,
    })
  }

  #rescue(store: Store): RescueAndStall {
    return new RescueAndStall(store, this.bus, {
      stallAfterMs: 120_000,
      maxRescues: 5,
      onError: this.#onError,
    })
  }

  readonly #onError = (error: unknown): void => void this.reports.push(error)

  /**
   * As a server starts. The test itself runs the rounds of the rescue, because a timer that is late would
   * count as an outage.
   */
  async begin(): Promise<void> {
    await this.store.alive()
    await this.workers.start()
  }

  async stop(): Promise<void> {
    await this.rescue.stop()
    await this.workers.stop()
  }

  /** As if a server stops and another one starts this much later. */
  async restart(afterMs: number): Promise<void> {
    await this.stop()
    await this.store.close()
    this.pass(afterMs)
    this.store = this.#open()
    this.workers = this.#workers(this.store)
    this.rescue = this.#rescue(this.store)
    await this.begin()
  }

  #open(): SqliteStore {
    const clock = { now: () => this.wallMs, steadyMs: () => this.steadyMs }
    return new SqliteStore(this.#path, () => clock)
  }

  /** The last sign of life, as another program reads it. */
  aliveAt(): number | undefined {
    using client = new Database(this.#path, { readonly: true })
    return client.query<{ alive_at: number }, []>("SELECT alive_at FROM history").get()?.alive_at
  }

  async claim(leaseMs = LEASE_MS): Promise<{ id: number; token: string }> {
    await added(this.store)
    const taken = await this.workers.claim({ worker: "box1", tags: [], leaseMs }, AT_ONCE)
    if (!taken) throw new Error("nothing was claimed")
    return { id: taken.item.id, token: taken.lease.token }
  }

  /** Claims this many items at the same time. Returns their IDs. */
  async claimMany(count: number): Promise<number[]> {
    const claims = await Promise.all(Array.from({ length: count }, () => this.claim()))
    return claims.map(({ id }) => id).toSorted((a, b) => a - b)
  }

  /** Moves both clocks. */
  pass(ms: number): void {
    this.wallMs += ms
    this.steadyMs += ms
  }

  /** Resolves when an item fits. In between it runs rounds of the rescue, or of something else. */
  async once(
    id: number,
    fits: (item: QueueItem) => boolean,
    round: () => Promise<unknown> = () => this.rescue.round(),
  ): Promise<QueueItem> {
    const limitMs = 10_000
    const deadline = performance.now() + limitMs
    for (;;) {
      await round()
      const item = await this.store.item(id)
      if (fits(item)) return item
      if (performance.now() > deadline) throw new Error(`not so after ${limitMs} ms: ${JSON.stringify(item)}`)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    await this.store.close()
    this.#folder[Symbol.dispose]()
  }
}

/**
 * The same store. `before` is called with the name of each method before the method runs. If it throws, the
 * method rejects with that error.
 */
const watched = (store: Store, before: (key: string) => void): Store =>
  new Proxy(store, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key, target)
      if (typeof member !== "function") return member
      return async (...given: unknown[]): Promise<unknown> => {
        before(String(key))
        return await Reflect.apply(member, target, given)
      }
    },
  })

async function started(wrap?: (store: Store) => Store): Promise<Bench> {
  const bench = new Bench(wrap)
  await bench.begin()
  return bench
}

const statusOf = async (bench: Bench, id: number): Promise<string> => (await bench.store.item(id)).status

test.concurrent(
  "a jump of the machine's clock ends no lease, whichever way, and moves only the times that are shown",
  async () => {
    await using bench = await started()
    const { id, token } = await bench.claim()
    for (const jumpMs of [24 * HOUR_MS, -48 * HOUR_MS]) {
      bench.wallMs += jumpMs
      await bench.rescue.round()
      expect(await statusOf(bench, id)).toBe("processing")
      const { directive, expiresAt } = await bench.workers.heartbeat(id, token)
      expect([directive, expiresAt]).toEqual(["continue", new Date(bench.wallMs + LEASE_MS).toISOString()])
    }
    // Time that passes ends it.
    bench.pass(LEASE_MS - 1)
    await bench.rescue.round()
    expect(await statusOf(bench, id)).toBe("processing")
    bench.pass(1)
    await bench.once(id, ({ status }) => status === "retrying")
  },
)

test.concurrent("a jump of the machine's clock calls nothing stalled", async () => {
  await using bench = await started()
  const { id } = await bench.claim(HOUR_MS)
  bench.pass(119_999)
  bench.wallMs += 24 * HOUR_MS
  await bench.rescue.round()
  expect((await bench.store.item(id)).stalled).toBeFalse()
  bench.pass(1)
  await bench.once(id, ({ stalled }) => stalled)
})

test.concurrent("however many leases run out at once, one round takes all of them back", async () => {
  await using bench = await started()
  const ids = await bench.claimMany(700)
  bench.pass(LEASE_MS)
  await bench.rescue.round()
  for (const id of ids) expect(await statusOf(bench, id)).toBe("retrying")
})

test.concurrent("the time in which no server was alive counts against no lease", async () => {
  await using bench = await started()
  const [silent, heard] = [await bench.claim(5000), await bench.claim(5000)]
  bench.pass(3000)
  await bench.restart(HOUR_MS)
  bench.pass(1999)
  await bench.rescue.round()
  expect(await statusOf(bench, silent.id)).toBe("processing")
  expect((await bench.workers.heartbeat(heard.id, heard.token)).directive).toBe("continue")
  bench.pass(1)
  await bench.rescue.round()
  expect(await statusOf(bench, silent.id)).toBe("retrying")
  expect(await statusOf(bench, heard.id)).toBe("processing")
  expect(await codeOf(bench.workers.heartbeat(silent.id, silent.token))).toBe("lease_lost")
})

test.concurrent("a server at rest finds out by itself that an outage is over", async () => {
  await using bench = await started()
  bench.store.outages.begin(bench.steadyMs)
  bench.pass(700)
  await bench.rescue.round()
  expect([bench.store.outages.isUnderWay, bench.store.outages.endedMs]).toEqual([false, bench.steadyMs])
})

test.concurrent("nothing is called stalled for the time in which no server was alive", async () => {
  await using bench = await started()
  // No worker holds it.
  const id = await added(bench.store)
  await bench.store.change(id, (stored, moment) => changed(stored, { status: "processing" }, moment))
  await bench.restart(HOUR_MS)
  bench.pass(119_999)
  await bench.rescue.round()
  expect((await bench.store.item(id)).stalled).toBeFalse()
  bench.pass(1)
  await bench.rescue.round()
  expect((await bench.store.item(id)).stalled).toBeTrue()
})

test.concurrent(
  "the server gives a sign of life every second while a lease is held, and none at rest",
  async () => {
    await using bench = new Bench()
    const { id, token } = await bench.claim()
    const aliveAfter = async (ms: number): Promise<number | undefined> => {
      bench.pass(ms)
      await bench.rescue.round()
      return bench.aliveAt()
    }
    expect(await aliveAfter(999)).toBe(START_MS)
    expect(await aliveAfter(1)).toBe(START_MS + 1000)
    expect(await aliveAfter(6000)).toBe(START_MS + 7000)
    await bench.workers.complete(id, token, {})
    expect(await aliveAfter(60_000)).toBe(START_MS + 7000)
  },
)

test.concurrent(
  "the wait for another attempt is 10 s times 2 to the failures before, at most 10 minutes, within 20 %",
  async () => {
    await using bench = await started()
    const id = await added(bench.store, { max_attempts: 100 })
    for (const [random, spread] of [
      [0, 0.8],
      [0.5, 1],
      [0.999999, 1.2],
    ] as const) {
      bench.random = random
      await bench.store.change(id, ({ item, work }) => ({ item: { ...item, retry_count: 0 }, work }))
      for (let failures = 0; failures < 30; failures += 1) {
        const taken = await bench.workers.claim({ worker: "box1", tags: [], leaseMs: LEASE_MS }, AT_ONCE)
        const failure = { error_message: "", retryable: true }
        const { item } = await bench.workers.fail(id, taken?.lease.token ?? "", failure)
        const waitMs = Date.parse(item.available_at ?? "") - bench.wallMs
        const wantedMs = Math.min(600_000, 10_000 * 2 ** failures) * spread
        expect(Math.abs(waitMs - wantedMs)).toBeLessThanOrEqual(1)
        bench.pass(720_000)
      }
    }
  },
)

test.concurrent(
  "a waiting claim is not woken for items that it may not take, however often the bell rings",
  async () => {
    const calls: Record<string, number> = { claim: 0, nextWaiting: 0 }
    await using bench = await started((store) =>
      watched(store, (key) => (calls[key] = (calls[key] ?? 0) + 1)),
    )
    await added(bench.store, { tags: ["gpu"] })
    const wish = { worker: "box1", tags: ["cpu"], leaseMs: LEASE_MS }
    const waiting = Array.from({ length: 5 }, () => bench.workers.claim(wish, NEVER))
    while ((calls["nextWaiting"] ?? 0) < 5) {
      bench.bus.notify()
      await Bun.sleep(1)
    }
    expect(calls["claim"]).toBe(5)
    const id = await added(bench.store, { tags: ["cpu"] })
    bench.bus.notify()
    expect((await Promise.race(waiting))?.item.id).toBe(id)
    await bench.workers.stop()
    expect((await Promise.all(waiting)).filter((taken) => taken)).toHaveLength(1)
  },
)

test.concurrent("a database that fails once is reported, and the timer goes on", async () => {
  let failing = 0
  const flaky = (store: Store): Store =>
    watched(store, (key) => {
      if (key !== "sweep" || failing === 0) return
      failing -= 1
      throw new Error("the disk is full")
    })
  await using bench = await started(flaky)
  await bench.rescue.start()
  const { id } = await bench.claim()
  failing = 1
  bench.pass(HOUR_MS)
  await bench.once(
    id,
    ({ status }) => status === "retrying",
    () => Bun.sleep(10),
  )
  expect(bench.reports.map(String)).toEqual(["Error: the disk is full"])
})

test.concurrent("workers that have stopped write nothing any more, however much is due", async () => {
  await using bench = await started()
  const ids = await bench.claimMany(500)
  bench.pass(LEASE_MS)
  // Some of them have been taken back, and the others have not.
  const round = bench.rescue.round()
  await bench.once(
    ids[0] ?? 0,
    ({ status }) => status === "retrying",
    () => Bun.sleep(0),
  )
  await bench.stop()
  await round
  expect(await statusOf(bench, ids.at(-1) ?? 0)).toBe("processing")
  const head = await bench.store.head()
  bench.pass(LEASE_MS)
  await bench.store.alive()
  expect(await bench.store.head()).toBe(head)
  expect(bench.reports).toEqual([])
})

test.concurrent(
  "a claim that waits when the workers stop is answered, and so is one that comes after",
  async () => {
    await using bench = await started()
    const waiting = bench.workers.claim({ worker: "box1", tags: [], leaseMs: LEASE_MS }, NEVER)
    await bench.workers.stop()
    expect(await waiting).toBeNull()
    expect(await bench.workers.claim({ worker: "box1", tags: [], leaseMs: LEASE_MS }, NEVER)).toBeNull()
  },
)
