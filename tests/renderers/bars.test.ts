import { describe, expect, setDefaultTimeout, test } from "bun:test"

import fc from "fast-check"

import { BarsInSequence } from "../../src/renderers/bars-in-sequence.ts"
import { holds, type Piece, play } from "./played.ts"
import { lf, read, TENTHS, tqdm } from "./programs.ts"

setDefaultTimeout(180_000)

/** A bar of this name is drawn beside a count, and shows no percentage. */
const COUNTED = "Mix: "
const drawn = (label: string, fraction: number, isRedrawn: boolean): string => {
  const percent = Math.floor(fraction * 100)
  const bar = "█".repeat(Math.floor(fraction * 20))
  if (label === COUNTED) return `${label}[${"#".repeat(bar.length)}>---] ${percent}/100 (15s)\r`
  return isRedrawn ? `${label}${percent}%|${bar}| [eta 0:0${percent % 9}]\r` : `${label}${percent}% done\n`
}

const steps = fc.array(fc.integer({ min: 1, max: 99 }), { minLength: 2, maxLength: 12 })
const bar = fc.record({
  steps,
  durationS: fc.integer({ min: 1, max: 300 }),
  label: fc.constantFrom("", "Frames: ", "Pass: ", "Encoding ", COUNTED),
  isRedrawn: fc.boolean(),
})
const NOISE = fc.constantFrom(
  "volume at 50 %\n",
  "GPU 97% 45C 105W\n",
  "[libx264 @ 0x55] mb I I16..4: 11.4% 70.8%\n",
  "/dev/sda1 100G 45G 55G 45% /\n",
  "    track           : 7/12\n",
  "you are 1 of 1\n",
  "wrote a file\n",
)

type Bar = typeof bar extends fc.Arbitrary<infer T> ? T : never

/** The values at which a bar is drawn, from 0 to its end. */
const valuesOf = ({ steps: some }: Bar): number[] => [0, ...[...some].sort((a, b) => a - b), 100]

/** Bars one after another. */
function inTurn(bars: readonly Bar[], noise: readonly string[]): Piece[] {
  let atMs = 0
  return bars.flatMap((one, i) =>
    valuesOf(one).flatMap((value, k, all) => {
      atMs += (one.durationS * 1000) / all.length
      const known = { atMs, work: (i + value / 100) / bars.length, isSecond: i > 0 }
      const text = drawn(one.label, value / 100, one.isRedrawn)
      const heard = noise[(i + k) % Math.max(1, noise.length)] ?? ""
      return [
        { ...known, text },
        { ...known, text: one.isRedrawn ? `\n${heard}` : heard },
      ]
    }),
  )
}

/** Inner bars one after another, and the outer one drawn before each and at the end, or after each. */
function nested(inner: readonly Bar[], isOuterFirst: boolean): Piece[] {
  const label = "Inner "
  const isRedrawn = inner[0]?.isRedrawn ?? true
  let atMs = 0
  const outer = (i: number): Piece => ({
    text: drawn("Total ", i / inner.length, isRedrawn),
    atMs,
    work: i / inner.length,
    isSecond: i > 1,
  })
  return inner.flatMap((one, i) => [
    ...(isOuterFirst ? [outer(i)] : []),
    ...valuesOf(one).map((value, _k, all) => {
      atMs += (one.durationS * 1000) / all.length
      const work = (i + value / 100) / inner.length
      return { text: drawn(label, value / 100, isRedrawn), atMs, work, isSecond: i > 0 }
    }),
    ...(!isOuterFirst || i === inner.length - 1 ? [outer(i + 1)] : []),
  ])
}

/** Inner bars one after another. The outer one is shown beside each of their lines, after it or before it. */
function together(inner: readonly Bar[], isOuterFirst = false): Piece[] {
  const isRedrawn = inner[0]?.isRedrawn ?? false
  let atMs = 0
  return inner.flatMap((one, i) =>
    valuesOf(one).map((value, _k, all) => {
      atMs += (one.durationS * 1000) / all.length
      const work = (i + value / 100) / inner.length
      const both = [drawn("Step ", value / 100, isRedrawn), drawn("Total ", work, isRedrawn)]
      return {
        text: (isOuterFirst ? both.reverse() : both).join(""),
        atMs,
        work,
        isSecond: i > 0,
      }
    }),
  )
}

