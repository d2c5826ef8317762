import { expect, test } from "bun:test"

import { LocalBus } from "../../src/bus/bus.ts"
import { Reasons } from "../../src/degraded-reasons.ts"
import type { Life, StoreFault } from "../../src/store/contract/life.ts"
import { Broadcaster } from "../../src/stream/broadcaster.ts"
import { Seat } from "../../src/stream/seat.ts"
import { DatabaseCheck } from "../../src/upkeep/database-check.ts"
import { DiskLowWarning } from "../../src/upkeep/disk-low-warning.ts"
import { EventLoop } from "../../src/upkeep/event-loop-and-clock.ts"
import { MissedRings } from "../../src/upkeep/missed-rings.ts"
import { MemoryHistory } from "../stream/memory-history.ts"

const onError = (error: unknown): void => console.error(error)

/** An event loop whose clocks the test moves. */
function looped() {
  const reasons = new Reasons()
  const clock = { nowMs: 1_700_000_000_000, steadyMs: 5000 }
  const jumps: number[] = []
  const loop = new EventLoop(reasons, {
    nowMs: () => clock.nowMs,
    steadyMs: () => clock.steadyMs,
    onJump: (ms) => jumps.push(ms),
    onError,
  })
  const round = (lateMs = 0): void => {
    clock.nowMs += 1000 + lateMs
    clock.steadyMs += 1000 + lateMs
    loop.round(lateMs)
  }
  return { reasons, clock, jumps, loop, round }
}

test("the largest lag of the last 15 s counts, and 5 s of it is a reason", () => {
  const { reasons, loop, round } = looped()
  round(4999)
  expect([loop.lagMs, reasons.current]).toEqual([4999, []])
  round(5400)
  for (let i = 0; i < 16; i += 1) round(3)
  expect(loop.lagMs).toBe(5400)
  expect(reasons.held).toMatchObject([{ reason: "event_loop_lag", detail: "5400 ms" }])
  round(3)
  expect([loop.lagMs, reasons.current]).toEqual([3, []])
})

test("an event loop that stands still is noticed by the time since its last round", () => {
  const { loop, clock, round } = looped()
  round()
  expect(loop.stoodMs()).toBe(0)
  clock.steadyMs += 61_000
  expect(loop.stoodMs()).toBe(61_000)
})

test("a clock that jumps by an hour either way is reported once, and stays a reason for 10 minutes", () => {
  const { reasons, clock, jumps, round } = looped()
  round()
  clock.nowMs += 3_600_000
  round()
  clock.nowMs -= 3_600_000
  round()
  expect(jumps).toEqual([3_600_000, -3_600_000])
  expect(reasons.held).toMatchObject([{ reason: "clock_jumped", detail: "-3600 s" }])
  for (let i = 0; i < 600; i += 1) round()
  expect(reasons.current).toEqual(["clock_jumped"])
  round()
  expect([reasons.current, jumps]).toEqual([[], [3_600_000, -3_600_000]])
})

test("a loop that was late does not count as a jump of the clock", () => {
  const { reasons, jumps, round } = looped()
  round(70_000)
  expect([jumps, reasons.current]).toEqual([[], ["event_loop_lag"]])
})

test("a disk with less than 256 MiB left is a reason", () => {
  const reasons = new Reasons()
  let free = 256 * 1024 * 1024
  const disk = new DiskLowWarning(reasons, { freeBytes: () => free, onError })
  disk.round()
  expect(reasons.current).toEqual([])
  free -= 1
  disk.round()
  expect(reasons.held).toMatchObject([{ reason: "disk_low", detail: "255 MiB free" }])
})

test("a disk that fills, and one that is cleared, is noticed within seconds", async () => {
  let changed = Promise.withResolvers<void>()
  const reasons = new Reasons(() => changed.resolve())
  let free = 0
  const disk = new DiskLowWarning(reasons, { freeBytes: () => free, onError })
  await disk.start()
  await changed.promise
  changed = Promise.withResolvers()
  free = Number.MAX_SAFE_INTEGER
  const clearedMs = performance.now()
  await changed.promise
  await disk.stop()
  expect(reasons.current).toEqual([])
  expect(performance.now() - clearedMs).toBeLessThan(7000)
})

