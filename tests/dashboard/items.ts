import type { StreamUpdate } from "../../src/dashboard/model/messages.ts"
import type { QueueItem } from "../../src/item/item.ts"

/** A time, seconds after noon. */
export const time = (seconds: number): string => new Date(Date.UTC(2026, 0, 2, 12, 0, seconds)).toISOString()

/** An item as the server would give it. */
export const item = (changes: Partial<QueueItem> = {}): QueueItem => ({
  id: 1,
  song_id: 1,
  title: "",
  status: "queued",
  priority: 0,
  current_step: "",
  progress: 0,
  message: "Queue item created",
  error_message: "",
  retry_count: 0,
  video_file_path: "",
  video_file_size: 0,
  thumbnail_path: "",
  flag: null,
  queued_at: time(0),
  started_at: null,
  completed_at: null,
  updated_at: time(0),
  attempt: 0,
  max_attempts: 3,
  outcome: null,
  worker: "",
  available_at: null,
  cancel_requested_at: null,
  eta_seconds: null,
  stalled: false,
  step: null,
  unit: null,
  media: null,
  tags: [],
  metadata: {},
  ...changes,
})

/** An update as a stream would give it. */
export const update = (id: number, changes: Partial<StreamUpdate> = {}): StreamUpdate => ({
  id,
  queue_id: 1,
  song_id: 1,
  status: "processing",
  current_step: "",
  progress: 0,
  message: "",
  timestamp: time(id),
  attempt: 1,
  ...changes,
})
