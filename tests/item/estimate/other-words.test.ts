import { expect, test } from "bun:test"

import { estimate } from "../../../src/item/estimate/estimate.ts"
import { learn } from "../../../src/item/estimate/experience.ts"
import { MAX_STEPS } from "../../../src/item/estimate/trace.ts"
import { chance } from "./chance.ts"
import type { Attempt, Told } from "./histories.ts"
import { figuresOf, runOf, scored, scoresOf, traceOf } from "./replay.ts"

/** Attempts whose words are never the same twice: each paints so many lines of another song. */
function songs(seed: number, [least, most]: readonly [number, number], barAt: (part: number) => number) {
  const { about, between } = chance(seed)
  return Array.from({ length: 6 }, (_, item): Attempt => {
    const count = Math.round(between(least, most))
    const letters = [..."abcdefghij"]
    let at = 0
    const reports = Array.from({ length: count }, (_none, i): Told => {
      const line = [...`${item}${String(i).padStart(3, "0")}`].map((digit) => letters[Number(digit)]).join("")
      const told = { at, current_step: `Painting "${line}"`, progress: Math.floor(barAt(i / count)) }
      at += about(5, 0.2)
      return told
    })
    return { item, kind: "song", worker: "box", seconds: at, reports, totals: {} }
  })
}

test.each([
  ["few", [12, 40]],
  ["more than are kept", [MAX_STEPS + 10, MAX_STEPS + 60]],
] as const)(
  "words that are never the same twice, %s of them, leave the percentages to follow",
  (_, range) => {
    for (const barAt of [(part: number) => 98 * part, (part: number) => 98 * Math.sqrt(part)]) {
      const figures = figuresOf([1, 2, 3].flatMap((seed) => scoresOf(songs(seed, range, barAt), 3)))
      expect(figures.barMean).toBeLessThan(5)
      expect(figures.bandHolds).toBeGreaterThan(80)
    }
  },
)

test("a percentage of its own in each step is no place on the bar, whatever the words are", () => {
  const attempts = Array.from({ length: 4 }, (_, item): Attempt => {
    const reports = Array.from({ length: 50 }, (_none, i): Told => {
      const name = String.fromCharCode(97 + item, 97 + Math.floor(i / 10))
      return { at: 2 * i, current_step: `Painting ${name}`, progress: 10 * (i % 10) }
    })
    return { item, kind: "song", worker: "box", seconds: 100, reports, totals: {} }
  })
  expect(figuresOf(scoresOf(attempts, 3)).barMean).toBeLessThan(2)
})

test("a step that is named after its song is known by what it counts, as long as no other step counts the same", () => {
  const { about, between } = chance(7)
  const attempts = Array.from({ length: 8 }, (_, item): Attempt => {
    const length = between(90, 600)
    const [load, encode] = [about(10, 0.1), 0.4 * length * about(1, 0.06)]
    const reports: Told[] = [{ at: 0, current_step: "Load", progress: 0 }]
    for (let i = 0; i < 40; i += 1) {
      const media = { out_time: (length * i) / 40, total: length }
      const current_step = `Encoding "${String.fromCharCode(97 + item)}"`
      reports.push({ at: load + (encode * i) / 40, current_step, progress: 40 + Math.floor(1.4 * i), media })
    }
    return { item, kind: "song", worker: "box", seconds: load + encode, reports, totals: {} }
  })
  for (const runs of [1, 3]) {
    const figures = figuresOf(scoresOf(attempts, runs))
    expect(figures.barMean).toBeLessThan(2.5)
    expect(figures.etaError).toBeLessThan(10)
  }
})

test("after more steps than are kept, a percentage that begins again in each does not replace that of the last one", () => {
  const reports = Array.from({ length: 10 * (MAX_STEPS + 20) }, (_, i): Told => {
    const step = Math.floor(i / 10)
    const name = String.fromCharCode(97 + Math.floor(step / 26), 97 + (step % 26))
    return { at: i, current_step: `Painting ${name}`, progress: 10 * (i % 10) }
  })
  const { steps } = runOf({ item: 1, kind: "song", worker: "box", seconds: 1000, reports, totals: {} })
  expect(steps).toHaveLength(MAX_STEPS)
  expect(steps.at(-1)?.lines.percent?.at(-1)).toEqual([90, 9])
})

/** An attempt of 200 s whose percentage goes on evenly, and which says each of these words up to a percentage. */
const evenly = (words: readonly (readonly [upTo: number, words: string])[]): Attempt => ({
  item: 1,
  kind: "song",
  worker: "box",
  seconds: 200,
  reports: Array.from({ length: 198 }, (_, at): Told => {
    const [, current_step] = words.find(([upTo]) => at / 2 < upTo) ?? [0, "Upload"]
    return { at, current_step, progress: Math.floor(at / 2) }
  }),
  totals: {},
})
const drawAndEncode = (each: number): Attempt =>
  evenly(
    Array.from({ length: 100 / each }, (_, i) => [(i + 1) * each + 0.5, i % 2 === 0 ? "Draw" : "Encode"]),
  )

