import { expect, test } from "bun:test"

import type { Run } from "../../../src/item/estimate/earlier-run.ts"
import { estimate, outlook } from "../../../src/item/estimate/estimate.ts"
import { learn } from "../../../src/item/estimate/experience.ts"
import { stepsOfRun } from "../../../src/item/estimate/trace.ts"
import type { Attempt, Told } from "./histories.ts"
import { attempt, type MadeStep } from "./made-attempt.ts"
import { figuresOf, runOf, scored, traceOf } from "./replay.ts"
import { type Reports, runThrough, traceThrough } from "./traced-reports.ts"

test("a worker whose first report comes sooner or later than usual is not taken to be faster or slower", () => {
  const render = (firstAt: number): Reports => [[firstAt, { current_step: "Render", progress: 10 }]]
  const experience = learn(
    [0.5, 1, 2].map((firstAt) => ({ ...runThrough(render(firstAt), ""), seconds: 30 })),
  )
  for (const firstAt of [0.1, 1, 2.5]) {
    const trace = traceThrough(render(firstAt))
    const left = estimate({ trace, at: firstAt, worker: "" }, experience)?.left ?? 0
    expect(Math.abs((firstAt + left) / 30 - 1)).toBeLessThan(0.3)
  }
})

test("a percentage that bends at its beginning is known there, where a line has only one point in its stretch", () => {
  const bent = (slowness: number): Reports =>
    Array.from({ length: 99 }, (_, i) => [40 * slowness * Math.log1p(0.2 * i), { progress: i }])
  const experience = learn([0.9, 1, 1.1].map((slowness) => runThrough(bent(slowness), "")))
  const all = bent(1)
  const whole = (all.at(-1)?.[0] ?? 0) + 1
  for (const i of [1, 2, 3]) {
    const [at = 0] = all[i] ?? []
    const left = estimate({ trace: traceThrough(all.slice(0, i + 1)), at, worker: "" }, experience)?.left ?? 0
    expect(Math.abs(left / (whole - at) - 1)).toBeLessThan(0.09)
  }
})

test("steps that count the same unit, but each as much as it happens to be, do not tell of each other", () => {
  const scenes = (...sizes: readonly number[]): Reports =>
    sizes.map((total, i): Reports[number] => {
      const step = { index: i + 1, total: sizes.length, name: `Scene ${"ABC"[i]}` }
      const at = sizes.slice(0, i).reduce((sum, size) => sum + size, 0)
      return [at, { step, unit: { done: 0, total, name: "frames" } }]
    })
  const whole = (sizes: readonly number[]): number => sizes.reduce((sum, size) => sum + size, 0)
  const leftOf = (past: readonly (readonly number[])[], now: readonly number[]): number => {
    const known = learn(past.map((sizes) => ({ ...runThrough(scenes(...sizes), ""), seconds: whole(sizes) })))
    const trace = traceThrough(scenes(...now).slice(0, 1))
    return estimate({ trace, at: 1, worker: "" }, known)?.left ?? 0
  }
  const byChance = [
    [10, 40, 90],
    [80, 50, 20],
    [30, 20, 60],
    [20, 80, 40],
    [60, 30, 30],
  ]
  // The other scenes last as long as before, 92 s on average.
  const left = leftOf(byChance, [160, 40, 40])
  expect(left).toBeGreaterThan(200)
  expect(left).toBeLessThan(300)
  // If they always grow together, the whole render takes four times as long.
  const together = [10, 20, 40, 30].map((size) => [size, 2 * size, 3 * size])
  expect(leftOf(together, [160, 320, 480]) / 960).toBeCloseTo(1, 1)
})

test("a total that grows while things are found scales nothing, and no step begins with it", () => {
  const tiles = (count: number): Reports =>
    Array.from({ length: count }, (_, done) => {
      const total = done < 10 ? 10 : count
      return [5 * done, { unit: { done, total, name: "tiles" } }]
    })
  const run = runThrough(tiles(60), "")
  expect(run.steps).toMatchObject([{ unit: "tiles", size: 0, grew: { first: 10, latest: 60 } }])
  const experience = learn([run, runThrough(tiles(50), ""), runThrough(tiles(70), "")])
  for (const reports of [3, 20]) {
    const now = tiles(60).slice(0, reports)
    const at = now.at(-1)?.[0] ?? 0
    const left = estimate({ trace: traceThrough(now), at, worker: "" }, experience)?.left ?? 0
    expect(Math.abs((at + left) / 300 - 1)).toBeLessThan(0.25)
  }
})

