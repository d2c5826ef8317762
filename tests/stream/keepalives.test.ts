import { expect, spyOn, test } from "bun:test"

import { Keepalives } from "../../src/stream/keepalives.ts"
import { Seat, type SeatKind } from "../../src/stream/seat.ts"

const KEEPALIVE_MS = 3000
const LONG_AGO_MS = -10_000

/** A seat that was silent for long, and waits. */
function silent(kind: SeatKind): { readonly seat: Seat; readonly woken: Promise<string> } {
  const seat = new Seat(kind, undefined)
  seat.saidMs = LONG_AGO_MS
  return { seat, woken: seat.wait() }
}

test("all silent streams get a keepalive at one look, however many there are, and no other stream does", async () => {
  const streams = Array.from({ length: 600 }, (_, i) => silent(i % 2 === 0 ? "global" : "item"))
  const [held, recent] = [silent("held"), silent("global")]
  recent.seat.saidMs = performance.now()
  const all = [...streams, held, recent].map(({ seat }) => seat)
  const keepalives = new Keepalives(KEEPALIVE_MS, { all: () => all, examined: 7 })
  keepalives.start()
  try {
    const reasons = await Promise.all(streams.map(({ woken }) => woken))
    expect(new Set(reasons)).toEqual(new Set(["keepalive"]))
  } finally {
    keepalives.stop()
  }
  expect(new Set(streams.map(({ seat }) => seat.cursor))).toEqual(new Set([7]))
  const said = new Set(streams.map(({ seat }) => seat.saidMs))
  expect([said.size, said.has(LONG_AGO_MS)]).toEqual([1, false])
  expect([held.seat.waiting, recent.seat.waiting]).toEqual([true, true])
})

test("silence is looked for so often that no keepalive is a tenth of its time late", () => {
  using timers = spyOn(globalThis, "setInterval")
  for (const keepaliveMs of [200, 3000, 15_000, 60_000]) {
    const keepalives = new Keepalives(keepaliveMs, { all: () => [], examined: 0 })
    keepalives.start()
    keepalives.stop()
    const [, everyMs = 0] = timers.mock.lastCall ?? []
    expect(everyMs).toBeGreaterThanOrEqual(10)
    expect(everyMs).toBeLessThanOrEqual(Math.min(1000, keepaliveMs / 10))
  }
})

test("a stream that takes few updates examines what came between two beats by itself", async () => {
  const [all, few] = [0, 2].map((thin) => new Seat("global", undefined, undefined, thin))
  for (const seat of [all, few]) {
    const woken = seat?.wait()
    seat?.wake("asked", 7)
    expect(await woken).toBe("asked")
  }
  expect([all?.cursor, few?.cursor]).toEqual([7, 0])
})

test("a stream gets a keepalive once it was silent for its time, not sooner, and again after as long", () => {
  // A fraction would make sums of it inexact.
  let nowMs = Math.ceil(performance.now())
  using _clock = spyOn(performance, "now").mockImplementation(() => nowMs)
  let look = (): void => undefined
  using _timer = spyOn(globalThis, "setInterval").mockImplementation(
    ((run: () => void) => (look = run)) as never,
  )
  const seat = new Seat("item", 1)
  const keepalives = new Keepalives(KEEPALIVE_MS, { all: () => [seat], examined: 0 })
  keepalives.start()
  const isWokenAfter = (ms: number): boolean => {
    void seat.wait()
    nowMs += ms
    look()
    return !seat.waiting
  }
  expect([KEEPALIVE_MS - 1, 1, KEEPALIVE_MS - 1, 1].map(isWokenAfter)).toEqual([false, true, false, true])
})