test.each([
  ["come again as often as there is work", drawAndEncode(10), drawAndEncode(25)],
  [
    "come in another order",
    evenly([
      [40, "Draw"],
      [50, "Wait"],
      [90, "Encode"],
    ]),
    evenly([
      [40, "Draw"],
      [80, "Encode"],
      [90, "Wait"],
    ]),
  ],
  [
    "stand at another place of the bar",
    evenly([
      [20, "Draw"],
      [90, "Encode"],
    ]),
    evenly([
      [70, "Draw"],
      [90, "Encode"],
    ]),
  ],
])("words that %s leave the percentages to follow, from the second run on", (_, one, other) => {
  for (const [run, now] of [
    [one, other],
    [other, one],
  ] as const) {
    const { barMean, barWorst } = scored(now, [run])
    expect(barMean).toBeLessThan(4)
    expect(barWorst).toBeLessThan(21)
  }
})

test("words that come again by chance leave the percentages to follow from the second run on, though these go unevenly", () => {
  const words = ["a cat", "the sea", "two birds", "a house", "rain", "stars"]
  const { about, between } = chance(3)
  const attempts = Array.from({ length: 5 }, (_, item): Attempt => {
    const seconds = about(120, 0.05)
    const reports = Array.from({ length: 60 }, (_none, i): Told => {
      const word = words[Math.floor(between(0, words.length))] ?? ""
      const progress = Math.floor(100 * (i / 60) ** 1.7)
      return { at: (seconds * i) / 60, current_step: `Painting ${word}`, progress }
    })
    return { item, kind: "song", worker: "box", seconds, reports, totals: {} }
  })
  for (const runs of [1, 2, 3]) {
    const { barMean, bandHolds } = figuresOf(scoresOf(attempts, runs))
    expect(barMean).toBeLessThan(4)
    expect(bandHolds).toBeGreaterThan(80)
  }
})

/** An attempt of steps that each have the same part of the bar, count all of a film, and take this long for each of its seconds. */
function filmOf(length: number, costs: readonly (readonly [name: string, cost: number])[]): Attempt {
  const reports: Told[] = []
  let at = 0
  for (const [i, [current_step, cost]] of costs.entries()) {
    for (let part = 0; part < 1; part += 0.02) {
      const media = { out_time: part * length, total: length }
      const progress = Math.floor((98 * (i + part)) / costs.length)
      reports.push({ at: at + part * cost * length, current_step, progress, media })
    }
    at += cost * length
  }
  return { item: 1, kind: "film", worker: "box", seconds: at, reports, totals: {} }
}

type Cost = readonly [name: string, seconds: number]
const TWICE: Cost[] = [
  ["Analyse", 0.05],
  ["Encode", 0.7],
  ["Analyse", 0.05],
  ["Encode", 0.2],
]
const [vocals, picture, mux]: [Cost, Cost, Cost] = [
  ["Vocals", 0.05],
  ["Picture", 0.6],
  ["Mux", 0.1],
]

test.each([
  ["come again in each pass", TWICE, TWICE],
  ["come in another order", [vocals, picture, mux], [picture, vocals, mux]],
])(
  "words that %s still say how far a film is, if the percentages of the runs said less",
  (_, before, after) => {
    const films = [300, 310, 290].map((length) => filmOf(length, before))
    for (const runs of [1, 2, 3])
      expect(scored(filmOf(60, after), films.slice(0, runs)).barMean).toBeLessThan(4)
  },
)

/** An attempt of these steps, each with its seconds. */
const attemptOf = (steps: Readonly<Record<string, number>>): Attempt => {
  const reports: Told[] = []
  let at = 0
  for (const [current_step, seconds] of Object.entries(steps)) {
    for (let i = 0; i < seconds; i += 1) reports.push({ at: at + i, current_step })
    at += seconds
  }
  return { item: 1, kind: "song", worker: "box", seconds: at, reports, totals: {} }
}

test("steps that no run had may take as long again as they already have, or nine times as long", () => {
  const experience = learn([runOf(attemptOf({ Draw: 40, Encode: 60 }))])
  const now = attemptOf({ Draw: 40, Encode: 60, Upload: 200, Publish: 100 })
  const after = (at: number) =>
    estimate({ trace: traceOf(now, at), at, worker: "box", totals: undefined }, experience)
  for (const at of [150, 200, 399]) {
    const { left = 0, low = 0, high = 0 } = after(at) ?? {}
    const strange = at - 100
    expect([at, Math.round(left)]).toEqual([at, strange])
    expect(low).toBeLessThan(strange / 8)
    expect(high).toBeGreaterThanOrEqual(9 * strange)
  }
})
