import { describe, expect, test } from "bun:test"

import {
  type Check,
  isControl,
  isItemOf,
  isOutputEnd,
  isOutputPart,
  isUpdate,
  SHAPES,
} from "../../src/client/answer-shapes.ts"
import { WORK_SHAPES } from "../../src/client/work-shapes.ts"
import { blank } from "../../src/item/blank-item.ts"
import type { ReadItem } from "../../src/wire/forecast.ts"

const TIME = "2026-01-02T03:04:05.678Z"
const ITEM = { id: 7, ...blank(1, TIME) }

test("an optional key that is present must have its type: null is refused", () => {
  expect(isUpdate({ queue_id: 7 })).toBe(true)
  expect(isUpdate({ queue_id: 7, progress: 5, step: { index: 1, total: 2, name: "Video" } })).toBe(true)
  for (const wrong of [{ progress: null }, { step: null }, { timestamp: null }, { progress: "5" }])
    expect(isUpdate({ queue_id: 7, ...wrong })).toBe(false)
})

test("an update of a newer server may have a key that this client does not know, with any value", () => {
  for (const newer of [null, 5, {}]) expect(isUpdate({ queue_id: 7, colour: newer })).toBe(true)
})

test("an item of an older server is given the keys that it lacks, and one of a newer server keeps its own", () => {
  const { kind: _kind, turn: _turn, ...older } = ITEM
  const newer = { ...ITEM, kind: "film", turn: 3, eta_runs: 5, basis: "counted" }
  expect([isItemOf(7)(older), isItemOf(7)(newer), isItemOf(8)({ ...ITEM })]).toEqual([true, true, false])
  expect(older).toMatchObject({ kind: "", turn: null })
  expect(newer).toMatchObject({ kind: "film", turn: 3, eta_runs: 5, basis: "counted" })
})

const STEP = { index: 1, total: 2, name: "Video" }

/** An item that says everything that an item can say. */
const WHOLE: ReadItem = {
  ...ITEM,
  ...{ error_cause: "no room", starts_in_seconds: 1, starts_low_seconds: 1, starts_high_seconds: 1 },
  ...{ takes_seconds: 1, turn: 1, flag: "image_issue", basis: "counted", outcome: "failed", kind: "film" },
  ...{ requeued_at: TIME, started_at: TIME, completed_at: TIME, available_at: TIME },
  ...{ cancel_requested_at: TIME, stalled_since: TIME, eta_seconds: 1, eta_low_seconds: 1 },
  ...{ eta_high_seconds: 1, time_progress: 1, totals: { images: 5 }, steps: ["Images"], step: STEP },
  ...{ unit: { done: 1, total: 2, name: "frames" }, tags: ["gpu"] },
  media: { out_time: 1, total: 2, fps: 25, speed: 1 },
}

const FINISHED = {
  ...{ since: TIME, completed: 1, failed: 1, cancelled: 1, lost: 1 },
  ...{ shortest_seconds: 1, mean_seconds: 1, longest_seconds: 1 },
}
const CLAIMED = { item: WHOLE, lease: { token: "secret", expires_at: TIME, renew_every: 20 } }

/** A whole answer for each shape: every key that is checked is there, and says something. */
const ANSWERS: Readonly<Record<keyof typeof SHAPES | keyof typeof WORK_SHAPES, object>> = {
  counts: {
    status: { queued: 1, processing: 1, completed: 1, failed: 1, retrying: 1 },
    outcome: { completed: 1, failed: 1, cancelled: 1, lost: 1 },
    ...{ paused_at: TIME, last_hour: FINISHED, today: FINISHED, this_week: FINISHED },
  },
  batch: { done: [7], refused: [{ id: 8, error: "it is finished", code: "illegal_move" }] },
  retried: { retried: 1, ids: [7] },
  item: WHOLE,
  page: { queue: [WHOLE], next: "after" },
  history: { updates: [{ id: 1, queue_id: 7 }] },
  workers: {
    workers: [
      {
        ...{ worker: "gpu-1", state: "idle", items: [{ id: 7 }], idle_since: TIME, last_heard_at: TIME },
        ...{ tags: ["gpu"], version: "1.2.3", draining: false },
      },
    ],
  },
  done: { message: "removed" },
  stats: {
    ...{ connected_clients: 1, timestamp: TIME, updates: { stored: 1, newest_id: 1 }, uptime_seconds: 1 },
    degraded: [{ title: "disk", about: "it is full" }],
  },
  forecast: { forecast: [{ id: 7, starts_in_seconds: 1 }], done_in_seconds: 1 },
  me: { role: "worker", item: 7, expires_at: TIME, may: ["claim"] },
  health: { version: "1.2.3", commit: "abc" },
  claim: CLAIMED,
  claimed: CLAIMED,
  work: { directive: "continue", item: WHOLE },
  printed: { attempt: 1, end: 10 },
  step: { directive: "continue", item: WHOLE, step: STEP },
  openStreams: {
    open_streams: [
      {
        ...{ kind: "item", queue_id: 7, format: "sse", client: "box", since: TIME },
        ...{ last_event_id: 1, lag: 0 },
      },
    ],
  },
  kinds: { kinds: [{ kind: "film", look: "ffmpeg", runs: 1, seconds: 1, ended_at: TIME }] },
  forgotten: { runs: 1 },
}

