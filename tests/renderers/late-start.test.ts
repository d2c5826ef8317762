import { expect, test } from "bun:test"

import { LateStart } from "../../src/renderers/late-start.ts"

/** Whether each of these later values may still be a measured value. */
const doubts = (start: LateStart, ...fractions: readonly number[]): boolean[] =>
  fractions.map((fraction) => start.doubts(fraction))

test("only a figure on a line without words of work that was first seen above a tenth is doubted", () => {
  expect(doubts(new LateStart(false, 0.5), 0.6)).toEqual([false])
  expect(doubts(new LateStart(true, 0.1), 0.6)).toEqual([false])
  expect(doubts(new LateStart(true, 0.11), 0.6)).toEqual([true])
})

test("a figure that comes to its start is progress from then on", () => {
  expect(doubts(new LateStart(true, 0.5), 0.6, 0.11, 0.1, 0.9)).toEqual([true, true, false, false])
})

test("a figure that rises four times, by a third in all, without a fall is progress", () => {
  expect(doubts(new LateStart(true, 0.2), 0.3, 0.4, 0.5, 0.6)).toEqual([true, true, true, false])
  expect(doubts(new LateStart(true, 0.2), 0.5, 0.8, 0.9)).toEqual([true, true, true])
  expect(doubts(new LateStart(true, 0.2), 0.25, 0.3, 0.4, 0.53, 0.54)).toEqual([
    ...Array(4).fill(true),
    false,
  ])
  // A value that stays has not risen.
  expect(doubts(new LateStart(true, 0.2), 0.3, 0.3, 0.3, 0.6)).toEqual(Array(4).fill(true))
  expect(doubts(new LateStart(true, 0.2), 0.3, 0.25, 0.4, 0.5, 0.6, 0.7)).toEqual(Array(6).fill(true))
})
