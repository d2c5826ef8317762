import { afterEach, beforeEach, expect, jest, test } from "bun:test"

import { type Client, ServerError, type Watched, type WatchOptions } from "../../../src/client/client.ts"
import { StreamTrust } from "../../../src/dashboard/live/stream-trust.ts"

const NOTHING = { song_id: 1, current_step: "", progress: 1, message: "", status: "processing" } as const
const LIVE = { type: "control", control: { event: "live", last_event_id: 5, history: "h" } } as const

/** A link to a server that says what the test decides, with a clock that the test moves. */
class Scene {
  /** What the link has reported, in order. */
  readonly told: string[] = []
  /** The time since which the queue is paused, as it was reported. */
  readonly pauses: (string | null)[] = []
  /** The place at which each stream had to begin. */
  readonly begun: (number | undefined)[] = []
  /** The latest event ID of the server. */
  newest = 5
  /** By how much the server's clock is ahead, in milliseconds. */
  aheadMs = 0
  /** How long the server takes to answer, in milliseconds. */
  tripMs = 0
  /** The reason why the server does not send its figures; undefined if it sends them. */
  refusal: ServerError | undefined
  readonly link: StreamTrust
  #said: Watched[] = []
  #options: WatchOptions = {}
  #wake: () => void = () => undefined

  constructor() {
    const client: unknown = {
      watch: (options: WatchOptions) => this.#watch(options),
      stats: async () => {
        if (this.refusal) throw this.refusal
        jest.setSystemTime(Date.now() + this.tripMs / 2)
        const timestamp = new Date(Date.now() + this.aheadMs).toISOString()
        jest.setSystemTime(Date.now() + this.tripMs / 2)
        return { timestamp, updates: { stored: this.newest, oldest_id: 1, newest_id: this.newest } }
      },
    }
    this.link = new StreamTrust(client as Client, {
      updates: (updates) => this.told.push(`updates ${updates.map(({ id }) => id).join(" ")}`),
      reload: () => this.told.push("reload"),
      gap: ({ reason }) => this.told.push(`gap ${reason}`),
      paused: (at) => this.pauses.push(at),
      changed: () => undefined,
    })
    void this.link.run()
  }

  /** The reason why the server accepts no stream; undefined if it accepts streams. */
  denial: ServerError | undefined

  async *#watch(options: WatchOptions): AsyncGenerator<Watched, void, undefined> {
    this.begun.push(options.lastEventId)
    if (this.denial) throw this.denial
    this.#options = options
    options.signal?.addEventListener("abort", () => this.#wake())
    while (!options.signal?.aborted) {
      const next = this.#said.shift()
      if (next) yield next
      else await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  /** Whether a stream is open. */
  get isOpen(): boolean {
    return this.#options.signal?.aborted === false
  }

  /** Lets the stream send this, in one chunk. */
  async say(...said: readonly Watched[]): Promise<void> {
    this.#said.push(...said)
    this.#wake()
    await settled()
    this.#options.onHeard?.()
  }

  update(id: number): Watched {
    return { type: "update", id, update: { ...NOTHING, queue_id: 1, timestamp: new Date().toISOString() } }
  }

  /** Lets time pass as the hub does: it checks every second, and requests the figures every five seconds. */
  async pass(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second += 1) {
      jest.advanceTimersByTime(1000)
      this.link.tick()
      if (second % 5 === 0) await this.link.probe()
      await settled()
    }
  }
}

const OFFLINE = { type: "offline", reason: "away", status: 0, code: "", retryMs: 5000 } as const
const gap = (reason: "expired" | "slow"): Watched => ({
  type: "control",
  control: { event: "gap", reason, last_event_id: 5, missed: null },
})

async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve()
}

let scene: Scene
beforeEach(async () => {
  jest.useFakeTimers()
  scene = new Scene()
  await scene.say(LIVE)
})
afterEach(async () => {
  scene.link.close()
  await settled()
  jest.useRealTimers()
})

test("a stream that lacks what the server has stored is behind after a second, until it has come", async () => {
  await scene.pass(1)
  expect(scene.link.connection).toMatchObject({ state: "live", behind: 0 })
  scene.newest = 8
  await scene.pass(4)
  expect(scene.link.connection.behind).toBe(3)
  await scene.say(scene.update(6), scene.update(7), scene.update(8))
  await scene.pass(1)
  expect(scene.link.connection).toMatchObject({ behind: 0, lastEventId: 8 })
})

test("a stream that is silent for ten seconds although there are updates is cut; one that goes on is not", async () => {
  scene.newest = 1000
  for (let id = 6; id < 30; id += 1) {
    await scene.pass(1)
    await scene.say(scene.update(id))
  }
  expect([scene.begun, scene.link.connection.state]).toEqual([[undefined], "live"])
  await scene.pass(13)
  expect(scene.begun).toEqual([undefined, 29])
})

