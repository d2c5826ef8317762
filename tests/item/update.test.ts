import { expect, test } from "bun:test"

import type { StoredUpdate } from "../../src/item/stored.ts"
import { updateIn } from "../../src/item/update.ts"
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
