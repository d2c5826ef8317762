import { expect, test } from "bun:test"

import { estimate, timeProgress } from "../../../src/item/estimate/estimate.ts"
import { learn } from "../../../src/item/estimate/experience.ts"
import { NO_TRACE, traced } from "../../../src/item/estimate/trace.ts"
import type { Attempt } from "./histories.ts"
import { attempt, type MadeStep } from "./made-attempt.ts"
import { runOf } from "./replay.ts"

/** An attempt of one step, with a report every so many seconds. */
const made = (every: number, step: Omit<MadeStep, "name">): Attempt =>
  attempt(1, "film", "box", every, [{ name: "Render", ...step }])
const frames = (every: number, seconds: number): Attempt =>
  made(every, { seconds, counts: "frames", size: 336 })
const times = (count: number, one: Attempt): Attempt[] => Array.from({ length: count }, () => one)

/** After each report, of what part of its time the attempt is (in percent), what the bar shows, and the error of its end. */
function shownDuring({ reports, seconds, worker }: Attempt, past: readonly Attempt[]) {
  const experience = learn(past.map(runOf))
  let [trace, shown] = [NO_TRACE, 0]
  return reports.map((told) => {
    const { at } = told
    trace = traced(trace, told, at)
    const left = estimate({ trace, at, worker }, experience)?.left ?? Number.NaN
    shown = timeProgress(at, left, shown)
    return { part: (100 * at) / seconds, shown, off: Math.abs(at + left - seconds) / seconds }
  })
}

/** Whether the end is known within a tenth after the first fifth, and the bar is never this many points ahead. */
function holds(now: Attempt, past: readonly Attempt[], ahead: number): void {
  for (const { part, shown, off } of shownDuring(now, past)) {
    expect(shown - part).toBeLessThan(ahead)
    expect(shown).toBeLessThan(100)
    if (part > 20) expect(off).toBeLessThan(0.1)
  }
}

test("after trial renders of a tenth of a second, a render of minutes is as far as it counts", () => {
  holds(frames(1, 180), times(8, frames(0.004, 0.1)), 15)
  // The trials were over before they counted anything.
  holds(frames(1, 180), times(8, frames(1, 0.1)), 2)
})

test("so it is if only a percentage says how far it is, of which the first point comes late", () => {
  const percents = (every: number, seconds: number): Attempt =>
    made(every, { seconds, counts: "percent", size: 0 })
  holds(percents(1, 180), times(8, percents(0.004, 0.1)), 35)
})

test("a percentage that runs ahead in every run does not mislead a render that is forty times as long", () => {
  const ahead = (every: number, seconds: number): Attempt =>
    made(every, { seconds, counts: "percent", size: 0, to: 95, way: (time) => Math.sqrt(time) })
  const said = shownDuring(ahead(2, 240), times(3, ahead(0.2, 6)))
  for (const { part, off } of said) if (part > 25) expect(off).toBeLessThan(0.1)
})
