import { expect, test } from "bun:test"

import { SideBySide } from "../../src/renderers/side-by-side.ts"
import { each, type Program, read, TENTHS, tqdm } from "./programs.ts"

const TWENTY = Array.from({ length: 21 }, (_, n) => n)
const quick = (n: number): number => Math.min(100, n * 20)

/** Bars of which only a number differs. One is full early, and the other one is at 20 % in the end. */
const PROGRAMS: readonly Program[] = [
  ["workers", each(TWENTY, (n) => `worker 1: ${quick(n)}%\nworker 2: ${n}%\n`), 0, 60, 80],
  ["jobs at work", each(TWENTY, (n) => `job 1: rendering ${quick(n)}%\njob 2: rendering ${n}%\n`), 0, 60, 80],
  ["processes", each(TWENTY, (n) => `[4711] progress ${quick(n)}%\n[4712] progress ${n}%\n`), 0, 60, 80],
  ["containers", each(TWENTY, (n) => `a-1  | progress ${quick(n)}%\na-2  | progress ${n}%\n`), 0, 60, 80],
  [
    "bars that are redrawn above one another",
    each(TWENTY, (n) => `\u001b[2Afile 1 ━━━ ${quick(n)}%\nfile 2 ━━ ${n}%\n`),
    0,
    60,
    80,
  ],
  [
    "bars of processes",
    each(TWENTY, (n) =>
      [0, 1, 2].map((rank) => `${tqdm(Math.min(100, n * 5 ** rank), 100, `[rank ${rank}] `)}\n`).join(""),
    ),
    0,
    74,
    89,
  ],
  [
    "workers one after the other, which are parts of the whole",
    [1, 2, 3].flatMap((k) =>
      each(TENTHS.slice(0, k === 3 ? 6 : 11), (n) => `worker ${k}: rendering ${n * 10}%\n`),
    ),
    50,
    89,
    100,
  ],
  [
    "workers whose lines have other numbers as well",
    each(TWENTY, (n) => `worker 1: ${24 + (n % 3)} fps ${quick(n)}%\nworker 2: ${20 + (n % 5)} fps ${n}%\n`),
    0,
    60,
    80,
  ],
  ...["rendering frame N0 -", "[N s] rendering", "[N fps] rendering"].map((said): Program => [
    `one bar for each of three songs, with the same numbers: ${said}`,
    [1, 2].flatMap((k) =>
      each(TENTHS.slice(0, k === 2 ? 7 : 11), (n) => `${said.replace("N", String(n))} ${n * 10}%\n`),
    ),
    30,
    66,
    100,
  ]),
  [
    "a bar beside a number that changes",
    each([0, 9, 20, 31, 45], (n) => `[${1200 + (n % 2)} MB] [${7 + (n % 2)}] rendering ${n}%\n`),
    45,
    45,
  ],
]

test.each(PROGRAMS)("%s", (_name, pieces, least, most, ever = most) => {
  const shown = read(pieces, 10)
  expect([shown.last >= least, shown.last <= most, shown.last]).toEqual([true, true, shown.last])
  expect(shown.most).toBeLessThanOrEqual(ever)
})

/** How far the last bar is after these lines, each with its numbers and how far it is; undefined if they are one bar. */
function lowestOf(
  lines: readonly (readonly [number: number | string, fraction: number])[],
  label = "worker 0: ",
): number | undefined {
  const bars = new SideBySide()
  return lines.map(([number, fraction]) => bars.lowest(label, `worker ${number}: `, fraction)).at(-1)
}

test("bars are told apart by their numbers once both of them go on", () => {
  const both = [
    [1, 0.2],
    [2, 0.1],
    [1, 0.4],
    [2, 0.2],
  ] as const
  expect(lowestOf([...both, [1, 0.6]])).toBe(0.2)
  expect(lowestOf([...both, [1, 0.4]])).toBeUndefined()
  expect(lowestOf([...both, [2, 0.3]])).toBeUndefined()
  expect(lowestOf([...both, [2, 0.05], [1, 0.6]])).toBeUndefined()
  expect(lowestOf([...both, [1, 0.6], [2, 0.3], ["1, pass 2", 0.1]])).toBe(0.1)
  expect(lowestOf([...both, [1, 0.6]], "worker: ")).toBeUndefined()
})

/** What is shown while bars go on at the same time, each at its own pace, with the work of all bars in percent. */
const whileTogether = (line: (bar: number, done: number) => string, paces: readonly number[]) =>
  [9, 39, 69].map((work) => {
    const lines = Array.from({ length: work + 1 }, (_, n) =>
      paces.map((pace, bar) => line(bar, Math.min(100, Math.floor(n * pace)))).join(""),
    )
    return { work, shown: read(lines, 10).last }
  })

