import { chance } from "./chance.ts"
import type { Attempt, Told } from "./histories.ts"
import { attempt, type MadeStep } from "./made-attempt.ts"

const silent = (name: string, seconds: number): MadeStep => ({ name, seconds, counts: "nothing", size: 0 })
const percent = (name: string, seconds: number): MadeStep => ({ name, seconds, counts: "percent", size: 0 })
const encode = (name: string, seconds: number, size: number): MadeStep => {
  return { name, seconds, counts: "seconds", size }
}

/** An attempt whose reports are changed, each by itself. */
const told = (whole: Attempt, change: (one: Told) => Told): Attempt => ({
  ...whole,
  reports: whole.reports.map(change),
})
/** As a client tells it that knows no steps, only words: by PUT. */
const byPut = (whole: Attempt): Attempt => told(whole, ({ step: _step, ...rest }) => rest)
/** As a client tells it that knows nothing but a percentage. */
const wordless = (whole: Attempt): Attempt =>
  told(byPut(whole), ({ current_step: _words, media: _media, unit: _unit, ...rest }) => rest)

/** As a client tells it that knows nothing but words and counts in them: "Scene 3/10". */
const inWords = (whole: Attempt): Attempt =>
  told(whole, ({ at, unit, current_step: words = "" }) => ({
    at,
    current_step: unit ? `${words} ${Math.min(unit.total, unit.done + 1)}/${unit.total}` : words,
  }))

/** Kinds of work that are made up after how clients tell it. */
export function reportingKinds(seed: number, runs: number): Map<string, Attempt[]> {
  const { about, between, either } = chance(seed)
  const make = (item: number, every: number, steps: readonly MadeStep[]): Attempt =>
    attempt(item, "reporting", "box", every, steps)
  const makers: Record<string, (item: number) => Attempt> = {
    /** Five even steps, a fiftieth more or less. */
    steady: (item) => {
      const size = between(120, 280)
      return make(item, 1, [
        silent("Lyrics", about(12, 0.03)),
        percent("Voice", about(30, 0.03)),
        encode("First pass", about(0.3 * size, 0.02), size),
        encode("Second pass", about(0.6 * size, 0.02), size),
        silent("Upload", about(9, 0.05)),
      ])
    },
    /** The percentage jumps to the same places each time, with most of the time between two of them. */
    stairs: (item) => {
      const pace = about(1, 0.08)
      const stairs: [number, number][] = [
        [0, 6],
        [30, 20],
        [31, 110],
        [80, 45],
        [95, 12],
      ]
      const steps = stairs.map(([from, seconds]): MadeStep => {
        return { ...silent("", about(seconds * pace, 0.06)), from }
      })
      return wordless(make(item, 3, steps))
    },
    /** By PUT alone, each ten seconds. */
    tens: (item) => {
      const pace = about(1, 0.1)
      const step = (name: string, seconds: number) => percent(name, about(seconds * pace, 0.06))
      return byPut(
        make(item, 10, [step("Lyrics", 22), step("Voice", 35), step("Render", 140), step("Mux", 12)]),
      )
    },
    /** Nothing but the beginnings of its steps. */
    beginnings: (item) => {
      const pace = about(1, 0.06)
      const names = ["Fetch", "Analyse", "Cut", "Grade", "Render", "Publish"]
      const lengths = [10, 25, 40, 30, 90, 15]
      return byPut(
        make(
          item,
          1000,
          names.map((name, i) => silent(name, about((lengths[i] ?? 0) * pace, 0.06))),
        ),
      )
    },
    /** Only how far the film is, although a silent analysis of it comes first. */
    analysed: (item) => {
      const size = between(60, 240)
      const steps = [silent("", about(0.25 * size, 0.06)), encode("", about(0.5 * size, 0.05), size)]
      return told(make(item, 2, steps), ({ at, media }) => ({ at, ...(media && { media }) }))
    },
    /** Each of six steps may be skipped, but for the render. */
    skipping: (item) => {
      const names = ["Fetch", "Denoise", "Stabilise", "Render", "Subtitles", "Thumbnails"]
      const lengths = [15, 40, 30, 120, 25, 10]
      const steps = names.map((name, i) => percent(name, about(lengths[i] ?? 0, 0.07)))
      return make(
        item,
        2,
        steps.filter(({ name }) => name === "Render" || either(0.7, true, false)),
      )
    },
    /** Frames of which each takes as long as its picture happens to need. */
    heavy: (item) => {
      const size = Math.round(between(20, 60))
      const costs = Array.from({ length: size }, () => about(1, 0.8))
      const seconds = 4 * costs.reduce((whole, cost) => whole + cost, 0)
      return make(item, 2, [{ name: "Frames", seconds, counts: "frames", size, costs }])
    },
    /** The network fails in a third of the attempts, and the upload begins again. */
    again: (item) => {
      const size = between(100, 200)
      const upload = { ...percent("Upload", about(40, 0.08)), from: 50, to: 98 }
      const failed = { ...percent("Upload", about(between(5, 30), 0.08)), from: 50, to: 70 }
      const render = { ...encode("Render", about(0.6 * size, 0.06), size), from: 0, to: 50 }
      return byPut(make(item, 1, [render, ...either(0.33, [failed], []), upload]))
    },
    /** A long preparation of the same length whatever the size, and a count that goes up by one of five. */
    coarse: (item) => {
      const size = Math.round(between(3, 7))
      const render: MadeStep = { name: "Scenes", seconds: about(30 * size, 0.08), counts: "images", size }
      return make(item, 5, [silent("Prepare", about(60, 0.05)), render])
    },
    /** Reports come late: the program writes them in blocks of half a minute. */
    blocks: (item) => {
      const size = between(200, 500)
      const whole = make(item, 1, [
        silent("Scan", about(15, 0.1)),
        encode("Encode", about(0.5 * size, 0.05), size),
      ])
      return told(whole, (one) => ({ ...one, at: Math.min(whole.seconds, Math.ceil(one.at / 30) * 30) }))
    },
    /** Three to twenty scenes, which only the words count. */
    worded: (item) => {
      const size = Math.round(between(3, 20))
      const costs = Array.from({ length: size }, () => about(1, 0.1))
      const seconds = 8 * costs.reduce((sum, cost) => sum + cost, 0)
      const whole = make(item, 2, [
        silent("Loading", about(15, 0.1)),
        { name: "Scene", seconds, counts: "images", size, costs },
        silent("Joining", about(2 * size, 0.1)),
      ])
      return inWords(whole)
    },
  }
  return new Map(
    Object.entries(makers).map(([kind, one]) => [kind, Array.from({ length: runs }, (_, i) => one(i))]),
  )
}
