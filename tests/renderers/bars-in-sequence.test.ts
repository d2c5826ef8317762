import { expect, test } from "bun:test"

import { BarsInSequence, type TurnsOptions } from "../../src/renderers/bars-in-sequence.ts"

const turnsOf = (options: Partial<TurnsOptions> = {}): BarsInSequence =>
  new BarsInSequence({ bars: undefined, countsQuick: true, now: () => 0, ...options })

test("bars are counted once there are several, and one that never moved is none", () => {
  const turns = turnsOf()
  turns.move(1)
  expect(turns.bars).toBeUndefined()
  turns.begin()
  turns.begin()
  expect(turns.bars).toBe(2)
  turns.move(0.5)
  turns.begin()
  expect(turns.bars).toBe(3)
})

test("a bar that contains all others counts as it is, but is never full while more bars may come", () => {
  const first = turnsOf()
  first.move(1, true)
  expect(first.fraction).toBe(1)
  first.begin()
  first.move(1, true)
  expect(first.fraction).toBe(0.89)
})

test("the bar around the current one counts from its own fraction, also if the current one was void", () => {
  const turns = turnsOf()
  turns.move(0.8)
  turns.enclose(0.3)
  turns.move(0.4)
  expect(turns.fraction).toBe(0.3)
  turns.move(0.4, true)
  expect(turns.fraction).toBe(0.4)
  turns.drop()
  expect(turns.isVoid).toBe(true)
  turns.enclose(0.5)
  expect(turns.isVoid).toBe(false)
})

test("a bar that is full within 5 s measured no work, unless such bars count or their number is known", () => {
  let nowMs = 0
  const full = (afterMs: number, options: Partial<TurnsOptions> = {}): number => {
    const turns = turnsOf({ countsQuick: false, now: () => nowMs, ...options })
    turns.begin()
    nowMs += afterMs
    turns.move(1)
    return turns.fraction
  }
  expect([full(4999), full(5000)]).toEqual([0, 1])
  expect(full(0, { countsQuick: true })).toBe(1)
  expect(full(0, { bars: 4 })).toBe(0.25)
})

test("if the number of bars is known, nothing takes progress back", () => {
  const turns = turnsOf({ bars: 2 })
  turns.move(0.5)
  turns.enclose(0.1)
  turns.drop()
  expect(turns.fraction).toBe(0.25)
})
