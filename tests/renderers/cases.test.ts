import { describe, expect, test } from "bun:test"

import { MAX_LINE_LENGTH } from "../../src/renderers/line-cutter.ts"
import type { Evidence } from "../../src/renderers/line-reader.ts"
import { renderer } from "../../src/renderers/renderer.ts"
import { isWhole } from "../../src/renderers/whole-from-98-percent.ts"
import { type Case, CASES, expectedOf, outputOf } from "./cases.ts"

/** What an item shows while this output is read. */
interface Shown {
  readonly most: number
  readonly last: number
  readonly hasUnit: boolean
  readonly falls: number
  readonly evidence: Evidence
}

/** Reads an output line by line, with this many milliseconds in between, while its reports change an item. */
function shown({ reader, query }: Case, text: string, apartMs: number): Shown {
  let nowMs = 0
  const listener = renderer(reader, { ...expectedOf(query), now: () => nowMs })
  let [most, last, falls, hasUnit, basis] = [0, 0, 0, false, ""]
  for (const piece of [...text.split(/(?<=[\r\n])/), "\n"]) {
    for (const report of listener.push(piece)) {
      hasUnit = report.unit !== undefined
      if (report.progress === undefined) continue
      const isBack = report.progress < last && basis === "guess" && falls === 0
      if (isBack) falls += 1
      if (!isBack && report.progress < last) continue
      basis = report.basis ?? "declared"
      last = report.progress
      most = Math.max(most, last)
    }
    nowMs += apartMs
  }
  return { most, last, hasUnit, falls, evidence: listener.evidence }
}

describe.each([
  ["at once", 0],
  ["a line every 50 ms", 50],
  ["a line every 10 s", 10_000],
] as const)("%s", (_name, apartMs) => {
  test.each(CASES)("$file: $right", async (one) => {
    const { most, last, hasUnit, falls, evidence } = shown(one, await outputOf(one), apartMs)
    expect(Math.floor(most)).toBeLessThanOrEqual(one.most_ever ?? 100)
    expect(Math.floor(last)).toBeLessThanOrEqual(one.most_at_end ?? 100)
    const isFinal = one.query.includes("finish")
    if (!isFinal) expect(Math.ceil(last)).toBeGreaterThanOrEqual(one.least_at_end ?? 0)
    if (one.unit_at_end === false) expect(hasUnit).toBe(false)
    expect(falls).toBeLessThanOrEqual(1)
    const isGood = evidence.failure === undefined && isWhole(evidence.reached ?? 0)
    if (isFinal) expect(isGood).toBe(one.status_at_end === "completed")
    if (one.error_at_end !== undefined) expect(evidence.failure).toContain(one.error_at_end)
  })
})

test("the cases hold a line that is too long to be read", async () => {
  const texts = await Promise.all(CASES.map(outputOf))
  expect(texts.some((text) => text.split("\n").some((line) => line.length > MAX_LINE_LENGTH))).toBe(true)
})
