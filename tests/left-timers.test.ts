import { expect, spyOn, test } from "bun:test"

import { RedisClient } from "bun"

import { RedisRateLimit } from "../src/access/redis-rate-limit.ts"
import { type Bell, BellOrPollingBus } from "../src/bus/bell-or-polling.ts"
import { LocalBus } from "../src/bus/bus.ts"
import { Client } from "../src/client/client.ts"
import { MissedKeepalives, pause, Rhythm } from "../src/client/missed-keepalives.ts"
import { Requests } from "../src/client/requests.ts"
import { limitSilence } from "../src/http/body-silence-limit.ts"
import { bodyTimeLimit } from "../src/http/body-time-limit.ts"
import { GoneWebsockets } from "../src/http/gone-websockets.ts"
import { timeLimit } from "../src/http/time-limit-of-held-answer.ts"
import { dropBody } from "../src/http/unread-body.ts"
import { Metrics } from "../src/metrics/metrics.ts"
import { OutputSender } from "../src/runner/output-sender.ts"
import { AfterStart } from "../src/serve/after-start.ts"
import { Broadcaster } from "../src/stream/broadcaster.ts"
import { Keepalives } from "../src/stream/keepalives.ts"
import { QueuePause } from "../src/stream/queue-pause.ts"
import { Seat } from "../src/stream/seat.ts"
import { ThinningBeat } from "../src/stream/thinning.ts"
import { MemoryHistory } from "./stream/memory-history.ts"
import { timersLeft } from "./timers.ts"

const nothing = (): void => undefined
const refused = new Metrics().counters("refused_total")
const inTime = bodyTimeLimit(() => false, refused)

/** A stream joins and leaves. */
async function watched(thin: number): Promise<void> {
  const history = new MemoryHistory(async () => undefined, 10)
  const bus = new LocalBus()
  const broadcaster = new Broadcaster(history, bus, { keepaliveMs: 15_000, onError: nothing })
  const seat = new Seat("global", undefined, undefined, thin)
  await broadcaster.join(seat)
  history.append(1, "queued")
  bus.notify()
  while (broadcaster.head !== 1) await new Promise(setImmediate)
  seat.beat?.again()
  broadcaster.leave(seat)
  await new Promise(setImmediate)
}

/** A bus rings twice at once, so that the second ring is still to come when it stops. */
async function rung(): Promise<void> {
  let hear = (_words: string): void => undefined
  const bell: Bell = {
    open: async (heard) => void (hear = heard),
    say: async (words) => hear(words),
    close: nothing,
  }
  const bus = new BellOrPollingBus({
    bell: () => bell,
    mergeMs: 60_000,
    onDeaf: nothing,
    onHears: nothing,
    onError: nothing,
  })
  await bus.start()
  for (let hop = 0; hop < 20; hop += 1) await Promise.resolve()
  bus.notify()
  bus.notify()
  await bus.stop()
}

/** Buckets in a Redis are asked once. */
async function limited(answer: () => Promise<unknown>): Promise<void> {
  using _connect = spyOn(RedisClient.prototype, "connect").mockResolvedValue(undefined)
  using _close = spyOn(RedisClient.prototype, "close").mockImplementation(nothing)
  using _send = spyOn(RedisClient.prototype, "send").mockImplementation(answer)
  await new RedisRateLimit("redis://127.0.0.1:1", "x")
    .take("one", 1, { perSecond: 1, burst: 1 })
    .catch(nothing)
}

/** A client sends a request that is answered like this. */
async function sent(answer: () => Promise<Response>): Promise<void> {
  using _fetch = spyOn(globalThis, "fetch").mockImplementation(answer as never)
  await new Requests("http://127.0.0.1:1")
    .json("GET", "/", (value): value is unknown => value !== 1)
    .catch(nothing)
}

const printed = (): void => {
  const over = new AbortController()
  new OutputSender(new Client("http://127.0.0.1:1"), over.signal, () => false).push(Buffer.from("a\n"), 1)
  over.abort()
}

test.each<[what: string, act: () => unknown]>([
  ["a limit of silence", () => limitSilence(nothing)[Symbol.dispose]()],
  ["a held answer", () => timeLimit(new AbortController().signal, 60_000)[Symbol.dispose]()],
  ["a body that was read", () => inTime(Promise.resolve())],
  ["a body that could not be read", () => inTime(Promise.reject(new Error("gone"))).catch(nothing)],
  ["a body that was dropped", () => dropBody(new Request("http://127.0.0.1", { method: "POST", body: "x" }))],
  [
    "sockets that have left",
    () => {
      const sockets = new GoneWebsockets({ askAfterMs: 20_000, cutAfterMs: 50_000 })
      const peer = { ask: nothing, cut: nothing }
      sockets.heard(peer)
      sockets.forget(peer)
    },
  ],
  ["a request with its answer", () => sent(async () => Response.json({}))],
  ["a request with an answer that is not ours", () => sent(async () => Response.json(1))],
  ["a request without an answer", () => sent(() => Promise.reject(new Error("no network")))],
  ["a pause that was left", () => pause(60_000, AbortSignal.timeout(1))],
  ["a connection that was watched", () => new MissedKeepalives(undefined, new Rhythm()).end()],
  [
    "a start",
    async () => {
      const after = new AfterStart({ compile: nothing, shrink: nothing })
      await after.start()
      await after.stop()
    },
  ],
  [
    "the question whether the queue is paused",
    () => {
      const pauses = new QueuePause(async () => null, nothing, nothing)
      pauses.look()
      pauses.look()
      pauses.rest()
    },
  ],
  [
    "the beat of streams that want few updates",
    () => {
      const beat = new ThinningBeat(1, nothing)
      beat.batch()
      beat.again()
      beat.stop()
    },
  ],
  [
    "keepalives",
    () => {
      const keepalives = new Keepalives(15_000, { all: () => [], examined: 0 })
      keepalives.start()
      keepalives.stop()
    },
  ],
  ["a stream", () => watched(0)],
  ["a stream that wants few updates", () => watched(1)],
  ["a bus", rung],
  ["shared buckets that answered", () => limited(async () => [1, 0])],
  ["shared buckets that failed", () => limited(() => Promise.reject(new Error("lost")))],
  ["an output whose command has ended", printed],
])("%s leaves no timer behind", async (_what, act) => {
  expect(await timersLeft(act)).toBe(0)
})