describe("whatever bars come", () => {
  test("in turn, with noise between them", () => {
    fc.assert(
      fc.property(
        fc.array(bar, { minLength: 2, maxLength: 6 }),
        fc.array(NOISE, { maxLength: 5 }),
        (bars, noise) => holds(inTurn(bars, noise)),
      ),
      { numRuns: 150 },
    )
  })

  test("one inside of another, told before it or after it", () => {
    fc.assert(
      fc.property(fc.array(bar, { minLength: 2, maxLength: 6 }), fc.boolean(), (bars, isFirst) =>
        holds(nested(bars, isFirst)),
      ),
      { numRuns: 150 },
    )
  })

  test("one inside of another, both told all the time: from the second on no more than the outer one says", () => {
    fc.assert(
      fc.property(fc.array(bar, { minLength: 3, maxLength: 8 }), fc.boolean(), (bars, isFirst) => {
        const pieces = together(bars, isFirst)
        holds(pieces)
        play(pieces, ({ work, isSecond }, progress) => {
          if (isSecond) expect(progress).toBeLessThanOrEqual(work * 100)
        })
      }),
      { numRuns: 120 },
    )
  })

  test("in any order at all, of any kind, drawn at once or over hours", () => {
    const label = fc.constantFrom("A: ", "", "B ", "x ", "Encoding 1 of 3: ", "Encoding 2 of 3: ")
    const one = fc.tuple(label, fc.integer({ min: 0, max: 20 }), fc.boolean())
    fc.assert(
      fc.property(
        fc.array(one, { minLength: 5, maxLength: 60 }),
        fc.constantFrom(0, 50, 1000, 10_000),
        (all, apartMs) => {
          const pieces = all.map(([name, n, isRedrawn], i) => ({
            text: drawn(name, n / 20, isRedrawn),
            atMs: i * apartMs,
            work: 1,
            isSecond: false,
          }))
          holds(pieces)
        },
      ),
      { numRuns: 300 },
    )
  })

  test("in any order at all", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(bar, fc.integer({ min: 0, max: 100 })), { maxLength: 40 }), (all) => {
        const pieces = all.map(([{ label, isRedrawn, durationS }, value], i) => ({
          text: drawn(label, value / 100, isRedrawn),
          atMs: i * durationS * 100,
          work: 1,
          isSecond: false,
        }))
        holds(pieces.toSorted((a, b) => a.atMs - b.atMs))
      }),
      { numRuns: 300 },
    )
  })
})

test("a bar that lasts is shown as it goes, and an outer one as it is", () => {
  const one: Bar = { steps: [10, 20, 50], durationS: 300, label: "", isRedrawn: true }
  const shown = new Set<number>()
  play(inTurn([one], []), (_piece, progress) => shown.add(progress))
  expect([...shown]).toEqual([0, 10, 20, 50, 99])
  const seen = new Set<number>()
  play(nested([one, one, one, one], true), (_piece, progress) => seen.add(progress))
  expect([...seen]).toEqual([0, 25, 50, 75, 99])
})

describe("bars that follow one another", () => {
  const sequence = (bars?: number) => {
    let nowMs = 0
    const made = new BarsInSequence({ bars, countsQuick: false, now: () => nowMs })
    const move = (fraction: number, seconds: number): number => {
      nowMs += seconds * 1000
      made.move(fraction)
      return made.fraction
    }
    const begin = (): number => {
      made.begin()
      return made.fraction
    }
    return { made, move, begin }
  }

  test("are set back once to what is proven, and grow from there, never above 89 %", () => {
    const { move, begin, made } = sequence()
    expect([move(0, 0), move(0.5, 10), move(1, 10)]).toEqual([0, 0.5, 1])
    expect(made.isFirst).toBe(true)
    expect([begin(), move(0, 6), move(0.5, 6), move(1, 6)]).toEqual([1 / 3, 1 / 3, 0.5, 2 / 3])
    expect([begin(), move(0, 6), move(1, 6)]).toEqual([2 / 3, 2 / 3, 0.75])
    for (let k = 0; k < 50; k += 1) expect([begin(), move(1, 6)].at(-1)).toBeLessThanOrEqual(0.89)
    expect(made.isFirst).toBe(false)
  })

  test("that are full within 5 s are not counted, and what they moved is taken back", () => {
    const { move, begin, made } = sequence()
    expect([move(0, 0), move(0.9, 2), move(1, 2)]).toEqual([0, 0.9, 0])
    expect(made.isVoid).toBe(true)
    // A bar that is full at first does not count, however long it is drawn.
    expect(move(1, 60)).toBe(0)
    // The step back was used already: the next bar is believed when it has lasted, as one of at most two.
    expect([begin(), move(0.8, 4), move(0.9, 2)]).toEqual([0, 0, 0.45])
  })

  test("that end within 5 s, short of their last redraw, are not counted either", () => {
    const { move, begin, made } = sequence()
    expect([move(0, 0), move(0.97, 2), begin(), move(0.5, 6)]).toEqual([0, 0.97, 0, 0.25])
    expect(made.bars).toBeUndefined()
  })

  test("of a declared number fill a part each, quick or not, and go no further than all", () => {
    const { move, begin } = sequence(3)
    expect([move(1, 0), begin(), move(0.5, 0), begin(), move(1, 0), begin(), move(0.5, 0)]).toEqual([
      1 / 3,
      1 / 3,
      0.5,
      2 / 3,
      1,
      1,
      1,
    ])
  })
})

test("two lines of a report that say the same are one bar, also near its end", () => {
  const report = TENTHS.flatMap((n) => lf(`Completed: ${n * 10}%, 1 GB/min`, `disk, complete: ${n * 10}%`))
  expect(read(report.slice(0, 20), 10)).toMatchObject({ last: 90, most: 90 })
  expect(read(report, 10)).toMatchObject({ last: 100, most: 100 })
})

test("the last redraw of a part, after that of the whole, begins no other bar", () => {
  const songs = Array.from({ length: 12 }, (_, n) => {
    const whole = tqdm(n + 1, 12, "Total progress: ")
    return [`\n${whole}\u001b[A`, tqdm((n % 4) + 1, 4), ...(n % 4 === 3 && n < 11 ? [tqdm(0, 4)] : [])]
  })
  const full = [tqdm(4, 4), "\n", tqdm(12, 12, "Total progress: "), "\n"]
  expect(read([...songs.flat(), ...full], 10)).toMatchObject({ last: 100, most: 100 })
})
