import { expect, test } from "bun:test"

import fc from "fast-check"

import { changed } from "../../src/item/change-by-put.ts"
import type { Report } from "../../src/item/item.ts"
import { claimed } from "../../src/item/lease.ts"
import type { Moment } from "../../src/item/moment.ts"
import { reported } from "../../src/item/report.ts"
import { stalled } from "../../src/item/stalled.ts"
import { IDLE, type Stored } from "../../src/item/stored.ts"
import { median } from "../bench/table.ts"
import { draft, START_MS } from "../contracts/store.contract.ts"

const at = (seconds: number): Moment => {
  const steadyMs = START_MS + Math.round(seconds * 1000)
  return { time: new Date(steadyMs).toISOString(), steadyMs }
}
const NEW: Stored = { item: { id: 7, ...draft() }, work: IDLE }
const CLAIMED: Stored = claimed(NEW, { worker: "box1", token: "a", leaseMs: 60_000 }, at(0))
const report = (stored: Stored, seconds: number, said: Report): Stored =>
  reported(stored, "a", said, at(seconds))

/** A render: how much is done after so many seconds, in percent. */
type Render = (seconds: number) => number

/** When a render is done, in seconds. */
function endOf(render: Render): number {
  let [before, after] = [0, 100_000]
  while (after - before > 0.001) {
    const between = (before + after) / 2
    if (render(between) < 100) before = between
    else after = between
  }
  return after
}

/** The time left that was shown, and the real one, at each report. */
interface Told {
  readonly seconds: number
  readonly share: number
  readonly eta: number | null
  readonly left: number
}

/** Reports a render at this interval of seconds. */
function follow(render: Render, everySeconds: number, from: Stored = CLAIMED): Told[] {
  const end = endOf(render)
  const all: Told[] = []
  let now = from
  for (let seconds = everySeconds; seconds < end; seconds += everySeconds) {
    const share = render(seconds)
    now = report(now, seconds, { progress: share })
    all.push({ seconds, share, eta: now.item.eta_seconds, left: end - seconds })
  }
  return all
}

/**
 * The error of each time that was shown, as a part of the real one; too long a time counts as infinitely
 * wrong.
 */
const errors = (all: readonly Told[]): number[] =>
  all.map(({ eta, left }) => (eta === null ? Number.POSITIVE_INFINITY : Math.abs(eta - left) / left))

/** What was shown in the middle 80 % of the render. */
const middle = (all: readonly Told[]): Told[] => all.filter(({ share }) => share >= 10 && share <= 90)

const steady =
  (seconds: number): Render =>
  (after) =>
    (100 * after) / seconds

test("a steady render's end is estimated to a tenth of a second or 2 % of the time left, from 3 s and 1 percent on", () => {
  fc.assert(
    fc.property(fc.integer({ min: 5, max: 20_000 }), fc.integer({ min: 1, max: 300 }), (seconds, reports) => {
      for (const { seconds: after, share, eta, left } of follow(steady(seconds), seconds / reports)) {
        const known = after >= 4.1 && share >= 1 && share < 100
        if (known) expect(Math.abs((eta ?? Number.NaN) - left)).toBeLessThan(0.3 + left * 0.02)
        if (after < 2.95 || share < 1) expect(eta).toBeNull()
      }
    }),
    { numRuns: 50 },
  )
})

test("nothing is estimated before there is a pace: no report, no movement, less than 3 s, less than 1 percent", () => {
  expect(CLAIMED.item.eta_seconds).toBeNull()
  for (const said of [{}, { message: "starting" }, { progress: 0 }]) {
    expect(report(CLAIMED, 60, said).item.eta_seconds).toBeNull()
  }
  expect(report(CLAIMED, 2.9, { progress: 20 }).item.eta_seconds).toBeNull()
  expect(report(CLAIMED, 60, { progress: 0.99 }).item.eta_seconds).toBeNull()
  expect(report(CLAIMED, 60, { progress: 1 }).item.eta_seconds).toBe(5940)
})

