import { expect, test } from "bun:test"

import { every } from "../../src/background-work.ts"
import { LocalBus } from "../../src/bus/bus.ts"
import { blank } from "../../src/item/blank-item.ts"
import type { QueueItem } from "../../src/item/item.ts"
import { IngestTurns } from "../../src/queue/ingest-turns.ts"
import { Ingest } from "../../src/queue/ingest.ts"
import { OutputWriter } from "../../src/queue/output-writer.ts"
import { Output } from "../../src/queue/output.ts"
import { RescueAndStall } from "../../src/queue/rescue-and-stall.ts"
import type { Items } from "../../src/store/contract/items.ts"
import type { Life } from "../../src/store/contract/life.ts"
import type { Outputs } from "../../src/store/contract/outputs.ts"
import { timersLeft } from "../timers.ts"

const item: QueueItem = { id: 1, ...blank(1, new Date(0).toISOString()), status: "processing", attempt: 1 }
const standing = { directive: "continue", item, expiresAt: null, leaseMs: null, isDraining: false } as const

test("an output that ends before more was gathered leaves no timer", async () => {
  const writer = new OutputWriter(async () => ({ attempt: 1, end: 0 }), 1000, 0)
  const ended = async (): Promise<void> => {
    writer.push(new TextEncoder().encode("one\n"))
    await writer.end()
  }
  expect(await timersLeft(ended)).toBe(0)
})

test("a follower of an output leaves no timer, also if it goes away while it waits", async () => {
  const stored: unknown = { item: async () => item, end: async () => 0, read: async () => ({ pieces: [] }) }
  const settings = { keepBytes: 1000, keepaliveMs: 60_000 }
  const output = new Output(stored as Items, stored as Outputs, settings)
  const query = { attempt: undefined, from: { attempt: undefined, after: 0 }, isFollowed: true }
  const away = new AbortController()
  const followed = async (): Promise<void> => {
    const events = await output.read(1, query, away.signal)
    const next = events.next()
    await new Promise(setImmediate)
    away.abort()
    expect(await next).toEqual({ done: true, value: undefined })
  }
  expect(await timersLeft(followed)).toBe(0)
})

test("a renderer whose output ends while a part of it is read later leaves no timer", async () => {
  const over = async () => standing
  const workers = { report: over, heartbeat: over, complete: over, fail: over }
  const parts = { workers, queue: { update: async () => item }, turns: new IngestTurns(() => 0) }
  const known = { id: 1, token: "a", total: 100, bars: undefined, span: undefined, underWay: item } as const
  const ingest = new Ingest(parts, { ...known, renderer: "ffmpeg", now: () => 0 })
  const line = new TextEncoder().encode("out_time_us=1000000\n".repeat(4000))
  const read = (): Promise<void> =>
    ingest.listen(
      (async function* () {
        for (let i = 0; i < 20; i += 1) yield line
        await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
      })(),
    )
  expect(await timersLeft(read)).toBe(0)
})

test("a round of the timer for running items leaves no timer of its own", async () => {
  const clock = { now: () => 0, steadyMs: () => 0 }
  const nothing = async (): Promise<number> => 0
  const outages = { isUnderWay: false, endedMs: 0 }
  const store: unknown = { clock, outages, isAnyLeased: async () => false, alive: nothing, sweep: nothing }
  const onError = (error: unknown): void => expect(error).toBeUndefined()
  const rescue = new RescueAndStall(store as Items & Life, new LocalBus(), {
    stallAfterMs: 1000,
    maxRescues: 1,
    onError,
  })
  // All repeated work of the process shares one timer.
  const others = await timersLeft(() => every(500, () => undefined, onError).stop())
  expect(await timersLeft(() => rescue.round())).toBe(others)
})
