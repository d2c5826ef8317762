import { expect, test } from "bun:test"

import { blank } from "../../src/item/blank-item.ts"
import { ProgressUpdate, type QueueItem } from "../../src/item/item.ts"
import type { StoredUpdate } from "../../src/item/stored.ts"
import { updateIn, updateOf } from "../../src/item/update.ts"
import { ndjson, sse, text } from "../../src/stream/sse-ndjson-text.ts"
import { updateFrames } from "../../src/wire/frames.ts"

const rowOf = (data: string): StoredUpdate => ({ id: 7, queue_id: 1, song_id: 2, status: "queued", data })

test("a row of the history is parsed once, and everything that reads it shares the result", () => {
  const row = rowOf(`{"queue_id":1,"progress":40}`)
  const update = updateIn(row)
  expect(update).toMatchObject({ queue_id: 1, progress: 40 })
  expect(updateIn(row)).toBe(update)
  expect(updateIn({ ...row })).toEqual(update)
})

test("streams of JSON send the text of a row as it is stored, and do not parse it", () => {
  const frames = updateFrames([rowOf(`{"parsed":never}`)])
  const bytes = (chunk: Uint8Array | undefined): string => Buffer.from(chunk ?? []).toString()
  expect(bytes(sse.encode(frames))).toBe(`id: 7\ndata: {"parsed":never}\n\n`)
  expect(bytes(ndjson.encode(frames))).toBe(`{"id":7,"parsed":never}\n`)
  expect(() => text.encode(frames)).toThrow()
})

const TIME = "2026-01-02T03:04:05.678Z"

/** An item of which everything is known that an update can say. */
const known: QueueItem = {
  id: 7,
  ...blank(3, TIME),
  title: "Northern Lights",
  status: "failed",
  current_step: "Render",
  progress: 40,
  message: "a word",
  error_message: "out of disk",
  attempt: 2,
  outcome: "lost",
  worker: "box1",
  cancel_requested_at: TIME,
  eta_seconds: 20,
  eta_low_seconds: 10,
  eta_high_seconds: 30,
  eta_runs: 5,
  time_progress: 45.5,
  basis: "declared",
  steps: ["Images", "Render"],
  step: { index: 2, total: 2, name: "Render" },
  unit: { done: 4, total: 10, name: "frames" },
  media: { out_time: 1, total: 2, fps: 24, speed: 1 },
  stalled: true,
  stalled_since: TIME,
}

test("an update says all that is known of an item, each as the item has it, and nothing that is not", () => {
  const update = updateOf({ item: known, deleted: true })
  expect(Object.keys(update).toSorted()).toEqual(Object.keys(ProgressUpdate.properties).toSorted())
  const { queue_id, timestamp, error_cause, deleted, ...rest } = update
  expect([queue_id, timestamp, error_cause, deleted]).toEqual([7, TIME, "out of disk", true])
  expect(known).toMatchObject(rest)
  expect(updateOf({ item: { id: 7, ...blank(3, TIME) } })).toEqual({
    queue_id: 7,
    song_id: 3,
    status: "queued",
    current_step: "",
    progress: 0,
    message: "Queue item created",
    timestamp: TIME,
  })
})
