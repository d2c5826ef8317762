import { expect, test } from "bun:test"

import { each, lf, read } from "./programs.ts"

const printed = (value: object): string => `${JSON.stringify(value, null, 2)}\n`
const FRAMES = [12, 60, 120]

test.each([
  ["a number and its total", (n: number) => printed({ stage: "render", frame: n, total_frames: 240 })],
  ["keys without quotes", (n: number) => `{\n  renderedFrames: ${n},\n  totalFrames: 240\n}\n`],
  ["with words before it", (n: number) => `Progress: ${printed({ current: n, total: 240 })}`],
  ["inside another one", (n: number) => printed({ jobs: [{ frame: n, total_frames: 240 }], fps: 25 })],
])("an object over several lines is read as one line: %s", (_name, object) => {
  expect(read(each(FRAMES, object), 10).last).toBeGreaterThanOrEqual(49)
  expect(read(each(FRAMES, object), 10).last).toBeLessThanOrEqual(50)
})

test("what one of its lines says counts once", () => {
  const bar = (values: readonly number[]) => each(values, (n) => printed({ song: "a", progress: n, eta: 3 }))
  expect(read(bar([5, 25, 45]), 10).last).toBe(45)
  expect(read([...bar([5, 50, 100]), ...bar([0, 10])], 10).last).toBe(36)
})

test("an object that measures, or never ends, or is none, takes nothing from the work", () => {
  const frames = (from: number, to: number) => lf(...each([from, to], (n) => `Frame ${n}/20`))
  const memory = printed({ memory: 5, memory_total: 64, temperature: 61 })
  expect(read([...frames(1, 5), memory, memory, ...frames(6, 11)], 10).last).toBe(50)
  expect(read(["{\n", ...frames(1, 11)], 10).last).toBe(50)
  expect(read(["render() {\n", ...frames(1, 11), "}\n"], 10).last).toBe(50)
})
