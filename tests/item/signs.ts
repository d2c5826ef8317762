import fc from "fast-check"

import type { Sign } from "../../src/item/trace.ts"

const name = fc.constantFrom("", "Images", "Render", "Render", "frame 1", "frame 2", "Mux")
const amount = fc.oneof(fc.double({ min: 0, max: 1e12, noNaN: true }), fc.integer({ min: 0, max: 10 }))
const count = fc.integer({ min: 0, max: 12 })

/** Whatever a report may say, sense or not. */
const sign: fc.Arbitrary<Sign> = fc.record(
  {
    progress: fc.double({ min: 0, max: 100, noNaN: true }),
    current_step: name,
    step: fc.record({ index: count, total: count, name }),
    unit: fc.record({ done: count, total: count, name: fc.constantFrom("", "images", "seconds") }),
    media: fc.record({
      out_time: amount,
      total: fc.option(amount),
    }),
  },
  { requiredKeys: [] },
)

/** Reports of one attempt, each with the seconds since its start. */
export const signs: fc.Arbitrary<(readonly [at: number, sign: Sign])[]> = fc
  .array(fc.tuple(fc.double({ min: 0, max: 600, noNaN: true }), sign), { minLength: 1, maxLength: 60 })
  .map((all) => {
    let at = 0
    return all.map(([pause, said]): readonly [number, Sign] => {
      at += pause
      return [at, said]
    })
  })
