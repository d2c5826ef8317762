import { expect, test } from "bun:test"

import fc from "fast-check"

import { type Course, courseText } from "../../../src/item/estimate/course.ts"
import { lookOf } from "../../../src/item/estimate/look.ts"
import { GRAIN, lineThrough, nextAt, pointAt, timeAt } from "../../../src/item/estimate/step-line.ts"
import {
  MAX_STEPS,
  NO_TRACE,
  settled,
  SIGNALS,
  type Trace,
  traced,
} from "../../../src/item/estimate/trace.ts"
import type { TracedReport } from "../../../src/item/estimate/traced-report.ts"
import { anyReports, type Reports } from "./traced-reports.ts"

const told = (...reports: Reports): Trace =>
  reports.reduce((trace, [at, report]) => traced(trace, report, at), NO_TRACE)
const media = (out_time: number, total = 100): TracedReport => ({
  media: { out_time, total },
})
const namesOf = (trace: Trace): (readonly [string, number])[] => trace.steps.map(({ name, at }) => [name, at])

test("a step begins where its name is first reported, and what came before belongs to the first one", () => {
  const trace = told(
    [0, {}],
    [2, { current_step: "Analyze" }],
    [5, { current_step: "Analyze", progress: 20 }],
    [9, { current_step: "Render", progress: 50 }],
  )
  expect(namesOf(trace)).toEqual([
    ["Analyze", 0],
    ["Render", 9],
  ])
  expect(settled(trace)[0]?.lines.percent).toEqual([
    [0, 0],
    [20, 5],
  ])
})

test("a number that goes up in a step's name makes no step of its own", () => {
  const trace = told(
    [0, { current_step: "frame 1 of 40" }],
    [3, { current_step: "frame 2 of 40" }],
    [6, { current_step: "frame 17 of 40" }],
  )
  expect(namesOf(trace)).toEqual([["frame 1 of 40", 0]])
})

test("what the words count is a count, if it begins at its beginning", () => {
  const worded = (...words: readonly string[]) =>
    settled(told(...words.map((current_step, i): Reports[number] => [i * 5, { current_step }])))[0]
  const scenes = worded("Scene 1/4", "Scene 2/4", "Scene 3/4")
  expect([scenes?.name, scenes?.unit, scenes?.size]).toEqual(["Scene 1/4", "Scene #/#", 4])
  expect(scenes?.lines.unit?.at(-1)).toEqual([0.5, 10])
  // Runs of older databases are found by it.
  expect(lookOf(told([0, { current_step: "Scene 1/4" }]), 1)).toBe("Scene 1/4")
  expect(worded("Got 0 of 5 files", "Got 5 of 5 files")?.lines.unit?.at(-1)).toEqual([1, 5])
  // Songs of an album, dates, more than there is, and more than a number can be.
  for (const words of [
    ["Song 3 of 12", "Song 3 of 12", "Song 4 of 12"],
    ["Since 1/11/2026", "Since 2/11/2026"],
    ["Bar 1 of 0", "Bar 2 of 0"],
    [`Part 1 of ${"9".repeat(400)}`, `Part 2 of ${"9".repeat(400)}`],
  ])
    expect([words[0], worded(...words)?.size, worded(...words)?.lines.unit]).toEqual([words[0], 0, undefined])
  const counted = { current_step: "Scene 1/4", unit: { done: 1, total: 7, name: "frames" } }
  expect(settled(told([0, counted], [5, { current_step: "Scene 2/4" }]))[0]).toMatchObject({
    unit: "frames",
    size: 7,
    lines: {},
  })
})