test("a count that begins again is of another step, also if that has more to do", () => {
  const scenes = (...sizes: readonly number[]): Reports =>
    sizes.flatMap((total, i): Reports[number][] => {
      const current_step = `Scene ${i + 1} of ${sizes.length}`
      const told = (done: number): Reports[number] => [
        100 * i + done,
        { current_step, unit: { done, total, name: "frames" } },
      ]
      return [told(0), told(Math.floor(total / 2)), told(total - 1)]
    })
  for (const sizes of [
    [40, 20, 30],
    [20, 25, 90],
  ])
    expect(traceThrough(scenes(...sizes)).steps.map(({ size }) => size)).toEqual(sizes)
})

test("a second series that only the words number begins at its own first step", () => {
  const album = (tracks: number): Reports =>
    ["Decode", "Encode"].flatMap((what, part) =>
      Array.from({ length: tracks }, (_, i): Reports[number][] => {
        const at = (part === 0 ? 10 * i : 10 * tracks + 40 * i) + 1
        const current_step = `${what} ${i + 1} of ${tracks}`
        const told = (out_time: number) => ({ current_step, media: { out_time, total: 200 } })
        return [
          [at, told(0)],
          [at + 9, told(190)],
        ]
      }).flat(),
    )
  expect(traceThrough(album(3)).steps.map(({ index }) => index)).toEqual([1, 2, 3, 1, 2, 3])
  const run = { ...runThrough(album(4), ""), seconds: 200 }
  const now = album(6).slice(0, 13)
  const left = estimate({ trace: traceThrough(now), at: 61, worker: "" }, learn([run]))?.left ?? 0
  // Three of the four are still to come in the run, and no fewer.
  expect(left).toBeGreaterThan(140)
})

test("the band is wider where there is more to do than there ever was", () => {
  const film = (seconds: number): Reports => [
    [0, { current_step: "Film", media: { out_time: 0, total: seconds } }],
    [seconds / 2, { current_step: "Film", media: { out_time: seconds / 2, total: seconds } }],
  ]
  const experience = learn([{ ...runThrough(film(100), ""), seconds: 100 }])
  const width = (seconds: number): number => {
    const trace = traceThrough(film(seconds).slice(0, 1))
    const said = estimate({ trace, at: 0, worker: "" }, experience)
    return said ? said.high / said.low : 0
  }
  expect(width(100)).toBeCloseTo(width(99), 1)
  expect(width(3000)).toBeGreaterThan(1.5 * width(100))
})

test("steps of one name are told apart by their place: one may take its size, and the next always the same", () => {
  const passes = (frames: number): Reports =>
    [0, frames / 10].map((at, i): Reports[number] => {
      const step = { index: i + 1, total: 2, name: "Encode" }
      return [at, { step, unit: { done: 0, total: frames, name: "frames" } }]
    })
  const known = learn(
    [100, 400, 200, 800, 300].map((frames) => ({
      ...runThrough(passes(frames), ""),
      seconds: frames / 10 + 100,
    })),
  )
  const trace = traceThrough(passes(1600).slice(0, 1))
  const left = estimate({ trace, at: 0.1, worker: "" }, known)?.left ?? 0
  expect(left / 260).toBeCloseTo(1, 1)
})

test("before anything is reported a machine that was slower is expected to be slower again", () => {
  const render = (seconds: number, worker: string) => ({
    ...runThrough([[0, { current_step: "Render", progress: 1 }]], worker),
    seconds,
  })
  const runs = [100, 104, 98, 101].flatMap((s) => [render(s, "fast"), render(2 * s, "slow")])
  const known = learn(runs)
  const [fast = 0, slow = 0] = ["fast", "slow"].map((worker) => outlook(known, worker)?.seconds)
  expect(slow / fast).toBeGreaterThan(1.4)
  expect(fast).toBeLessThan(130)
  expect(slow).toBeGreaterThan(160)
})

test("a clear difference between two workers is believed after three runs, one of which is a worker's only one", () => {
  const render = (seconds: number, worker: string) => ({
    ...runThrough([[0, { current_step: "Render", progress: 1 }]], worker),
    seconds,
  })
  const known = learn([render(60, "small range"), render(240, "large range"), render(62, "small range")])
  expect((outlook(known, "large range")?.seconds ?? 0) / 240).toBeGreaterThan(0.75)
  expect((outlook(known, "small range")?.seconds ?? 0) / 60).toBeLessThan(1.25)
  // Where no worker has two runs, the difference may as well be one of the runs: the mean of 120 and 240 s.
  const once = learn([render(60, "small range"), render(240, "large range")])
  expect(outlook(once, "large range")?.seconds).toBeCloseTo(180)
})

