import { expect, test } from "bun:test"

import type { Run } from "../../../src/item/estimate/earlier-run.ts"
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
function shownAfter(now: Reports, past: readonly Run[]) {
  const experience = learn(past)
  const whole = 2 * now.length
  let [trace, shown] = [NO_TRACE, 0]
  return now.map(([at, told]) => {
    trace = traced(trace, told, at)
    const { left = Number.NaN } = estimate({ trace, at, worker: "" }, experience) ?? {}
    shown = timeProgress(at, left, shown)
    return { part: (100 * at) / whole, shown, off: (100 * (at + left - whole)) / whole }
  })
}

const shownDuring = (now: Reports, past: readonly Reports[]) =>
  shownAfter(
    now,
    past.map((one) => runThrough(one, "")),
  )

/** The bar is right but for 15 points, and the end but for `most` percent after a fifth of the time. */
function holdsAfter(now: Reports, past: readonly Run[], most: number): void {
  for (const { part, shown, off } of shownAfter(now, past)) {
    expect(Math.abs(shown - part)).toBeLessThan(15)
    if (part > 20) expect(Math.abs(off)).toBeLessThan(most)
  }
}

const holds = (now: Reports, past: readonly Reports[], most = 15): void =>
  holdsAfter(
    now,
    past.map((one) => runThrough(one, "")),
    most,
  )

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

test("a total that is estimated again, or becomes less, says which part is done, and is no reason to expect more", () => {
  const wavering = (last: number): Reports =>
    counting(last, (done) => Math.max(done, last * (1 + 0.2 * ((done % 3) - 1))))
  holds(wavering(200), [wavering(60)], 25)
  const shrinking = (last: number): Reports => counting(last, (done) => 2 * last - done)
  holds(shrinking(200), [shrinking(60)], 25)
  holds(shrinking(60), [shrinking(200), shrinking(100), shrinking(150)], 25)
})

test("another unit is counted as parts of its own total, after a total that grew", () => {
  const changing = (last: number): Reports =>
    counting(
      last,
      (done) => Math.min(last, 20 + 2 * done),
      (done, total) => ({
        unit:
          done < last / 2
            ? { done, total, name: "files" }
            : { done: 1e6 * done, total: 1e6 * last, name: "bytes" },
      }),
    )
  holds(changing(90), [changing(60)], 40)
})

test("a step whose total grew goes on beside another one", () => {
  const film = (done: number): TracedReport => ({
    current_step: "Film",
    unit: { done, total: done + 10, name: "frames" },
  })
  const sound = (done: number): TracedReport => ({
    current_step: "Sound",
    unit: { done, total: 30, name: "parts" },
  })
  const alone = counting(20, () => 0, film)
  const beside = Array.from({ length: 20 }, (_, i) => [
    [40 + 2 * i, sound(i)] as const,
    [41 + 2 * i, film(20 + i)] as const,
  ])
  expect(traceThrough([...alone, ...beside.flat()]).steps).toMatchObject([
    { name: "Film" },
    { name: "Sound" },
  ])
})

test("after a short run that counted nothing, a total that grows is not done once the first one is reached", () => {
  const experience = learn([
    runThrough(
      [
        [0, { progress: 0 }],
        [9, {}],
      ],
      "",
    ),
  ])
  const now = counting(40, (done) => (done < 10 ? 10 : 200))
  const said = estimate({ trace: traceThrough(now), at: 78, worker: "" }, experience)
  expect(said?.left).toBeGreaterThan(78)
})

test("a run of which an older version kept only that its total changed says which part is done", () => {
  const kept = runThrough(
    counting(60, () => 60),
    "",
  )
  const older = { ...kept, steps: kept.steps.map((step) => ({ ...step, size: 0, grew: true as const })) }
  holdsAfter(
    counting(100, (done) => Math.min(100, 30 + 2 * done)),
    [older],
    40,
  )
})

test("a total that stands for one that is not known yet is no total", () => {
  const scanned = (last: number): Reports => {
    const scan = Array.from({ length: 20 }, (_, i): Reports[number] => [
      2 * i,
      { unit: { done: 0, total: 1, name: "files" } },
    ])
    return [...scan, ...counting(last, () => last).map(([at, told]): Reports[number] => [40 + at, told])]
  }
  for (const { part, shown } of shownDuring(scanned(100), [scanned(100)]))
    expect(Math.abs(shown - part)).toBeLessThan(10)
  for (const { part, shown } of shownDuring(scanned(60), [scanned(200), scanned(100), scanned(150)]))
    expect(Math.abs(shown - part)).toBeLessThan(20)
})

test("a report that says no total changes none", () => {
  const silent = (done: number, total: number): TracedReport =>
    done % 3 === 2 ? { progress: done } : { unit: { done, total, name: "files" } }
  holds(counting(90, inParts(90), silent), [counting(90, inParts(90), silent)])
})
