import { isRoutine, OWN_MESSAGES } from "../../item/own-messages.ts"
import type { StreamUpdate } from "./hub-messages.ts"
import { causeLine, type Colour, endOfAttempt } from "./wording.ts"

/** Something that happened to an item. */
export interface Happening {
  /** Says that this is not a stretch. */
  readonly kind: "happening"
  /** When, as the server writes times. */
  readonly time: string
  /** What happened, in a few words. */
  readonly what: string
  /** More of it; empty for nothing. */
  readonly detail: string
  /** Its colour. */
  readonly tone: Colour
}

/** Reports of one step, one after the other. */
export interface Stretch {
  /** Says that this is not a single event. */
  readonly kind: "stretch"
  /** The name of the step; empty if it has none. */
  readonly step: string
  /** The reports, in their order. */
  readonly updates: StreamUpdate[]
}

/** An entry of the timeline. */
export type Entry = Happening | Stretch

/** A point of the plot. A new line begins where `attempt` changes. */
export interface PlotPoint {
  /** When, in milliseconds of the server's clock. */
  readonly ms: number
  /** How far, in percent. */
  readonly progress: number
  /** How much of its time was over, in percent; null while unknown. */
  readonly time: number | null
  /** The number of the attempt, from 1; 0 before the first. */
  readonly attempt: number
  /** Whether it was running, or had just completed. */
  readonly running: boolean
}

/** What a worker or a person said; nothing if the message is one of the server's own. */
const saidIn = ({ message }: StreamUpdate): string => (isRoutine(message) ? "" : message)

type What = Pick<Happening, "what" | "detail" | "tone">

function ended(update: StreamUpdate): What {
  const detail = causeLine(update)
  if (update.status === "completed") return { what: "Completed", detail: saidIn(update), tone: "good" }
  if (update.outcome === "cancelled") return { what: "Cancelled", detail, tone: "quiet" }
  return update.outcome === "lost"
    ? { what: "Failed: lost its worker too often", detail, tone: "bad" }
    : { what: "Failed", detail, tone: "bad" }
}

function moved(before: StreamUpdate, update: StreamUpdate): What {
  switch (update.status) {
    case "processing": {
      const by = update.worker === undefined ? "" : `by ${update.worker}`
      return { what: `Attempt ${update.attempt ?? 1} started`, detail: by, tone: "run" }
    }
    case "retrying": {
      const ended = `Attempt ${update.attempt ?? 1} ${endOfAttempt(update.message)}`
      return update.message === OWN_MESSAGES.restored
        ? { what: ended, detail: OWN_MESSAGES.restored, tone: "quiet" }
        : { what: `${ended}, retrying`, detail: causeLine(update), tone: "warn" }
    }
    case "queued": {
      const isRetry = before.status === "completed" || before.status === "failed"
      return {
        what: isRetry ? OWN_MESSAGES.retried : "Back in the queue",
        detail: saidIn(update),
        tone: "quiet",
      }
    }
    case "completed":
    case "failed":
      return ended(update)
  }
}

/** What an update says in addition to its progress; null if there is nothing. */
function happened(before: StreamUpdate | undefined, update: StreamUpdate): What | null {
  if (update.deleted) return { what: "Deleted", detail: "", tone: "quiet" }
  if (!before) return { what: "Added to the queue", detail: "", tone: "quiet" }
  if (before.status !== update.status || (before.attempt ?? 0) < (update.attempt ?? 0))
    return moved(before, update)
  if (update.cancel_requested_at !== before.cancel_requested_at && update.cancel_requested_at !== undefined) {
    return { what: "Cancelling", detail: "waiting for the worker to stop", tone: "warn" }
  }
  if (update.stalled && !before.stalled) return { what: "Stalled", detail: saidIn(update), tone: "warn" }
  if (update.status !== "processing") return { what: "Changed", detail: saidIn(update), tone: "quiet" }
  return null
}

/** The history of one item, collected as it comes: entries to read, and points to draw. */
export class Timeline {
  /** The entries to read, the oldest first. */
  readonly entries: Entry[] = []
  /** The points to draw, the oldest first. */
  readonly points: PlotPoint[] = []
  #last: StreamUpdate | undefined

  /** The event ID up to which the history is known. */
  get lastId(): number {
    return this.#last?.id ?? 0
  }

  /** Takes the next update; one that is known already changes nothing. */
  add(update: StreamUpdate): void {
    const before = this.#last
    if (before && update.id <= before.id) return
    this.#last = update
    const running = update.status === "processing" || update.status === "completed"
    const { progress, time_progress: time = null, attempt = 0, timestamp } = update
    this.points.push({ ms: Date.parse(timestamp), progress, time, attempt, running })
    const what = happened(before, update)
    if (what) this.entries.push({ kind: "happening", time: timestamp, ...what })
    else this.#report(update)
  }

  #report(update: StreamUpdate): void {
    const open = this.entries.at(-1)
    if (open?.kind === "stretch" && open.step === update.current_step) open.updates.push(update)
    else this.entries.push({ kind: "stretch", step: update.current_step, updates: [update] })
  }
}