test("nothing is estimated once everything is done, and a report of other things keeps the estimate", () => {
  const half = report(CLAIMED, 30, { progress: 50 })
  expect(half.item.eta_seconds).toBe(30)
  expect(report(half, 35, { message: "still here" }).item.eta_seconds).toBe(30)
  expect(report(half, 35, { progress: 40 }).item.eta_seconds).toBe(30)
  expect(report(half, 60, { progress: 100 }).item.eta_seconds).toBeNull()
})

test("the time is computed from shares that are not rounded", () => {
  const all = follow(steady(4000), 1)
  const late = all.filter(({ share }) => share > 97)
  expect(Math.max(...errors(late.slice(0, -20)))).toBeLessThan(0.02)
})

test("a report right after the start shows where the work resumes, not how fast it goes", () => {
  for (const share of [5, 50, 80]) {
    const resumed = report(CLAIMED, 0.005, { progress: share })
    const render: Render = (after) => share + after / 10
    const all = follow(render, 0.5, resumed).filter(({ seconds }) => seconds > 5)
    expect(Math.max(...errors(all.slice(0, -5)))).toBeLessThan(0.05)
  }
})

test("the time before the first report that nothing is done yet is a start-up, and no part of the pace", () => {
  // Blender prints nothing for five seconds, and then renders 4 frames of a second each.
  const begun = report(CLAIMED, 5, { progress: 0, message: "frame 1 of 4" })
  const sampled = report(begun, 5.2, { progress: 1 })
  expect(sampled.item.eta_seconds).toBeNull()
  const first = report(sampled, 6, { progress: 25 })
  const third = report(report(first, 7, { progress: 50 }), 8.4, { progress: 75 })
  expect(third.item.eta_seconds).toBeWithin(0.8, 1.3)
})

test("later reports that nothing is done yet do not begin the pace again", () => {
  let now = report(CLAIMED, 1, { progress: 0, message: "frame 1 of 10" })
  for (const after of [5, 9]) now = report(now, after, { progress: 0, message: `sample ${after}` })
  expect(report(now, 11, { progress: 10 }).item.eta_seconds).toBe(90)
})

test("many reports of one moment count as one", () => {
  let now = CLAIMED
  for (let after = 1; after <= 30; after += 1) {
    for (let part = 1; part <= 10; part += 1) now = report(now, after, { progress: after - 1 + part / 10 })
  }
  expect(now.item.eta_seconds).toBeWithin(66, 74)
})

test("a render that turns slower or faster for good is followed within a third of its time so far", () => {
  for (const factor of [1 / 3, 3]) {
    const render: Render = (after) => (after < 200 ? after / 10 : 20 + ((after - 200) / 10) * factor)
    const all = follow(render, 0.5)
    const turned = all.filter(({ seconds, left }) => seconds > 320 && left > 10)
    expect(median(errors(turned))).toBeLessThan(0.15)
  }
})

test("scenes of different speed do not shake the time: its median error over the middle is at most 15 %", () => {
  for (const scene of [2, 5, 15]) {
    // Slow and fast scenes in turn, 3 to 1.
    const render: Render = (after) => {
      const whole = Math.floor(after / scene)
      const rate = (index: number): number => (index % 2 === 0 ? 0.5 : 1.5) / 6
      return (
        (whole / 6) * scene +
        (whole % 2 === 0 ? 0 : (-scene * 0.5) / 6) +
        (after - whole * scene) * rate(whole)
      )
    }
    expect(median(errors(middle(follow(render, 0.5))))).toBeLessThan(0.15)
  }
})