test("what the words say in percent, or in another language, or beside a step with a name, counts too", () => {
  const worded = (words: readonly string[], step?: TracedReport["step"]) =>
    settled(
      told(
        ...words.map((current_step, i): Reports[number] => [i * 5, { current_step, ...(step && { step }) }]),
      ),
    )
  for (const words of [
    ["Bild 1 von 4", "Bild 2 von 4", "Bild 3 von 4"],
    ["Image 1 sur 4", "Image 2 sur 4", "Image 3 sur 4"],
    ["Image 1 out of 4", "Image 2 out of 4", "Image 3 out of 4"],
  ])
    expect(worded(words)).toMatchObject([
      {
        size: 4,
        lines: {
          unit: [
            [0, 0],
            [0.25, 5],
            [0.5, 10],
          ],
        },
      },
    ])
  // A percentage is no amount of work.
  expect(worded(["Encoding 0 %", "Encoding 25.5 %", "Encoding 80 %"])).toMatchObject([
    {
      unit: "",
      size: 0,
      lines: {
        unit: [
          [0, 0],
          [0.255, 5],
          [0.8, 10],
        ],
      },
    },
  ])
  expect(worded(["Pass at 1%", "Pass at 96%", "Pass at 2%", "Pass at 50%"])).toHaveLength(2)
  for (const words of [
    ["Auslastung 97%", "Auslastung 30%", "Auslastung 80%"],
    ["Auslastung 2%", "Auslastung 90%", "Auslastung 30%"],
    ["Level -3 %", "Level -1 %"],
    ["At 120 %", "At 130 %"],
  ])
    expect(worded(words)).toHaveLength(1)
  const step = { index: 2, total: 3, name: "Images" }
  const named = ["Drawing image 1 of 4", "Drawing image 2 of 4", "Drawing image 4 of 4"]
  expect(worded(named, step)).toMatchObject([
    {
      name: "Images",
      size: 4,
      lines: {
        unit: [
          [0, 0],
          [0.25, 5],
          [0.75, 10],
        ],
      },
    },
  ])
  expect(worded(["20 %", "60 %"], step)).toMatchObject([
    {
      size: 0,
      lines: {
        unit: [
          [0, 0],
          [0.6, 5],
        ],
      },
    },
  ])
  // A name with digits, a song of an album, and the number of the step itself.
  expect(worded(["Clip 0af3", "Clip 0af3"])).toMatchObject([{ size: 0, lines: {} }])
  expect(worded(["Song 3/9", "Song 4/9"], step)).toMatchObject([{ size: 0, lines: {} }])
  const first = { index: 1, total: 3, name: "Part 1 of 3" }
  expect(worded(["Part 1 of 3", "Part 1 of 3"], first)).toMatchObject([{ size: 0, lines: {} }])
})

test("a count in words begins a step again if it falls by more than one, and no percentage goes on", () => {
  const images = (progress: readonly number[], ...nths: readonly number[]) =>
    told(
      ...nths.map((nth, i): Reports[number] => [
        i * 5,
        { current_step: `Image ${nth} of 5`, ...(progress[i] && { progress: progress[i] }) },
      ]),
    )
  expect(namesOf(images([], 1, 3, 5, 1, 2))).toEqual([
    ["Image 1 of 5", 0],
    ["Image 1 of 5", 15],
  ])
  // Two images that are made at once.
  expect(namesOf(images([], 1, 2, 1, 2, 3))).toEqual([["Image 1 of 5", 0]])
  // The images of each scene.
  expect(namesOf(images([10, 30, 50, 60, 70], 1, 3, 5, 1, 3))).toEqual([["Image 1 of 5", 0]])
  expect(namesOf(images([10, 50, 90, 10, 50], 1, 3, 5, 1, 3))).toHaveLength(2)
})

test("steps that go on at the same time are the one that began last, and a step that is done again is another one", () => {
  const step = (index: number, name: string, out_time: number, progress?: number): TracedReport => ({
    step: { index, total: 3, name },
    media: { out_time, total: 100 },
    ...(progress !== undefined && { progress }),
  })
  const sound = (seconds: number): TracedReport => step(1, "Sound", seconds)
  const film = (seconds: number): TracedReport => step(2, "Film", seconds)
  const both = told([0, sound(0)], [1, film(0)], [2, sound(9)], [3, film(5)], [4, sound(40)], [5, film(10)])
  expect(settled(both)).toMatchObject([{ name: "Sound" }, { name: "Film", at: 1 }])
  expect(settled(both)[1]?.lines.media?.at(-1)).toEqual([0.1, 4])
  const again = told([0, sound(0)], [5, sound(60)], [6, film(0)], [7, sound(0)], [8, sound(20)])
  expect(namesOf(again)).toEqual([
    ["Sound", 0],
    ["Film", 6],
    ["Sound", 7],
  ])
  const images = (done: number): TracedReport => ({
    step: { index: 1, total: 2, name: "Images" },
    unit: { done, total: 4, name: "images" },
  })
  // The later one begins first.
  const swapped = told([0, film(0)], [1, sound(0)], [2, film(5)], [3, sound(9)])
  expect(settled(swapped)).toMatchObject([
    {
      name: "Film",
      lines: {
        media: [
          [0, 0],
          [0.05, 2],
        ],
      },
    },
  ])
  expect(namesOf(told([0, film(0)], [9, film(98)], [10, sound(0)]))).toHaveLength(2)
  expect(namesOf(told([0, images(1)], [3, images(2)], [4, film(0)], [5, images(3)]))).toHaveLength(2)
  // By words alone, with one percentage for all.
  const words = (current_step: string, progress: number): TracedReport => ({ current_step, progress })
  const put = told([0, words("Sound 1", 10)], [2, words("Film", 11)], [4, words("Sound 2", 20)])
  expect(settled(put)).toMatchObject([
    { name: "Sound 1" },
    {
      name: "Film",
      lines: {
        percent: [
          [11, 0],
          [20, 2],
        ],
      },
    },
  ])
  expect(
    namesOf(told([0, words("Paint", 10)], [2, words("Judge", 20)], [4, words("Paint", 20)])),
  ).toHaveLength(3)
})