/** What a stream sends, with its check. */
const SENT: Readonly<Record<string, readonly [Check<unknown>, object]>> = {
  live: [isControl, { event: "live", last_event_id: 1, history: "h" }],
  gap: [isControl, { event: "gap", reason: "slow", missed: 2 }],
  end: [isControl, { event: "end", last_event_id: 1, status: "completed" }],
  shutdown: [isControl, { event: "shutdown", retry_ms: 1 }],
  queue: [isControl, { event: "queue", paused_at: TIME }],
  piece: [isOutputPart, { attempt: 1, from: 0, to: 3, missing: 0, text: "one" }],
  "end of an output": [isOutputEnd, { attempt: 1, status: "failed", outcome: "lost" }],
}

const wholeOf = new Map(Object.entries(ANSWERS))

const CHECKED: Readonly<Record<string, readonly [Check<unknown>, object]>> = {
  ...Object.fromEntries(
    Object.entries({ ...SHAPES, ...WORK_SHAPES }).map(([name, check]) => [
      name,
      [check, wholeOf.get(name) ?? {}] as const,
    ]),
  ),
  ...SENT,
}

/** The keys that lead to each part of a value, and the part. An item in an answer is a single part of it. */
function partsOf(value: unknown, keys: readonly string[] = []): (readonly [readonly string[], unknown])[] {
  const isSingle = typeof value !== "object" || value === null || (value === WHOLE && keys.length > 0)
  const inner = isSingle ? [] : Object.entries(value).flatMap(([key, part]) => partsOf(part, [...keys, key]))
  return keys.length > 0 ? [[keys, value], ...inner] : inner
}

/** The value with another one in this place; without the key if the other one is undefined. */
function changed(value: unknown, [key = "", ...keys]: readonly string[], to: unknown): unknown {
  if (key === "") return to
  const part = Object.entries(Object(value)).find(([name]) => name === key)?.[1]
  const next = changed(part, keys, to)
  if (Array.isArray(value)) return value.with(Number(key), next)
  const { [key]: _, ...others } = Object(value)
  return next === undefined ? others : { ...others, [key]: next }
}

/** The parts of answers that the client also accepts like this, by the name of the answer. */
const acceptedWith = (to: unknown): unknown =>
  Object.fromEntries(
    Object.entries(CHECKED).flatMap(([name, [check, whole]]) => {
      const keys = partsOf(whole).flatMap(([key]) => (check(changed(whole, key, to)) ? [key.join(".")] : []))
      return keys.length > 0 ? [[name, keys.toSorted()]] : []
    }),
  )

const keysIn = (text: string): readonly string[] => text.split(" ").toSorted()

describe("an answer", () => {
  test.each(Object.keys(CHECKED))("passes as %s if every key has its type, and only then", (name) => {
    const [check, whole] = CHECKED[name] ?? [isControl, {}]
    expect(check(structuredClone(whole))).toBe(true)
    const wrongOf = (part: unknown): unknown[] => {
      if (part === TIME) return ["soon", 5]
      return [typeof part === "string" ? 5 : "5", Number.NaN]
    }
    for (const [keys, part] of partsOf(whole))
      for (const wrong of wrongOf(part))
        expect([keys, wrong, check(changed(whole, keys, wrong))]).toEqual([keys, wrong, false])
  })

  test("has null only where a server may have nothing to say", () => {
    const ofPeriod = ["shortest_seconds", "mean_seconds", "longest_seconds"]
    const ofPeriods = ["last_hour", "today", "this_week"].flatMap((name) =>
      ofPeriod.map((key) => `${name}.${key}`),
    )
    const lastTimes = "requeued_at started_at completed_at available_at cancel_requested_at stalled_since"
    expect(acceptedWith(null)).toEqual({
      counts: ["paused_at", ...ofPeriods].toSorted(),
      forecast: ["done_in_seconds"],
      gap: ["missed"],
      item: keysIn(
        `${lastTimes} flag outcome turn basis eta_seconds eta_low_seconds eta_high_seconds time_progress ` +
          "steps step unit media media.total media.fps media.speed",
      ),
      me: ["expires_at", "item"],
      openStreams: ["open_streams.0.queue_id"],
      page: ["next"],
      queue: ["paused_at"],
      stats: ["updates.newest_id"],
      step: ["step"],
      workers: keysIn("workers.0.idle_since workers.0.last_heard_at workers.0.tags"),
    })
    expect([WORK_SHAPES.claim(null), WORK_SHAPES.claimed(null)]).toEqual([true, false])
  })

  test("lacks only what older servers do not send, and what is sent only if it says something", () => {
    const older =
      "requeued_at turn basis eta_low_seconds eta_high_seconds eta_runs time_progress stalled_since"
    const estimates = "starts_in_seconds starts_low_seconds starts_high_seconds takes_seconds"
    expect(acceptedWith(undefined)).toEqual({
      "end of an output": ["outcome"],
      item: keysIn(`${older} kind totals totals.images steps error_cause ${estimates}`),
      stats: ["degraded"],
    })
  })
})
