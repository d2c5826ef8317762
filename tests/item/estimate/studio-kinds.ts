import { chance } from "./chance.ts"
import type { Attempt, Told } from "./histories.ts"
import { attempt, type MadeStep } from "./made-attempt.ts"

const silent = (name: string, seconds: number): MadeStep => ({ name, seconds, counts: "nothing", size: 0 })
const percent = (name: string, seconds: number): MadeStep => ({ name, seconds, counts: "percent", size: 0 })
const encode = (name: string, seconds: number, size: number): MadeStep => {
  return { name, seconds, counts: "seconds", size }
}
const images = (name: string, seconds: number, size: number, costs?: readonly number[]): MadeStep => {
  return { name, seconds, counts: "images", size, ...(costs && { costs }) }
}
const sum = (costs: readonly number[]): number => costs.reduce((whole, cost) => whole + cost, 0)
const told = (whole: Attempt, change: (one: Told) => Told): Attempt => ({
  ...whole,
  reports: whole.reports.map(change),
})
const byPut = (whole: Attempt): Attempt => told(whole, ({ step: _step, ...rest }) => rest)
/** Words alone; `say` makes them from the step's name and its count. */
const words = (whole: Attempt, say: (name: string, nth: number, of: number, one: Told) => string): Attempt =>
  told(whole, (one) => {
    const { at, unit, current_step: name = "" } = one
    return { at, current_step: unit ? say(name, Math.min(unit.total, unit.done + 1), unit.total, one) : name }
  })
/** Two attempts that go on at the same time; the second one begins at `from`. */
const beside = (one: Attempt, other: Attempt, from: number): Attempt => ({
  ...one,
  seconds: Math.max(one.seconds, from + other.seconds),
  reports: [...one.reports, ...other.reports.map((told) => ({ ...told, at: told.at + from }))].toSorted(
    (a, b) => a.at - b.at,
  ),
})
const after = (one: Attempt, other: Attempt): Attempt => beside(one, other, one.seconds)

/** The step of an attempt is the one with this index, of four. */
const at = (index: number, one: Attempt): Attempt =>
  told(one, ({ step, progress: _progress, ...rest }) => ({
    ...rest,
    ...(step && { step: { ...step, index, total: 4 } }),
  }))

const WORDS = [
  "rain",
  "neon",
  "forest",
  "dust",
  "tide",
  "ember",
  "glass",
  "choir",
  "moth",
  "signal",
  "dawn",
  "wolf",
]

