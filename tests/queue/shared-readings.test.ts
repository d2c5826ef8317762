import { expect, test } from "bun:test"

import { SharedReadings } from "../../src/queue/shared-readings.ts"

test("all who ask while something is read share the next reading, which begins after they have asked", async () => {
  const readings = new SharedReadings<number>()
  const ends: PromiseWithResolvers<number>[] = []
  const ask = (name: string): Promise<number> =>
    readings.of(name, () => {
      const end = Promise.withResolvers<number>()
      ends.push(end)
      return end.promise
    })
  const first = ask("a")
  const shared = [ask("a"), ask("a"), ask("a")]
  const other = ask("b")
  expect(ends).toHaveLength(2)
  ends[0]?.resolve(1)
  ends[1]?.resolve(2)
  expect([await first, await other]).toEqual([1, 2])
  await Promise.resolve()
  expect(ends).toHaveLength(3)
  const later = ask("a")
  ends[2]?.resolve(3)
  expect(await Promise.all(shared)).toEqual([3, 3, 3])
  await Promise.resolve()
  ends[3]?.resolve(4)
  expect(await later).toBe(4)
})

test("a reading that fails is known to those who share it, and the next one is read", async () => {
  const readings = new SharedReadings<number>()
  let reads = 0
  const ask = (): Promise<number> =>
    readings.of("a", async () => {
      reads += 1
      if (reads < 3) throw new Error(`failed ${reads}`)
      return reads
    })
  const settled = await Promise.allSettled([ask(), ask(), ask()])
  expect(settled.map((one) => (one.status === "rejected" ? String(one.reason) : one.value))).toEqual([
    "Error: failed 1",
    "Error: failed 2",
    "Error: failed 2",
  ])
  expect(await ask()).toBe(3)
})
