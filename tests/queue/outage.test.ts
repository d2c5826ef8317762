import { expect, test } from "bun:test"
import { copyFileSync } from "node:fs"
import { join } from "node:path"

import fc from "fast-check"

import { LocalBus } from "../../src/bus/bus.ts"
import { LearnedDurations } from "../../src/queue/learned-durations.ts"
import { RescueAndStall } from "../../src/queue/rescue-and-stall.ts"
import { Workers } from "../../src/queue/workers.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { added, START_MS } from "../contracts/store.contract.ts"
import { temporaryFolder } from "../server.ts"
import { Faults } from "../store/sqlite/faults.ts"

const ROUND_MS = 500
const AT_ONCE = AbortSignal.abort()

/** A lease, as its worker knows it. */
interface Held {
  readonly id: number
  readonly token: string
  readonly leaseMs: number
  renewedMs: number
}

interface Span {
  readonly fromMs: number
  readonly toMs: number
}

/** How much of a time the other times cover. Overlapping times count once. */
function covered({ fromMs, toMs }: Span, others: readonly Span[]): number {
  let [sum, reached] = [0, fromMs]
  for (const other of others.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const [from, to] = [Math.max(reached, other.fromMs), Math.min(toMs, other.toMs)]
    sum += Math.max(0, to - from)
    reached = Math.max(reached, to)
  }
  return sum
}

/**
 * A server with a clock and a disk that the test controls. The test keeps its own account of the outages from
 * outside.
 */
class World implements AsyncDisposable {
  nowMs = START_MS
  readonly leases: Held[] = []
  readonly outages: Span[] = []
  /** When the last outage of this server ended. */
  #endedMs: number | undefined
  readonly faults = new Faults()
  readonly #folder = temporaryFolder()
  readonly #bus = new LocalBus()
  #files = 0
  #path = this.#next()
  #store: SqliteStore
  #workers: Workers
  #rescue: RescueAndStall
  #tokens = 0
  #failingMs: number | undefined
  /** The latest sign of life that is stored; undefined if nothing was ever written. */
  #aliveMs: number | undefined
  #downMs: number | undefined

  constructor() {
    this.#store = this.#open()
    // It is stored only now: creating the tables is no sign of life.
    this.faults.onCommit = (succeeded) => this.#committed(succeeded)
    ;[this.#workers, this.#rescue] = this.#services()
  }

  #next(): string {
    return join(this.#folder.path, `${(this.#files += 1)}.db`)
  }

  #open(): SqliteStore {
    return new SqliteStore(this.#path, () => ({ now: () => this.nowMs, steadyMs: () => this.nowMs }))
  }

  #services(): [Workers, RescueAndStall] {
    const onError = (): void => undefined
    const token = (): string => `token ${(this.#tokens += 1)}`
    return [
      new Workers(this.#store, this.#bus, new LearnedDurations(this.#store, onError), {
        random: Math.random,
        token,
        onError,
      }),
      new RescueAndStall(this.#store, this.#bus, { stallAfterMs: 3_600_000, maxRescues: 0, onError }),
    ]
  }

