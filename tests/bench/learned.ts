import { courseText, hasGrown } from "../../src/item/estimate/course.ts"
import { learn } from "../../src/item/estimate/experience.ts"
import { type Knowledge, withCourse } from "../../src/item/estimate/follow-attempt.ts"
import type { Report } from "../../src/item/item.ts"
import { claimed } from "../../src/item/lease.ts"
import type { Moment } from "../../src/item/moment.ts"
import { reported } from "../../src/item/report.ts"
import { IDLE, type Stored } from "../../src/item/stored.ts"
import { draft, START_MS } from "../contracts/store.contract.ts"
import { type Attempt, histories } from "../item/estimate/histories.ts"
import { runOf } from "../item/estimate/replay.ts"
import { row, type Scenario } from "./bench.ts"
import { ours } from "./ours.ts"

const ROUNDS = 300
const RUNS = 8

const at = (seconds: number): Moment => {
  const steadyMs = START_MS + Math.round(seconds * 1000)
  return { time: new Date(steadyMs).toISOString(), steadyMs }
}

const reportsOf = ({ reports }: Attempt): (readonly [Report, Moment])[] =>
  reports.map(({ at: seconds, media, progress = 0, current_step, step, unit }) => [
    {
      progress,
      ...(current_step !== undefined && { current_step }),
      ...(step && { step }),
      ...(unit && { unit }),
      ...(media && { media: { ...media, fps: null, speed: null } }),
    },
    at(seconds),
  ])

/** The CPU time of one report in microseconds, including making text of what is stored beside the item. */
function costUs(reports: readonly (readonly [Report, Moment])[], known: Knowledge | undefined): number {
  const by = { worker: "box-a", token: "a", leaseMs: 60_000 }
  const round = (): void => {
    let stored: Stored = { item: { id: 7, ...draft() }, work: IDLE }
    const decide = (change: ReturnType<typeof claimed>, moment: Moment): void => {
      const { item, work } = known ? withCourse(stored, change, moment, known) : change
      if (work.course && hasGrown(stored.work.course, work.course)) courseText(work.course)
      stored = { item, work }
    }
    decide(claimed(stored, by, at(0)), at(0))
    for (const [report, moment] of reports) decide(reported(stored, "a", report, moment), moment)
  }
  // The compiler is done by then.
  for (let i = 0; i < 3 * ROUNDS; i += 1) round()
  const before = process.cpuUsage()
  for (let i = 0; i < ROUNDS; i += 1) round()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / ROUNDS / reports.length
}

/** How much it costs to follow a report if eight runs of its kind are known. */
export const learned: Scenario = {
  letter: "L",
  name: "learned",
  title: "what learning adds to a report",
  async measure({ plan }) {
    const songs = histories().get("song") ?? []
    const [song] = songs.slice(RUNS)
    if (!song) throw new Error("there is no history of a song")
    const experience = learn(songs.slice(0, RUNS).map(runOf))
    const known: Knowledge = { outages: [], of: () => experience }
    const reports = reportsOf(song)
    const extra: number[] = []
    for (let number = 1; number <= plan.manyRuns; number += 1) {
      extra.push(costUs(reports, known) - costUs(reports, undefined))
      console.error(`  L ${number}/${plan.manyRuns}: ${extra.at(-1)?.toFixed(1)} us`)
    }
    const bar = { kind: "at most", limit: 10 } as const
    const measure = "a report with 8 runs known: CPU more than without"
    return [row(new Map([[ours, extra]]), (us) => us, { scenario: "L", measure, unit: "us", bar })]
  },
}