test("a stream that has caught up is not cut before the figures are asked for again", async () => {
  scene.newest = 6
  await scene.link.probe()
  await scene.say(scene.update(6))
  scene.link.tick()
  for (let second = 0; second < 15; second += 1) {
    jest.advanceTimersByTime(1000)
    scene.link.tick()
  }
  expect([scene.begun, scene.link.connection.state]).toEqual([[undefined], "live"])
})

test("a gap is reported once, and everything is read again once the stream is live", async () => {
  expect(scene.told).toEqual(["reload"])
  await scene.say(OFFLINE, gap("expired"), LIVE)
  expect(scene.told).toEqual(["reload", "gap expired", "reload"])
  await scene.say(OFFLINE, LIVE)
  expect(scene.told).toEqual(["reload", "gap expired", "reload"])
  await scene.say(gap("slow"))
  expect(scene.told.slice(3)).toEqual(["gap slow", "reload"])
})

test("a stream that is lost during the state after a gap resumes at the place before the gap", async () => {
  await scene.say(OFFLINE, gap("expired"), scene.update(9))
  scene.link.retry()
  await settled()
  expect(scene.begun).toEqual([undefined, 5])
})

test("a requested attempt to connect is made at once, unless one is already due", async () => {
  await scene.say(OFFLINE)
  expect(scene.link.connection).toMatchObject({ state: "reconnecting", retryAtMs: Date.now() + 5000 })
  scene.link.retry()
  scene.link.retry()
  await settled()
  expect(scene.begun).toEqual([undefined, 5])
  await scene.say(OFFLINE)
  jest.advanceTimersByTime(5000)
  scene.link.retry()
  await settled()
  expect(scene.begun).toEqual([undefined, 5])
})

test("an answer of the server to anything is a reason to connect to it at once", async () => {
  await scene.say(OFFLINE)
  await scene.link.probe()
  await settled()
  expect(scene.begun).toEqual([undefined, 5])
})

test("a server with another history is read again, and the place in the former one is forgotten", async () => {
  const other = { type: "control", control: { ...LIVE.control, last_event_id: 2, history: "other" } } as const
  await scene.say(OFFLINE, other)
  expect(scene.told).toEqual(["reload", "gap history", "reload"])
  await scene.say(OFFLINE)
  scene.link.retry()
  await settled()
  expect(scene.begun).toEqual([undefined, 2])
})

test("a server that refuses its figures is not regarded as a server that does not answer", async () => {
  scene.refusal = new ServerError(403, "not for this token", { code: "forbidden" })
  await scene.pass(12)
  expect([scene.link.connection.state, scene.begun]).toEqual(["live", [undefined]])
  scene.refusal = new ServerError(0, "no answer", { code: "unreachable" })
  await scene.pass(6)
  expect(scene.begun).toEqual([undefined, 5])
})

test("the page is stale ten seconds after the stream was lost, however often it has tried to reconnect", async () => {
  for (let tries = 0; tries < 4; tries += 1) {
    await scene.say(OFFLINE)
    expect(scene.link.connection.state).toBe("reconnecting")
    jest.advanceTimersByTime(3000)
  }
  scene.link.tick()
  expect(scene.link.connection.state).toBe("stale")
})

test("the server's clock is taken from the middle of a question and its answer", async () => {
  scene.aheadMs = 60_000
  scene.tripMs = 4000
  await scene.link.probe()
  expect(scene.link.connection.skewMs).toBe(60_000)
  // A quicker answer shows the clock better, so a slower one does not count.
  scene.tripMs = 100
  scene.aheadMs = 61_000
  await scene.link.probe()
  scene.tripMs = 8000
  scene.aheadMs = 10_000
  await scene.link.probe()
  expect(scene.link.connection.skewMs).toBe(61_000)
})

test("a link that was paused has no stream until it is woken, and goes on from where it was", async () => {
  await scene.say(scene.update(6))
  scene.link.pause()
  await settled()
  await scene.pass(3)
  expect(scene.begun).toEqual([undefined])
  scene.link.wake()
  await settled()
  expect(scene.begun).toEqual([undefined, 6])
})

test("whether the queue is paused counts once the stream is live, and is unknown again when it is lost", async () => {
  const queue = (paused_at: string | null): Watched => ({
    type: "control",
    control: { event: "queue", paused_at },
  })
  expect(scene.pauses).toEqual([null])
  await scene.say(queue("noon"), OFFLINE, queue("one"), queue("two"))
  expect(scene.pauses).toEqual([null, "noon"])
  await scene.say(LIVE, OFFLINE, LIVE)
  expect(scene.pauses).toEqual([null, "noon", "two", null])
})

