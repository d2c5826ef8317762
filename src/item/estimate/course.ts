import { NO_TRACE, SIGNALS, type StepTrace, type Trace } from "./trace.ts"

/** While a step goes on, its course is stored whenever its lines have got this many new points. */
const STORED_POINTS = 2

/** The course of the attempt that is under way. */
export interface Course {
  /** When the attempt started, in milliseconds of the steady clock. */
  readonly beganMs: number
  /** How it went so far. */
  readonly trace: Trace
  /** For how many milliseconds of the attempt no server watched. */
  readonly unwatchedMs: number
  /**
   * The end of the last outage that `unwatchedMs` includes, in milliseconds of the steady clock; 0 before the
   * first outage.
   */
  readonly outageEndedMs: number
}

/** How many points the lines of the current step have on average, in units of `STORED_POINTS`. */
function settledParts({ lines }: Trace): number {
  let [points, signals] = [0, 0]
  for (const signal of SIGNALS) {
    const line = lines[signal]
    if (!line) continue
    points += line.length
    signals += 1
  }
  return signals > 0 ? Math.floor(points / signals / STORED_POINTS) : 0
}

/**
 * Whether a course has changed so much that it must be stored: by a step, or by some points on each line. If
 * the server ends unexpectedly, points that were not stored are missing, and the line is less fine.
 */
export const hasGrown = (stored: Course | null, now: Course | null): boolean =>
  stored?.beganMs !== now?.beganMs ||
  stored?.unwatchedMs !== now?.unwatchedMs ||
  stored?.trace.steps !== now?.trace.steps ||
  (stored?.trace.lines !== now?.trace.lines &&
    settledParts(stored?.trace ?? NO_TRACE) !== settledParts(now?.trace ?? NO_TRACE))

/** The steps as text. A step that is over does not change any more. */
const texts = new WeakMap<StepTrace, string>()

function textOf(step: StepTrace): string {
  const known = texts.get(step)
  if (known !== undefined) return known
  const text = JSON.stringify(step)
  texts.set(step, text)
  return text
}

/** A course as JSON. It is stored many times, but the text of a step is made only once. */
export function courseText({ beganMs, trace, unwatchedMs, outageEndedMs }: Course): string {
  const { steps, ...step } = trace
  const around = JSON.stringify({ beganMs, unwatchedMs, outageEndedMs })
  const current = JSON.stringify(step)
  return `${around.slice(0, -1)},"trace":{"steps":[${steps.map(textOf).join(",")}],${current.slice(1)}}`
}
