import { expect, test } from "bun:test"

import { estimate } from "../../../src/item/estimate/estimate.ts"
import { learn } from "../../../src/item/estimate/experience.ts"
import { type Reports, runThrough, traceThrough } from "./traced-reports.ts"

test("how far a later step is says its own part of the bar, which begins at another percentage if there are more steps", () => {
  const half = (steps: number, seconds: number): Reports => [
    [0, { progress: 0, step: { index: 1, total: steps, name: "Part 1" } }],
    [10, { progress: 100 / steps, step: { index: 2, total: steps, name: "Part 2" } }],
    [10 + seconds, { progress: 150 / steps }],
  ]
  const experience = learn([{ ...runThrough(half(2, 8), ""), seconds: 20 }])
  const left = (steps: number, seconds: number): number =>
    estimate({ trace: traceThrough(half(steps, seconds)), at: 10 + seconds, worker: "" }, experience)?.left ??
    0
  expect(left(2, 8)).toBeCloseTo(2)
  // The control: the place counts, and not the time.
  expect(left(2, 4)).toBeLessThan(2)
  for (const seconds of [8, 4, 2]) expect(left(4, seconds)).toBeCloseTo(left(2, seconds))
})
