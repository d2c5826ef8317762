import { describe, expect, test } from "bun:test"

import { listen } from "./captures.ts"
import { each, lf, type Program, read, TENTHS, tqdm } from "./programs.ts"

test("a step in brackets is around its percentage from the first line on, as long as that says less", () => {
  const steps = [1, 2, 3].flatMap((n) =>
    each([20, 60, 100], (k) => `\r(${n}/3) mixing song${n} [##--] ${k}%`),
  )
  const shown = steps.map((_, i) => read([...steps.slice(0, i + 1), "\n"], 10).last)
  expect(shown).toEqual([0, 20, 33, 33, 53, 66, 73, 86, 100])
})

test("a percentage that happens to be that of its step's number is no proof that it is of all steps", () => {
  const half = each([0, 10, 30, 50], (k) => `[1/2] encoding ${k}%\n`)
  expect(read(half, 10)).toMatchObject({ last: 25, most: 25 })
})

test.each([
  ["told at 0, as name and value", 10, "frame: ", 0, 20, 40],
  ["told later", 0.4, "", 0, 10, 100],
  ["told from 1 on, as name and value", 0.4, "frame: ", 1, 10, 100],
] as const)(
  "bars within frames that are counted, %s, never hide the frames",
  (_name, apartS, name, first, least, ever) => {
    const frames = [0, 1, 2, 3].flatMap((n) => [
      `${name}${first + n}/10\n`,
      ...each(TENTHS, (k) => `${tqdm(k, 10)}\r`),
    ])
    const { last, most } = read(frames, apartS)
    expect(last).toBeGreaterThanOrEqual(least)
    expect(most).toBeLessThanOrEqual(ever)
  },
)

test("a bar that goes on while counts beside it begin again is the whole, and the counts say no more", () => {
  const output = Array.from({ length: 10 }, (_, k) =>
    lf(`frame ${1 + (k % 5)}/5`, tqdm(5 * k + 3, 100), tqdm(5 * k + 5, 100)),
  ).flat()
  expect(read(output, 10)).toMatchObject({ last: 50 })
})

/** Programs of which a part goes on after what seemed to be all of it. */
const LONGER: readonly Program[] = [
  [
    "what is encoded follows what is rendered, and is all of it once the rendering has ended",
    Array.from({ length: 24 }, (_, n) =>
      lf(`Rendered ${Math.min(20, n)}/20, time remaining: 1${n}s`, `Encoded ${Math.max(0, n - 5)}/20`),
    ).flat(),
    85,
    90,
    95,
  ],
  [
    "an evaluation inside of a training, and once more after it",
    [0, 1, 2].flatMap((k) => [
      ...each([1, 5, 10], (n) => tqdm(k * 10 + n, 30)),
      ...each([0, 5, 10], (n) => `\n${tqdm(n, 10)}\u001b[A`),
    ]),
    100,
    100,
  ],
  [
    "the bar of each epoch, with figures of its own between the epoch and the bar",
    [1, 2, 3].flatMap((n) => [
      ...each(TENTHS, (k) => tqdm(k, 10, `${n}/5 4.26G 1.${k}34 1${k} 640: `)),
      "\n",
    ]),
    55,
    61,
    100,
  ],
]

test.each(LONGER)("%s", (_name, pieces, least, most, ever = most) => {
  const shown = read([...pieces, "\n"], 10)
  expect([shown.last >= least, shown.last <= most, shown.last]).toEqual([true, true, shown.last])
  expect(shown.most).toBeLessThanOrEqual(ever)
})

test.each([
  ["Step K of 4 - N% complete", 4],
  ["file K/5: N%", 5],
  ["- [K/10 files][ N.1 MiB/100.1 MiB]  N% Done", 10],
])(
  "a percentage that goes on while the count beside it goes up is of everything that is counted: %s",
  (said, of) => {
    const whole = each(
      Array.from({ length: 81 }, (_, n) => n),
      (n) => `${said.replace("K", String(1 + Math.floor((n * of) / 100))).replaceAll("N", String(n))}\n`,
    )
    expect(read(whole, 10)).toMatchObject({ last: 80, most: 80 })
  },
)

test("the steps of one count have one bar, also if the name of an earlier one comes back", () => {
  const steps = ["a", "b", "a", "c"].flatMap((name, at) =>
    each([20, 60], (k) => `epoch ${at + 1}/4 ${name}: ${k}%\n`),
  )
  const { progress } = listen("lines", undefined, steps.join(""))
  expect(progress.map((value) => Math.round(value ?? 0))).toEqual([15, 30, 40, 55, 65, 80, 90])
})

test("a percentage of which one value is shown for each file is that of the file", () => {
  const rare = [30, 50, 62, 80].map((n, i) => `file ${i + 1}/5: ${n}%\n`)
  expect(read(rare, 10)).toMatchObject({ last: 76, most: 76 })
  const parts = [1, 2, 3, 4].flatMap((k) => each([20, 40, 60, 80, 99], (n) => `file ${k}/5: ${n}%\n`))
  expect(read(parts, 10)).toMatchObject({ last: 79, most: 79 })
})

test("a percentage that was rounded down agrees with the count beside it", () => {
  const rounded = each([6, 7, 8], (n) => `frame ${n}/13 ${Math.floor((100 * n) / 13)}%\n`)
  expect(read(rounded, 10)).toEqual({ last: 61, most: 61, unit: "8/13 frames" })
})

describe("a count without a noun contains the samples, tiles and steps behind it on the line", () => {
  const inFive = (line: (frame: number, part: number) => string) =>
    [1, 2, 3].flatMap((frame) => [1, 2, 3, 4].map((part) => line(frame, part)))

  test.each([
    ["samples", (frame: number, part: number) => `render: ${frame}/5 sample ${part}/4\n`],
    ["tiles", (frame: number, part: number) => `${frame}/5 done, tile ${part}/4\n`],
    ["steps", (frame: number, part: number) => `seed ${frame}/5 step ${part}/4\n`],
    ["samples of which only the last is shown", (frame: number) => `render: ${frame}/5 sample 8/8\n`],
    [
      "samples of a frame of a shot",
      (frame: number, part: number) => `Render: [${frame}/5] [Shot 1/1] Frame ${frame}, Sample ${part}/4\n`,
    ],
  ])("%s", (_name, line) => {
    const { last, most } = read(inFive(line), 10)
    expect([last >= 35 && last <= 60, most]).toEqual([true, last])
  })

  test("but a setting before them that stays is none", () => {
    const lines = [1, 2, 3, 4, 5, 6].map((n) => `cfg 7/10, step ${n}/10\n`)
    expect(read(lines, 10)).toMatchObject({ last: 50, most: 50 })
  })
})

test("a bar with another name inside the last counted thing is a part of it, like those inside the others", () => {
  const rendered = (image: number, bar: string): string[] => [
    `image ${image}/3`,
    ...[0, 50, 90].map((percent) => `${bar}: ${percent}%`),
  ]
  const lines = [...rendered(1, "sky"), ...rendered(2, "sky"), ...rendered(3, "sea")]
  const { progress } = listen("lines", undefined, lines.map((line) => `${line}\n`).join(""))
  expect(progress.map((percent = 0) => Math.floor(percent))).toEqual([0, 16, 30, 33, 50, 63, 66, 83, 96])
})
