import { chance } from "./chance.ts"
import type { Attempt } from "./histories.ts"
import { attempt, type MadeStep, wayOf } from "./made-attempt.ts"

const silent = (name: string, seconds: number): MadeStep => ({ name, seconds, counts: "nothing", size: 0 })
const percent = (name: string, seconds: number): MadeStep => ({ name, seconds, counts: "percent", size: 0 })
const encode = (name: string, seconds: number, size: number): MadeStep => {
  return { name, seconds, counts: "seconds", size }
}
const sum = (costs: readonly number[]): number => costs.reduce((whole, cost) => whole + cost, 0)

/** The times of equal parts of a step; those from one part to another are so many times as slow. */
const slowed = (from: number, to: number, times: number): number[] =>
  Array.from({ length: 50 }, (_, i) => (i >= from * 50 && i < to * 50 ? times : 1))

/** Kinds of work that are made up after what machines and networks do to renders. */
export function machineKinds(seed: number, runs: number): Map<string, Attempt[]> {
  const { about, between, either } = chance(seed)
  const make = (item: number, every: number, steps: readonly MadeStep[], worker = "box"): Attempt =>
    attempt(item, "machine", worker, every, steps)
  const makers: Record<string, (item: number) => Attempt> = {
    /** A short render, and an upload over a network whose speed differs from day to day and from moment to moment. */
    uploads: (item) => {
      const size = between(100, 400)
      const way = wayOf(Array.from({ length: 20 }, () => about(1, 0.4)))
      const upload = { ...percent("Upload", about(0.7 * size, 0.25)), way }
      return make(item, 2, [encode("Render", about(0.2 * size, 0.06), size), upload])
    },
    /** A model is loaded from the disk, or is still in memory; then one to eight images of thirty steps each. */
    diffusion: (item) => {
      const images = Math.round(between(1, 8))
      const costs = Array.from({ length: images }, (_, i) => about(i === 0 ? 1.4 : 1, 0.03))
      const load = silent("Load model", either(0.4, about(60, 0.15), about(2, 0.2)))
      const draw: MadeStep = {
        name: "Images",
        seconds: 11 * sum(costs),
        counts: "images",
        size: images,
        costs,
      }
      return make(item, 1, [load, draw, silent("Upscale", about(4 * images, 0.08))])
    },
    /** In half of the attempts another job shares the graphics card for a while, and everything takes twice as long. */
    neighbour: (item) => {
      const size = between(150, 300)
      const from = between(0, 0.8)
      const costs = either(0.5, slowed(from, from + between(0.1, 0.4), 2), slowed(0, 0, 1))
      const seconds = about((size * sum(costs)) / 50, 0.04)
      return make(item, 2, [silent("Load", about(8, 0.1)), { ...encode("Render", seconds, size), costs }])
    },
    /** Each run is a twelfth slower than the one before. */
    drifting: (item) => {
      const [size, pace] = [between(80, 200), 1.08 ** item]
      const render = encode("Render", about(size * pace, 0.05), size)
      return make(item, 2, [
        silent("Voice", about(25 * pace, 0.05)),
        render,
        silent("Pack", about(6 * pace, 0.1)),
      ])
    },
    /** The files grow by an eighth from run to run, and nothing counts them. */
    growing: (item) => {
      const pace = 1.12 ** item
      const step = (name: string, seconds: number) => percent(name, about(seconds * pace, 0.05))
      return make(item, 2, [step("Download", 20), step("Render", 90), step("Upload", 30)])
    },
    /** Each third attempt is by a machine that was never there before, twice or half as fast. */
    strangers: (item) => {
      const isStranger = item % 3 === 2
      const [size, pace] = [between(100, 200), isStranger ? either(0.5, 0.5, 2) : 1]
      const steps = [
        silent("Voice", about(20 * pace, 0.06)),
        encode("Render", about(size * pace, 0.06), size),
      ]
      return make(item, 2, steps, isStranger ? `box-${item}` : "box")
    },
    /** Clips of 5 to 40 seconds, each after a start that takes as long as a short clip. */
    shorts: (item) => {
      const size = between(5, 40)
      return make(item, 0.5, [encode("", about(2.5, 0.25) + about(0.5 * size, 0.12), size)])
    },
    /** A cache has the result, or it is made; nothing tells which. */
    caching: (item) => {
      const isHit = either(0.4, true, false)
      const fetch = silent("Fetch", about(isHit ? 4 : 40, 0.15))
      return make(item, 1, [
        fetch,
        percent("Render", about(isHit ? 25 : 110, 0.08)),
        silent("Publish", about(8, 0.1)),
      ])
    },
    /** A night's render whose machine does nothing else. */
    overnight: (item) => {
      const size = Math.round(between(2000, 6000))
      const frames: MadeStep = { name: "Frames", seconds: about(4 * size, 0.03), counts: "frames", size }
      return make(item, 60, [
        silent("Load scene", about(200, 0.05)),
        frames,
        silent("Encode", about(0.2 * size, 0.04)),
      ])
    },
    /** As many stems as the song has, each as long as the song. */
    stems: (item) => {
      const [tracks, size] = [Math.round(between(2, 8)), between(120, 300)]
      const stem: MadeStep = {
        name: "Stems",
        seconds: about(0.08 * tracks * size, 0.05),
        counts: "images",
        size: tracks,
      }
      return make(item, 1, [stem, encode("Mix", about(0.15 * size, 0.05), size)])
    },
  }
  return new Map(
    Object.entries(makers).map(([kind, one]) => [kind, Array.from({ length: runs }, (_, i) => one(i))]),
  )
}
