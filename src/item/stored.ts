import type { Course } from "./estimate/course.ts"
import type { KeptRun } from "./estimate/earlier-run.ts"
import type { QueueItem, Status } from "./item.ts"

/** A row of the history: `id` is the event ID, `data` the ProgressUpdate as JSON text, encoded once for ever. */
export interface StoredUpdate {
  /** The event ID. */
  readonly id: number
  /** The item that changed. */
  readonly queue_id: number
  /** The song of the item, by which streams are filtered. */
  readonly song_id: number
  /** Its status after the change. */
  readonly status: Status
  /** The ProgressUpdate as JSON text on one line. */
  readonly data: string
}

/** How a worker can end its lease. */
export const VERDICTS = ["complete", "fail", "release"] as const

/**
 * How an item is being worked on: the lease, and the pace of its attempt. Stored beside the item, and never shown.
 *
 * Times are milliseconds of the steady clock (see `Moment`).
 */
export interface Work {
  /**
   * The token of the last lease: one that is held, one that its worker has ended by a verdict, or, with a mark, one
   * that was revoked; null if there is none.
   */
  readonly lease_token: string | null
  /**
   * The ID of the access token with which the item was claimed; null if there was none, or no lease is held.
   */
  readonly lease_holder: number | null
  /** How the worker ended its lease; null while a worker holds one, and before the first. */
  readonly verdict: (typeof VERDICTS)[number] | null
  /** How long a lease lasts unless it is renewed, in milliseconds. */
  readonly lease_ms: number
  /** When the lease runs out, in milliseconds of the steady clock; null if none is held. */
  readonly lease_expires_at: number | null
  /** How often the item was taken back from a worker whose lease ran out. */
  readonly rescues: number
  /** How much is done, in percent, not rounded. */
  readonly done: number
  /** The smoothed pace, in percent per second; 0 if it is unknown. */
  readonly rate: number
  /** When the attempt started, or said that nothing is done yet, for its pace, in milliseconds of the steady clock. */
  readonly attempt_at: number
  /** When `done`, or a count of the attempt, last moved, in milliseconds of the steady clock. */
  readonly moved_at: number
  /** Whether the progress of this attempt was set back, which can happen once. */
  readonly is_set_back: boolean
  /** Whether the command itself has reported in this attempt: then reports of the reader around it are ignored. */
  readonly has_inner: boolean
  /** The highest index of a step that has begun in this attempt; 0 before the first. */
  readonly steps_begun: number
  /** The course of the attempt; null if none is under way. A restart may lose its latest points. */
  readonly course: Course | null
}

/** The values of an item that no worker has. */
export const IDLE: Work = {
  lease_token: null,
  lease_holder: null,
  verdict: null,
  lease_ms: 0,
  lease_expires_at: null,
  rescues: 0,
  done: 0,
  rate: 0,
  attempt_at: 0,
  moved_at: 0,
  is_set_back: false,
  has_inner: false,
  steps_begun: 0,
  course: null,
}

/** A queue item with what is stored beside it. */
export interface Stored {
  /** The item as everyone sees it. */
  readonly item: QueueItem
  /** The facts about its render. */
  readonly work: Work
}

/** The result of a decision on a queue item. */
export interface Change {
  /** The item after the change. */
  readonly item: QueueItem
  /** The facts about its render after the change. */
  readonly work: Work
  /** Whether viewers see no difference, so that no update is appended; default false. */
  readonly quiet?: boolean
  /** Whether the item disappears from all reads with this change; default false. */
  readonly deleted?: boolean
  /** The run that is remembered with this change; absent if none is. */
  readonly run?: KeptRun
  /**
   * How much of the attempt a report says is done, in percent; absent if it says nothing of it. It may be less than
   * `Work.done`, which never goes down: a second program counts from 0 again.
   */
  readonly told?: number
}
