import { describe, expect, test } from "bun:test"

import { each, lf, read, TENTHS, tqdm } from "./programs.ts"

/** Values with a name that says nothing of work, printed while the work goes on. */
const GAUGES: readonly (readonly [string, (n: number) => string])[] = [
  ["slower", (n) => `dust ${n}%`],
  ["as fast", (n) => `glow ${n * 5}%`],
  ["faster", (n) => `sparkle ${n * 9}%`],
  ["in any order", (n) => `haze ${(n * 37) % 100}%`],
  ["that stays", () => "mood 40%"],
  ["that falls", (n) => `ember ${90 - n * 7}%`],
  ["full from the start", () => "joy 100%"],
  ["full before the work", (n) => `zip ${Math.min(100, n * 20)}%`],
  ["a count, slower", (n) => `hot spots ${n}/64`],
  ["a count, faster", (n) => `hot spots ${n * 7}/64`],
  ["a count in any order", (n) => `echoes ${(n * 37) % 64}/64`],
  ["a date", (n) => `0${Math.min(9, n + 1)}/12 log rotated`],
  ["a part of a file", (n) => `"GET /p HTTP/1.1" 206 ${n}/9`],
]
const NINE = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]

describe.each(GAUGES)("a value beside the work, %s", (name, gauge) => {
  test("says nothing beside a drawn bar", () => {
    const lines = NINE.flatMap((n) => [tqdm(n, 20, "Rendering: "), `\n${gauge(n)}\n`])
    for (const apartS of [0, 10]) expect(read(lines, apartS)).toMatchObject({ last: 45, most: 45 })
  })

  test("says nothing beside a plain percentage, with a word of work or without any", () => {
    for (const label of ["rendering: ", ""]) {
      const lines = NINE.flatMap((n) => lf(`${label}${n * 5}%`, gauge(n)))
      expect(read(lines, 10)).toMatchObject({ last: 45, most: 45 })
    }
  })

  test("says nothing once the percentage of the work has grown", () => {
    if (/count|date|part of a file/.test(name)) return
    expect(
      read(
        NINE.flatMap((n) => lf(gauge(n), `rendering: ${n * 5}%`)),
        10,
      ).last,
    ).toBe(45)
  })

  test("does not hide a second bar, and says nothing between the two", () => {
    const bars = ["mixing", "encoding"].flatMap((label) =>
      TENTHS.flatMap((n) => lf(`${label} ${n * 10}%`, gauge(n))),
    )
    const { last, most } = read(bars.slice(0, 34), 10)
    expect([last >= 33, last <= 50, most <= 100, last]).toEqual([true, true, true, last])
  })
})

test("a name that says nothing of work is shown if nothing else is", () => {
  expect(
    read(
      each([0, 20, 45], (n) => `Night Drive: ${n}%\n`),
      10,
    ).last,
  ).toBe(45)
  const titles = ["Night Drive", "Blue Room"].flatMap((name) => each(TENTHS, (n) => `${name}: ${n * 10}%\n`))
  expect(read(titles.slice(0, 17), 10)).toMatchObject({ last: 50 })
})

test("a project or an album contains the scenes and songs beside it", () => {
  for (const name of ["project", "album", "playlist"]) {
    const lines = NINE.flatMap((n) => lf(`scene: ${(n * 20) % 100}%`, `${name}: ${n * 5}%`))
    expect(read(lines, 10).last).toBe(45)
  }
})

test.each([
  ["a level that is drawn", (n: number) => `\rlevel [${"#".repeat(n)}${"-".repeat(10 - n)}] ${n * 10}%`],
  ["how often it failed", (n: number) => `failure rate ${n * 10}%\n`],
  ["how a network is used", (n: number) => `eth0 ${n * 10}% utilised\n`],
  ["how long a processor waits for its disk", (n: number) => `I/O wait ${n * 10}%\n`],
  ["what a cache did not have", (n: number) => `texture cache miss ${n * 3}%\n`],
  ["a width in a style sheet", (n: number) => `  width: ${n * 10}%;\n`],
  ["a place in a gradient", (n: number) => `<stop offset="${n * 10}%"/>\n`],
  ["how long something took", (n: number) => `took ${n}/10\n`],
  ["how long something was waited for", (n: number) => `Waited ${n * 10}/300 s for the license server\n`],
])("%s is no progress, even if it grows", (_name, gauge) => {
  expect(read(each(TENTHS, gauge), 10)).toEqual({ last: 0, most: 0, unit: "" })
})

test.each([
  [
    "a step with the name of a measure",
    (n: number) => `Crop [${"#".repeat(n)}${"-".repeat(10 - n)}] ${n * 10}%\r`,
  ],
  ["a resumed upload", (n: number) => `Upload offset: ${n * 10}/100 MiB\n`],
  ["the lines of a picture", (n: number) => `scanned height ${n * 10}/100\n`],
  ["pictures that were taken", (n: number) => `Took ${n * 30}/300 screenshots\n`],
  ["a step of one's own", (n: number) => `Filtering content ${n * 10}%\n`],
])("%s is progress", (_name, line) => {
  expect(read(each(TENTHS.slice(0, 10), line), 10)).toMatchObject({ last: 90, most: 90 })
})
