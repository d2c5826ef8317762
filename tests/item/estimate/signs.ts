import fc from "fast-check"

import type { Run } from "../../../src/item/estimate/earlier-run.ts"
import { NO_TRACE, settled, type Sign, type Trace, traced } from "../../../src/item/estimate/trace.ts"

const name = fc.constantFrom(
  "",
  "Images",
  "Render",
  "Render",
  "frame 1",
  "frame 2",
  "Mux",
  "image 1 of 9",
  "image 4 of 9",
  "image 9/9",
  "Bild 1 von 9",
  "Mux 5%",
  "Mux 97,5 %",
)
const amount = fc.oneof(fc.double({ min: 0, max: 1e12, noNaN: true }), fc.integer({ min: 0, max: 10 }))
const count = fc.integer({ min: 0, max: 12 })

/** Anything that a report may contain, whether it makes sense or not. */
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

/** What an attempt reported, and when. */
export type Signs = readonly (readonly [at: number, sign: Sign])[]

/** The trace of an attempt with these reports. */
export const traceOfSigns = (all: Signs): Trace =>
  all.reduce((trace, [at, sign]) => traced(trace, sign, at), NO_TRACE)
/** The attempt as it is remembered. It ends one second after its last report. */
export const runOfSigns = (all: Signs, worker: string): Run => ({
  steps: settled(traceOfSigns(all)),
  seconds: (all.at(-1)?.[0] ?? 0) + 1,
  worker,
})
