import { describe, expect, setDefaultTimeout, test } from "bun:test"

import fc from "fast-check"

import { MAX_RUNS, type Run } from "../../../src/item/estimate/earlier-run.ts"
import { estimate, outlook, timeProgress } from "../../../src/item/estimate/estimate.ts"
import { type Experience, learn } from "../../../src/item/estimate/experience.ts"
import { NO_TRACE, traced } from "../../../src/item/estimate/trace.ts"
import type { Attempt } from "./histories.ts"
import { madeKinds } from "./made-kinds.ts"
import { median, runOf, traceOf } from "./replay.ts"
import { anyReports, type Reports, runThrough, traceThrough } from "./traced-reports.ts"

// The machine may be busy.
setDefaultTimeout(180_000)

const experienced = (all: readonly Reports[]): Experience =>
  learn(all.map((one, i) => runThrough(one, i % 3 === 0 ? "box-b" : "box-a")))
const slides = madeKinds(5, 10).get("slides") ?? []
const slower = (attempt: Attempt, times: number): Attempt => ({
  ...attempt,
  seconds: attempt.seconds * times,
  reports: attempt.reports.map((told) => ({ ...told, at: told.at * times })),
})
const after = (attempt: Attempt, part: number): number => attempt.seconds * part
const saidAt = (attempt: Attempt, part: number, experience: Experience) => {
  const at = after(attempt, part)
  return estimate({ trace: traceOf(attempt, at), at, worker: attempt.worker }, experience)
}

describe("whatever was told before, and whatever is told now", () => {
  test("the time left is a number in its band", () => {
    fc.assert(
      fc.property(fc.array(anyReports, { minLength: 1, maxLength: 10 }), anyReports, (past, now) => {
        const experience = experienced(past)
        let trace = NO_TRACE
        for (const [at, report] of now) {
          trace = traced(trace, report, at)
          for (const later of [0, 1, 1000]) {
            const said = estimate({ trace, at: at + later, worker: "box-a" }, experience)
            expect(said?.left).toBeFinite()
            expect(said?.low).toBeGreaterThanOrEqual(0)
            expect(said?.low).toBeLessThanOrEqual(said?.left ?? -1)
            expect(said?.high).toBeGreaterThanOrEqual(said?.left ?? Number.POSITIVE_INFINITY)
            expect(said?.high).toBeFinite()
          }
        }
      }),
      { numRuns: 60 },
    )
  })

  test("the bar never goes back and never says 100", () => {
    fc.assert(
      fc.property(fc.array(anyReports, { minLength: 1, maxLength: 5 }), anyReports, (past, now) => {
        const experience = experienced(past)
        let [trace, shown] = [NO_TRACE, 0]
        for (const [at, report] of now) {
          trace = traced(trace, report, at)
          const said = estimate({ trace, at, worker: "box-c" }, experience)
          const bar = timeProgress(at, said?.left ?? 0, shown)
          expect(bar).toBeGreaterThanOrEqual(shown)
          expect(bar).toBeLessThan(100)
          shown = bar
        }
      }),
      { numRuns: 60 },
    )
  })
})

describe("an estimate at a place does not depend on the estimates that were made before", () => {
  const sameAtEach = (all: readonly Reports[], now: Reports): void => {
    const asked = experienced(all)
    let trace = NO_TRACE
    for (const [at, report] of now) {
      trace = traced(trace, report, at)
      const place = { trace, at, worker: "box-a" }
      expect(estimate(place, asked)).toEqual(estimate(place, { ...asked, remembered: new WeakMap() }))
    }
  }

  test("whatever was told", () => {
    const past = fc.array(anyReports, { minLength: 1, maxLength: 5 })
    fc.assert(fc.property(past, anyReports, sameAtEach), { numRuns: 60 })
  })

  test("if a percentage that was taken back leaves only a coarse count to go by", () => {
    const percentages = Array.from({ length: 20 }, (_, i): Reports[number] => [i * 5, { progress: i * 4 }])
    const counted = (at: number, done: number, progress: number): Reports[number] => [
      at,
      { progress, unit: { done, total: 4, name: "images" } },
    ]
    const past = [...percentages, counted(120, 3, 80)]
    sameAtEach([past, past], [[0, {}], counted(10, 1, 10), counted(80, 2, 70), [81, { progress: 40 }]])
  })
})

