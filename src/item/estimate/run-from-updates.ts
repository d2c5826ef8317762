import type { ProgressUpdate, QueueItem } from "../item.ts"
import type { StoredUpdate } from "../stored.ts"
import { updateIn } from "../update.ts"
import type { KeptRun } from "./earlier-run.ts"
import { lookOf } from "./look.ts"
import { NO_TRACE, stepsOfRun, traced } from "./trace.ts"
import type { TracedReport } from "./traced-report.ts"

/** The part of an update that the one before it did not have: each update repeats earlier values. */
function tracedReportOf(update: ProgressUpdate, before: ProgressUpdate | undefined): TracedReport {
  const isNew = (key: "unit" | "media"): boolean =>
    JSON.stringify(update[key]) !== JSON.stringify(before?.[key])
  return {
    progress: update.progress === before?.progress ? undefined : update.progress,
    current_step: update.current_step,
    step: update.step,
    unit: isNew("unit") ? update.unit : undefined,
    media: isNew("media") ? update.media : undefined,
  }
}

/**
 * The run that completed an item, made from the item's updates, which are in ascending order. Undefined if
 * the item did not complete, if the updates of the start are no longer stored, or if nothing was reported.
 */
export function pastRun(
  item: QueueItem,
  history: readonly StoredUpdate[],
): (KeptRun & { readonly ended_at: string }) | undefined {
  const updates = history.map(updateIn)
  const isOfAttempt = ({ status }: ProgressUpdate): boolean => status === "processing"
  const last = updates.findLastIndex(isOfAttempt)
  // An update after the end, such as a flag, does not belong to the attempt. An attempt before a retry does
  // not either, though it may have the same number.
  const before = updates.findLastIndex((update, i) => i < last && !isOfAttempt(update))
  const own = updates.slice(before + 1, last + 1)
  const [start, end] = [own[0], updates[last + 1]]
  // The update before the start belongs to another attempt, or is the item's first.
  if (!start || before < 0 || end?.status !== "completed") return undefined
  const secondsTo = ({ timestamp }: ProgressUpdate): number =>
    (Date.parse(timestamp) - Date.parse(start.timestamp)) / 1000
  const trace = own.reduce(
    (so, update, i) => traced(so, tracedReportOf(update, own[i - 1]), Math.max(0, secondsTo(update))),
    NO_TRACE,
  )
  const total = own.findLast(({ step }) => step !== undefined)?.step?.total ?? 1
  const look = lookOf(trace, total)
  const seconds = secondsTo(end)
  if (look === "" || seconds <= 0) return undefined
  return {
    kind: item.kind || look,
    look,
    queue_id: item.id,
    worker: end.worker ?? "",
    seconds,
    steps: stepsOfRun(trace, item.totals),
    ended_at: end.timestamp,
  }
}
