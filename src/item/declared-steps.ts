import { AppError } from "../errors.ts"
import type { QueueItem, Step, Steps } from "./item.ts"
import { renewed } from "./lease.ts"
import type { Moment } from "./moment.ts"
import { checkReporter, reported } from "./report.ts"
import { endOrStatus } from "./state-in-one-word.ts"
import type { Change, Stored } from "./stored.ts"

/** @throws AppError `illegal_move` unless an attempt is under way */
function checkAttempt(item: QueueItem): void {
  if (item.status === "processing") return
  throw new AppError(
    "illegal_move",
    `queue item ${item.id} is ${endOrStatus(item)}: steps belong to an attempt; claim it first`,
  )
}

/**
 * Declares the steps of the attempt that is under way. The same list again changes nothing; another list replaces it.
 * @throws AppError `lease_lost`, `leased`, `illegal_move`
 */
export function stepsDeclared(
  stored: Stored,
  token: string | undefined,
  steps: Steps,
  moment: Moment,
): Change {
  checkReporter(stored, token)
  checkAttempt(stored.item)
  const work = token === undefined ? stored.work : renewed(stored.work, moment)
  const { item } = stored
  if (JSON.stringify(item.steps) === JSON.stringify(steps)) return { item, work, quiet: true }
  return {
    item: { ...item, steps, step: null, unit: null, media: null, updated_at: moment.time },
    work: { ...work, steps_begun: 0 },
  }
}

/** The first declared step that has not begun; undefined if there is none. */
export function nextStep({ item, work }: Stored): Step | undefined {
  const name = item.steps?.[work.steps_begun]
  return name === undefined
    ? undefined
    : { index: work.steps_begun + 1, total: item.steps?.length ?? 0, name }
}

/**
 * Begins the first step that has not begun. Without one, nothing changes.
 * @throws AppError `lease_lost`, `leased`, `illegal_move`
 */
export function stepBegun(stored: Stored, token: string | undefined, moment: Moment): Change {
  checkReporter(stored, token)
  checkAttempt(stored.item)
  const step = nextStep(stored)
  if (step) return reported(stored, token, { step, step_progress: 0, basis: "declared" }, moment)
  const work = token === undefined ? stored.work : renewed(stored.work, moment)
  return { item: stored.item, work, quiet: true }
}