  #committed(succeeded: boolean): void {
    if (!succeeded) {
      this.#failingMs ??= this.nowMs
      return
    }
    const isOver = this.#failingMs !== undefined || this.#downMs !== undefined
    const { outages, nowMs } = this
    const endedMs = this.#endedMs
    for (const sinceMs of [this.#failingMs, this.#downMs]) {
      if (sinceMs === undefined) continue
      // An outage that began this soon after another one belongs to it.
      const fromMs = endedMs !== undefined && sinceMs < endedMs + 5000 ? endedMs : sinceMs
      outages.push({ fromMs, toMs: nowMs })
      this.#endedMs = nowMs
    }
    this.#failingMs = undefined
    this.#downMs = undefined
    if (isOver || this.nowMs - (this.#aliveMs ?? Number.NEGATIVE_INFINITY) >= 1000) this.#aliveMs = this.nowMs
  }

  async claim(leaseMs: number): Promise<void> {
    await added(this.#store).catch(() => undefined)
    const claim = { worker: "box1", tags: [], leaseMs }
    const taken = await this.#workers.claim(claim, AT_ONCE).catch(() => null)
    if (!taken) return
    this.leases.push({ id: taken.item.id, token: taken.lease.token, leaseMs, renewedMs: this.nowMs })
  }

  async heartbeat(index: number): Promise<void> {
    const held = this.leases[index % this.leases.length]
    if (!held) return
    const isHeard = await this.#workers.heartbeat(held.id, held.token).then(
      () => true,
      () => false,
    )
    if (isHeard) held.renewedMs = this.nowMs
  }

  /** A time in which the timer is punctual. */
  async pass(rounds: number): Promise<void> {
    for (let round = 0; round < rounds; round += 1) {
      this.nowMs += ROUND_MS
      await this.#round()
    }
  }

  /** The server is busy, and its timer is only as late as that explains: no outage. */
  async late(ms: number): Promise<void> {
    this.nowMs += ROUND_MS + ms
    await this.#round(ms)
  }

  /**
   * The machine is suspended, and a fault may be repaired in the meantime. A worker may report before the
   * timer runs.
   */
  async suspend(ms: number, isMended: boolean, heard: number | undefined): Promise<void> {
    const fromMs = this.nowMs + ROUND_MS
    this.nowMs = fromMs + ms
    if (isMended) this.faults.mend()
    if (heard !== undefined) await this.heartbeat(heard)
    this.#downMs = Math.min(this.#downMs ?? fromMs, fromMs)
    await this.#round(ms)
  }

  async #round(lateMs = 0): Promise<void> {
    const isAlive = await this.#rescue.round(lateMs).then(
      () => true,
      () => false,
    )
    if (isAlive) await this.#check()
  }

  /** The server is killed, and after a while another one starts on the same disk. */
  async crash(afterMs: number): Promise<void> {
    this.faults.mend()
    const before = this.#path
    this.#path = this.#next()
    for (const part of ["", "-wal"]) copyFileSync(`${before}${part}`, `${this.#path}${part}`)
    await this.#end()
    this.nowMs += afterMs
    this.#failingMs = undefined
    this.#endedMs = undefined
    this.#downMs = this.#aliveMs
    this.#store = this.#open()
    ;[this.#workers, this.#rescue] = this.#services()
    await this.#round()
  }

  async #end(): Promise<void> {
    const { onCommit } = this.faults
    this.faults.onCommit = () => undefined
    await this.#rescue.stop()
    await this.#workers.stop()
    await this.#store.close()
    this.faults.onCommit = onCommit
  }

  /** After a round: which workers have lost their leases, and which must have lost them. */
  async #check(): Promise<void> {
    for (const held of [...this.leases]) {
      const { status } = await this.#store.item(held.id)
      const span = { fromMs: held.renewedMs, toMs: this.nowMs }
      const silentMs = this.nowMs - held.renewedMs
      const outageMs = covered(span, this.outages)
      if (status === "processing") {
        // A lease that was renewed during an outage is extended by the whole outage.
        const given = this.outages.filter(({ toMs }) => toMs >= held.renewedMs)
        const mostMs = covered({ fromMs: 0, toMs: this.nowMs }, given)
        expect(silentMs).toBeLessThan(held.leaseMs + mostMs)
        continue
      }
      expect(silentMs - outageMs).toBeGreaterThanOrEqual(held.leaseMs)
      this.leases.splice(this.leases.indexOf(held), 1)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.faults.mend()
    await this.#end()
    this.faults[Symbol.dispose]()
    this.#folder[Symbol.dispose]()
  }
}

/** Everything that can happen. */
type Act =
  | { readonly do: "claim"; readonly leaseMs: number }
  | { readonly do: "heartbeat"; readonly of: number }
  | { readonly do: "pass"; readonly rounds: number }
  | { readonly do: "break" | "mend" }
  | {
      readonly do: "suspend"
      readonly ms: number
      readonly isMended: boolean
      readonly heard: number | undefined
    }
  | { readonly do: "late"; readonly ms: number }
  | { readonly do: "crash"; readonly afterMs: number }

