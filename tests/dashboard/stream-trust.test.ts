import { afterEach, beforeEach, expect, jest, test } from "bun:test"

import type { Client, Watched, WatchOptions } from "../../src/client/client.ts"
import { Link } from "../../src/dashboard/live/stream-trust.ts"

const NOTHING = { song_id: 1, current_step: "", progress: 1, message: "", status: "processing" } as const
const LIVE = { type: "control", control: { event: "live", last_event_id: 5, history: "h" } } as const

/** A link to a server that says what the test says, on a clock that the test moves. */
class Scene {
  /** What the link has told, in order. */
  readonly told: string[] = []
  /** Where each stream was to begin. */
  readonly begun: (number | undefined)[] = []
  /** The latest event ID of the server. */
  newest = 5
  readonly link: Link
  #said: Watched[] = []
  #options: WatchOptions = {}
  #wake: () => void = () => undefined

  constructor() {
    const client: unknown = {
      watch: (options: WatchOptions) => this.#watch(options),
      stats: async () => ({
        timestamp: new Date().toISOString(),
        updates: { stored: this.newest, oldest_id: 1, newest_id: this.newest },
      }),
    }
    this.link = new Link(client as Client, {
      updates: (updates) => this.told.push(`updates ${updates.map(({ id }) => id).join(" ")}`),
      reload: () => this.told.push("reload"),
      gap: ({ reason }) => this.told.push(`gap ${reason}`),
      paused: () => undefined,
      changed: () => undefined,
    })
    void this.link.run()
  }

  async *#watch(options: WatchOptions): AsyncGenerator<Watched, void, undefined> {
    this.begun.push(options.lastEventId)
    this.#options = options
    options.signal?.addEventListener("abort", () => this.#wake())
    while (!options.signal?.aborted) {
      const next = this.#said.shift()
      if (next) yield next
      else await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  /** Lets the stream say this, in one chunk. */
  async say(...said: readonly Watched[]): Promise<void> {
    this.#said.push(...said)
    this.#wake()
    await settled()
    this.#options.onHeard?.()
  }

  update(id: number): Watched {
    return { type: "update", id, update: { ...NOTHING, queue_id: 1, timestamp: new Date().toISOString() } }
  }

  /** Lets time pass, as the hub does: it looks each second, and asks for the figures every five. */
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

test("a stream that says nothing for ten seconds, though there is something, is cut; one that goes on is not", async () => {
  scene.newest = 1000
  for (let id = 6; id < 30; id += 1) {
    await scene.pass(1)
    await scene.say(scene.update(id))
  }
  expect([scene.begun, scene.link.connection.state]).toEqual([[undefined], "live"])
  await scene.pass(13)
  expect(scene.begun).toEqual([undefined, 29])
})

test("a gap is told once, and everything is read again once the stream is live", async () => {
  expect(scene.told).toEqual(["reload"])
  await scene.say(OFFLINE, gap("expired"), LIVE)
  expect(scene.told).toEqual(["reload", "gap expired", "reload"])
  await scene.say(OFFLINE, LIVE)
  expect(scene.told).toEqual(["reload", "gap expired", "reload"])
  await scene.say(gap("slow"))
  expect(scene.told.slice(3)).toEqual(["gap slow", "reload"])
})

test("a stream that is lost amid the state after a gap begins at the place of before it", async () => {
  await scene.say(OFFLINE, gap("expired"), scene.update(9))
  scene.link.retry()
  await settled()
  expect(scene.begun).toEqual([undefined, 5])
})

test("an attempt that is asked for is made at once, and one that is due already is left alone", async () => {
  await scene.say(OFFLINE)
  expect(scene.link.connection).toMatchObject({ state: "reconnecting", retryAtMs: Date.now() + 5000 })
  scene.link.retry()
  scene.link.retry()
  await settled()
  expect(scene.begun).toEqual([undefined, 5])
})