test("a notification that is lost is noticed, and the streams hear of the update all the same", async () => {
  const history = new MemoryHistory(async () => undefined, 1024)
  const bus = new LocalBus()
  const reasons = new Reasons()
  const broadcaster = new Broadcaster(history, bus, { keepaliveMs: 15_000, onError })
  let heads = 0
  const rings = new MissedRings(reasons, {
    head: () => {
      heads += 1
      return history.head()
    },
    heard: () => broadcaster.heard,
    steadyMs: () => 0,
    lagMs: () => 0,
    ring: () => bus.notify(),
    onError,
  })
  await rings.round()
  // No stream is open, so nothing is read.
  expect(heads).toBe(0)
  const seat = new Seat("global", undefined)
  await broadcaster.join(seat, new AbortController().signal)
  history.append(1, "queued")
  const woken = seat.wait()
  await rings.round()
  expect(reasons.current).toEqual([])
  await rings.round()
  expect(reasons.current).toEqual(["bell_deaf"])
  expect(await woken).toBe("batch")
  await rings.round()
  expect([reasons.current, broadcaster.heard]).toEqual([[], 1])
  broadcaster.leave(seat)
})

test("streams that are behind for a moment, or go on, are not deaf: the bell is not rung for them", async () => {
  const reasons = new Reasons()
  const seen = { head: 5, heard: 5, rings: 0 }
  const rings = new MissedRings(reasons, {
    head: async () => seen.head,
    heard: () => seen.heard,
    steadyMs: () => 0,
    lagMs: () => 0,
    ring: () => (seen.rings += 1),
    onError,
  })
  await rings.round()
  // An update that is stored just before a round was not read yet.
  seen.head = 10
  for (let round = 0; round < 4; round += 1) {
    await rings.round()
    expect([reasons.current, seen.rings]).toEqual([[], 0])
    seen.heard += 10
    seen.head += 10
  }
  // Now they stand still.
  seen.heard -= 10
  await rings.round()
  expect([reasons.current, seen.rings]).toEqual([["bell_deaf"], 1])
})

test.each(["slow", "away", "quick"])(
  "streams that cannot be read because the database is slow or away are not deaf: %s",
  async (database) => {
    const reasons = new Reasons()
    const seen = { steadyMs: 0, rounds: 0, rings: 0 }
    const rings = new MissedRings(reasons, {
      head: async () => {
        seen.rounds += 1
        if (database === "slow") seen.steadyMs += 2000
        if (database === "away" && seen.rounds === 2) throw new Error("the database is away")
        return 10
      },
      heard: () => 5,
      steadyMs: () => seen.steadyMs,
      lagMs: () => 0,
      ring: () => (seen.rings += 1),
      onError,
    })
    await rings.round()
    await rings.round().catch(() => undefined)
    if (database === "away") await rings.round()
    // The control: with a quick database it is the bell.
    expect([reasons.current, seen.rings]).toEqual(database === "quick" ? [["bell_deaf"], 1] : [[], 0])
  },
)

test("streams that could not read because the process got no processor are not deaf, and the bell is rung all the same", async () => {
  const { reasons, loop, round: beat } = looped()
  let rung = 0
  const rings = new MissedRings(reasons, {
    head: async () => 10,
    heard: () => 5,
    steadyMs: () => 0,
    lagMs: () => loop.lagMs,
    ring: () => (rung += 1),
    onError,
  })
  await rings.round()
  beat(4000)
  await rings.round()
  expect([reasons.current, rung]).toEqual([[], 1])
  // Once the loop has been in time for 15 s, the bell is to blame.
  for (let i = 0; i < 17; i += 1) beat()
  await rings.round()
  expect([reasons.current, rung]).toEqual([["bell_deaf"], 2])
})

test("the faults of the database are reasons, of which one says what failed, and its end is called for if it was replaced", () => {
  const reasons = new Reasons()
  let faults: StoreFault[] = []
  const life: unknown = { failure: "SQLITE_FULL", faults: () => faults }
  let replaced = 0
  const check = new DatabaseCheck(life as Life, reasons, { onReplaced: () => (replaced += 1), onError })
  const found = (...now: StoreFault[]) => {
    faults = now
    check.round()
    return [reasons.held.map(({ reason, detail }) => `${reason} ${detail}`.trim()), replaced]
  }
  expect(found("database_unwritable", "wal_pinned")).toEqual([
    ["database_unwritable SQLITE_FULL", "wal_pinned"],
    0,
  ])
  expect(found("database_damaged", "file_replaced")).toEqual([["database_damaged", "file_replaced"], 1])
  expect(found()).toEqual([[], 1])
})