/** An encode in real time, whose encoder holds the newest 4.5 s back until the end. */
function encoded(size: number): Attempt {
  const seconds = size + 0.6
  const reports: Told[] = []
  for (let at = 0.3; at < seconds; at += 0.5) {
    const out_time = at < size ? Math.max(0, at - 4.5) : size
    reports.push({ at, progress: Math.floor((100 * out_time) / size), media: { out_time, total: size } })
  }
  return { item: 1, kind: "encode", worker: "box", seconds, reports, totals: { seconds: size } }
}

test("a song is not expected to go as one short trial went, most of whose time was its start", () => {
  const cases = [
    [8, 30],
    [8, 300],
    [8, 2400],
    [20, 200],
    [60, 240],
  ] as const
  for (const [trial, song] of cases) {
    const { barMean, barWorst, etaError, bandHolds } = figuresOf([scored(encoded(song), [encoded(trial)])])
    expect([trial, song, barMean < 4, barWorst < 10, etaError < 20, bandHolds]).toEqual([
      ...[trial, song],
      ...[true, true, true, 100],
    ])
  }
})

test("a course that is uneven all along is that of the work, however much more there is to do", () => {
  const parts = [1, 1, 3, 3, 1, 6]
  const render = (size: number): Attempt =>
    attempt(1, "render", "box", size / 100, [
      { name: "Render", seconds: size, counts: "seconds", size, costs: parts },
    ])
  const past = [40, 50, 45].map(render)
  for (const song of [150, 450, 4500]) {
    const { barMean, barWorst, etaError } = figuresOf([scored(render(song), past)])
    expect([song, barMean < 1, barWorst < 3, etaError < 5]).toEqual([song, true, true, true])
  }
})

test("a standstill that is as long as the work is known by runs with more and less to do", () => {
  const render = (size: number): Attempt =>
    attempt(1, "render", "box", size / 100, [
      // It analyses the whole film before it tells anything.
      {
        name: "Render",
        seconds: size,
        counts: "seconds",
        size,
        way: (time) => Math.max(0, time / 0.6 - 2 / 3),
      },
    ])
  const past = [60, 240, 80].map(render)
  for (const song of [400, 1200]) {
    const { barMean, etaError } = figuresOf([scored(render(song), past)])
    expect([song, barMean < 1, etaError < 5]).toEqual([song, true, true])
  }
})

test("scenes that are painted, animated and voiced in turn are a series, whose rounds may be more or fewer", () => {
  const film = (scenes: number): Attempt => {
    const step = (name: string, seconds: number): MadeStep => ({ name, seconds, counts: "nothing", size: 0 })
    const rounds = Array.from({ length: scenes }, (_, i) => [
      step(`Scene ${i + 1}: paint`, 12),
      step(`Scene ${i + 1}: animate`, 30),
      step(`Scene ${i + 1}: voice`, 8),
    ])
    return attempt(1, "film", "box", 1, [step("Script", 15), ...rounds.flat(), step("Cut", 10)])
  }
  for (const scenes of [2, 3, 7]) {
    const { barMean, etaError } = figuresOf([scored(film(scenes), [4, 2, 5].map(film))])
    expect([scenes, barMean < 1, etaError < 2]).toEqual([scenes, true, true])
  }
})

/** A mix of the tracks of a song, in this order. */
function mixed(order: readonly string[], count = order.length + 1): Reports {
  const seconds = new Map(Object.entries({ Vocals: 30, Drums: 50, Bass: 20, Keys: 40, Mix: 25 }))
  let at = 0
  return [...order, "Mix"].map((name, i) => {
    const report = { step: { index: i + 1, total: count, name } }
    const began = at
    at += seconds.get(name) ?? 0
    return [began, report]
  })
}
const mixRun = (...said: Parameters<typeof mixed>): Run => {
  const reports = mixed(...said)
  return { ...runThrough(reports, ""), seconds: (reports.at(-1)?.[0] ?? 0) + 25 }
}

test("if the steps come in another order, those that the attempt has not had yet are still to come", () => {
  const experience = learn([mixRun(["Vocals", "Drums", "Bass", "Keys"])])
  for (const order of [
    ["Keys", "Bass", "Drums", "Vocals"],
    ["Drums", "Keys", "Vocals", "Bass"],
  ]) {
    const now = mixed(order)
    for (const [i, [at]] of now.entries()) {
      const said = estimate({ trace: traceThrough(now.slice(0, i + 1)), at, worker: "" }, experience)
      expect([order, i, Math.round(said?.left ?? 0)]).toEqual([order, i, Math.round(165 - at)])
    }
  }
})

test("a step that is left out, though it is counted, is not expected later if an earlier run left one out, too", () => {
  const [all, some] = [mixRun(["Vocals", "Drums", "Bass", "Keys"]), mixRun(["Vocals", "Bass", "Keys"], 5)]
  const now = mixed(["Vocals", "Bass", "Keys"], 5)
  const [at] = now[2] ?? [0]
  const said = estimate({ trace: traceThrough(now.slice(0, 3)), at, worker: "" }, learn([all, some]))
  expect(Math.round(said?.left ?? 0)).toBe(65)
})