test("nothing is estimated for a place that was never seen", () => {
  expect(estimate({ trace: NO_TRACE, at: 5, worker: "" }, learn([]))).toBeNull()
  expect(outlook(learn([]), "")).toBeUndefined()
})

test("a bar has not reached its end as long as it goes on, however short or late it is", () => {
  for (const at of [Number.MIN_VALUE, 0.001, 1, 1e300]) expect(timeProgress(at, 0, 0)).toBeLessThan(100)
  // A place is still left to go to.
  expect(timeProgress(50, 0, 0)).toBeLessThan(99)
})

test("sixty times as long gives sixty times the estimate", () => {
  const [now, ...past] = slides
  if (!now) throw new Error("nothing was made")
  const minutes = learn(past.slice(0, 5).map(runOf))
  const hours = learn(past.slice(0, 5).map((attempt) => runOf(slower(attempt, 60))))
  for (let part = 0.05; part < 1; part += 0.05) {
    const one = saidAt(now, part, minutes)
    const other = saidAt(slower(now, 60), part, hours)
    if (!one || !other) throw new Error("nothing was said")
    // The times of points are stored in milliseconds.
    for (const key of ["left", "low", "high"] as const) {
      expect(Math.abs(other[key] / 60 - one[key]) / now.seconds).toBeLessThan(0.001)
    }
  }
})

test("an attempt that goes like the only earlier run is predicted to its end, and before its start", () => {
  for (const attempts of madeKinds(6, 3).values()) {
    for (const attempt of attempts) {
      const experience = learn([runOf(attempt)])
      expect(outlook(experience, attempt.worker)?.seconds).toBeCloseTo(attempt.seconds, 6)
      const errors = [0.2, 0.4, 0.6, 0.8].map((part) => {
        const left = saidAt(attempt, part, experience)?.left ?? 0
        return Math.abs(after(attempt, part) + left - attempt.seconds) / attempt.seconds
      })
      expect(median(errors)).toBeLessThan(0.02)
    }
  }
})

test("the order of the runs does not matter, and the newest eight count", () => {
  const [now, ...past] = slides
  if (!now) throw new Error("nothing was made")
  const runs = past.slice(0, MAX_RUNS).map(runOf)
  const one = saidAt(now, 0.5, learn(runs))
  expect(saidAt(now, 0.5, learn(runs.toReversed()))?.left).toBeCloseTo(one?.left ?? 0, 6)
  expect(saidAt(now, 0.5, learn([runOf(slower(now, 9)), ...runs]))).toEqual(one)
})

test("between reports the time left counts down; what is overdue does not reach its end", () => {
  const steps: Reports = [
    [0, { current_step: "Draw" }],
    [10, { current_step: "Render" }],
  ]
  const experience = learn([{ ...runThrough(steps, ""), seconds: 110 }])
  const leftAt = (at: number): number =>
    estimate({ trace: traceThrough(steps), at, worker: "" }, experience)?.left ?? -1
  expect(leftAt(20)).toBeCloseTo(90)
  expect(leftAt(50)).toBeCloseTo(60)
  expect(leftAt(110)).toBeGreaterThanOrEqual(0)
  expect(leftAt(1000)).toBeGreaterThanOrEqual(0)
})

test("a run that was like no other hardly counts", () => {
  const [now, ...past] = slides
  const [odd] = past
  if (!now || !odd) throw new Error("nothing was made")
  const runs = past.slice(1, 6).map(runOf)
  const plain = saidAt(now, 0.1, learn(runs))?.left ?? 0
  const poisoned = saidAt(now, 0.1, learn([...runs, runOf(slower(odd, 10))]))?.left ?? 0
  expect(Math.abs(poisoned - plain) / now.seconds).toBeLessThan(0.15)
})

