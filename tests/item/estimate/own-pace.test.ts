import { expect, test } from "bun:test"

import { median } from "../../../src/item/estimate/averages.ts"
import { askRun, attemptAt, type Run } from "../../../src/item/estimate/earlier-run.ts"
import { estimate } from "../../../src/item/estimate/estimate.ts"
import { learn } from "../../../src/item/estimate/experience.ts"
import { between, followedTo, jointOf, PARTS, secondsLeft } from "../../../src/item/estimate/time-left.ts"
import type { Trace } from "../../../src/item/estimate/trace.ts"
import { doubtOf } from "../../../src/item/estimate/uncertainty.ts"
import { type Reports, runThrough, traceThrough } from "./traced-reports.ts"

/** Steps that say nothing but their names, each of so many seconds. */
const silent = (...seconds: readonly number[]): Reports =>
  seconds.map((_, i): Reports[number] => [
    seconds.slice(0, i).reduce((sum, one) => sum + one, 0),
    { step: { index: i + 1, total: seconds.length, name: `Part ${"ABCDE"[i]}` } },
  ])
const runOf = (...seconds: readonly number[]): Run => ({
  ...runThrough(silent(...seconds), ""),
  seconds: seconds.reduce((sum, one) => sum + one, 0),
})

/** What all of these runs say together about an attempt, each counting as much as the others. */
function saidBy(runs: readonly Run[], trace: Trace, at: number) {
  const all = learn(runs).earlierRuns.map((earlierRun) => {
    const { answer, hand } = askRun(trace.steps, new Map(), earlierRun)
    return { answer, hand, expected: 0, weight: 1 }
  })
  const joint = jointOf(all)
  if (!joint) throw new Error("no run says anything")
  return followedTo(joint, trace, at)
}

const customOf = (inertia: number) => ({ inertia, usual: PARTS.map(() => 0.1) })

/** How much the band widens because runs differ in what was still to come, `at` seconds after the start. */
function doubtBy(runs: readonly Run[], trace: Trace, at: number): number {
  // So near its end the attempt's own pace and its amount add nothing.
  const timing = { at, left: 1e-6, stepAt: trace.steps.at(-1)?.at ?? 0 }
  return doubtOf(saidBy(runs, trace, at), timing, customOf(0.05), runs.length)
}

test("if runs differ, two of them widen the band more than eight that differ as much", () => {
  const trace = traceThrough(silent(100).slice(0, 1))
  const differing = [runOf(100), runOf(200)]
  const two = doubtBy(differing, trace, 1)
  const eight = doubtBy([...differing, ...differing, ...differing, ...differing], trace, 1)
  // The deviation of two such values is 1.3 times the one of eight.
  expect(two / eight).toBeGreaterThan(2)
  expect(two / eight).toBeLessThan(2.6)
})

test("of a run that was many times as fast up to a place, what was still to come is not taken many times as long", () => {
  const trace = traceThrough(silent(55, 100))
  const doubt = doubtBy([runOf(10, 100), runOf(100, 100)], trace, 55)
  expect(doubt).toBeGreaterThan(0.95)
  expect(doubt).toBeLessThan(1.25)
  // Nor is it taken a small part as long of a run that was many times as slow.
  const one = [runOf(1000, 100), ...Array.from({ length: 7 }, () => runOf(10, 100))]
  expect(doubtBy(one, trace, 55)).toBeLessThan(0.257)
})

test("at the very end, and while nothing is done, no pace makes an estimate less certain", () => {
  const joint = saidBy([runOf(10)], traceThrough(silent(10)), 5)
  const doubt = (answer: Partial<typeof joint.answer>): number =>
    doubtOf(
      { ...joint, answer: { ...joint.answer, ...answer } },
      { at: 5, left: 1, stepAt: 0 },
      customOf(0.05),
      1,
    )
  expect(doubt({ inStep: 10 })).toBe(0)
  expect(doubt({ inStep: 0 })).toBe(0)
  // The control: in between it does.
  expect(doubt({ inStep: 5, movedAt: 1 })).toBeGreaterThan(0)
})

