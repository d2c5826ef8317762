import { chance } from "./chance.ts"
import type { Attempt, Told } from "./histories.ts"
import { attempt, type MadeStep } from "./made-attempt.ts"

const silent = (name: string, seconds: number): MadeStep => ({ name, seconds, counts: "nothing", size: 0 })
const percent = (name: string, seconds: number): MadeStep => ({ name, seconds, counts: "percent", size: 0 })
const encode = (name: string, seconds: number, size: number): MadeStep => {
  return { name, seconds, counts: "seconds", size }
}
const frames = (name: string, seconds: number, size: number): MadeStep => {
  return { name, seconds, counts: "frames", size: Math.round(size) }
}

/** An attempt in which each report is changed. */
const told = (whole: Attempt, change: (one: Told) => Told): Attempt => ({
  ...whole,
  reports: whole.reports.map(change),
})
/** An attempt as reported by a client that knows only words and no steps, by PUT. */
const byPut = (whole: Attempt): Attempt => told(whole, ({ step: _step, ...rest }) => rest)
const withoutPercent = (whole: Attempt): Attempt => told(whole, ({ progress: _progress, ...rest }) => rest)

const SONG = ["intro", "verse 1", "chorus 1", "verse 2", "chorus 2", "bridge", "chorus 3", "outro"]
const ALWAYS = new Set(["intro", "verse 1", "chorus 1", "outro"])

