import fc from "fast-check"

import type { Run } from "../../../src/item/estimate/earlier-run.ts"
import { NO_TRACE, settled, type Trace, traced } from "../../../src/item/estimate/trace.ts"
import type { TracedReport } from "../../../src/item/estimate/traced-report.ts"

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
const report: fc.Arbitrary<TracedReport> = fc.record(
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
export const anyReports: fc.Arbitrary<(readonly [at: number, report: TracedReport])[]> = fc
  .array(fc.tuple(fc.double({ min: 0, max: 600, noNaN: true }), report), { minLength: 1, maxLength: 60 })
  .map((all) => {
    let at = 0
    return all.map(([pause, said]): readonly [number, TracedReport] => {
      at += pause
      return [at, said]
    })
  })

/** What an attempt reported, and when. */
export type Reports = readonly (readonly [at: number, report: TracedReport])[]

/** The trace of an attempt with these reports. */
export const traceThrough = (all: Reports): Trace =>
  all.reduce((trace, [at, report]) => traced(trace, report, at), NO_TRACE)
/** The attempt as it is remembered. It ends one second after its last report. */
export const runThrough = (all: Reports, worker: string): Run => ({
  steps: settled(traceThrough(all)),
  seconds: (all.at(-1)?.[0] ?? 0) + 1,
  worker,
})