test("while the total of a step grows it is unsure how much there is to do, however many runs say so, and the band is wider", () => {
  const files = (total: (done: number) => number): Reports =>
    Array.from({ length: 100 }, (_, done) => [
      2 * done,
      { unit: { done, total: total(done), name: "files" } },
    ])
  const answerOf = (reports: Reports, runs: number) => {
    const joint = saidBy(
      Array.from({ length: runs }, () => runThrough(reports, "")),
      traceThrough(reports.slice(0, 30)),
      58,
    )
    return {
      unsure: joint.answer.unsure,
      doubt: doubtOf(joint, { at: 58, left: 140, stepAt: 0 }, customOf(0.05), runs),
    }
  }
  const found = files((done) => 20 * Math.floor(done / 20) + 20)
  const [one, two] = [answerOf(found, 1), answerOf(found, 2)]
  expect(one.unsure).toBeGreaterThan(0)
  expect(one.unsure).toBeLessThanOrEqual(1)
  expect(two.unsure).toBeCloseTo(one.unsure)
  // The control: a total that stays.
  const known = answerOf(
    files(() => 100),
    1,
  )
  expect(known.unsure).toBe(0)
  expect(one.doubt).toBeGreaterThan(known.doubt + 0.01)
})

test("a pace that is far from every earlier one is believed soon, but not after a fiftieth of the work", () => {
  // The first part takes ten times as long as ever before.
  const trace = traceThrough(silent(20, 98))
  const joint = saidBy([runOf(2, 98)], trace, 20)
  const leftAfter = (inertia: number): number => secondsLeft(joint, 20, 20, customOf(inertia))
  expect(leftAfter(1)).toBeGreaterThan(135)
  expect(leftAfter(1)).toBeLessThan(155)
  // If even the usual inertia is less than a tenth of the work, it stays as it is.
  expect(leftAfter(0.05)).toBeGreaterThan(180)
  expect(leftAfter(0.05)).toBeLessThan(200)
})

test("if only whole attempts differ, and by factors, their first moments still do not tell the rest", () => {
  const runs = [1, 30, 3, 60, 10, 2, 20, 5].map((pace) =>
    runOf(...[1, 1, 1, 1, 1].map((seconds) => seconds * pace)),
  )
  expect(learn(runs).custom.inertia).toBeCloseTo(0.05, 3)
})

test("however little whole attempts differ, at the end of one its own pace still counts for a fifth", () => {
  const runs = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? runOf(38, 62) : runOf(62, 38)))
  expect(learn(runs).custom.inertia).toBe(4)
})

test("a step that takes no time does not hide how slow the one before it was", () => {
  const leftAfter = (slow: readonly number[], ...runs: readonly Run[]): number => {
    const trace = traceThrough(silent(...slow, 50))
    return estimate({ trace, at: 100, worker: "" }, learn(runs))?.left ?? 0
  }
  const two = leftAfter([100], runOf(50, 50), runOf(55, 55), runOf(48, 50))
  expect(two).toBeGreaterThan(80)
  expect(leftAfter([100, 0], runOf(50, 0, 50), runOf(55, 0, 55), runOf(48, 0, 50))).toBeCloseTo(two)
})

test("a worker that goes on as fast as it began has found no work done", () => {
  const render = (seconds: number): Reports =>
    Array.from({ length: 20 }, (_, i) => [(seconds * i) / 20, { progress: 5 * i }])
  const experience = learn([100, 140, 60].map((seconds) => ({ ...runThrough(render(seconds), ""), seconds })))
  const leftAfter = (anyReports: Reports): number => {
    const [at = 0] = anyReports.at(-1) ?? []
    return estimate({ trace: traceThrough(anyReports), at, worker: "" }, experience)?.left ?? 0
  }
  const fast: Reports = [
    [0, { progress: 0 }],
    [5, { progress: 20 }],
    [10, { progress: 40 }],
  ]
  // 15 s are left at its own pace, and 60 s at that of the earlier runs.
  expect(leftAfter(fast)).toBeLessThan(24.5)
  // It found the first fifth done, and took 20 s for the second one, as the earlier runs did.
  const resumed: Reports = [...fast.slice(0, 2), [25, { progress: 40 }]]
  expect(leftAfter(resumed)).toBeCloseTo(60, 0)
})

test("two runs that went as evenly, but took very different times, do not hold back the pace of the attempt", () => {
  const wayTo = (percent: number, seconds: number): Reports =>
    Array.from({ length: percent + 1 }, (_, i) => [seconds * (i / 100) ** 1.1, { progress: i }])
  const runs = [50, 600].map((seconds) => ({ ...runThrough(wayTo(98, seconds), ""), seconds }))
  const now = wayTo(15, 200)
  const [at = 0] = now.at(-1) ?? []
  const left = estimate({ trace: traceThrough(now), at, worker: "" }, learn(runs))?.left ?? 0
  expect(Math.abs(left / (200 - at) - 1)).toBeLessThan(0.15)
})

