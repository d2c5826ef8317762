import { AppError } from "../errors.ts"
import type { QueueItem, Report, Step } from "./item.ts"
import { checkHolder, isLeased, renewed, started } from "./lease.ts"
import type { Moment } from "./moment.ts"
import { isFinished, MOVING, takesNoProgress, transition } from "./moves.ts"
import { OWN_MESSAGES } from "./own-messages.ts"
import { begun, etaOf, movedByCounts, paced } from "./pace.ts"
import type { Change, Stored } from "./stored.ts"

/** The part of a report that names files. */
export type Files = Pick<Report, "video_file_path" | "video_file_size" | "thumbnail_path">

/** The progress in a report, in percent of the item; undefined if there is none. @throws AppError `invalid` */
function progressIn({ progress, step_progress }: Report, step: Step | null): number | undefined {
  if (step_progress === undefined) return progress
  if (progress !== undefined) {
    throw new AppError("invalid", "a report has either progress or step_progress, not both")
  }
  if (step === null || step.total === 0) {
    throw new AppError("invalid", "step_progress needs a step: send step with it, or in a report before")
  }
  const done = ((step.index - 1 + step_progress / 100) / step.total) * 100
  return Math.min(100, Math.max(0, done))
}

/** @throws AppError `lease_lost`, `gone`, `leased` unless the reporter holds the lease, or no worker does */
export function checkReporter(stored: Stored, token: string | undefined): void {
  if (token !== undefined) checkHolder(stored, token)
  else if (isLeased(stored)) {
    throw new AppError("leased", `queue item ${stored.item.id} is leased: send its lease with the report`)
  }
}

/** The stored item, or the one that this report starts. @throws AppError `illegal_move` if the item is finished */
function underWay({ item, work }: Stored, moment: Moment): Stored {
  if (isFinished(item.status)) throw takesNoProgress(item)
  if (item.status === "processing") return { item: { ...item, message: "" }, work }
  const change = { status: "processing", message: OWN_MESSAGES.started } as const
  return { item: transition(item, change, moment.time), work: started(work, moment) }
}

/** How far an attempt is after a report. */
interface ReportedProgress {
  readonly told: number | undefined
  readonly done: number
  readonly progress: number
  readonly basis: QueueItem["basis"]
  readonly isBack: boolean
}

/**
 * The progress never goes down within an attempt, except once after a guess: when the command itself begins
 * to report, the guess of the reader around it is taken back, whatever the report says.
 */
function moved({ item, work }: Stored, report: Report): ReportedProgress {
  const said = progressIn(report, report.step ?? item.step)
  const isTakeover = report.outer === undefined && !work.has_inner
  const lower = said ?? (isTakeover ? 0 : work.done)
  const isBack = lower < work.done && item.basis === "guess" && !work.is_set_back
  const done = isBack ? lower : Math.max(work.done, said ?? 0)
  const shown = Math.min(99, Math.floor(done))
  const isNews = said !== undefined && said >= done
  const kept = isBack ? null : item.basis
  return {
    told: said,
    done,
    progress: isBack ? shown : Math.max(item.progress, shown),
    basis: isNews ? (report.basis ?? "declared") : kept,
    isBack,
  }
}

/** The files that a report names. If it names none, the item keeps its own. */
function filesIn({ video_file_path, video_file_size, thumbnail_path }: Report): Files {
  return {
    ...(video_file_path !== undefined && { video_file_path }),
    ...(video_file_size !== undefined && { video_file_size }),
    ...(thumbnail_path !== undefined && { thumbnail_path }),
  }
}

/**
 * A worker reports. With a token it must hold the lease, and renews it; without one no worker may hold it, and a
 * waiting item is started. The progress shown is at most 99 until the item is completed.
 * @throws AppError `lease_lost`, `leased`, `illegal_move`, `invalid`
 */
export function reported(stored: Stored, token: string | undefined, report: Report, moment: Moment): Change {
  checkReporter(stored, token)
  const before = underWay(stored, moment)
  const kept = token === undefined ? before.work : renewed(before.work, moment)
  if (report.outer && before.work.has_inner) return { item: stored.item, work: kept, quiet: true }
  const { told, done, progress, basis, isBack } = moved(before, report)
  const { current_step = before.item.current_step, message = before.item.message } = report
  const step = report.step ?? before.item.step
  const isSameStep = step?.index === before.item.step?.index
  const isMoved = done !== before.work.done
  const isBegun = told === 0 && before.item.basis === null && done === 0
  const still = isBegun ? begun(kept, moment) : kept
  const work = isMoved ? paced(kept, done, moment) : movedByCounts(still, before.item, report, moment)
  const eta_seconds = isMoved ? etaOf(work, moment) : before.item.eta_seconds
  return {
    item: {
      ...before.item,
      ...filesIn(report),
      current_step,
      message,
      progress,
      basis,
      step,
      unit: report.unit ?? null,
      media: report.media ?? (isSameStep ? before.item.media : null),
      eta_seconds: report.eta_seconds === null ? null : eta_seconds,
      ...(work === kept ? {} : MOVING),
      updated_at: moment.time,
    },
    work: {
      ...work,
      is_set_back: work.is_set_back || isBack,
      has_inner: work.has_inner || report.outer === undefined,
      steps_begun: Math.max(work.steps_begun, report.step?.index ?? 0),
    },
    ...(told !== undefined && { told }),
  }
}