test("several bars of workers show the one that is behind, from their first lines on", () => {
  const drawn = (worker: number, done: number) =>
    `${"\n".repeat(worker)}${tqdm(done, 100, `worker ${worker}: `)}`
  const redrawn = (worker: number, done: number) => `${drawn(worker, done)}${"\u001b[A".repeat(worker)}`
  for (const paces of [
    [2, 1],
    [3, 1.5, 1],
    [1, 1.5, 3],
  ])
    for (const { work, shown } of whileTogether(redrawn, paces))
      expect([paces, work, Math.abs(shown - Math.min(89, work)) <= 3, shown]).toEqual([
        paces,
        work,
        true,
        shown,
      ])
})

test("parts of a count that are made at the same time count together", () => {
  for (const said of ["song N/4:", "[worker 1] song N/4:", "N/4 songs, each"])
    for (const { work, shown } of whileTogether(
      (song, done) => `${said.replace("N", String(song + 1))} ${done}%\n`,
      [1, 0.5],
    )) {
      const both = Math.floor((work + work / 2) / 4)
      expect([said, work, Math.abs(shown - both) <= 2, shown]).toEqual([said, work, true, shown])
    }
})

test("bars that repeat their values are not told apart", () => {
  const once = [
    [1, 0.2],
    [2, 0.1],
  ] as const
  expect(lowestOf([...once, ...once, ...once])).toBeUndefined()
})

test("bars that are known are followed however many come", () => {
  const many = Array.from({ length: 80 }, (_, i) => [i + 1, 0.1] as const)
  expect(lowestOf([...many, [1, 0.4], [2, 0.2], [1, 0.6]])).toBe(0.1)
})

test("bars that begin again are told apart only once one of them grows again", () => {
  const before = [
    [1, 0.3],
    [2, 0.5],
    [1, 0.4],
    [1, 0.45],
  ] as const
  const again = [
    [1, 0.05],
    [2, 0.2],
    [1, 0.1],
    [2, 0.2],
  ] as const
  expect(lowestOf([...before, ...again])).toBeUndefined()
  expect(lowestOf([...before, ...again, [2, 0.3]])).toBe(0.1)
})

test("of very many kinds of bars only the first are told apart, so that a long output takes little memory", () => {
  const bars = new SideBySide()
  const last = (label: string): number | undefined =>
    [0.2, 0.1, 0.4, 0.2, 0.6].map((done, i) => bars.lowest(label, `worker ${1 + (i % 2)}: `, done)).at(-1)
  const kinds = Array.from({ length: 65 }, (_, i) => `${"x".repeat(i)} worker 0: `)
  const apart = kinds.filter((label) => last(label) !== undefined)
  expect(apart).toEqual(kinds.slice(0, 64))
})

test("the number that names the bars that are told apart stays the same", () => {
  const lines = [
    ["1 of 1", 0.2],
    ["1 of 2", 0.1],
    ["1 of 1", 0.4],
    ["1 of 2", 0.2],
    ["1 of 1", 0.6],
    ["7 of 1", 0.7],
  ] as const
  expect(lowestOf(lines)).toBe(0.2)
})

test("counts of which only a number before them differs are told apart when they go on at the same time", () => {
  const two = (n: number) => `[worker 0] ${Math.min(20, n * 2)}/20 frames\n[worker 1] ${n}/20 frames\n`
  // The one that is behind counts.
  expect(read(each(TWENTY.slice(1, 9), two), 10)).toMatchObject({ last: 40, most: 40 })
  // Workers that share one count come to each number once.
  const shared = each(TWENTY.slice(1), (n) => `worker ${n % 3}: frame ${n + (n % 2) * 2}/30 saved\n`)
  expect(read(shared, 10)).toMatchObject({ last: 70, most: 70 })
  const inTurn = [1, 2].flatMap((song) => each(TWENTY, (n) => `song ${song}: frame ${n}/20\n`))
  expect(read(inTurn, 10).last).toBeGreaterThan(50)
})

test("two counts in one bracket are a place in a grid, and no progress", () => {
  const blocks = each(TWENTY, (n) => `Matching block [${1 + (n >> 2)}/6, ${1 + (n % 4)}/4] in 1.2s\n`)
  expect(read(blocks, 10)).toMatchObject({ last: 0, most: 0 })
  expect(read(["Scene [1/4]: [3/10]\n", "Scene [2/4]: [5/10]\n"], 10).last).toBeGreaterThan(0)
})
