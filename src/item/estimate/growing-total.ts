import type { TracedReport } from "./traced-report.ts"

/** How the total of a step grew on the way, as it does while a worker still finds its work. */
export interface TotalGrowth {
  /** The total before it changed. The step is as far as its count divided by this, so its line may go beyond 1. */
  readonly first: number
  /** The latest total. */
  readonly latest: number
  /** How far the step was when the total changed last. */
  readonly at: number
  /** How far the step went at most without a change of the total, before the last one. */
  readonly pause: number
}

/** A step, as far as it matters here. */
export interface CountingStep {
  /** The unit of what it counts; empty if it is unknown. */
  readonly unit: string
  /** How much there is to do; 0 if it is unknown. */
  readonly size: number
  /**
   * How its total grew; true if the total became less, so that how far the step is remains a part of the total; absent
   * if the total stayed the same.
   */
  readonly grew?: TotalGrowth | true
  /** The total that a far larger one replaced before the step moved; absent if there was none. */
  readonly atFirst?: number
}

/** A total that differs from the one before by less than this part counts as the same. */
const CHANGED = 0.05

/** How far a step is by a report, by what was first to be done; the total changed. */
const doneOf = (first: number, { unit, media }: TracedReport): number =>
  (media ? media.out_time : (unit?.done ?? 0)) / first

/** After so many of its pauses, and surely after one more, a total will not change any more. */
const STANDING = 1

/** The growth of a step whose total was `first`, and is `latest` in this report; true if it is less. */
export function begunToGrow(first: number, latest: number, report: TracedReport): TotalGrowth | true {
  if (latest < first) return true
  const at = doneOf(first, report)
  return { first, latest, at, pause: at }
}

/**
 * The same growth once the total is `latest`; 0 if a report says none. True if it is less than before: then it is
 * estimated again and again, and no worker finds more to do.
 */
export function grownTo(grew: TotalGrowth | true, latest: number, report: TracedReport): TotalGrowth | true {
  const isSame = grew === true || latest <= 0 || Math.abs(latest / grew.latest - 1) <= CHANGED
  if (isSame) return grew
  if (latest < grew.latest) return true
  const at = doneOf(grew.first, report)
  return { first: grew.first, latest, at, pause: Math.max(grew.pause, at - grew.at) }
}

/** The growth of a step; undefined if its total is the same as at first, as far as that is known. */
export const growthIn = ({ grew }: CountingStep): TotalGrowth | undefined =>
  grew === true ? undefined : grew

/** The first and the latest total of a step. */
export const firstAndLatest = (step: CountingStep): Pick<TotalGrowth, "first" | "latest"> =>
  growthIn(step) ?? { first: step.size, latest: step.size }

/** How sure it is that the total will not change any more, when the step is as far as `at`: from 0 to 1. */
export function finality(step: CountingStep, at: number): number {
  const grown = growthIn(step)
  return grown && grown.pause > 0 ? Math.max(0, Math.min(1, (at - grown.at) / grown.pause - STANDING)) : 0
}

/** What makes of a value of a signal a part of the latest total: 1 if it is one. */
export function partsOfLatest(step: CountingStep, signal: string): number {
  const grown = growthIn(step)
  return grown && countedBy(step) === signal ? grown.first / grown.latest : 1
}

/** A total that is this many times as large as the one before, before anything was counted, was not known until then. */
const FAR_MORE = 10

/** The total that a far larger one replaces before anything was counted; 0 if there is none. */
export const replacedBy = (step: CountingStep, unit: string, total: number): number =>
  unit === step.unit && total > FAR_MORE * step.size ? step.size : 0

/** Whether the step says the same total as the run did before it knew the true one: "0 of 1". */
export const isNotKnownYet = ({ size, unit }: CountingStep, run: CountingStep): boolean =>
  unit === run.unit && run.atFirst !== undefined && Math.abs(size / run.atFirst - 1) <= CHANGED

/** Which signal says how far a step is in what it counts. */
export const countedBy = ({ unit }: CountingStep): "media" | "unit" => (unit === "seconds" ? "media" : "unit")

/** How far a step is by a report, if its total has changed on the way; otherwise empty. */
export function doneByCount(
  step: CountingStep,
  { unit, media }: TracedReport,
): { readonly media?: number; readonly unit?: number } {
  const grown = growthIn(step)
  if (!grown) return {}
  if (countedBy(step) === "media") return media ? { media: doneOf(grown.first, { media }) } : {}
  return unit?.name === step.unit ? { unit: doneOf(grown.first, { unit }) } : {}
}
