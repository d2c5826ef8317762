import { expect, spyOn, test } from "bun:test"

import type { QueueItem } from "../../src/item/item.ts"
import { claimed } from "../../src/item/lease.ts"
import { IDLE } from "../../src/item/stored.ts"
import { IngestTurns } from "../../src/queue/ingest-turns.ts"
import { Ingest } from "../../src/queue/ingest.ts"
import { draft, START_MS } from "../contracts/store.contract.ts"

const { item } = claimed(
  { item: { id: 7, ...draft() }, work: IDLE },
  { worker: "box1", token: "a", leaseMs: 60_000 },
  { time: new Date(START_MS).toISOString(), steadyMs: START_MS },
)

/** Turns whose rests take no time: the clock is set to their ends. */
function turnsOfClock() {
  const clock = { nowMs: 0 }
  const resting: unknown = (then: () => void, ms: number) => {
    clock.nowMs += ms
    setImmediate(then)
  }
  const timers = spyOn(globalThis, "setTimeout").mockImplementation(resting as typeof setTimeout)
  const turns = new IngestTurns(() => clock.nowMs)
  return { clock, turns, [Symbol.dispose]: () => timers.mockRestore() }
}

test("a slice is read at once after a pause, and what comes during the reading of a slice waits for its end", () => {
  using kit = turnsOfClock()
  const order: string[] = []
  kit.turns.take("a", () => {
    order.push("begins")
    kit.turns.take("a", () => order.push("next"))
    order.push("ends")
  })
  expect(order).toEqual(["begins", "ends", "next"])
})

test("however many slices wait, a tick reads for a few milliseconds, and all of them for a quarter of the time", async () => {
  using kit = turnsOfClock()
  const { clock, turns } = kit
  const [all, eachMs] = [400, 1.5]
  let [read, inTick, mostInTick] = [0, 0, 0]
  for (let i = 0; i < all; i += 1) {
    turns.take(`${i % 4}`, () => {
      clock.nowMs += eachMs
      read += 1
      inTick += eachMs
      mostInTick = Math.max(mostInTick, inTick)
      expect(read * eachMs).toBeLessThan(50 + clock.nowMs / 4 + eachMs)
    })
  }
  expect(read).toBe(2)
  while (read < all) {
    inTick = 0
    await new Promise(setImmediate)
  }
  expect(mostInTick).toBe(2 * eachMs)
  // No time is lost either.
  expect(all * eachMs).toBeGreaterThan(0.9 * (clock.nowMs / 4))
})

test("clients take turns, and so do the slices of one client", async () => {
  using kit = turnsOfClock()
  const order: string[] = []
  const ask = (name: string): void =>
    kit.turns.take(name.slice(0, 1), () => {
      kit.clock.nowMs += 3
      order.push(name)
    })
  for (const name of ["a1", "a2", "a3", "b1", "b2", "c1"]) ask(name)
  expect([kit.turns.waiting("a"), kit.turns.waiting("b"), kit.turns.waiting("d")]).toEqual([2, 2, 0])
  while (order.length < 6) await new Promise(setImmediate)
  expect(order).toEqual(["a1", "a2", "b1", "c1", "a3", "b2"])
})

/** An ingest of this client that is sent an output as one piece, and how far its item has come at the end. */
async function reached(turns: IngestTurns, client: string, output: string): Promise<number | undefined> {
  let progress: number | undefined
  const standing = { directive: "continue", item, expiresAt: null, leaseMs: null, isDraining: false } as const
  const over = async () => standing
  const report = async (_id: number, _token: string | undefined, said: { progress?: number }) => {
    progress = said.progress
    return standing
  }
  const parts = {
    workers: { report, heartbeat: over, complete: over, fail: over },
    queue: { update: async (): Promise<QueueItem> => item },
  }
  const known = { id: 7, token: "a", total: 100, bars: undefined, span: undefined, underWay: item }
  const ingest = new Ingest({ ...parts, turns }, { ...known, renderer: "ffmpeg", client })
  await ingest.listen(new Blob([output]).stream())
  return progress
}

test("many outputs that come whole at the same time are read in slices between which others have turns", async () => {
  using kit = turnsOfClock()
  const turns = new IngestTurns(() => (kit.clock.nowMs += 1))
  let [others, isOver] = [0, false]
  const counting = (async () => {
    for (; !isOver; others += 1) await new Promise(setImmediate)
  })()
  const output = Array.from({ length: 4000 }, (_, i) => `out_time_us=${i * 20_000}\nprogress=continue\n`)
  const all = Array.from({ length: 16 }, (_, i) => reached(turns, `${i % 2}`, output.join("")))
  expect(new Set(await Promise.all(all))).toEqual(new Set([79.98]))
  isOver = true
  await counting
  expect(others).toBeGreaterThan((16 * output.join("").length) / (4 * 16 * 1024))
})
