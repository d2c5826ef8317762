import { expect, test } from "bun:test"

import { PartsAtOnce } from "../../src/renderers/parts-at-once.ts"

test("very many parts at the same time are added up in little time", () => {
  const [total, rounds] = [9999, 8]
  const parts = new PartsAtOnce()
  const before = process.cpuUsage()
  let last: number | undefined
  for (let round = 1; round <= rounds; round += 1)
    for (let n = 1; n <= total; n += 1) last = parts.together("song", { n, total }, round / 10)
  expect(last).toBeCloseTo(rounds / 10)
  expect(process.cpuUsage(before).user / 1e6).toBeLessThan(4)
})