test("a server that wants another token is told apart from one that refuses, and is asked again after a while", async () => {
  for (const [code, status, needsToken] of [
    ["unauthorized", 401, true],
    ["forbidden", 403, false],
  ] as const) {
    scene.denial = new ServerError(status, "no", { code })
    scene.link.pause()
    scene.link.wake()
    await settled()
    expect(scene.link.connection).toMatchObject({
      state: "refused",
      needsToken,
      retryAtMs: Date.now() + 15_000,
    })
    const { length } = scene.begun
    jest.advanceTimersByTime(14_999)
    await settled()
    expect(scene.begun.length).toBe(length)
    scene.link.retry()
    await settled()
  }
  scene.denial = undefined
  const { length } = scene.begun
  jest.advanceTimersByTime(15_000)
  await settled()
  expect(scene.begun.length).toBe(length + 1)
  await scene.say(LIVE)
  expect(scene.link.connection).toMatchObject({
    state: "live",
    needsToken: false,
    reason: "",
    retryAtMs: null,
  })
})

test("an answer that was quick once counts less and less, so that a clock that drifts is followed", async () => {
  scene.tripMs = 10
  await scene.link.probe()
  scene.tripMs = 200
  scene.aheadMs = 30_000
  await scene.link.probe()
  expect(scene.link.connection.skewMs).toBe(0)
  for (let time = 0; time < 20; time += 1) await scene.link.probe()
  expect(scene.link.connection.skewMs).toBe(30_000)
})

test("how late an update came is measured by the server's clock, and is unknown while nothing comes", async () => {
  scene.aheadMs = 60_000
  await scene.link.probe()
  const late = new Date(Date.now() + 60_000 - 1500).toISOString()
  await scene.say({ type: "update", id: 6, update: { ...NOTHING, queue_id: 1, timestamp: late } })
  expect(scene.link.connection.lagMs).toBe(1500)
  scene.newest = 6
  await scene.pass(6)
  expect(scene.link.connection.lagMs).toBeNull()
})

test("a state that is behind is not confirmed by bytes, and ends when the stream is live again", async () => {
  scene.newest = 9
  await scene.pass(6)
  const { confirmedMs } = scene.link.connection
  jest.advanceTimersByTime(1000)
  await scene.say(scene.update(6))
  expect(scene.link.connection).toMatchObject({ confirmedMs, behind: 4 })
  await scene.say(LIVE)
  expect(scene.link.connection).toMatchObject({ confirmedMs: Date.now(), behind: 0, lagMs: null })
  // What the server had for the former connection does not count for this one.
  scene.link.tick()
  expect(scene.link.connection.behind).toBe(0)
})

test("a question that fails cuts no stream that has just brought something", async () => {
  scene.refusal = new ServerError(0, "no answer", { code: "unreachable" })
  await scene.say(scene.update(6))
  await scene.link.probe()
  expect(scene.link.connection.state).toBe("live")
  jest.advanceTimersByTime(3001)
  await scene.link.probe()
  expect(scene.link.connection).toMatchObject({ state: "reconnecting", reason: "The server does not answer" })
})

test("before the first stream the page is connecting, and stale once that takes long", async () => {
  const fresh = new Scene()
  await fresh.say(OFFLINE)
  expect(fresh.link.connection.state).toBe("connecting")
  jest.advanceTimersByTime(11_000)
  fresh.link.tick()
  expect(fresh.link.connection.state).toBe("stale")
  // A further attempt that fails changes nothing about that.
  await fresh.say(OFFLINE)
  expect(fresh.link.connection.state).toBe("stale")
  fresh.link.close()
})

test("a paused link says why it has no stream, and one that is closed has none any more", async () => {
  scene.link.pause()
  await settled()
  expect(scene.link.connection).toMatchObject({
    ...{ state: "reconnecting", reason: "The tab was in the background", retryAtMs: null },
  })
  scene.link.wake()
  await settled()
  expect(scene.isOpen).toBe(true)
  scene.link.close()
  expect(scene.isOpen).toBe(false)
})

test("an update that was stored a moment ago does not make the stream count as behind", async () => {
  scene.newest = 6
  await scene.link.probe()
  expect(scene.link.connection.behind).toBe(0)
  jest.advanceTimersByTime(1001)
  scene.link.tick()
  expect(scene.link.connection.behind).toBe(1)
})

test("a stream that was lost a moment ago is being connected again, and not stale yet", async () => {
  await scene.say(OFFLINE)
  jest.advanceTimersByTime(9900)
  scene.link.tick()
  expect(scene.link.connection.state).toBe("reconnecting")
})
