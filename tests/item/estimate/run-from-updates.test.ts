import { expect, test } from "bun:test"

import { pastRun } from "../../../src/item/estimate/run-from-updates.ts"
import type { Status } from "../../../src/item/item.ts"
import type { StoredUpdate } from "../../../src/item/stored.ts"
import { draft, START_MS } from "../../contracts/store.contract.ts"

type Row = readonly [seconds: number, status: Status, attempt: number, current_step?: string]

/** The run that is learned from an item with this history. */
function learnedFrom(rows: readonly Row[]): ReturnType<typeof pastRun> {
  const updates = rows.map(([seconds, status, attempt, current_step = ""], i): StoredUpdate => {
    const timestamp = new Date(START_MS + seconds * 1000).toISOString()
    const update = { queue_id: 7, song_id: 1, status, attempt, current_step, progress: 0, timestamp }
    return { id: i + 1, queue_id: 7, song_id: 1, status, data: JSON.stringify(update) }
  })
  const item = { id: 7, ...draft(), status: rows.at(-1)?.[1] ?? "queued" }
  return pastRun(item, updates)
}

const attemptAt = (seconds: number, attempt: number, end: Status = "completed"): readonly Row[] => [
  [seconds, "processing", attempt, "Draw"],
  [seconds + 40, "processing", attempt, "Mix"],
  [seconds + 100, end, attempt],
]
const queuedAt = (seconds: number): Row => [seconds, "queued", 0]
const steps = [
  { name: "Draw", at: 0 },
  { name: "Mix", at: 40 },
]

test("a kept history teaches how its completed attempt went", () => {
  expect(learnedFrom([queuedAt(0), ...attemptAt(10, 1)])).toMatchObject({ seconds: 100, steps })
  expect(learnedFrom([queuedAt(0), ...attemptAt(10, 1, "retrying"), ...attemptAt(200, 2)])).toMatchObject({
    seconds: 100,
    steps,
  })
})

test("an attempt of before a retry, which has the same number, is no part of it", () => {
  const failed = attemptAt(10, 1, "failed")
  expect(learnedFrom([queuedAt(0), ...failed, queuedAt(500), ...attemptAt(1000, 1)])).toMatchObject({
    seconds: 100,
    steps,
  })
  const completed = attemptAt(10, 1)
  expect(learnedFrom([queuedAt(0), ...completed, queuedAt(500), ...attemptAt(1000, 1)])?.seconds).toBe(100)
})

test("what was changed after its end, such as a flag, makes it no longer", () => {
  const end: Row = [7200, "completed", 1]
  expect(learnedFrom([queuedAt(0), ...attemptAt(10, 1), end, end])?.seconds).toBe(100)
})

test("nothing is learned where its begin is not kept, or where it never ended well", () => {
  expect(learnedFrom(attemptAt(10, 1))).toBeUndefined()
  expect(learnedFrom([queuedAt(0), ...attemptAt(10, 1, "failed")])).toBeUndefined()
  expect(learnedFrom([queuedAt(0), ...attemptAt(10, 1, "failed"), [300, "completed", 1]])).toBeUndefined()
  expect(learnedFrom([queuedAt(0)])).toBeUndefined()
})