/** Kinds of work that were made up after the estimates were finished, with new shapes. */
export function unseenKinds(seed: number, runs: number): Map<string, Attempt[]> {
  const { about, between, either } = chance(seed)
  const make = (item: number, every: number, steps: readonly MadeStep[], worker = "box"): Attempt =>
    attempt(item, "unseen", worker, every, steps)
  const makers: Record<string, (item: number) => Attempt> = {
    /** A model is loaded slowly, and the frames are quick. */
    warming: (item) => {
      const size = between(50, 90)
      const load = silent("Load model", about(either(0.3, 120, 90), 0.1))
      return make(item, 2, [load, frames("Frames", about(size / 2, 0.08), size), silent("Write", 3)])
    },
    /** Each step takes up to a third more or less, at random. */
    noisy: (item) => {
      const size = between(100, 200)
      const render = encode("Render", about(size, 0.3), size)
      return make(item, 2, [percent("Analyse", about(40, 0.3)), render, percent("Upload", about(30, 0.3))])
    },
    /** The whole attempt takes up to a third more or less, at random. */
    moody: (item) => {
      const pace = about(1, 0.3)
      const step = (name: string, seconds: number) => percent(name, about(seconds * pace, 0.1))
      return make(item, 2, [step("Analyse", 40), step("Render", 150), step("Upload", 30)])
    },
    /** A percentage that jumps to seven random values. */
    leaps: (item) => {
      const stops = Array.from({ length: 6 }, () => between(0.02, 0.98)).toSorted((a, b) => a - b)
      const way = (time: number): number => [0, ...stops][Math.floor(time * 7)] ?? 0
      return make(item, 3, [{ ...percent("Work", about(200, 0.12)), to: 99, way }])
    },
    /** A percentage that is at 99 after an eighth of the time. */
    stuck: (item) => {
      const way = (time: number): number => Math.min(1, time * 8)
      return make(item, 2, [{ ...percent("", about(200, 0.1)), to: 99, way }])
    },
    /** Some attempts have ten times as much to do as others. */
    tenfold: (item) => {
      const size = either(0.5, between(20, 60), between(200, 600))
      const pace = about(1, 0.06)
      return make(item, 1, [
        silent("Prepare", about(6 * pace, 0.1)),
        encode("Render", about(0.8 * size * pace, 0.05), size),
        silent("Pack", about(0.1 * size * pace, 0.1)),
      ])
    },
    /** From the sixth run on a new version is twice as fast. */
    upgraded: (item) => {
      const size = between(100, 200)
      const pace = item >= 5 ? 0.5 : 1
      const render = encode("Render", about(size * pace, 0.06), size)
      return make(item, 2, [silent("Voice", about(30 * pace, 0.06)), render])
    },
    /** Two machines, one of them two and a half times as slow. */
    machines: (item) => {
      const [worker, size] = [either(0.5, "fast", "slow"), between(60, 120)]
      const pace = worker === "fast" ? 1 : 2.5
      const steps = [
        percent("Voice", about(25 * pace, 0.06)),
        frames("Render", about(size * pace, 0.06), size),
      ]
      return make(item, 2, steps, worker)
    },
    /** Two of the five steps exist only in every other attempt. */
    optional: (item) =>
      make(item, 2, [
        silent("Fetch", about(15, 0.08)),
        ...either(0.5, [silent("Denoise", about(50, 0.08))], []),
        percent("Render", about(120, 0.08)),
        ...either(0.5, [silent("Subtitles", about(30, 0.08))], []),
        silent("Upload", about(20, 0.08)),
      ]),
    /** A report each half a minute. */
    seldom: (item) => {
      const size = Math.round(between(200, 500))
      return make(item, 30, [frames("Render", about(size, 0.08), size)])
    },
    /** By PUT alone, with percentages that run ahead in each step. */
    guessed: (item) => {
      const pace = about(1, 0.1)
      const step = (name: string, seconds: number, from: number, to: number): MadeStep => {
        return { ...percent(name, about(seconds * pace, 0.08)), from, to, way: Math.sqrt }
      }
      const first = [step("Lyrics", 20, 0, 5), step("Voice", 30, 5, 60)]
      return byPut(make(item, 4, [...first, step("Pictures", 200, 60, 65), step("Video", 90, 65, 99)]))
    },
    /** Steps that are named after the parts of a song, which has some or all of these parts. */
    parts: (item) => {
      const used = SONG.filter((name) => ALWAYS.has(name) || either(0.6, true, false))
      const steps = used.map((name) => silent(`Rendering ${name}`, about(name.length * 3, 0.1)))
      return byPut(make(item, 1, [...steps, percent("Encode", about(steps.length * 5, 0.06))]))
    },
    /** Three scenes, each of a random length. */
    scenes: (item) => {
      const scene = (name: string): MadeStep => {
        const size = Math.exp(between(Math.log(10), Math.log(100)))
        return frames(name, about(size, 0.1), size)
      }
      return make(item, 1, [
        scene("Scene A"),
        scene("Scene B"),
        scene("Scene C"),
        silent("Join", about(8, 0.1)),
      ])
    },
    /** A percentage that goes slowly for half of the time, and ever faster. */
    bend: (item) => {
      const way = (time: number): number => Math.expm1(5 * time) / Math.expm1(5)
      return make(item, 1, [{ ...percent("", about(150, 0.12)), to: 100, way }])
    },
    /** In four of ten attempts the last two steps are done twice. */
    twice: (item) => {
      const last = () => [silent("Check", about(10, 0.1)), silent("Upload", about(30, 0.1))]
      return byPut(
        make(item, 2, [percent("Render", about(100, 0.08)), ...last(), ...either(0.4, last(), [])]),
      )
    },
    /** In half of the attempts the work of the first step is already done. */
    cached: (item) => {
      const voice = either(0.5, about(1.2, 0.2), about(60, 0.1))
      return make(item, 1, [percent("Voice", voice), percent("Render", about(100, 0.08))])
    },
    /** How much there is to do becomes known only during the attempt. */
    found: (item) => {
      const size = Math.round(between(20, 60))
      const made = make(item, 1, [frames("Tiles", about(size * 3, 0.08), size)])
      const known = (done: number): number => Math.min(size, done + 10)
      return withoutPercent(
        told(made, ({ unit, ...rest }) => ({
          ...rest,
          ...(unit && { unit: { ...unit, total: known(unit.done) } }),
        })),
      )
    },
    /** A machine that gets hot after a while and then takes half as long again. */
    hot: (item) => {
      const size = between(200, 900)
      const costs = Array.from({ length: 90 }, (_, i) => ((i / 90) * size > 400 ? 1.6 : 1))
      const factor = costs.reduce((sum, cost) => sum + cost, 0) / 90
      return make(item, 3, [{ ...encode("Render", about(size * factor, 0.05), size), costs }])
    },
    /** Two seconds from the beginning to the end. */
    tiny: (item) => make(item, 0.25, [percent("Draw", about(0.8, 0.15)), percent("Encode", about(1.4, 0.1))]),
    /** Encoders for two to six clips, one after the other and without names. */
    clips: (item) => {
      const count = Math.round(between(2, 6))
      const lengths = Array.from({ length: count }, () => between(10, 60))
      return withoutPercent(
        make(
          item,
          1,
          lengths.map((size) => encode("", about(size * 0.7, 0.08), size)),
        ),
      )
    },
  }
  return new Map(
    Object.entries(makers).map(([kind, make]) => [kind, Array.from({ length: runs }, (_, i) => make(i))]),
  )
}
