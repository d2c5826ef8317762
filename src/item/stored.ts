import type { KeptRun } from "./estimate/earlier-run.ts"
import type { Course } from "./estimate/trace.ts"
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

/**
 * How an item is being worked on: the lease, and the pace of its attempt. Stored beside the item, and never shown.
 *
 * Times are milliseconds of the steady clock (see `Moment`).
 */
export interface Work {
  /**
   * The token of the lease that is held, or of the one that a worker ended by a verdict; null without either.
   */
  readonly lease_token: string | null
  /** The id of the token by which the item was claimed; null without tokens, and when no lease is held. */
  readonly lease_holder: number | null
  /** How the worker ended its lease; null while it holds one, and when it never had. */
  readonly verdict: "complete" | "fail" | "release" | null
  /** How long a lease lasts unless it is renewed. */
  readonly lease_ms: number
  /** When the lease runs out; null when none is held. */
  readonly lease_expires_at: number | null
  /** How often the item was taken back from a worker whose lease ran out. */
  readonly rescues: number
  /** How much is done, in percent, not rounded. */
  readonly done: number
  /** The smoothed pace, in percent a second; 0 while unknown. */
  readonly rate: number
  /** When the attempt started, for its pace. */
  readonly attempt_at: number
  /** When `done`, or what the attempt counts, last moved. */
  readonly moved_at: number
  /** Whether the progress of this attempt was set back, which can happen once. */
  readonly is_set_back: boolean
  /** Whether the command itself has reported in this attempt: then reports of the reader around it are ignored. */
  readonly has_inner: boolean
  /** The highest index of a step that has begun in this attempt; 0 before the first. */
  readonly steps_begun: number
  /** How the attempt went so far; null while none is under way. A restart may lose the latest points. */
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
  /** How it is being worked on. */
  readonly work: Work
}

/** The result of a decision on a queue item. */
export interface Change {
  /** The item after the change. */
  readonly item: QueueItem
  /** How it is being worked on after the change. */
  readonly work: Work
  /** Whether viewers see no difference, so that no update is appended; default no. */
  readonly quiet?: boolean
  /** Whether the item disappears from all reads with this change; default no. */
  readonly deleted?: boolean
  /** The run that ends with this change; absent if none is remembered. */
  readonly run?: KeptRun
}
