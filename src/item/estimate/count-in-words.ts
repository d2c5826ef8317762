import type { Point } from "./line.ts"

/** What a report counts: see `Sign`. */
interface Count {
  readonly done: number
  readonly total: number
  readonly name: string
}

/** A report, as far as it matters here. */
interface Report {
  readonly current_step?: string | undefined
  readonly step?: unknown
  readonly unit?: Count | undefined
  readonly media?: unknown
}

/** "image 3 of 10" and "scene 3/10", but neither "0:12/3:40" nor "1.5/30" nor numbers of more than nine digits. */
const COUNT = /(?<!\d[.,:/]?)(\d{1,9}) ?(?:of|\/) ?(\d{1,9})(?![.,:/]?\d)/

/** By how much a count goes back at least if it begins again: more than one, though the values are rounded. */
const ALTERNATING = 1.5

/** A text in which every number is the same, so that "image 3" and "image 4" are alike. */
export const withoutDigits = (text: string): string => text.replace(/\d+/g, "#")

function countIn(words: string): { nth: number; total: number } | undefined {
  const [, nth, total] = COUNT.exec(words)?.map(Number) ?? []
  return nth !== undefined && total !== undefined && nth <= total ? { nth, total } : undefined
}

/**
 * A report with what its words count, as if the client had counted it: many clients say "image 3 of 10" and nothing
 * else. `step` is the current step, whose name is what its first report said. The same report if it names its step or
 * counts something itself. A count that did not begin at 0 or 1 may be the number of a song in its album.
 */
export function withCountInWords<R extends Report>(
  sign: R,
  step: { readonly name: string; readonly unit: string } | undefined,
): R | (R & { readonly unit: Count }) {
  const { current_step: words, unit, media } = sign
  if (!words || sign.step || unit || media) return sign
  const now = countIn(words)
  if (!now) return sign
  const name = withoutDigits(words)
  const goesOn = step !== undefined && withoutDigits(step.name) === name
  const first = goesOn ? countIn(step.name) : now
  const isOther = goesOn && step.unit !== "" && step.unit !== name
  if (!first || first.nth > 1 || isOther) return sign
  return { ...sign, unit: { done: Math.max(0, now.nth - first.nth), total: now.total, name } }
}

/**
 * Whether a count in words that goes back may be a new beginning. While one percentage goes on, "image 1 of 5" only
 * comes again in each scene; and the words of two images that are made at once alternate, so that a count goes back by
 * one. `latest` says how far the current step is, its count as a part of `size`.
 */
export function mayBeginAgain(
  { unit }: Report,
  { size }: { readonly size: number },
  latest: { readonly unit?: Point | undefined; readonly percent?: Point | undefined },
): boolean {
  const [before] = latest.unit ?? [0]
  return !latest.percent && before * size - (unit?.done ?? 0) > ALTERNATING
}
