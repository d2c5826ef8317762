import { expect, test } from "bun:test"

import { courseText } from "../../../src/item/estimate/course.ts"
import { traced } from "../../../src/item/estimate/trace.ts"
import { chance } from "./chance.ts"
import type { Attempt, Told } from "./histories.ts"
import { figuresOf, runOf, scored, scoresOf, traceOf } from "./replay.ts"

const FILES = ["beach", "city", "night", "forest", "sea"]

/** An attempt that says each of these things one second after the one before, the first one after a second. */
const saying = (things: readonly Omit<Told, "at">[]): Attempt => ({
  item: 1,
  kind: "song",
  worker: "box",
  seconds: things.length + 1,
  reports: things.map((thing, i) => ({ at: i + 1, ...thing })),
  totals: {},
})

const counting = (current_step: string, done: number, total: number, name: string): Omit<Told, "at"> => ({
  current_step,
  unit: { done, total, name },
})

/** The names of an attempt's steps, with what they count. */
const stepsOf = (attempt: Attempt): string[] =>
  runOf(attempt).steps.map(({ name, unit, size }) => `${name}: ${size} ${unit}`)

/** Attempts that scan, count as many pictures as there are beside words by chance, and join them. */
function pictures(words: (i: number) => string): Attempt[] {
  const { about, between } = chance(5)
  return Array.from({ length: 8 }, (_, item): Attempt => {
    const total = Math.round(between(15, 80))
    const reports: Told[] = [{ at: 0, current_step: "Scanning" }]
    let at = about(6, 0.1)
    for (let done = 1; done <= total; done += 1) {
      at += about(2, 0.2)
      reports.push({ at, ...counting(words(Math.floor(between(0, 1000))), done, total, "pictures") })
    }
    reports.push({ at: at + 0.1, current_step: "Joining" })
    return { item, kind: "song", worker: "box", seconds: at + about(total * 0.3, 0.1), reports, totals: {} }
  })
}

test.each([
  ["come again by chance", (i: number) => `Shrinking ${FILES[i % 5]}`],
  ["are hardly ever the same", (i: number) => `Shrinking ${[...`${i}`].map((n) => FILES[+n % 5]).join("-")}`],
])("words that %s beside one count leave it to say how far the pictures are", (_, words) => {
  const attempts = pictures(words)
  for (const runs of [1, 3]) {
    const { barMean, bandHolds } = figuresOf(scoresOf(attempts, runs))
    expect(barMean).toBeLessThan(3)
    expect(bandHolds).toBeGreaterThan(80)
  }
})

test("a step whose words change while its count goes on is named after what it counts, and another count is another step", () => {
  const ofCount = (name: string, words: readonly string[]) =>
    words.map((word, i) => counting(word, i + 1, words.length, name))
  const attempt = saying([
    { current_step: "Scanning" },
    ...ofCount("prompts", ["ask", "wait", "store", "ask"]),
    ...ofCount("pictures", ["ask", "wait", "store", "wait", "ask"]),
    { current_step: "Joining" },
  ])
  expect(stepsOf(attempt)).toEqual([
    "Scanning: 0 ",
    "prompts: 4 prompts",
    "pictures: 5 pictures",
    "Joining: 0 ",
  ])
})

test("a report that says the same words, and counts nothing, does not end a step whose words change, also after a restart", () => {
  const attempt = saying([
    counting("ask", 1, 9, "prompts"),
    counting("wait", 2, 9, "prompts"),
    { current_step: "wait" },
    counting("store", 3, 9, "prompts"),
  ])
  expect(stepsOf(attempt)).toEqual(["prompts: 9 prompts"])
  expect(traceOf(attempt).latest.unit).toEqual([0.3333, 4])
  const course = { beganMs: 0, trace: traceOf(attempt), unwatchedMs: 0, outageEndedMs: 0 }
  const { trace } = JSON.parse(courseText(course))
  expect(traced(trace, { current_step: "store" }, 9).steps).toHaveLength(1)
})

test("words that alternate before the first thing is counted are of that count", () => {
  const words = ["Draw", "Check", "Draw", "Check", "Draw", "Check"]
  const attempt = saying(words.map((word, i) => counting(word, Math.floor(i / 2), 3, "scenes")))
  expect(stepsOf(attempt)).toEqual(["Draw: 3 scenes", "scenes: 3 scenes"])
})

test.each([
  ["a count that begins again", [1, 2, 3, 4], [1, 2, 3, 4]],
  ["a count that has come to its end", [1, 2, 3, 4], [4, 4, 4, 4]],
])("other words with %s are another step", (_, first, second) => {
  const of = (word: string) => (done: number) => counting(word, done, 4, "frames")
  const attempt = saying([...first.map(of("Left eye")), ...second.map(of("Right eye"))])
  expect(stepsOf(attempt)).toEqual(["Left eye: 4 frames", "Right eye: 4 frames"])
})

test("sound and film that count the same length, and are made at once, each count on their own", () => {
  const length = 200
  const of = (current_step: string, out_time: number) => ({
    current_step,
    media: { out_time, total: length },
  })
  const attempt = saying(
    Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? of("Sound", 5 * (i + 1)) : of("Film", 2 * i))),
  )
  expect(stepsOf(attempt)).toEqual(["Sound: 200 seconds", "Film: 200 seconds"])
})

/** An attempt in two passes of the same steps, whose percentages only say where each step begins. */
function twoPasses(length: number): Attempt {
  const reports: Told[] = []
  let at = 0
  for (const [current_step, cost, progress] of [
    ["Measure", 0.1, 0],
    ["Write", 0.5, 25],
    ["Measure", 0.1, 50],
    ["Write", 0.3, 75],
  ] as const) {
    for (let part = 0; part < 1; part += 0.02) {
      const media = { out_time: part * length, total: length }
      reports.push({ at: at + part * cost * length, current_step, progress, media })
    }
    at += cost * length
  }
  return { item: 1, kind: "film", worker: "box", seconds: at, reports, totals: {} }
}

test("words that come again in the same order, and at the same percentages, say which pass it is", () => {
  const runs = [300, 120, 240].map(twoPasses)
  for (const n of [1, 2, 3]) {
    expect(scored(twoPasses(90), runs.slice(0, n)).barMean).toBeLessThan(1.5)
  }
})