test("a step with a new name is found by its place, and a step that was left out is not waited for", () => {
  const [now, ...past] = slides
  if (!now) throw new Error("nothing was made")
  const experience = learn(past.map(runOf))
  const renamed: Attempt = {
    ...now,
    reports: now.reports.map((told) =>
      told.step?.index === 3 ? { ...told, current_step: "Once", step: { ...told.step, name: "Once" } } : told,
    ),
  }
  const before = saidAt(now, 0.7, experience)?.left ?? 0
  expect(Math.abs((saidAt(renamed, 0.7, experience)?.left ?? 0) - before) / now.seconds).toBeLessThan(0.05)
  const first = now.reports.find(({ step }) => step?.index === 3)
  const jumped =
    first && estimate({ trace: traced(NO_TRACE, first, 1), at: 1, worker: now.worker }, experience)
  const rest = now.seconds - (first?.at ?? 0)
  expect(Math.abs((jumped?.left ?? 0) - rest) / now.seconds).toBeLessThan(0.25)
})

test("a still of one second says nothing about the film of the same unit", () => {
  const media = (out_time: number, total: number) => ({ media: { out_time, total } })
  const film = (seconds: number): Reports => [
    [0, { current_step: "Still", ...media(0, 1) }],
    [2, { current_step: "Film", ...media(0, seconds) }],
    [2 + seconds / 2, { current_step: "Film", ...media(seconds / 2, seconds) }],
    [1 + seconds, { current_step: "Film", ...media(seconds - 1, seconds) }],
  ]
  const experience = learn([runThrough(film(100), ""), runThrough(film(120), "")])
  const [first] = film(200)
  if (!first) throw new Error("nothing was made")
  const trace = traceThrough([first])
  const left = (totals: Readonly<Record<string, number>>): number =>
    estimate({ trace, at: 1, worker: "", totals }, experience)?.left ?? 0
  expect(left({})).toBeGreaterThan(90)
  expect(left({ seconds: 200 })).toBeGreaterThan(150)
})

test("a step that takes a time of its own beside that of its size is known by its sizes", () => {
  const images = (count: number): Reports => {
    const unit = (done: number): Reports[number][1] => ({ unit: { done, total: count, name: "images" } })
    return [
      [0, unit(0)],
      [19 + 10 * count, unit(count)],
    ]
  }
  const known = learn([8, 2, 11, 1, 5].map((count) => runThrough(images(count), "")))
  for (const count of [1, 3, 12]) {
    const seconds = outlook(known, "", { images: count })?.seconds ?? 0
    expect(Math.abs(seconds / (20 + 10 * count) - 1)).toBeLessThan(0.25)
  }
})

/** Chapters of a film, each a step of its own that takes ten seconds; the file is written at the end. */
const film = (chapters: number): Reports => {
  const names = Array.from({ length: chapters }, (_, i) => `Chapter ${i + 1} of ${chapters}`)
  return [...names, "Write"].map((name, i, { length: total }) => {
    return [10 * i, { progress: (100 * i) / total, step: { index: i + 1, total, name } }]
  })
}

test("a series of steps that is longer or shorter than it ever was takes as much longer or shorter", () => {
  const experience = learn(
    [film(4), film(6), film(5)].map((one) => ({ ...runThrough(one, ""), seconds: 10 * one.length })),
  )
  for (const chapters of [3, 5, 12]) {
    const all = film(chapters)
    for (const [i, [at]] of all.entries()) {
      const left = estimate({ trace: traceThrough(all.slice(0, i + 1)), at, worker: "" }, experience)?.left
      expect(left).toBeCloseTo(10 * all.length - at, 0)
    }
  }
})

