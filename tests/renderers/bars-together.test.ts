import { expect, test } from "bun:test"

import { BarsInSequence } from "../../src/renderers/bars-in-sequence.ts"
import { Bars } from "../../src/renderers/bars.ts"
import { BARE, type LineLook } from "../../src/renderers/believed-bar.ts"

const DRAWN: LineLook = { ...BARE, hasDrawing: true }
/** A percentage whose words say nothing of work. */
const NOUN: LineLook = { ...BARE, isNoun: () => true }

type Line = readonly [name: string, percent: number, look?: LineLook]

/** What all these lines make of the whole, in percent; the line at this index contains its earlier bar. */
function shown(lines: readonly Line[], enclosedAt?: number) {
  const sequence = new BarsInSequence({ bars: undefined, countsQuick: true, now: () => 0 })
  const bars = new Bars(sequence, () => 0)
  const told = lines.map(([name, percent, look = DRAWN], i) =>
    bars.see(name, percent / 100, look, i === enclosedAt),
  )
  const percent = Math.round(sequence.fraction * 100)
  return { percent, isTold: told.at(-1), underWay: [...bars.underWay().keys()], isUnderWay: bars.isUnderWay }
}

/** A bar that has grown to these values. */
const grown = (name: string, look: LineLook, ...values: readonly number[]): Line[] =>
  [0, ...values].map((percent) => [name, percent, look])

test("a drawn bar is under way after its start and before its end, once it has grown", () => {
  expect(shown(grown("a", DRAWN, 50)).underWay).toEqual(["a"])
  expect(shown([["a", 50]]).underWay).toEqual([])
  for (const percent of [5, 95]) expect(shown(grown("a", DRAWN, 1, percent)).underWay).toEqual([])
  expect(shown(grown("a", BARE, 50)).underWay).toEqual([])
})

test("the whole is under way until its end, if its bar certainly shows work", () => {
  expect(shown([]).isUnderWay).toBe(false)
  expect(shown(grown("a", BARE, 50)).isUnderWay).toBe(true)
  expect(shown(grown("a", BARE, 50, 95)).isUnderWay).toBe(false)
  expect(shown(grown("a", NOUN, 50)).isUnderWay).toBe(false)
})

test("a line that contains its earlier bar is the whole at once, unless another bar is the whole", () => {
  const line: Line = ["a", 30, BARE]
  expect(shown([["a", 10, BARE], line], 1)).toMatchObject({ isTold: true })
  expect(shown([["a", 10, BARE], line, line], 1)).toMatchObject({ isTold: true, percent: 30 })
  expect(shown([...grown("b", DRAWN, 50), line], 2)).toMatchObject({ isTold: false, percent: 50 })
  expect(shown([...grown("a", DRAWN, 50), line], 2)).toMatchObject({ isTold: true, percent: 30 })
})

/** Two bars that begin together. */
const BOTH: readonly Line[] = [
  ["a", 0],
  ["b", 0],
  ["a", 50],
]

test("a bar beside the whole counts nothing while the whole goes on, and contains it if it outlasts it", () => {
  expect(shown([...BOTH, ["b", 40], ["a", 80], ["b", 70]])).toMatchObject({ isTold: false, percent: 80 })
  const ended: Line[] = [...BOTH, ["b", 60], ["a", 100]]
  expect(shown([...ended, ["b", 70]])).toMatchObject({ isTold: true, percent: 70 })
  expect(shown([...ended, ["b", 99]])).toMatchObject({ isTold: false, percent: 100 })
})

test("a bar that begins again after the end of the whole follows it", () => {
  expect(shown([...BOTH, ["b", 50], ["a", 100], ["b", 0]])).toMatchObject({ isTold: true, percent: 33 })
})

test("two bars that show the same near their ends are one", () => {
  const lines = [10, 50, 90].flatMap((n): Line[] => [
    ["a", n, BARE],
    ["b", n - 1, BARE],
  ])
  expect(shown(lines)).toMatchObject({ isTold: false, percent: 90 })
})

test("a bar that began with the whole and is far behind contains it", () => {
  expect(shown([...BOTH, ["b", 10]])).toMatchObject({ isTold: true, percent: 10 })
  expect(shown([...BOTH, ["b", 30]])).toMatchObject({ isTold: false, percent: 50 })
  const later: Line[] = [
    ["a", 0],
    ["a", 50],
    ["b", 0],
    ["a", 60],
  ]
  expect(shown([...later, ["b", 10]])).toMatchObject({ isTold: false, percent: 60 })
  const again: Line[] = [...BOTH, ["b", 45], ["a", 60], ["b", 0]]
  expect(shown([...again, ["b", 10]])).toMatchObject({ isTold: false, percent: 60 })
  const second: Line[] = [["a", 0], ["a", 100], ...BOTH]
  expect(shown([...second, ["b", 10]])).toMatchObject({ isTold: false })
})

