import type { Attempt, Told } from "./histories.ts"

/** Numbers between 0 and 1 that look like chance, and are the same each time. */
export function dice(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** One step of an attempt that is made up. */
interface MadeStep {
  readonly name: string
  readonly seconds: number
  readonly counts: "seconds" | "images" | "frames" | "percent" | "nothing"
  readonly size: number
  /** How long each part of the step takes beside the others; one part, where it goes evenly. */
  readonly costs?: readonly number[]
  /** From where to where the percentage goes in it; by default its equal part of the bar. */
  readonly from?: number
  readonly to?: number
}

/** Up to which part of what there is to do a step is after a part of its time. */
function wayOf(costs: readonly number[] = [1]): (time: number) => number {
  const whole = costs.reduce((sum, cost) => sum + cost, 0)
  return (time) => {
    let rest = time * whole
    for (const [i, cost] of costs.entries()) {
      if (rest <= cost) return (i + rest / cost) / costs.length
      rest -= cost
    }
    return 1
  }
}

function told(step: MadeStep, done: number, of: { from: number; to: number }): Omit<Told, "at"> {
  const { counts, size } = step
  if (counts === "nothing") return { progress: Math.floor(of.from) }
  const progress = Math.floor(of.from + (of.to - of.from) * done)
  if (counts === "percent") return { progress }
  if (counts === "seconds") return { progress, media: { out_time: done * size, total: size } }
  return { progress, unit: { done: Math.floor(done * size), total: size, name: counts } }
}

/** An attempt made of steps, each an equal part of the bar, reported each so many seconds. */
function attempt(
  item: number,
  kind: string,
  worker: string,
  every: number,
  steps: readonly MadeStep[],
): Attempt {
  const reports: Told[] = []
  const totals: Record<string, number> = {}
  let at = 0
  for (const [i, step] of steps.entries()) {
    const way = wayOf(step.costs)
    const { from = (98 * i) / steps.length, to = (98 * (i + 1)) / steps.length } = step
    const of = { from, to }
    if (step.counts !== "percent" && step.counts !== "nothing") totals[step.counts] = step.size
    for (let inStep = 0; inStep < step.seconds; inStep += every) {
      const name = { current_step: step.name, step: { index: i + 1, total: steps.length, name: step.name } }
      const sign = told(step, way(inStep / step.seconds), of)
      reports.push({ at: at + inStep, ...(step.name !== "" && name), ...sign })
    }
    at += step.seconds
  }
  return { item, kind, worker, seconds: at, reports, totals }
}

/** Kinds of work that are made up, after what renders do. */
export function madeKinds(seed: number, runs: number): Map<string, Attempt[]> {
  const throwOne = dice(seed)
  const between = (low: number, high: number): number => low + (high - low) * throwOne()
  const about = (value: number, spread: number): number =>
    value * Math.exp(spread * (throwOne() + throwOne() + throwOne() + throwOne() - 2) * 1.73)
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
    /** Nothing but percentages and names, as a client with nothing but PUT would tell them. */
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
    /** One encode, ten times as slow in its middle part, whose place varies. */
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
    /** Nothing but a percentage, which each of three programs counts from 0. */
    restarts: (item) => {
      const pace = about(1, 0.1)
      const steps = [60, 120, 25].map((seconds): MadeStep => {
        const lasts = about(seconds * pace, 0.07)
        return { name: "", seconds: lasts, counts: "percent", size: 0, from: 0, to: 100 }
      })
      return attempt(item, "restarts", workerOf(item), 2, steps)
    },
    /** A model is loaded, then pictures are made: one or twelve, the first of which takes its time. */
    pictures: (item) => {
      const images = Math.round(between(1, 12))
      const costs = Array.from({ length: images }, (_, i) => about(i === 0 ? 2.2 : 1, 0.06))
      const whole = costs.reduce((sum, cost) => sum + cost, 0)
      return attempt(item, "pictures", workerOf(item), 1, [
        { name: "Load", seconds: about(18, 0.15), counts: "nothing", size: 0 },
        { name: "Images", seconds: about(whole * 9, 0.05), counts: "images", size: images, costs },
      ])
    },
    /** The same, with a step for each picture, so that no two attempts need have as many steps. */
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