test("so is a series whose steps all have the same name", () => {
  const song = (verses: number): Reports =>
    Array.from({ length: verses + 1 }, (_, i) => {
      const name = i === verses ? "Mix" : i % 3 === 2 ? "Chorus" : "Verse"
      return [10 * i, { step: { index: i + 1, total: verses + 1, name } }]
    })
  const experience = learn(
    [song(6), song(9), song(7)].map((one) => ({ ...runThrough(one, ""), seconds: 10 * one.length })),
  )
  for (const verses of [6, 8, 15]) {
    const all = song(verses)
    for (const [i, [at]] of all.entries()) {
      const left = estimate({ trace: traceThrough(all.slice(0, i + 1)), at, worker: "" }, experience)?.left
      expect(Math.abs((left ?? 0) - (10 * all.length - at))).toBeLessThan(all.length)
    }
  }
})

test("an attempt of more steps than are kept is estimated by how many of them are done", () => {
  const experience = learn(
    [60, 90, 70].map((chapters) => ({ ...runThrough(film(chapters), ""), seconds: 10 * (chapters + 1) })),
  )
  for (const chapters of [55, 80, 120]) {
    const all = film(chapters)
    const whole = 10 * all.length
    for (let i = 0; i < all.length; i += 7) {
      const [at] = all[i] ?? [0]
      const left = estimate({ trace: traceThrough(all.slice(0, i + 1)), at, worker: "" }, experience)?.left
      expect(Math.abs((left ?? 0) - (whole - at)) / whole).toBeLessThan(0.03)
    }
  }
})

test("how far a step is says its own part of the bar, however many steps there are", () => {
  const half = (steps: number): Reports => [
    [0, { progress: 0, step: { index: 1, total: steps, name: "Part 1" } }],
    [8, { progress: 50 / steps }],
  ]
  const run = {
    ...runThrough([...half(2), [10, { step: { index: 2, total: 2, name: "Part 2" } }]], ""),
    seconds: 20,
  }
  const at = (now: Reports): number =>
    estimate({ trace: traceThrough(now), at: 8, worker: "" }, learn([run]))?.left ?? 0
  expect(at(half(4))).toBeCloseTo(at(half(2)))
})

test("a percentage of a step that begins elsewhere on the bar, because one was left out, is no place in it", () => {
  const all: Reports = [
    [0, { current_step: "Analyse", progress: 0 }],
    [10, { current_step: "Stems", progress: 33 }],
    [20, { current_step: "Render", progress: 66 }],
    [30, { current_step: "Render", progress: 82 }],
    [38, { current_step: "Render", progress: 96 }],
  ]
  const fewer: Reports = [
    [0, { current_step: "Analyse", progress: 0 }],
    [10, { current_step: "Render", progress: 50 }],
    [20, { current_step: "Render", progress: 75 }],
  ]
  const experience = learn([{ ...runThrough(all, ""), seconds: 40 }])
  const said = estimate({ trace: traceThrough(fewer), at: 20, worker: "" }, experience)
  expect(said?.left).toBeCloseTo(10)
})

test("a percentage, a medium or a count that stands still is overdue, and does not run down to nothing", () => {
  const ways: ((done: number) => Reports[number][1])[] = [
    (done) => ({ progress: done * 90 }),
    (done) => ({ media: { out_time: done * 20, total: 20 } }),
    (done) => ({ unit: { done: Math.round(done * 50), total: 50, name: "frames" } }),
  ]
  for (const way of ways) {
    const all: Reports = Array.from({ length: 10 }, (_, i) => [10 * i, way(i / 10)])
    const experience = learn([{ ...runThrough(all, ""), seconds: 100 }])
    const trace = traceThrough(all.slice(0, 6))
    const left = (at: number): number => estimate({ trace, at, worker: "" }, experience)?.left ?? 0
    expect(left(50)).toBeCloseTo(50)
    expect(left(95)).toBeGreaterThan(25)
  }
})

