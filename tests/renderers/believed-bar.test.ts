import { expect, test } from "bun:test"

import { BARE, BelievedBar, type Growth, isAtStart, type LineLook } from "../../src/renderers/believed-bar.ts"

/** How a line of a bar that is drawn looks: it replaced the line before it, or shows the bar. */
const DRAWN: readonly Partial<LineLook>[] = [{ isRedrawn: true }, { hasDrawing: true }]

const begun = (fraction: number, look: LineLook = BARE): BelievedBar => new BelievedBar(fraction, look, 1, 0)

/** What a bar makes of each of these lines. */
const seen = (bar: BelievedBar, fractions: readonly number[], look: LineLook = BARE): Growth[] =>
  fractions.map((fraction, i) => bar.see(fraction, look, i + 2))

/** A bar that has risen ten times, to a half. */
function risen(look: LineLook = BARE): BelievedBar {
  const bar = begun(0, look)
  for (let i = 1; i <= 10; i += 1) bar.see(i / 20, look, i + 1)
  return bar
}

test("a bar that is not drawn begins at 0, and a drawn one up to a tenth", () => {
  expect([0, 0.05].map((fraction) => isAtStart(fraction, BARE))).toEqual([true, false])
  for (const look of DRAWN) {
    expect([0.05, 0.2].map((fraction) => isAtStart(fraction, { ...BARE, ...look }))).toEqual([true, false])
  }
  expect(isAtStart(0, { ...BARE, isSummary: true })).toBe(false)
})

test("a percentage is a bar once it has grown, and from then on also where it stands", () => {
  const bar = begun(0.1)
  expect(seen(bar, [0.1])).toEqual(["unproven"])
  expect(bar.isBar).toBe(false)
  expect(seen(bar, [0.2, 0.2])).toEqual(["grew", "same"])
  expect(bar.isBar).toBe(true)
})

test("a line that is not drawn shows the same bar only with the same text behind its percentage", () => {
  const other: LineLook = { ...BARE, tail: () => " of the disk" }
  expect(seen(begun(0.1), [0.2], other)).toEqual(["unproven"])
  for (const look of DRAWN) {
    expect(seen(begun(0.1), [0.2], { ...other, ...look })).toEqual(["grew"])
  }
  expect(seen(begun(0.1), [0.2], { ...other, isHead: true })).toEqual(["grew"])
  expect(seen(begun(0.1), [0.2], { ...BARE, isRow: () => true })).toEqual(["unproven"])
})

test("a rare small fall is a correction, and any other fall that no bar makes ends the belief", () => {
  expect(seen(risen(), [0.48])).toEqual(["same"])
  expect(seen(risen(), [0.48, 0.46])).toEqual(["same", "rejected"])
  expect(seen(risen(), [0.3, 0.6])).toEqual(["rejected", "unproven"])
})

test("a bar begins again at its start, after its end, or with half of its value if it is drawn over", () => {
  expect(seen(risen(), [0.1])).toEqual(["restarted"])
  expect(seen(begun(0.02), [0.03, 0])).toEqual(["grew", "restarted"])
  expect(seen(risen(), [0.99, 0.4])).toEqual(["grew", "restarted"])
  const redrawn: LineLook = { ...BARE, isRedrawn: true }
  expect(seen(risen(redrawn), [0.25], redrawn)).toEqual(["restarted"])
  expect(seen(risen(redrawn), [0.4], redrawn)).toEqual(["rejected"])
})

test("what only names something may be a measured value, unless it is drawn or its percentage comes first", () => {
  const noun: LineLook = { ...BARE, isNoun: () => true }
  expect(begun(0.5, noun).isDoubtful).toBe(true)
  expect(begun(0.5, { ...noun, isHead: true }).isDoubtful).toBe(false)
  for (const look of DRAWN) {
    expect(begun(0.5, { ...noun, ...look }).isDoubtful).toBe(false)
    const bar = begun(0.5, noun)
    seen(bar, [0.6], { ...BARE, ...look })
    expect(bar.isDoubtful).toBe(false)
  }
})