test("a run that had more steps of several names leaves no time below 0", () => {
  const album = (tracks: number): Attempt => {
    const track = (i: number): MadeStep => ({
      name: `Track ${i + 1}: ${["Moon", "River", "Ash"][i % 3]}`,
      seconds: i < 3 ? 90 : 10,
      counts: "nothing",
      size: 0,
    })
    return attempt(
      1,
      "album",
      "box",
      1,
      Array.from({ length: tracks }, (_, i) => track(i)),
    )
  }
  const experience = learn([runOf(album(9))])
  const now = album(5)
  for (const { at } of now.reports) {
    const said = estimate({ trace: traceOf(now, at), at, worker: "box" }, experience)
    expect(said?.left).toBeGreaterThanOrEqual(0)
  }
})

test("numbered steps without names are a series, which may be longer or shorter than it ever was", () => {
  const film = (parts: number): Reports =>
    Array.from({ length: parts }, (_, i) => [10 * i, { step: { index: i + 1, total: parts, name: "" } }])
  const experience = learn(
    [film(4), film(6)].map((one) => ({ ...runThrough(one, ""), seconds: 10 * one.length })),
  )
  for (const parts of [3, 5, 12]) {
    for (const [i, [at]] of film(parts).entries()) {
      const trace = traceThrough(film(parts).slice(0, i + 1))
      expect(estimate({ trace, at, worker: "" }, experience)?.left).toBeCloseTo(10 * parts - at, 0)
    }
  }
})

test("the passes of an encoder are no series, neither beside other passes nor after pictures", () => {
  const film = (
    pictures: number,
    ...passes: readonly (readonly [name: string, seconds: number])[]
  ): Attempt =>
    attempt(
      1,
      "film",
      "box",
      1,
      [...Array.from({ length: pictures }, (_, i) => [`Picture ${i + 1}`, 8] as const), ...passes].map(
        ([name, seconds]): MadeStep => ({ name, seconds, counts: "nothing", size: 0 }),
      ),
    )
  const video = [
    ["Video pass 1", 60],
    ["Video pass 2", 100],
  ] as const
  const audio = [
    ["Audio pass 1", 30],
    ["Audio pass 2", 40],
  ] as const
  const upload = ["Upload", 4] as const
  for (const [now, before] of [
    [film(0, ...video, ...audio, upload), film(0, ...video, ...audio)],
    [film(6, ...video), film(3, ...video)],
  ] as const) {
    const { barMean, etaError } = figuresOf([scored(now, [before])])
    expect([now.seconds, barMean < 3, etaError < 5]).toEqual([now.seconds, true, true])
  }
})

test("what was declared counts for steps that do not say how much there is to do", () => {
  const song = (size: number, totals: Record<string, number> = { seconds: size }): Run => ({
    steps: stepsOfRun(
      traceThrough([
        [0, { current_step: "Render" }],
        [size, { current_step: "Upload" }],
      ]),
      totals,
    ),
    seconds: size + 5,
    worker: "box",
  })
  const known = learn([100, 400, 200].map((size) => song(size)))
  for (const seconds of [60, 300, 1200]) {
    const trace = traceThrough([[0, { current_step: "Render" }]])
    const { left = 0 } = estimate({ trace, at: 0, worker: "box", totals: { seconds } }, known) ?? {}
    expect([seconds, Math.abs(left / (seconds + 5) - 1) < 0.1]).toEqual([seconds, true])
    expect((outlook(known, "box", { seconds })?.seconds ?? 0) / (seconds + 5)).toBeCloseTo(1, 0)
  }
  // Runs of which nothing was declared, as those of older versions.
  expect(song(9, {}).steps[0]).not.toHaveProperty("totals")
})

test("a percentage that stands at its end after the first image does not hide the count of the images", () => {
  const images = (count: number, seconds: number): Attempt => {
    const whole = 10 + (count - 1) * seconds
    const reports = Array.from({ length: whole }, (_, at): Told => {
      const done = at < 10 ? 0 : 1 + Math.floor((at - 10) / seconds)
      return { at, progress: Math.min(98, 10 * at), unit: { done, total: count, name: "images" } }
    })
    return { item: 1, kind: "images", worker: "box", seconds: whole, reports, totals: {} }
  }
  const past = [images(5, 12), images(8, 12), images(6, 12)]
  for (const each of [6, 12, 24]) {
    const { barMean, etaError } = figuresOf([scored(images(6, each), past)])
    expect([each, barMean < 8, etaError < 55]).toEqual([each, true, true])
  }
})
