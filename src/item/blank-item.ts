import type { Draft } from "./item.ts"
import { UNFORESEEN } from "./moves.ts"
import { OWN_MESSAGES } from "./own-messages.ts"

/**
 * What every item begins with. The times have their places here because answers have the keys in this order.
 */
const BLANK = {
  title: "",
  status: "queued",
  priority: 0,
  current_step: "",
  progress: 0,
  message: OWN_MESSAGES.created,
  error_message: "",
  retry_count: 0,
  video_file_path: "",
  video_file_size: 0,
  thumbnail_path: "",
  flag: null,
  queued_at: "",
  requeued_at: null,
  started_at: null,
  completed_at: null,
  updated_at: "",
  attempt: 0,
  max_attempts: 3,
  outcome: null,
  worker: "",
  available_at: null,
  turn: null,
  cancel_requested_at: null,
  eta_seconds: null,
  ...UNFORESEEN,
  stalled: false,
  stalled_since: null,
  basis: null,
  steps: null,
  step: null,
  unit: null,
  media: null,
  kind: "",
} as const

/** A queue item as it is when it has just been added with nothing but its song; `time` is RFC 3339 UTC. */
export const blank = (song_id: number, time: string): Draft => ({
  song_id,
  ...BLANK,
  queued_at: time,
  updated_at: time,
  totals: {},
  tags: [],
  metadata: {},
})