test("a step that stands still before its end is not overdue because its last report was another one", () => {
  const quick = (last: number): Reports =>
    Array.from({ length: last + 1 }, (_, i) => [i * (40 / last), { progress: i }])
  const experience = learn([{ ...runThrough(quick(98), ""), seconds: 100 }])
  const trace = traceThrough(quick(96))
  for (const at of [41, 60, 80, 95]) {
    const left = estimate({ trace, at, worker: "" }, experience)?.left ?? 0
    expect(Math.abs(left - (100 - at))).toBeLessThan(3)
  }
})

test("the place where an attempt stands still near its end is known, even if it moved by less than a point of a line", () => {
  const encode = (to: number): Reports => [
    ...Array.from({ length: to + 1 }, (_, i): Reports[number] => [i, { media: { out_time: i, total: 100 } }]),
    [130, { media: { out_time: 100, total: 100 } }],
  ]
  const experience = learn([{ ...runThrough(encode(98), ""), seconds: 130 }])
  const said = estimate({ trace: traceThrough(encode(99).slice(0, -1)), at: 99, worker: "" }, experience)
  expect(Math.abs((said?.left ?? 0) - 31)).toBeLessThan(3)
})

test("a percentage that stands at 0 at first says how far it is as soon as it goes on", () => {
  const late = (slowness: number): Reports =>
    Array.from({ length: 91 }, (_, i) => [i === 0 ? 0 : slowness * (29 + i), { progress: i }])
  const experience = learn([0.9, 1, 1.1].map((slowness) => runThrough(late(slowness), "")))
  const said = estimate({ trace: traceThrough(late(1).slice(0, 3)), at: 31, worker: "" }, experience)
  expect(Math.abs((said?.left ?? 0) - 89)).toBeLessThan(15)
})

test("for work that does not say how far it is, the band stays as wide as before", () => {
  const silent = (seconds: number): Run => ({ ...runThrough([[0, { current_step: "Work" }]], ""), seconds })
  const experience = learn([90, 100, 110].map(silent))
  const trace = traceThrough([[0, { current_step: "Work" }]])
  const [early, late] = [10, 80].map((at) => estimate({ trace, at, worker: "" }, experience))
  expect((late?.high ?? 0) + 80).toBeCloseTo((early?.high ?? 0) + 10, 0)
})

test("a step that is uneven in the same way each time is estimated by its own pace", () => {
  const coarse = (slowness: number): Reports =>
    [0, 20, 75, 215, 245].map((at, i) => [at * slowness, { progress: 23 * i }])
  const experience = learn([0.9, 1, 1.1].map((slowness) => runThrough(coarse(slowness), "")))
  const all = coarse(1.4)
  const [at = 0] = all[2] ?? []
  const left = estimate({ trace: traceThrough(all.slice(0, 3)), at, worker: "" }, experience)?.left ?? 0
  expect(Math.abs(left / (245 * 1.4 - at) - 1)).toBeLessThan(0.12)
})

test("a count that goes on by one is not overdue before the next one can come", () => {
  const frames = (count: number): Reports =>
    Array.from({ length: count + 1 }, (_, done) => [
      (100 * done) / count,
      { unit: { done, total: count, name: "images" } },
    ])
  const experience = learn([runThrough(frames(20), "")])
  const trace = traceThrough(frames(2).slice(0, 2))
  const left = (at: number): number => estimate({ trace, at, worker: "" }, experience)?.left ?? 0
  expect(left(90)).toBeCloseTo(left(50) - 40)
})

test("totals that were declared make the outlook right before anything is reported", () => {
  const errors = (isDeclared: boolean): number =>
    median(
      [1, 2, 3].flatMap((seed) => {
        const attempts = madeKinds(seed, 12).get("slides") ?? []
        return attempts.slice(5).map((attempt, i) => {
          const known = learn(attempts.slice(i, i + 5).map(runOf))
          const seconds = outlook(known, attempt.worker, isDeclared ? attempt.totals : {})?.seconds ?? 0
          return Math.abs(seconds - attempt.seconds) / attempt.seconds
        })
      }),
    )
  expect(errors(true)).toBeLessThan(0.12)
  expect(errors(true)).toBeLessThan(errors(false) / 2)
})
