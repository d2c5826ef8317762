import { expect, test } from "bun:test"

import type { Report } from "../../src/item/item.ts"
import { WaitingReports } from "../../src/runner/waiting-reports.ts"

const report = (index: number, progress: number): Report => ({
  step: { index, total: 40, name: "" },
  progress,
})

/** All waiting reports, the oldest first. */
function drained(waiting: WaitingReports): (number | undefined)[] {
  const found: (number | undefined)[] = []
  for (let next = waiting.take(); next; next = waiting.take()) found.push(next.progress)
  return found
}

test("of each step the last report waits, in the order of the steps", () => {
  const waiting = new WaitingReports()
  for (const [index, progress] of [
    [1, 10],
    [1, 20],
    [2, 30],
    [2, 40],
    [3, 50],
  ] as const)
    waiting.push(report(index, progress))
  expect(drained(waiting)).toEqual([20, 40, 50])
})

test("of too many steps the newest 32 wait", () => {
  const waiting = new WaitingReports()
  for (let index = 1; index <= 40; index += 1) waiting.push(report(index, index))
  const kept = drained(waiting)
  expect(kept).toHaveLength(32)
  expect([kept[0], kept.at(-1)]).toEqual([9, 40])
})

test("a report that could not be sent comes first again, unless a newer one of its step waits", () => {
  const waiting = new WaitingReports()
  waiting.push(report(1, 10))
  const first = waiting.take() ?? {}
  waiting.push(report(2, 20))
  waiting.giveBack(first)
  expect(drained(waiting)).toEqual([10, 20])
  waiting.push(report(1, 15))
  waiting.giveBack(first)
  expect(drained(waiting)).toEqual([15])
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
    const waiting = new WaitingReports()
    waiting.push({ ...given, progress: 1 })
    const sent = waiting.take() ?? {}
    waiting.push({ ...newer, progress: 2 })
    waiting.giveBack(sent)
    expect(drained(waiting)).toEqual(left === 1 ? [2] : [1, 2])
  },
)

test("a wait for a report ends when one comes, or when its time is over", async () => {
  const waiting = new WaitingReports()
  const over = new AbortController()
  const first = waiting.filled(over.signal)
  waiting.push(report(1, 1))
  await first
  waiting.take()
  const second = waiting.filled(over.signal)
  over.abort()
  await second
  expect(waiting.take()).toBeUndefined()
})