test("at the end of the last step the time left is not below 0, however its runs are rounded", () => {
  const render = (seconds: number): Reports => [
    [0, { step: { index: 1, total: 1, name: "Frames" } }],
    ...[0, 30, 60, 115].map((done): Reports[number] => [
      (seconds * done) / 115,
      { unit: { done, total: 116, name: "images" } },
    ]),
  ]
  for (let i = 0; i < 200; i += 1) {
    const times = [170 + 0.017 * i, 171 + 0.031 * i, 173.3 + 0.013 * i]
    const runs = times.map((seconds) => ({ ...runThrough(render(seconds), ""), seconds }))
    const said = estimate({ trace: traceThrough(render(150)), at: 150, worker: "" }, learn(runs))
    expect(said?.left).toBeGreaterThanOrEqual(0)
    expect(said?.low).toBeLessThanOrEqual(said?.left ?? -1)
  }
})

test("between the parts of an attempt after which an error is known it lies on a straight line, and beyond them it stays", () => {
  const errors = PARTS.map((part) => 3 - 2 * part)
  for (const part of [0, 0.04, 0.1, 0.2, 0.5, 0.6, 0.9, 0.95]) {
    expect([part, between(errors, part)]).toEqual([part, expect.closeTo(3 - 2 * part)])
  }
  expect([between(errors, -0.1), between(errors, 1)]).toEqual([3, errors.at(-1) ?? 0])
})

test("the median of an even number of values is the mean of the two in the middle", () => {
  expect([[], [3], [9, 1], [5, 1, 9], [9, 1, 4, 2]].map(median)).toEqual([0, 3, 5, 5, 3])
})

test("a start that did not grow with the work is known by runs with much more or less to do, in any order", () => {
  const render = (total: number, start: number): Reports =>
    Array.from({ length: total + 1 }, (_, done) => [
      done === 0 ? 0 : start + done,
      { current_step: "Render", unit: { done, total, name: "frames" } },
    ])
  const fixedIn = (...all: readonly Reports[]) =>
    learn(all.map((one) => runThrough(one, ""))).earlierRuns.map(({ parts }) => parts[0]?.fixed ?? 0)
  const [short, long] = [render(10, 10), render(100, 10)]
  for (const fixed of [...fixedIn(short, long), ...fixedIn(long, short)]) expect(fixed).toBeGreaterThan(0.9)
  // Here the start of the long run was as long in proportion.
  const grown = render(100, 100)
  for (const fixed of [...fixedIn(short, grown), ...fixedIn(grown, short)]) expect(fixed).toBeLessThan(0.1)
})

test("a run is asked about as it was at its last move, and before its first one as it was at that time", () => {
  const moves = [0, 10, 20].map((at, done): Reports[number] => [
    at,
    { current_step: "Render", unit: { done, total: 3, name: "frames" } },
  ])
  const run = runThrough(moves, "")
  expect([5, 15, 20.5].map((at) => attemptAt(run, at).at)).toEqual([5, 10, 20.5])
})

test("eight times as many frames to draw do not make the tracks longer that are mixed after them", () => {
  const step = (index: number, name: string) => ({ index, total: 2, name })
  const film = (total: number): Reports => [
    [0, { step: step(1, "Draw"), unit: { done: 0, total, name: "frames" } }],
    [total, { step: step(2, "Mix"), unit: { done: 0, total: 50, name: "tracks" } }],
    [total + 49, { step: step(2, "Mix"), unit: { done: 50, total: 50, name: "tracks" } }],
  ]
  for (const past of [[10], [10, 11, 9]]) {
    const known = learn(past.map((frames) => runThrough(film(frames), "")))
    const begun = traceThrough(film(80).slice(0, 1))
    expect(estimate({ trace: begun, at: 0, worker: "" }, known)?.left).toBeWithin(110, 150)
  }
})

test("more pictures that are all painted, and then all animated, take longer by both", () => {
  const film = (pictures: number): Reports =>
    Array.from({ length: 2 * pictures }, (_, i) => {
      const isPaint = i < pictures
      const name = isPaint ? `Paint ${i + 1}` : `Animate ${i + 1 - pictures}`
      return [
        isPaint ? 10 * i : 10 * pictures + 30 * (i - pictures),
        { step: { index: i + 1, total: 2 * pictures, name } },
      ]
    })
  const run = { ...runThrough(film(4), ""), seconds: 160 }
  const begun = traceThrough(film(8).slice(0, 1))
  expect(estimate({ trace: begun, at: 0, worker: "" }, learn([run]))?.left).toBeWithin(280, 360)
})
