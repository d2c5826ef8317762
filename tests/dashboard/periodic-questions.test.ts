import { expect, test } from "bun:test"

import { Asking } from "../../src/dashboard/live/periodic-questions.ts"

test("what changes again and again is asked for once a second all the same", async () => {
  Object.assign(globalThis, { document: { hidden: false } })
  const askedMs: number[] = []
  const asking = new Asking(
    () => {
      askedMs.push(performance.now())
      return Promise.resolve(0)
    },
    () => undefined,
    () => undefined,
    60_000,
  )
  const startedMs = performance.now()
  while (askedMs.length < 2 && performance.now() < startedMs + 5000) {
    asking.soon()
    await Bun.sleep(20)
  }
  const [first = Infinity, second = Infinity] = askedMs.map((ms) => ms - startedMs)
  expect(first).toBeLessThan(900)
  expect(second - first).toBeGreaterThan(900)
  expect(second).toBeLessThan(5000)
})