test("steps that are counted are distinguished by their index, whatever their names", () => {
  const step = (index: number): TracedReport => ({ step: { index, total: 2, name: "Encode" } })
  expect(namesOf(told([0, step(1)], [4, step(2)]))).toEqual([
    ["Encode", 0],
    ["Encode", 4],
  ])
})

test("a count that begins again is another step: a second pass, a next file", () => {
  const trace = told([0, media(0)], [5, media(60)], [9, media(100)], [10, media(3)], [20, media(80)])
  expect(trace.steps.map(({ at }) => at)).toEqual([0, 10])
})

test("the amount of work is the length of a medium, otherwise the count", () => {
  const count: TracedReport = { unit: { done: 1, total: 7, name: "images" } }
  expect(told([0, count]).steps).toMatchObject([{ unit: "images", size: 7 }])
  expect(told([0, { ...count, ...media(1, 212.5) }]).steps).toMatchObject([{ unit: "seconds", size: 212.5 }])
})

test("a percentage that is held at 99 does not count", () => {
  const trace = told([0, { progress: 10 }], [5, { progress: 99 }], [9, { progress: 100 }])
  expect(trace.latest.percent?.[0]).toBe(undefined)
  expect(settled(told([0, {}], [3, { progress: 10 }], [5, { progress: 99 }]))[0]?.lines.percent).toEqual([
    [0, 0],
    [10, 3],
  ])
})

test("the steps stay the same array while reports add nothing that remains", () => {
  const before = told([0, { current_step: "Render" }], [1, { current_step: "Render", ...media(10) }])
  const after = traced(before, { current_step: "Render", ...media(11) }, 2)
  expect(after.steps).toBe(before.steps)
  expect(after.lines).toBe(before.lines)
  expect(after.latest.media).toEqual([0.11, 2])
})

test("a line is asked between its points, and says when the next one came", () => {
  const line = lineThrough([
    [0, 0],
    [0.5, 10],
    [0.75, 40],
    [1, 50],
  ])
  const timesAt = (value: number) => [timeAt(line, value), nextAt(line, value, pointAt(line, value, 0))]
  expect(timesAt(0)).toEqual([0, 10])
  expect(timesAt(0.25)).toEqual([5, 10])
  expect(timesAt(0.5)).toEqual([10, 40])
  expect(timesAt(1)).toEqual([50, Number.POSITIVE_INFINITY])
  expect(timesAt(2)).toEqual([50, Number.POSITIVE_INFINITY])
})

test("a place on a line is the same from wherever it is looked for", () => {
  const values = [0, 0.1, 0.5, 0.75, 1]
  const line = lineThrough(values.map((value): [number, number] => [value, value * 10]))
  for (const value of [-1, 0, 0.05, 0.1, 0.6, 0.75, 1, 2]) {
    const first = values.findIndex((point) => point >= value)
    for (let near = 0; near <= values.length; near += 1) {
      expect(pointAt(line, value, near)).toBe(first < 0 ? values.length : first)
    }
  }
})

test("the last point of a line is not waited for: it is where a report happened to be before the step ended", () => {
  const line = lineThrough([
    [0, 0],
    [0.5, 10],
    [0.75, 40],
    [0.97, 50],
  ])
  for (const value of [0.94, 0.8]) {
    expect(nextAt(line, value, pointAt(line, value, 0))).toBe(Number.POSITIVE_INFINITY)
  }
})

