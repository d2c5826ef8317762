/** A value (a fraction of 1, or a percentage) and when it was reached, in seconds since the step began. */
export type Point = readonly [value: number, at: number]

/**
 * The points of a line are this part of the step apart. So a line has at most 1 / GRAIN + 1 points, and one
 * more at its end.
 */
export const GRAIN = 1 / 24

/**
 * A line in a form in which a time is found fast: it is searched at every report of an attempt of the same
 * kind.
 */
export interface StepLine {
  /** The values of its points, ascending. */
  readonly values: Float64Array
  /** When each of them was reached. */
  readonly times: Float64Array
  /** The distance between two neighbouring points that are not at a corner. */
  readonly grain: number
}

/** The line through these points. */
export function lineThrough(points: readonly Point[]): StepLine {
  const values = Float64Array.from(points, ([value]) => value)
  const times = Float64Array.from(points, ([, at]) => at)
  return { values, times, grain: GRAIN * ((values.at(-1) ?? 0) - (values[0] ?? 0)) }
}

/**
 * The index of the first point at or above a value; the number of points if the value was never reached. The
 * search begins at the index `near`, because an attempt goes from one point to the next.
 */
export function pointAt({ values }: StepLine, value: number, near: number): number {
  let i = near
  while (i < values.length && (values[i] ?? 0) < value) i += 1
  while (i > 0 && (values[i - 1] ?? 0) >= value) i -= 1
  return i
}

/** When a line reached a value, in seconds since the step began; `i` is the point at it, see `pointAt`. */
export function timeAt(line: StepLine, value: number, i = pointAt(line, value, 0)): number {
  const { values, times, grain } = line
  const count = values.length
  if (i >= count) return times[count - 1] ?? 0
  if (i === 0) return 0
  // The value was reported at the very end of the time in which the line may have stood still.
  if (value === values[i]) return times[i] ?? 0
  const [before, since] = [values[i - 1] ?? 0, times[i - 1] ?? 0]
  const span = (values[i] ?? 0) - before
  const even = (((times[i] ?? 0) - since) * (value - before)) / span
  if (i === 1 || span >= grain) return since + even
  // Points are this near each other only at a corner: there the step went on as before and then stood still.
  const [earlier, then] = [values[i - 2] ?? 0, times[i - 2] ?? 0]
  return since + Math.min(even, ((since - then) * (value - before)) / (before - earlier))
}

/**
 * When a line reached the point after a value, in seconds since the step began; `i` is the index of the point
 * at the value. The last point of a line is where a report happened to be before the step ended. Shortly
 * before it no other report can be expected, so the time is infinite there.
 */
export function nextAt(line: StepLine, value: number, i: number): number {
  const { values, times, grain } = line
  const last = values.length - 1
  const next = (values[i] ?? 0) > value ? i : i + 1
  const isOver = next >= last || (values[last] ?? 0) - value <= grain
  return isOver ? Number.POSITIVE_INFINITY : (times[next] ?? 0)
}