/** Kinds of work that are made up after what studios of songs and films do. */
export function studioKinds(seed: number, runs: number): Map<string, Attempt[]> {
  const { about, between, either } = chance(seed)
  const whole = (low: number, high: number): number => Math.round(between(low, high))
  const many = <T>(count: number, one: (i: number) => T): T[] =>
    Array.from({ length: count }, (_, i) => one(i))
  const log = (low: number, high: number): number => Math.exp(between(Math.log(low), Math.log(high)))
  const make = (item: number, every: number, steps: readonly MadeStep[], worker = "box"): Attempt =>
    attempt(item, "studio", worker, every, steps)
  const makers: Record<string, (item: number) => Attempt> = {
    /** Images per scene, a step for each scene, whose number varies, and each with another number of images. */
    perscene: (item) => {
      const scenes = many(whole(2, 7), (i) => {
        const n = whole(2, 8)
        return images(`Images of scene ${i + 1}`, about(8 * n, 0.07), n)
      })
      return make(item, 2, [
        silent("Script", about(15, 0.1)),
        ...scenes,
        silent("Cut", about(4 * scenes.length, 0.1)),
      ])
    },
    /** The same; the words alone count, and begin again for each scene. */
    recount: (item) => {
      const scenes = many(whole(2, 6), () => {
        const n = whole(3, 7)
        return images("Image", about(8 * n, 0.07), n)
      })
      return words(
        make(item, 2, [silent("Script", about(15, 0.1)), ...scenes, silent("Cut", about(20, 0.1))]),
        (name, nth, of) => `${name} ${nth}/${of}`,
      )
    },
    /** Two counts in the words: the scene, and the image of it. */
    nested: (item) => {
      const count = whole(2, 6)
      const scenes = many(count, (i) => {
        const n = whole(3, 7)
        return images(`Scene ${i + 1}/${count}`, about(8 * n, 0.07), n)
      })
      return words(
        make(item, 2, [silent("Script", about(15, 0.1)), ...scenes, silent("Cut", about(20, 0.1))]),
        (name, nth, of) => `${name}: image ${nth}/${of}`,
      )
    },
    /** Steps that are named after what they make, never the same twice, and any number of them. */
    titled: (item) => {
      const steps = many(whole(4, 9), () =>
        silent(`Painting ${WORDS[whole(0, 11)]} ${WORDS[whole(0, 11)]}`, about(14, 0.12)),
      )
      return make(item, 2, [silent("Script", about(15, 0.1)), ...steps, silent("Cut", about(25, 0.1))])
    },
    /** Two uploads at the end over one network, of any speed. */
    uploads: (item) => {
      const [size, net] = [between(120, 300), log(0.25, 2.5)]
      const mb = whole(0.3 * size, 0.5 * size)
      const up = (name: string): MadeStep =>
        images(
          name,
          about(0.4 * mb * net, 0.1),
          mb,
          many(15, () => about(1, 0.4)),
        )
      return make(item, 2, [
        encode("Encode", about(0.5 * size, 0.06), size),
        up("Upload video"),
        up("Upload archive"),
      ])
    },
    /** Stems separated by AI in one long silent step; the decoding before it says how long the song is. */
    stemsep: (item) => {
      const size = log(90, 420)
      return make(item, 2, [
        encode("Decode", about(0.03 * size, 0.1), size),
        silent("Separate stems", about(10 + 0.9 * size, 0.06)),
        encode("Mix", about(0.1 * size, 0.08), size),
        encode("Encode", about(0.4 * size, 0.06), size),
      ])
    },
    /** A still of Blender: the scene is read, samples are counted, then the denoiser and the compositor say nothing. */
    still: (item) => {
      const [samples, cost] = [[128, 256, 512, 1024][whole(0, 3)] ?? 128, log(0.7, 1.5)]
      const part = images("", about(0.25 * samples * cost, 0.05), samples)
      return told(
        make(item, 2, [silent("", about(14, 0.15)), part, silent("", about(16 * cost, 0.1))]),
        ({ progress: _progress, ...rest }) => rest,
      )
    },
    /** Frames of Blender: a fixed time to synchronise, samples by the scene's cost, and each frame is denoised. */
    anim: (item) => {
      const [frames, cost] = [whole(8, 48), log(0.6, 2)]
      const costs = many(frames, (i) => (i === 0 ? 3 : 0) + 1.2 + about(4 * cost, 0.1) + 0.8)
      return make(item, 2, [{ ...images("Frames", sum(costs), frames, costs), from: 0, to: 100 }])
    },
    /** Steps that fail now and then and are done again, under a name that says so. */
    retry: (item) => {
      const n = whole(3, 6)
      const step = (one: MadeStep): MadeStep[] => {
        if (either(0.75, true, false)) return [one]
        const part = between(0.1, 0.9)
        return [
          { ...one, seconds: one.seconds * part, way: (time) => time * part },
          { ...one, name: `${one.name} (attempt 2)` },
        ]
      }
      return byPut(
        make(item, 2, [
          ...step(silent("Voice", about(25, 0.08))),
          ...step(images("Images", about(12 * n, 0.06), n)),
          ...step(percent("Encode", about(90, 0.06))),
          ...step(silent("Upload", about(15, 0.1))),
        ]),
      )
    },
    /** The first steps, any number of them, are already there from a run before. */
    cachedfirst: (item) => {
      const [cached, size] = [either(0.5, 0, whole(1, 4)), between(120, 260)]
      const steps = [
        silent("Lyrics", about(15, 0.1)),
        silent("Voice", about(40, 0.08)),
        images("Images", about(60, 0.06), 5),
        encode("Stems", about(0.25 * size, 0.06), size),
        encode("Encode", about(0.5 * size, 0.06), size),
        silent("Upload", about(12, 0.1)),
      ]
      return make(
        item,
        1,
        steps.map((step, i) => (i < cached ? { ...step, seconds: 0.3 } : step)),
      )
    },
    /** By PUT: the percentage is that of the stage, and the words say how far the stage is. */
    wordpercent: (item) => {
      const size = log(100, 300)
      const stage = (name: string, seconds: number, from: number): MadeStep => ({
        ...images(name, seconds, 100),
        from,
        to: from,
      })
      const made = make(item, 2, [
        stage("Separating", about(0.2 * size, 0.06), 10),
        stage("Encoding", about(0.6 * size, 0.06), 40),
        stage("Uploading", about(0.1 * size, 0.15), 90),
      ])
      return told(byPut(made), ({ unit, current_step, ...rest }) => ({
        ...rest,
        current_step: `${current_step} ${unit?.done ?? 0}%`,
      }))
    },
    /** The words alone say how far it is, in percent, and nothing else moves. */
    percentwords: (item) => {
      const size = log(100, 300)
      const made = make(item, 2, [
        images("Separating", about(0.2 * size, 0.06), 100),
        images("Encoding", about(0.6 * size, 0.06), 100),
        images("Uploading", about(0.1 * size, 0.15), 100),
      ])
      return told(byPut(made), ({ at, unit, current_step }) => ({
        at,
        current_step: `${current_step}... ${unit?.done ?? 0} %`,
      }))
    },
    /** Words in German. */
    german: (item) => {
      const n = whole(3, 16)
      return words(
        make(item, 2, [
          silent("Laden", about(15, 0.1)),
          images("Bild", 8 * sum(many(n, () => about(1, 0.1))), n),
          silent("Schneiden", about(2 * n, 0.1)),
        ]),
        (name, nth, of) => `${name} ${nth} von ${of}`,
      )
    },
    /** Steps that are named, and words beside them that count. */
    stepworded: (item) => {
      const n = whole(3, 16)
      const made = make(item, 2, [
        silent("Load", about(15, 0.1)),
        { ...images("Images", 8 * sum(many(n, () => about(1, 0.1))), n), from: 20, to: 20 },
        silent("Join", about(2 * n, 0.1)),
      ])
      return told(made, ({ unit, progress: _progress, ...rest }) => ({
        ...rest,
        ...(unit && {
          current_step: `Drawing image ${Math.min(unit.total, unit.done + 1)} of ${unit.total}`,
        }),
      }))
    },
    /** Percentages that jump to other places in each run and are taken back now and then, by PUT. */
    jumpy: (item) => {
      const step = (name: string, seconds: number, from: number, to: number): MadeStep => {
        const stops = [0, ...many(4, () => between(0, 1)).toSorted((a, b) => a - b)]
        return {
          ...percent(name, about(seconds, 0.08)),
          from,
          to,
          way: (time) => stops[Math.floor(time * 5)] ?? 1,
        }
      }
      return byPut(
        make(item, 5, [step("Voice", 40, 0, 30), step("Images", 80, 25, 60), step("Encode", 120, 55, 98)]),
      )
    },
    /** Sound and film are made at the same time, and their reports alternate, each as a step of its own. */
    interleaved: (item) => {
      const size = between(100, 260)
      const [sound, film] = [
        encode("Sound", about(0.3 * size, 0.06), size),
        encode("Film", about(0.6 * size, 0.06), size),
      ]
      const both = beside(at(2, make(item, 2, [sound])), at(3, make(item, 2, [film])), 1)
      return after(
        after(at(1, make(item, 2, [silent("Load", about(15, 0.1))])), both),
        at(4, make(item, 2, [silent("Upload", about(12, 0.1))])),
      )
    },
    /** The same; either may begin first. */
    swapped: (item) => {
      const size = between(100, 260)
      const [sound, film] = [
        encode("Sound", about(0.3 * size, 0.06), size),
        encode("Film", about(0.6 * size, 0.06), size),
      ]
      const [a, b] = [at(2, make(item, 2, [sound])), at(3, make(item, 2, [film]))]
      const both = either(0.5, true, false) ? beside(a, b, 1) : beside(b, a, 1)
      return after(
        after(at(1, make(item, 2, [silent("Load", about(15, 0.1))])), both),
        at(4, make(item, 2, [silent("Upload", about(12, 0.1))])),
      )
    },
    /** The same by PUT: words that alternate, and a percentage of the whole. */
    alternating: (item) => {
      const made = make(item, 2, [
        silent("Load", about(15, 0.1)),
        { ...percent("Render", about(between(60, 200), 0.06)), from: 5, to: 95 },
        silent("Upload", about(12, 0.1)),
      ])
      let n = 0
      return told(byPut(made), (one) =>
        one.current_step === "Render"
          ? { ...one, current_step: (n += 1) % 2 ? "Rendering sound" : "Rendering film" }
          : one,
      )
    },
    /** Words alone, of two things that are counted at the same time. */
    countsatonce: (item) => {
      const n = whole(8, 30)
      const both = beside(
        make(item, 2, [images("Voice", about(3 * n, 0.06), n)]),
        make(item, 2, [images("Image", about(6 * n, 0.06), n)]),
        1,
      )
      return words(
        after(
          make(item, 2, [silent("Load", about(15, 0.1))]),
          after(both, make(item, 2, [silent("Join", about(1.5 * n, 0.1))])),
        ),
        (name, nth, of) => `${name} ${nth}/${of}`,
      )
    },
    /** Pieces that four processes make at once: they come in bursts. */
    bursts: (item) => {
      const n = whole(8, 60)
      const rounds = Math.ceil(n / 4)
      const way = (time: number): number => Math.min(n, 4 * Math.floor(time * rounds)) / n
      return make(item, 2, [
        silent("Split", about(8, 0.1)),
        { ...images("Pieces", about(9 * rounds, 0.06), n), way },
        silent("Join", about(3 + 0.3 * n, 0.1)),
      ])
    },
    /** One to four sizes of the film, those that the customer paid for. */
    renditions: (item) => {
      const size = between(120, 300)
      const all = [
        ["2160p", 1.2],
        ["1080p", 0.5],
        ["720p", 0.3],
        ["480p", 0.15],
      ] as const
      const some = all.filter(([name]) => name === "1080p" || either(0.6, true, false))
      return make(item, 2, [
        silent("Mix", about(20, 0.1)),
        ...some.map(([name, pace]) => encode(name, about(pace * size, 0.05), size)),
        silent("Package", about(6 * some.length, 0.1)),
      ])
    },
    /** A step that waits for the graphics card for any time; the rest is as always. */
    gpuwait: (item) =>
      make(item, 2, [
        silent("Lyrics", about(12, 0.1)),
        silent("Waiting for GPU", either(0.5, 1, log(5, 120))),
        percent("Images", about(70, 0.06)),
        percent("Encode", about(100, 0.06)),
      ]),
    /** A text is generated, counted up to the most that it may have; it ends sooner. */
    tokens: (item) => {
      const part = between(0.15, 0.6)
      const write = { ...images("Lyrics", about(120 * part, 0.06), 2048), way: (time: number) => time * part }
      const size = between(120, 240)
      return make(item, 1, [
        write,
        percent("Voice", about(40, 0.08)),
        encode("Encode", about(0.4 * size, 0.06), size),
      ])
    },
    /** A picture is made and judged until it is good: one to five rounds of the same two steps. */
    rounds: (item) => {
      const n = [1, 1, 2, 2, 3, 5][whole(0, 5)] ?? 1
      const loop = many(n, () => [silent("Paint", about(25, 0.08)), silent("Judge", about(6, 0.1))]).flat()
      return byPut(
        make(item, 1, [silent("Script", about(15, 0.1)), ...loop, percent("Encode", about(80, 0.06))]),
      )
    },
    /** Each scene is painted, animated and voiced, with a step for each; the steps say how many there are. */
    scenesteps: (item) => {
      const scenes = many(whole(2, 6), (i) => [
        silent(`Scene ${i + 1}: paint`, about(12, 0.1)),
        silent(`Scene ${i + 1}: animate`, about(30, 0.1)),
        silent(`Scene ${i + 1}: voice`, about(8, 0.1)),
      ]).flat()
      return make(item, 2, [silent("Script", about(15, 0.1)), ...scenes, silent("Cut", about(15, 0.1))])
    },
  }
  return new Map(Object.entries(makers).map(([kind, one]) => [kind, many(runs, (i) => one(i))]))
}
