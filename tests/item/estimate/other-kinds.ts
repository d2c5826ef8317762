import { chance } from "./chance.ts"
import type { Attempt } from "./histories.ts"
import { attempt, type MadeStep, wayOf } from "./made-attempt.ts"

/** Half of the work at once, nearly nothing in the middle of the time, and then the other half. */
const fastAtBothEnds = (time: number): number =>
  time < 0.5 ? 0.5 * (2 * time) ** 0.35 : 1 - 0.5 * (2 - 2 * time) ** 0.35

/** Nearly nothing at both ends of the time, and nearly everything in the middle. */
const slowAtBothEnds = (time: number): number => 1 / (1 + Math.exp(-14 * (time - 0.5)))

/** An attempt as reported by a client that knows only words and no steps, by PUT. */
const byPut = (whole: Attempt): Attempt => ({
  ...whole,
  reports: whole.reports.map(({ step: _step, ...told }) => told),
})

/** Kinds of work that were made up to find where the estimates are weak. */
export function otherKinds(seed: number, runs: number): Map<string, Attempt[]> {
  const { about, between, either } = chance(seed)
  const workerOf = (item: number): string => (item % 3 === 2 ? "box-b" : "box-a")
  const silent = (name: string, seconds: number): MadeStep => ({ name, seconds, counts: "nothing", size: 0 })
  const percent = (name: string, seconds: number): MadeStep => ({ name, seconds, counts: "percent", size: 0 })
  const encode = (seconds: number, size: number): MadeStep => {
    return { name: "Encode", seconds: about(seconds, 0.07), counts: "seconds", size }
  }
  const makers: Record<string, (item: number) => Attempt> = {
    /** A download over a network whose speed varies, then an encode. */
    fetch: (item) => {
      const size = between(120, 300)
      const way = wayOf(Array.from({ length: 20 }, () => about(1, 0.4)))
      const seconds = about(size * 0.3, 0.25)
      const download: MadeStep = { name: "Download", seconds, counts: "percent", size: 0, way }
      return attempt(item, "fetch", workerOf(item), 1, [download, encode(size * 0.8, size)])
    },
    /** Frames of which the last ones take five times as long as the first ones. */
    slowing: (item) => {
      const size = Math.round(between(60, 240))
      const costs = Array.from({ length: size }, (_, i) => about(1 + 4 * (i / size) ** 2, 0.1))
      const seconds = 2 * costs.reduce((sum, cost) => sum + cost, 0)
      const render: MadeStep = {
        name: "Render",
        seconds: about(seconds, 0.05),
        counts: "frames",
        size,
        costs,
      }
      return attempt(item, "slowing", workerOf(item), 2, [render])
    },
    /** Five pictures, then a long encode. */
    pictured: (item) => {
      const size = between(150, 260)
      const costs = [1.6, 1, 1, 1, 1].map((cost) => about(cost, 0.12))
      const seconds = 12 * costs.reduce((sum, cost) => sum + cost, 0)
      const images: MadeStep = {
        name: "Images",
        seconds: about(seconds, 0.05),
        counts: "images",
        size: 5,
        costs,
      }
      return attempt(item, "pictured", workerOf(item), 1, [images, encode(size * 1.5, size)])
    },
    /** Quick up to 98 %, then nothing for two thirds of the time while the file is written. */
    muxing: (item) => {
      const size = between(100, 200)
      const quick = { ...percent("", about(size * 0.4, 0.06)), from: 0, to: 99 }
      const written = { ...silent("", about(size * 0.9, 0.1)), from: 99 }
      return attempt(item, "muxing", workerOf(item), 1, [quick, written])
    },
    /** A minute or an hour, which is known from the length of the encode. */
    lengths: (item) => {
      const size = Math.exp(between(Math.log(30), Math.log(1800)))
      const pace = about(1, 0.06)
      return attempt(item, "lengths", workerOf(item), 1, [
        silent("Load", about(8 * pace, 0.1)),
        encode(size * 0.5 * pace, size),
        percent("Upload", about(size * 0.1 * pace, 0.15)),
      ])
    },
    /** A client that reports once a minute, with guessed percentages. */
    rare: (item) => {
      const pace = about(1, 0.15)
      const names = ["Start", "Voice", "Frames", "Encode", "Upload"]
      const steps = [20, 60, 150, 90, 30].map((seconds, i): MadeStep => {
        const from = [10, 25, 60, 70, 90][i] ?? 0
        return { ...silent(names[i] ?? "", about(seconds * pace, 0.08)), from }
      })
      return byPut(attempt(item, "rare", workerOf(item), 60, steps))
    },
    /** A percentage that jumps by twenty. */
    jumps: (item) => {
      const way = (time: number): number => Math.floor(time * 5) / 5
      const step: MadeStep = { ...percent("", about(300, 0.15)), from: 0, to: 100, way }
      return attempt(item, "jumps", workerOf(item), about(20, 0.3), [step])
    },
    /** A percentage that runs ahead, stands still in the middle, and runs on. */
    ahead: (item) => {
      const step = { ...percent("Work", about(240, 0.2)), to: 99, way: fastAtBothEnds }
      return byPut(attempt(item, "ahead", workerOf(item), 2, [step]))
    },
    /** A percentage that stands at 0 for a sixth of the time, and at 98 for a fifth of it. */
    behind: (item) => {
      const step = { ...percent("Work", about(240, 0.2)), to: 99, way: slowAtBothEnds }
      return byPut(attempt(item, "behind", workerOf(item), 2, [step]))
    },
    /** Half of the films are made in a quality that takes four times as long, and no report says which. */
    tiers: (item) => {
      const size = between(100, 300)
      const film = encode(size * either(0.5, 2, 0.5), size)
      return attempt(item, "tiers", workerOf(item), 1, [film, silent("Mux", about(6, 0.2))])
    },
    /** Only the beginning and the end are reported. */
    silent: (item) => attempt(item, "silent", workerOf(item), 10, [silent("Working", about(200, 0.15))]),
    /** Any number of parts of a song, with the same two names again and again. */
    verses: (item) => {
      const parts = Array.from({ length: Math.round(between(4, 12)) }, (_, i) =>
        silent(i % 3 === 2 ? "Chorus" : "Verse", about(20, 0.1)),
      )
      return attempt(item, "verses", workerOf(item), 1, [...parts, percent("Mix", about(30, 0.1))])
    },
    /** Any number of steps, and more than are stored. */
    album: (item) => {
      const songs = Array.from({ length: Math.round(between(60, 100)) }, (_, i) =>
        silent(`Song ${i + 1}`, about(6, 0.2)),
      )
      return attempt(item, "album", workerOf(item), 1, [...songs, silent("Upload", about(20, 0.1))])
    },
  }
  return new Map(
    Object.entries(makers).map(([kind, make]) => [kind, Array.from({ length: runs }, (_, i) => make(i))]),
  )
}