test("whole percents and frames that take long are estimated as well as finer reports", () => {
  const percents: Render = (after) => Math.floor((100 * after) / 600)
  expect(median(errors(middle(follow(percents, 0.5))))).toBeLessThan(0.15)
  // One frame of 40 s at a time, of 20 frames: the time that is shown after a frame is right at that moment.
  let now = CLAIMED
  for (let frame = 1; frame < 20; frame += 1) {
    now = report(now, frame * 40, { progress: frame * 5 })
    expect(now.item.eta_seconds).toBe((20 - frame) * 40)
  }
})

test("a change of title or priority keeps the estimated time, and what is known of the pace", () => {
  const half = report(CLAIMED, 30.05, { progress: 45.7 })
  const renamed = changed(half, { title: "New", priority: 3 }, at(31))
  expect(renamed.item.eta_seconds).toBe(half.item.eta_seconds)
  expect(renamed.work).toEqual(half.work)
  const next = report(renamed, 35.1, { progress: 53.4 })
  expect(next.item.eta_seconds).toBeWithin(28, 33)
})

test("a PUT moves the time as a report does, and one that steps back makes it unknown", () => {
  const started = changed(NEW, { status: "processing" }, at(0))
  const half = changed(started, { progress: 50 }, at(50))
  expect(half.item.eta_seconds).toBe(50)
  const back = changed(half, { progress: 10 }, at(51))
  expect(back.item.eta_seconds).toBeNull()
  expect(changed(back, { progress: 12 }, at(52)).item.eta_seconds).toBeNull()
  expect(changed(back, { progress: 20 }, at(61)).item.eta_seconds).toBe(80)
  expect(changed(half, { status: "completed" }, at(100)).item.eta_seconds).toBeNull()
})

test("an item that stands still has no time to its end, until it moves", () => {
  const half = report(CLAIMED, 50, { progress: 50 })
  const foreseen = { ...half.item, eta_low_seconds: 40, eta_high_seconds: 60, eta_runs: 3, time_progress: 50 }
  const still = stalled({ ...half, item: foreseen }, at(170))
  expect(still.item).toMatchObject({ stalled: true, eta_seconds: null, progress: 50, time_progress: 50 })
  expect(still.item).toMatchObject({ eta_low_seconds: null, eta_high_seconds: null, eta_runs: 0 })
  expect(report(still, 171, { progress: 50, message: "still here" }).item).toMatchObject({ stalled: true })
  const moved = report(still, 180, { progress: 51 })
  expect(moved.item.stalled).toBeFalse()
  expect(moved.item.eta_seconds).toBeGreaterThan(50)
})

test("a render of unknown length moves with what it counts, and is not taken for one that stands still", () => {
  const media = { out_time: 10, total: null, fps: 24, speed: 1 }
  const said = report(CLAIMED, 10, { media })
  expect(said.work.moved_at).toBe(at(10).steadyMs)
  expect(report(said, 20, { media: { ...media, out_time: 20 } }).work.moved_at).toBe(at(20).steadyMs)
  expect(report(said, 20, { media: { ...media, speed: 2 } }).work.moved_at).toBe(at(10).steadyMs)
  // Once its length is known, only the progress counts.
  const known = report(said, 30, { media, progress: 40 })
  expect(report(known, 40, { media: { ...media, out_time: 30 } }).work.moved_at).toBe(at(30).steadyMs)
  const unit = { done: 3, total: 0, name: "frames" }
  const counted = report(said, 30, { unit })
  expect(counted.work.moved_at).toBe(at(30).steadyMs)
  expect(report(counted, 40, { unit }).work.moved_at).toBe(at(30).steadyMs)
  // As soon as its length is known, the whole time counts.
  expect(report(counted, 100, { progress: 10 }).item.eta_seconds).toBe(900)
})

test("a steady clock that was set back by a restart makes the time unknown, not wrong", () => {
  const half = report(CLAIMED, 5000, { progress: 50 })
  const back = report(half, 1000, { progress: 50.1 })
  expect(back.item.eta_seconds).toBeNull()
  expect(report(back, 1010, { progress: 50.2 }).item.eta_seconds).toBe(4980)
})
