import { expect, test } from "bun:test"

import { OTHER_RANK } from "../../src/renderers/counts-in-line.ts"
import { NestedCounts } from "../../src/renderers/nested-counts.ts"

/** Reads a line with one count without a noun; returns whether it is believed. */
function told(counts: NestedCounts, label: string, n: number): boolean {
  const count = { n, total: 10, name: "", rank: OTHER_RANK, isWork: false, isHead: false, at: 0, end: 0 }
  const words = { isDone: false, isProperty: false, isNoun: () => false, inner: 0, outer: 0 }
  return counts.see([count], { label, shape: () => label, ...words }).isTold
}

/** Lines in which each count has another name. */
function others(counts: NestedCounts, many: number): void {
  for (let i = 0; i < many; i += 1) told(counts, `other ${i}`, 5)
}

test("of very many counts the one that was not seen for longest is forgotten, and no other", () => {
  const isKnownAfter = [199, 200].map((many) => {
    const counts = new NestedCounts()
    told(counts, "work", 1)
    others(counts, many)
    return told(counts, "work", 2)
  })
  expect(isKnownAfter).toEqual([true, false])
})

test("a count that is under way is not forgotten, however many others come", () => {
  const counts = new NestedCounts()
  told(counts, "work", 1)
  told(counts, "work", 2)
  others(counts, 1000)
  expect(told(counts, "work", 3)).toBe(true)
})
