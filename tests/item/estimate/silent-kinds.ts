import { chance } from "./chance.ts"
import type { Attempt } from "./histories.ts"
import { attempt, type MadeStep } from "./made-attempt.ts"

const encode = (name: string, seconds: number, size: number): MadeStep => ({
  name,
  seconds,
  counts: "seconds",
  size,
})
const silent = (name: string, seconds: number): MadeStep => ({ name, seconds, counts: "nothing", size: 0 })

/** Kinds whose steps do not say how far they are or how much there is to do, and one whose words say how many there are. */
export function silentKinds(seed: number, runs: number): Map<string, Attempt[]> {
  const { about, between } = chance(seed)
  const lengthOf = (low: number, high: number): number => Math.exp(between(Math.log(low), Math.log(high)))
  const make = (item: number, steps: readonly MadeStep[], totals: Attempt["totals"] = {}): Attempt => {
    const made = attempt(item, "silent", "box", 2, steps)
    return {
      ...made,
      reports: made.reports.map(({ at, current_step, step, media }) => ({ at, current_step, step, media })),
      totals,
    }
  }
  const songOf = (size: number): MadeStep[] => [
    silent("Script", about(9, 0.1)),
    silent("Storyboard", about(0.2 * size, 0.07)),
    silent("Render", about(0.6 * size, 0.06)),
    silent("Package", about(3 + 0.03 * size, 0.1)),
  ]
  const makers: Record<string, (item: number) => Attempt> = {
    /** Songs of 1 to 10 minutes, of which only the names of their steps are told. */
    named: (item) => make(item, songOf(lengthOf(60, 600))),
    /** The same, and the steps have only numbers. */
    numbered: (item) => {
      const made = make(item, songOf(lengthOf(60, 600)))
      const reports = made.reports.map(({ at, step }) => ({
        at,
        ...(step && { step: { ...step, name: "" } }),
      }))
      return { ...made, reports }
    },
    /** One step whose length is declared, of films of which one is a hundred times as long as another. */
    declared: (item) => {
      const size = lengthOf(20, 2000)
      return make(item, [silent("Render", about(0.5 * size, 0.06))], { seconds: size })
    },
    /** The same, with a start that always takes the same time. */
    started: (item) => {
      const size = lengthOf(20, 2000)
      return make(item, [silent("Render", about(30 + 0.3 * size, 0.05))], { seconds: size })
    },
    /** Six to fourteen tracks, each with its medium; only the words say how many. */
    album: (item) => {
      const count = Math.round(between(6, 14))
      const tracks = Array.from({ length: count }, (_, i): MadeStep => {
        const size = between(120, 300)
        return encode(`Track ${i + 1} of ${count}`, about(0.2 * size, 0.06), size)
      })
      const made = make(item, tracks)
      return {
        ...made,
        reports: made.reports.map(({ at, current_step, media }) => ({ at, current_step, media })),
      }
    },
    /** Steps that each count from 0 to 99 %, of songs of 1 to 7 minutes. */
    percents: (item) => {
      const size = lengthOf(60, 400)
      const bar = (name: string, part: number): MadeStep => {
        return { name, seconds: about(part * size, 0.07), counts: "percent", size: 0, from: 0, to: 99 }
      }
      return attempt(item, "percents", "box", 2, [bar("Split", 0.1), bar("Paint", 0.6), bar("Glue", 0.15)])
    },
  }
  return new Map(
    Object.entries(makers).map(([kind, one]) => [kind, Array.from({ length: runs }, (_, i) => one(i))]),
  )
}
