import { expect, test } from "bun:test"

import { estimate, timeProgress } from "../../../src/item/estimate/estimate.ts"
import { learn } from "../../../src/item/estimate/experience.ts"
import { NO_TRACE, traced } from "../../../src/item/estimate/trace.ts"
import type { TracedReport } from "../../../src/item/estimate/traced-report.ts"
import { type Reports, runThrough, traceThrough } from "./traced-reports.ts"

/** A count up to `last`, one every two seconds; the total that is known depends on what is done. */
const counting = (
  last: number,
  totalAt: (done: number) => number,
  told = (done: number, total: number): TracedReport => ({ unit: { done, total, name: "files" } }),
): Reports => Array.from({ length: last }, (_, done) => [2 * done, told(done, totalAt(done))])

/** Files that are found in five parts, each when the part before it is done. */
const inParts = (last: number) => (done: number) =>
  Math.ceil(((Math.floor((5 * done) / last) + 1) * last) / 5)

/** After each report: the part of the time that is over, what the bar shows, and the error of the end, all in percent. */
function shownDuring(now: Reports, past: readonly Reports[]) {
  const experience = learn(past.map((one) => runThrough(one, "")))
  const whole = 2 * now.length
  let [trace, shown] = [NO_TRACE, 0]
  return now.map(([at, told]) => {
    trace = traced(trace, told, at)
    const { left = Number.NaN } = estimate({ trace, at, worker: "" }, experience) ?? {}
    shown = timeProgress(at, left, shown)
    return { part: (100 * at) / whole, shown, off: (100 * (at + left - whole)) / whole }
  })
}

function holds(now: Reports, past: readonly Reports[]): void {
  for (const { part, shown, off } of shownDuring(now, past)) {
    expect(Math.abs(shown - part)).toBeLessThan(15)
    if (part > 20) expect(Math.abs(off)).toBeLessThan(15)
  }
}

test("a count that reaches its total again and again, because more is found each time, is not nearly done", () => {
  const found = (last: number): Reports => counting(last, inParts(last))
  holds(found(100), [found(100)])
  holds(found(200), [found(60)])
  holds(found(60), [found(200), found(100), found(150)])
})

test("so it is for the time of a medium, and for what words count", () => {
  const media = (last: number): Reports =>
    counting(last, inParts(last), (done, total) => ({ media: { out_time: done, total } }))
  const words = (last: number): Reports =>
    counting(last, inParts(last), (done, total) => ({ current_step: `File ${done} of ${total}` }))
  holds(media(200), [media(60)])
  holds(words(200), [words(60)])
})

test("a total that grew with the count is believed once it stands still for longer than before", () => {
  const ahead = (last: number): Reports => counting(last, (done) => Math.min(last, done + 30))
  const late = shownDuring(ahead(100), [ahead(200)]).filter(({ part }) => part > 90)
  expect(late.length).toBeGreaterThan(5)
  for (const { off } of late) expect(off).toBeLessThan(5)
})

test("a report that says no total, and a run that an older version stored, change no total", () => {
  const silent = (done: number, total: number): TracedReport =>
    done % 3 === 2 ? { progress: done } : { unit: { done, total, name: "files" } }
  holds(counting(90, inParts(90), silent), [counting(90, inParts(90), silent)])
  const older = runThrough(counting(100, inParts(100)), "")
  const steps = older.steps.map((step) => ({ ...step, grew: true as const }))
  const now = counting(100, inParts(100)).slice(0, 50)
  const said = estimate({ trace: traceThrough(now), at: 98, worker: "" }, learn([{ ...older, steps }]))
  expect(said?.left).toBeGreaterThanOrEqual(0)
  expect(said?.high).toBeLessThan(Number.POSITIVE_INFINITY)
})
