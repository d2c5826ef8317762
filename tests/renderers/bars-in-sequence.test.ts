import { expect, test } from "bun:test"

import { BarsInSequence, type SequenceOptions } from "../../src/renderers/bars-in-sequence.ts"

const sequenceOf = (options: Partial<SequenceOptions> = {}): BarsInSequence =>
  new BarsInSequence({ bars: undefined, countsQuick: true, now: () => 0, ...options })

test("bars are counted once there are several, and one that never moved is none", () => {
  const sequence = sequenceOf()
  sequence.move(1)
  expect(sequence.bars).toBeUndefined()
  sequence.begin()
  sequence.begin()
  expect(sequence.bars).toBe(2)
  sequence.move(0.5)
  sequence.begin()
  expect(sequence.bars).toBe(3)
})

test("a bar that contains all others counts as it is, but is never full while more bars may come", () => {
  const first = sequenceOf()
  first.move(1, true)
  expect(first.fraction).toBe(1)
  first.begin()
  first.move(1, true)
  expect(first.fraction).toBe(0.89)
})

test("the bar around the current one counts from its own fraction, also if the current one was void", () => {
  const sequence = sequenceOf()
  sequence.move(0.8)
  sequence.enclose(0.3)
  sequence.move(0.4)
  expect(sequence.fraction).toBe(0.3)
  sequence.move(0.4, true)
  expect(sequence.fraction).toBe(0.4)
  sequence.drop()
  expect(sequence.isVoid).toBe(true)
  sequence.enclose(0.5)
  expect(sequence.isVoid).toBe(false)
})

test("a bar that is full within 5 s measured no work, unless such bars count or their number is known", () => {
  let nowMs = 0
  const full = (afterMs: number, options: Partial<SequenceOptions> = {}): number => {
    const sequence = sequenceOf({ countsQuick: false, now: () => nowMs, ...options })
    sequence.begin()
    nowMs += afterMs
    sequence.move(1)
    return sequence.fraction
  }
  expect([full(4999), full(5000)]).toEqual([0, 1])
  expect(full(0, { countsQuick: true })).toBe(1)
  expect(full(0, { bars: 4 })).toBe(0.25)
})

test("if the number of bars is known, nothing takes progress back", () => {
  const sequence = sequenceOf({ bars: 2 })
  sequence.move(0.5)
  sequence.enclose(0.1)
  sequence.drop()
  expect(sequence.fraction).toBe(0.25)
})
