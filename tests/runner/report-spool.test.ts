import { expect, test } from "bun:test"

import type { Report } from "../../src/item/item.ts"
import { Spool } from "../../src/runner/report-spool.ts"

const report = (index: number, progress: number): Report => ({
  step: { index, total: 40, name: "" },
  progress,
})

/** All that waits, oldest first. */
function drained(spool: Spool): (number | undefined)[] {
  const found: (number | undefined)[] = []
  for (let next = spool.take(); next; next = spool.take()) found.push(next.progress)
  return found
}

test("of each step the last report waits, in the order of the steps", () => {
  const spool = new Spool()
  for (const [index, progress] of [
    [1, 10],
    [1, 20],
    [2, 30],
    [2, 40],
    [3, 50],
  ] as const)
    spool.push(report(index, progress))
  expect(drained(spool)).toEqual([20, 40, 50])
})

test("of too many steps the newest 32 wait", () => {
  const spool = new Spool()
  for (let index = 1; index <= 40; index += 1) spool.push(report(index, index))
  const kept = drained(spool)
  expect(kept).toHaveLength(32)
  expect([kept[0], kept.at(-1)]).toEqual([9, 40])
})

test("a report that could not be sent comes first again, unless a newer one of its step waits", () => {
  const spool = new Spool()
  spool.push(report(1, 10))
  const first = spool.take() ?? {}
  spool.push(report(2, 20))
  spool.giveBack(first)
  expect(drained(spool)).toEqual([10, 20])
  spool.push(report(1, 15))
  spool.giveBack(first)
  expect(drained(spool)).toEqual([15])
})

const step = { index: 1, total: 2, name: "" }
test.each<[string, Report, Report, number]>([
  ["goes on in its step", { step }, {}, 1],
  ["goes on with its words", { current_step: "Draw" }, {}, 1],
  ["begins a step", {}, { step }, 2],
  ["has other words", {}, { current_step: "Draw" }, 2],
])(
  "of a report that could not be sent and a newer one that %s, %#: what is left says all",
  (_, given, newer, left) => {
    const spool = new Spool()
    spool.push({ ...given, progress: 1 })
    const sent = spool.take() ?? {}
    spool.push({ ...newer, progress: 2 })
    spool.giveBack(sent)
    expect(drained(spool)).toEqual(left === 1 ? [2] : [1, 2])
  },
)

test("a wait for a report ends when one comes, or when its time is over", async () => {
  const spool = new Spool()
  const over = new AbortController()
  const first = spool.filled(over.signal)
  spool.push(report(1, 1))
  await first
  spool.take()
  const second = spool.filled(over.signal)
  over.abort()
  await second
  expect(spool.take()).toBeUndefined()
})
