import { chance } from "./chance.ts"
import type { Attempt } from "./histories.ts"
import { attempt, type MadeStep } from "./made-attempt.ts"

/** Made-up kinds of work that resemble real renders. */
export function madeKinds(seed: number, runs: number): Map<string, Attempt[]> {
  const { between, about } = chance(seed)
  const workerOf = (item: number): string => (item % 4 === 3 ? "box-b" : "box-a")
  const makers: Record<string, (item: number) => Attempt> = {
    /** Pictures, then sound and film of the same length. One of two machines is slower. */
    slides: (item) => {
      const [seconds, images] = [between(60, 400), Math.round(between(3, 20))]
      const pace = about(1, 0.08) * (workerOf(item) === "box-b" ? 1.3 : 1)
      return attempt(item, "slides", workerOf(item), 1.5, [
        { name: "Draw", seconds: about(images * 9 * pace, 0.07), counts: "images", size: images },
        { name: "Mix", seconds: about((5 + seconds / 10) * pace, 0.07), counts: "seconds", size: seconds },
        { name: "First pass", seconds: about(seconds * 0.25 * pace, 0.05), counts: "seconds", size: seconds },
        { name: "Second pass", seconds: about(seconds * 0.6 * pace, 0.05), counts: "seconds", size: seconds },
      ])
    },
    /** Only percentages and names, as a client would report them that uses only PUT. */
    plain: (item) => {
      const pace = about(1, 0.2)
      const step = (name: string, seconds: number): MadeStep => ({
        name,
        seconds: about(seconds * pace, 0.08),
        counts: "percent",
        size: 0,
      })
      const steps = [step("Lyrics", 25), step("Images", 120), step("Render", 240), step("Mux", 15)]
      return attempt(item, "plain", workerOf(item), 5, steps)
    },
    /** Frames that take longer in the middle, after a preparation of fixed length. */
    frames: (item) => {
      const frames = Math.round(between(40, 120))
      const costs = Array.from({ length: frames }, (_, i) => about(1 + Math.sin((i / frames) * 6) ** 2, 0.15))
      return attempt(item, "frames", workerOf(item), 3, [
        { name: "Load", seconds: about(12, 0.2), counts: "nothing", size: 0 },
        { name: "Render", seconds: about(frames * 3, 0.08), counts: "frames", size: frames, costs },
      ])
    },
    /** One encode that is ten times as slow in its middle part. The place of that part varies. */
    visual: (item) => {
      const seconds = between(60, 150)
      const parts = [0.25 * between(0.7, 1.3), 0.45 * between(0.8, 1.2), 0.3 * between(0.7, 1.3)]
      const [first = 0, second = 0, third = 0] = parts
      const whole = first + second + third
      const costs = Array.from({ length: 100 }, (_, i) => {
        const place = ((i + 0.5) / 100) * whole
        return place > first && place < first + second ? about(10, 0.1) : 1
      })
      const factor = costs.reduce((sum, cost) => sum + cost, 0) / 600
      return attempt(item, "visual", workerOf(item), 1, [
        { name: "", seconds: about(seconds * factor, 0.06), counts: "seconds", size: seconds, costs },
      ])
    },
    /** Only a percentage, which each of three programs counts from 0. */
    restarts: (item) => {
      const pace = about(1, 0.1)
      const steps = [60, 120, 25].map((seconds): MadeStep => {
        const lasts = about(seconds * pace, 0.07)
        return { name: "", seconds: lasts, counts: "percent", size: 0, from: 0, to: 100 }
      })
      return attempt(item, "restarts", workerOf(item), 2, steps)
    },
    /** A model is loaded, then one or twelve pictures are made. The first picture takes longer. */
    pictures: (item) => {
      const images = Math.round(between(1, 12))
      const costs = Array.from({ length: images }, (_, i) => about(i === 0 ? 2.2 : 1, 0.06))
      const whole = costs.reduce((sum, cost) => sum + cost, 0)
      return attempt(item, "pictures", workerOf(item), 1, [
        { name: "Load", seconds: about(18, 0.15), counts: "nothing", size: 0 },
        { name: "Images", seconds: about(whole * 9, 0.05), counts: "images", size: images, costs },
      ])
    },
    /** The same, with a step for each picture, so that attempts have different numbers of steps. */
    chapters: (item) => {
      const none = { counts: "nothing", size: 0 } as const
      const image = (i: number): MadeStep => {
        return { name: `Image ${i + 1}`, seconds: about(i === 0 ? 14 : 8, 0.08), ...none }
      }
      return attempt(item, "chapters", workerOf(item), 2, [
        { name: "Load", seconds: about(15, 0.1), ...none },
        ...Array.from({ length: Math.round(between(3, 10)) }, (_, i) => image(i)),
        { name: "Upload", seconds: about(5, 0.1), ...none },
      ])
    },
  }
  return new Map(
    Object.entries(makers).map(([kind, make]) => [kind, Array.from({ length: runs }, (_, i) => make(i))]),
  )
}
