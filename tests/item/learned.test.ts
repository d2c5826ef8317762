import { expect, setDefaultTimeout, test } from "bun:test"

import { type Attempt, histories } from "./histories.ts"
import { madeKinds } from "./made.ts"
import { type Figures, figuresOf, scoresOf } from "./replay.ts"

setDefaultTimeout(30_000)

const REAL = histories()
const attemptsOf = (kind: string): Attempt[] => REAL.get(kind) ?? []
const after = (runs: number, kinds: ReadonlyMap<string, readonly Attempt[]>): Figures =>
  figuresOf([...kinds.values()].flatMap((attempts) => scoresOf(attempts, runs)))

function holds(
  figures: Figures,
  barMean: number,
  barWorst: number,
  etaError: number,
  bandHolds: number,
): void {
  expect(figures.barMean).toBeLessThanOrEqual(barMean)
  expect(figures.barWorst).toBeLessThanOrEqual(barWorst)
  expect(figures.etaError).toBeLessThanOrEqual(etaError)
  expect(figures.bandHolds).toBeGreaterThanOrEqual(bandHolds)
}

test("the histories are what they say", () => {
  expect([...REAL].map(([kind, attempts]) => [kind, attempts.length])).toEqual([
    ["song", 15],
    ["inner", 12],
    ["blender", 12],
    ["medley", 12],
  ])
})

test("repeatable work is estimated within 2.5 points and 11 % of the time left after three runs", () => {
  holds(figuresOf(scoresOf(attemptsOf("song"), 3)), 2.5, 6, 11, 88)
  holds(figuresOf(scoresOf(attemptsOf("inner"), 3)), 2, 6, 8, 88)
})

test("so is it after one run, a little wider", () => {
  holds(figuresOf(scoresOf(attemptsOf("song"), 1)), 4, 9.5, 20, 85)
  holds(figuresOf(scoresOf(attemptsOf("inner"), 1)), 2, 5, 10, 85)
})

test("over all kinds, with those that nobody can foresee, the bar is 3 points off and the band holds", () => {
  holds(after(3, REAL), 3, 8.5, 16, 85)
  holds(after(8, REAL), 3, 7, 14, 88)
})

test("kinds that are made up are estimated as well", () => {
  for (const seed of [11, 12, 13]) {
    const made = madeKinds(seed, 12)
    holds(after(3, made), 2.5, 6, 11, 85)
    for (const kind of ["slides", "plain", "frames", "restarts", "chapters"]) {
      holds(figuresOf(scoresOf(made.get(kind) ?? [], 3)), 2.5, 10, 10, 80)
    }
  }
})

test("more runs tell more", () => {
  expect(after(8, REAL).etaError).toBeLessThan(after(1, REAL).etaError)
  const made = madeKinds(11, 14)
  expect(after(8, made).etaError).toBeLessThan(after(1, made).etaError)
})
