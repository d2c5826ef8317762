import type { StreamUpdate } from "../../src/dashboard/model/hub-messages.ts"
import { blank } from "../../src/item/blank-item.ts"
import type { QueueItem } from "../../src/item/item.ts"

/** A time, seconds after noon. */
export const time = (seconds: number): string => new Date(Date.UTC(2026, 0, 2, 12, 0, seconds)).toISOString()

/** An item as the server would send it. */
export const item = (changes: Partial<QueueItem> = {}): QueueItem => ({
  id: 1,
  ...blank(1, time(0)),
  ...changes,
})

/** An update as a stream would send it. */
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