const ms = fc.integer({ min: 2001, max: 90_000 })
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("claim" as const),
      leaseMs: fc.integer({ min: 1, max: 12 }).map((seconds) => seconds * 1000),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("heartbeat" as const), of: fc.nat(9) }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("pass" as const), rounds: fc.integer({ min: 1, max: 30 }) }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("break" as const, "mend" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("suspend" as const),
      ms,
      isMended: fc.boolean(),
      heard: fc.option(fc.nat(9), { nil: undefined }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("late" as const), ms: fc.integer({ min: 0, max: 2000 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("crash" as const), afterMs: ms }) },
)

function happen(world: World, given: Act): void | Promise<void> {
  switch (given.do) {
    case "claim":
      return world.claim(given.leaseMs)
    case "heartbeat":
      return world.heartbeat(given.of)
    case "pass":
      return world.pass(given.rounds)
    case "break":
      return world.faults.break()
    case "mend":
      return world.faults.mend()
    case "suspend":
      return world.suspend(given.ms, given.isMended, given.heard)
    case "late":
      return world.late(given.ms)
    case "crash":
      return world.crash(given.afterMs)
  }
}

test("no lease runs out in an outage, and none outlives its time without one", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 5, maxLength: 40 }), async (acts) => {
      await using world = new World()
      for (const one of acts) await happen(world, one)
      world.faults.mend()
      // Whatever went wrong before, a silent worker loses its item on a server without load.
      await world.pass(1)
      await world.pass(2 * 600)
      expect(world.leases).toEqual([])
    }),
    { numRuns: 30 },
  )
}, 180_000)

/** Rounds on a disk on which each commit takes 4 s, of a server whose one worker has a lease of 3 s. */
async function onSlowDisk(
  rounds: (world: {
    readonly beat: () => Promise<unknown>
    readonly round: () => Promise<string>
    readonly heal: () => void
  }) => Promise<void>,
): Promise<void> {
  using folder = temporaryFolder()
  using faults = new Faults()
  let nowMs = START_MS
  const clock = { now: () => nowMs, steadyMs: () => nowMs }
  const store = new SqliteStore(join(folder.path, "queue.db"), () => clock)
  const [bus, onError] = [new LocalBus(), (error: unknown): void => expect(error).toBeUndefined()]
  const learned = new LearnedDurations(store, onError)
  const workers = new Workers(store, bus, learned, { random: Math.random, token: () => "token", onError })
  const rescue = new RescueAndStall(store, bus, { stallAfterMs: 3_600_000, maxRescues: 0, onError })
  const id = await added(store)
  await workers.claim({ worker: "box1", tags: [], leaseMs: 3000 }, AT_ONCE)
  faults.onCommit = () => void (nowMs += 4000)
  await rounds({
    beat: () => workers.heartbeat(id, "token"),
    round: async () => {
      nowMs += 900
      await rescue.round()
      return (await store.item(id)).status
    },
    heal: () => (faults.onCommit = () => undefined),
  })
  await workers.stop()
  await store.close()
}

test("a disk on which each commit takes longer than a lease costs no worker that reports its lease", () =>
  onSlowDisk(async ({ beat, round, heal }) => {
    for (let i = 0; i < 10; i += 1) {
      await beat()
      await round()
    }
    heal()
    // The disk is well again, and the worker silent: its lease runs out on time.
    await beat()
    for (let i = 0; i < 3; i += 1) expect(await round()).toBe("processing")
    expect(await round()).toBe("retrying")
  }))

test("on a disk on which each commit takes longer than a lease, a worker that is silent loses its lease", () =>
  onSlowDisk(async ({ beat, round }) => {
    await beat()
    for (let i = 0; i < 3; i += 1) expect(await round()).toBe("processing")
    expect(await round()).toBe("retrying")
  }))
