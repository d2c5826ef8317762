import { chance } from "./chance.ts"
import type { Attempt } from "./histories.ts"
import { attempt, type MadeStep } from "./made-attempt.ts"

const silent = (name: string, seconds: number): MadeStep => ({ name, seconds, counts: "nothing", size: 0 })
const percent = (name: string, seconds: number): MadeStep => ({ name, seconds, counts: "percent", size: 0 })
const encode = (name: string, seconds: number, size: number): MadeStep => {
  return { name, seconds, counts: "seconds", size }
}

/** Kinds of work whose attempts differ by factors. */
export function differingKinds(seed: number, runs: number): Map<string, Attempt[]> {
  const { about, between, either } = chance(seed)
  const make = (item: number, every: number, steps: readonly MadeStep[], worker = "box"): Attempt =>
    attempt(item, "differing", worker, every, steps)
  const lengthOf = (): number => Math.exp(between(Math.log(20), Math.log(1000)))
  const makers: Record<string, (item: number) => Attempt> = {
    /** Percentages alone, of songs of which one takes fifty times as long as another. */
    anything: (item) => {
      const size = lengthOf()
      return make(item, Math.max(0.5, size / 100), [{ ...percent("", about(size, 0.08)), to: 99 }])
    },
    /** The same, but how long the medium is is told. */
    told: (item) => {
      const size = lengthOf()
      const encoded = encode("Encode", about(size, 0.08), size)
      return make(item, Math.max(0.5, size / 100), [silent("Prepare", about(5, 0.1)), encoded])
    },
    /** Previews and films by the same name, with percentages alone. */
    previews: (item) => make(item, 2, [{ ...percent("Work", about(either(0.4, 300, 20), 0.1)), to: 99 }]),
    /** A third of the attempts resume an encode that was interrupted. */
    resumed: (item) => {
      const size = between(120, 300)
      const done = either(0.35, between(0.2, 0.7), 0)
      const rest = { ...encode("Encode", about(size * (1 - done), 0.06), size) }
      const way = (time: number): number => done + (1 - done) * time
      return make(item, 1, [silent("Voice", done > 0 ? 1 : about(40, 0.08)), { ...rest, way }])
    },
    /** Scenes whose frames become heavier, some of them six times as heavy. */
    heavier: (item) => {
      const [size, more] = [Math.round(between(60, 200)), between(1, 6)]
      const costs = Array.from({ length: size }, (_, i) => about(1 + (more * i) / size, 0.1))
      const seconds = costs.reduce((sum, cost) => sum + cost, 0)
      return make(item, 2, [{ name: "Render", seconds, counts: "frames", size, costs }])
    },
    /** Two workers, one of them three times as slow. */
    speeds: (item) => {
      const [worker, size] = [either(0.5, "fast", "slow"), between(60, 160)]
      const pace = worker === "fast" ? 1 : 3
      const steps = [
        silent("Voice", about(20 * pace, 0.06)),
        encode("Encode", about(size * pace, 0.06), size),
      ]
      return make(item, 1, steps, worker)
    },
    /** An upload at the end, over a network that is sometimes nine times as slow. */
    network: (item) => {
      const size = between(120, 300)
      const upload = percent("Upload", 0.15 * size * Math.exp(between(-1.1, 1.1)))
      return make(item, 1, [encode("Encode", about(0.5 * size, 0.06), size), upload])
    },
    /** A laptop that was suspended in the middle of every fifth attempt. */
    suspended: (item) => {
      const size = between(120, 300)
      const whole = make(item, 2, [
        silent("Voice", about(30, 0.06)),
        encode("Encode", about(size, 0.06), size),
      ])
      if (item % 5 !== 3) return whole
      const reports = whole.reports.map((one) => (one.at > size / 2 ? { ...one, at: one.at + 400 } : one))
      return { ...whole, seconds: whole.seconds + 400, reports }
    },
    /** Songs of 2 to 60 minutes in two passes, whose length nobody says; the preparation is always the same. */
    hourly: (item) => {
      const [size, pace] = [Math.exp(between(Math.log(120), Math.log(3600))), about(1, 0.06)]
      return make(item, 2, [
        silent("Prepare", about(20, 0.12)),
        percent("First pass", about(0.12 * size * pace, 0.05)),
        percent("Second pass", about(0.3 * size * pace, 0.05)),
        silent("Upload", about(3 + 0.03 * size, 0.2)),
      ])
    },
    /** Each step counts from 0 to 100 %, of songs of which one takes ten times as long as another. */
    perstep: (item) => {
      const pace = about(Math.exp(between(Math.log(0.3), Math.log(3))), 0.05)
      const step = (name: string, seconds: number): MadeStep => {
        return { ...percent(name, about(seconds * pace, 0.08)), from: 0, to: 100 }
      }
      return make(item, 2, [step("Voice", 25), step("Images", 60), step("Encode", 110), step("Upload", 15)])
    },
    /** Three short songs for two that are four times as long, with percentages alone. */
    fourfold: (item) => {
      const size = [60, 240, 60, 60, 240][item % 5] ?? 60
      return make(item, 2, [percent("Voice", about(0.3 * size, 0.08)), percent("Encode", about(size, 0.08))])
    },
    /** Two steps that are over at once if their caches are warm; the third one always takes its time. */
    warmstep: (item) => {
      const [size, isWarm] = [between(120, 260), either(0.5, true, false)]
      const stems = isWarm && either(0.7, true, false) ? about(2, 0.2) : about(0.3 * size, 0.06)
      return make(item, 1, [
        { name: "Images", seconds: about(isWarm ? 1 : 70, 0.1), counts: "images", size: 5 },
        encode("Stems", stems, size),
        encode("Encode", about(0.5 * size, 0.06), size),
      ])
    },
  }
  return new Map(
    Object.entries(makers).map(([kind, one]) => [kind, Array.from({ length: runs }, (_, i) => one(i))]),
  )
}
