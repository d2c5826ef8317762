import { expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"

import { LocalBus } from "../../src/bus/bus.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { Broadcaster } from "../../src/stream/broadcaster.ts"
import { asFrames } from "../../src/stream/sse-ndjson-text.ts"
import { Streams } from "../../src/stream/streams.ts"
import { Retention } from "../../src/upkeep/retention.ts"
import { temporaryFolder } from "../server.ts"
import { pass } from "./hours.ts"
import { renderDay, RENDERS_A_DAY } from "./renders.ts"

setDefaultTimeout(1_200_000)

const DAY_MS = 86_400_000
const isProof = process.env["TRACK_STUDIO_PROVE"] === "1"
const DAYS = isProof ? 365 : 30
const REPORTS = isProof ? 100 : 40
/** What is kept of an item that was removed from the list: its first update and its two moves. */
const KEPT = 3
/** The largest size of a row, with its part of the indexes. */
const ROW_BYTES = 2000

function fail(error: unknown): never {
  throw error
}

test(`${DAYS} days at ${RENDERS_A_DAY} renders a day stay within their bound, while a stream gets every update`, async () => {
  using folder = temporaryFolder()
  const clock = { nowMs: Date.parse("2026-01-01T00:00:00Z") }
  const now = (): number => clock.nowMs
  const store = new SqliteStore(join(folder.path, "test.db"), () => ({ now, steadyMs: now }))
  const bus = new LocalBus()
  const broadcaster = new Broadcaster(store, bus, { keepaliveMs: 15_000, onError: fail })
  const options = { maxLag: 0, onError: fail, onUnreadable: () => undefined, random: () => 0 }
  const streams = new Streams(store, broadcaster, options)
  const retention = new Retention(store.upkeep, store, bus, {
    updatesMs: 7 * DAY_MS,
    perItem: 10_000,
    itemsMs: 0,
    awayMs: () => 0,
    now,
    sleep: async () => undefined,
    onError: fail,
  })
  await retention.start()
  const stop = new AbortController()
  const stream = await streams.open({
    snapshot: false,
    untilFinished: false,
    format: asFrames,
    signal: stop.signal,
  })
  let last = 0
  let seen = 0
  const reading = (async () => {
    for await (const frames of stream ?? []) {
      for (const frame of frames) {
        if (frame.type !== "update") continue
        expect(frame.update.id).toBe(last + 1)
        last = frame.update.id
        seen += 1
      }
    }
  })()
  for (let i = 0; i < DAYS; i += 1) {
    await renderDay(store, REPORTS)
    bus.notify()
    const head = await store.head()
    // The reader keeps up, because a reader that is a day behind would rightly get a gap.
    while (last < head) await new Promise((round) => void setImmediate(round))
    clock.nowMs += DAY_MS
    await pass(store, 24)
    await retention.round()
  }
  const all = DAYS * RENDERS_A_DAY
  expect(seen).toBe(all * (REPORTS + KEPT))
  const whole = 8 * RENDERS_A_DAY + 64
  const { stored } = await store.bounds()
  expect(stored).toBeLessThanOrEqual(all * KEPT + whole * REPORTS)
  await store.upkeep.checkpoint()
  const { used, free } = await store.upkeep.size()
  expect(used).toBeLessThan(stored * ROW_BYTES + all * ROW_BYTES)
  expect(free).toBe(0)
  if (isProof)
    process.stdout.write(`${all} renders, ${seen} updates: ${stored} kept, ${(used / 1e6).toFixed(1)} MB\n`)
  stop.abort()
  await reading
  await retention.stop()
  await store.close()
})
