import { expect, test } from "bun:test"

import fc from "fast-check"

import { UnreadOutput } from "../../src/renderers/unread-output.ts"

test("the last bytes are kept, at least as many as asked for, and those before are counted", () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.nat(40), { maxLength: 30 }), { maxLength: 5 }),
      fc.nat(100),
      (rounds, most) => {
        const recent = new UnreadOutput(most)
        for (const sizes of rounds) {
          for (const [at, size] of sizes.entries())
            recent.push({ output: 1, bytes: new Uint8Array(size).fill(at) })
          const all = sizes.flatMap((size, at) => Array.from({ length: size }, () => at))
          expect(recent.isEmpty).toBe(all.length === 0)
          const { dropped, chunks } = recent.take()
          const kept = chunks.flatMap(({ bytes }) => [...bytes])
          expect(kept).toEqual(all.slice(dropped))
          expect(kept.length).toBeGreaterThanOrEqual(Math.min(most, all.length))
          expect(kept.length).toBeLessThan(most + 41)
          expect(recent.isEmpty).toBe(true)
        }
      },
    ),
  )
})

test("a few bytes do not keep the buffer in memory into which they were read, and many are not copied", () => {
  const unread = new UnreadOutput(1000)
  const buffer = new Uint8Array(100)
  for (const size of [49, 50]) unread.push({ output: 1, bytes: buffer.subarray(0, size) })
  const sizes = unread.take().chunks.map(({ bytes }) => [bytes.length, bytes.buffer.byteLength])
  expect(sizes).toEqual([
    [49, 49],
    [50, 100],
  ])
})