test("a bar inside the whole that begins once more after the end of the whole adds nothing", () => {
  const inside: Line[] = [
    ["a", 0],
    ...grown("b", DRAWN, 100),
    ["a", 50],
    ...grown("b", DRAWN, 100),
    ["a", 100],
  ]
  expect(shown([...inside, ["b", 0], ["b", 50]])).toMatchObject({ isTold: false, percent: 100 })
  expect(shown([...inside, ["b", 0], ["b", 50], ["b", 0]]).isTold).toBe(true)
})

test("a bar outlasts the whole if it is drawn or began with it, whatever its words", () => {
  const bare = [...BOTH, ["b", 60], ["a", 100], ["b", 70]].map(([name, n]): Line => [
    `${name}`,
    Number(n),
    BARE,
  ])
  expect(shown(bare)).toMatchObject({ isTold: true, percent: 70 })
  const later: Line[] = [
    ["a", 0],
    ["a", 50],
    ["b", 5],
    ["b", 60],
    ["a", 100],
  ]
  expect(shown([...later, ["b", 70]])).toMatchObject({ isTold: true, percent: 70 })
})

test("a bar inside a part of the whole is inside the whole once that part has ended, and follows if all have", () => {
  const nested: Line[] = [
    ["a", 0],
    ["a", 30],
    ["b", 0],
    ["b", 50],
    ["c", 0],
    ["c", 10],
    ["b", 100],
  ]
  expect(shown([...nested, ["a", 40], ["c", 50]])).toMatchObject({ isTold: false, percent: 40 })
  expect(shown([...nested, ["a", 100], ["c", 50]]).isTold).toBe(true)
  const three: Line[] = [
    ["a", 0],
    ["b", 0],
    ["c", 0],
    ["a", 50],
    ["b", 40],
  ]
  expect(shown([...three, ["c", 10]])).toMatchObject({ isTold: false, percent: 50 })
})

test("a part that begins again before the end of the whole may outlast it", () => {
  const inside: Line[] = [
    ["a", 0],
    ...grown("b", DRAWN, 100),
    ["a", 50],
    ...grown("b", DRAWN, 100),
    ["a", 60],
  ]
  expect(shown([...inside, ["b", 0], ["a", 100], ["b", 70]])).toMatchObject({ isTold: true, percent: 70 })
})

test("a bar that was not seen again before the one inside it began again was left at its start", () => {
  expect(shown([["a", 0], ["a", 30], ...grown("b", DRAWN, 100), ["b", 0]]).isTold).toBe(true)
})

test("a name is measured beside a bar of the work, unless that has ended, began again or only names something", () => {
  const named: Line = ["n", 5, NOUN]
  const last: Line = ["n", 30, NOUN]
  const work = grown("a", BARE, 50)
  expect(shown([...work, named, ["a", 95, BARE], last]).isTold).toBe(false)
  expect(shown([...work, ["a", 95, BARE], named, last]).isTold).toBe(true)
  const again = grown("a", BARE, 100)
  expect(shown([...again, ...work, named, ["a", 95, BARE], last]).isTold).toBe(true)
  expect(shown([...grown("m", NOUN, 50), named, ["m", 95, NOUN], last]).isTold).toBe(true)
})

test("after the end of the whole a drawn bar follows it at its start, contains it further on, and says nothing at its end", () => {
  const ended = grown("a", DRAWN, 100)
  expect(shown([...ended, ["b", 8]])).toMatchObject({ isTold: true, percent: 36 })
  expect(shown([...ended, ["b", 50]])).toMatchObject({ isTold: true, percent: 50 })
  expect(shown([...ended, ["b", 95]])).toMatchObject({ isTold: false, percent: 100 })
  expect(shown([...ended, ["b", 50, BARE]])).toMatchObject({ isTold: false, percent: 100 })
})

test("a gauge contains no bar, and the bars beside it count once it is known as one", () => {
  expect(shown([...grown("g", DRAWN, 60, 40), ...grown("b", DRAWN, 50)]).isTold).toBe(true)
  expect(shown([...grown("g", DRAWN, 60), ...grown("b", DRAWN, 30), ["g", 40], ["b", 35]]).isTold).toBe(true)
})

test("a drawn gauge that seemed to follow the whole is no bar that came", () => {
  const gauge: Line[] = [...grown("a", DRAWN, 100), ["g", 8], ["g", 5]]
  expect(shown([...gauge, ...grown("b", DRAWN, 50)])).toMatchObject({ isTold: true, percent: 50 })
})

test("more than 64 bars are forgotten", () => {
  const many = Array.from({ length: 65 }, (_, i): Line => [`${i}`, 10, BARE])
  expect(shown([...many.slice(0, 64), ["0", 20, BARE]]).isTold).toBe(true)
  expect(shown([...many, ["0", 20, BARE]]).isTold).toBe(false)
})

test("a bar that follows a whole with parts is one of two, and no whole itself", () => {
  const parts = [25, 50, 75, 100].flatMap((percent): Line[] => [
    ...grown("part", DRAWN, 50, 100),
    ["all", percent],
  ])
  const followed = (...values: readonly number[]): number =>
    shown([["all", 0], ...parts, ...grown("mux", DRAWN, ...values)]).percent
  expect([followed(), followed(25), followed(25, 50), followed(25, 50, 100)]).toEqual([33, 42, 50, 67])
})