test("the text of a course is its JSON, and is the same when it is read and written again", () => {
  const trace = told(
    [0, { step: { index: 1, total: 2, name: "Draw" }, unit: { done: 0, total: 4, name: "images" } }],
    [10, { unit: { done: 2, total: 4, name: "images" } }],
    [20, { step: { index: 2, total: 2, name: "Encode" }, progress: 50 }],
    [30, { progress: 80 }],
  )
  const course = { beganMs: 1_750_000_000_123, trace, unwatchedMs: 4, outageEndedMs: 1_750_000_000_150 }
  const read: Course = JSON.parse(courseText(course))
  expect(read).toEqual(course)
  expect(courseText(read)).toBe(courseText(course))
})

test("where a step comes to a standstill or goes on after one is kept, however little it moved", () => {
  const linesOf = (...points: readonly (readonly [at: number, progress: number])[]) =>
    told([0, { progress: 0 }], ...points.map(([at, progress]): Reports[number] => [at, { progress }])).lines
  const even = Array.from({ length: 98 }, (_, i): [number, number] => [i + 1, i + 1])
  const { percent: plain = [] } = linesOf(...even)
  expect(plain).not.toContainEqual([98, 98])
  const { percent: stood = [] } = linesOf(...even.slice(0, 97), [300, 98])
  expect(stood).toEqual([...plain, [97, 97]])
  const { percent: late = [] } = linesOf([100, 1], [101, 2], [102, 3], [103, 4], [104, 5], [105, 6])
  expect(late).toEqual([
    [0, 0],
    [1, 100],
    [6, 105],
  ])
})

test("attempts look alike by the number of their steps, and the first one's name or what it counts", () => {
  const images = (done: number, total: number, name = "Images"): Trace =>
    told([0, { current_step: name, unit: { done, total, name: "images" } }])
  expect(lookOf(images(0, 3), 4)).toBe(lookOf(images(1, 9), 4))
  expect(lookOf(images(0, 3), 4)).toBe("4 steps, Images")
  expect(lookOf(images(0, 3), 5)).toBe("5 steps, Images")
  expect(lookOf(images(0, 3, ""), 1)).toBe("images")
  expect(lookOf(told([0, media(1)]), 1)).toBe("seconds")
  const nth = (index: number): TracedReport => ({ step: { index, total: 4, name: "" } })
  expect([lookOf(told([0, nth(1)]), 4), told([0, nth(1)], [5, nth(2)]).steps.length]).toEqual(["4 steps", 2])
  expect(lookOf(told([0, {}], [1, { progress: 5 }]), 1)).toBe("percent")
  expect(lookOf(told([0, {}]), 1)).toBe("")
  // What is left of a long name is well-formed, and fits into an index.
  expect(lookOf(images(0, 3, "🎵".repeat(4000)), 4)).toBe(`4 steps, ${"🎵".repeat(191)}`)
})

test("a percentage that is corrected downwards is drawn again from there", () => {
  const trace = told([1, { progress: 60 }], [4, { progress: 40 }], [9, { progress: 55 }])
  expect(settled(trace).map(({ lines }) => lines.percent?.at(-1))).toEqual([[55, 9]])
})

test("a percentage that begins again is another step, which counts from where it begins", () => {
  const trace = told(
    [4, { progress: 20 }],
    [9, { progress: 97 }],
    [10, { progress: 2 }],
    [20, { progress: 60 }],
  )
  expect(settled(trace).map(({ at, lines }) => [at, lines.percent])).toEqual([
    [
      0,
      [
        [0, 0],
        [20, 4],
        [97, 9],
      ],
    ],
    [
      10,
      [
        [2, 0],
        [60, 10],
      ],
    ],
  ])
})

test("whatever is reported, a trace stays small, and its lines ascend", () => {
  fc.assert(
    fc.property(anyReports, (all) => {
      const steps = settled(told(...all))
      expect(steps.length).toBeLessThanOrEqual(MAX_STEPS)
      for (const [i, step] of steps.entries()) {
        expect(step.at).toBeGreaterThanOrEqual(steps[i - 1]?.at ?? 0)
        for (const signal of SIGNALS) {
          const line = step.lines[signal] ?? []
          expect(line.length).toBeLessThanOrEqual(3 / GRAIN + 2)
          for (const [j, [value, at]] of line.entries()) {
            if (j === 0) continue
            expect(value).toBeGreaterThan(line[j - 1]?.[0] ?? 0)
            expect(at).toBeGreaterThan(line[j - 1]?.[1] ?? 0)
          }
        }
      }
    }),
  )
})
