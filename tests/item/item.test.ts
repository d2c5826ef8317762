import { expect, test } from "bun:test"

import { Value } from "@sinclair/typebox/value"
import fc from "fast-check"

import { AppError } from "../../src/errors.ts"
import { shortCauseOf } from "../../src/failure-cause.ts"
import { blank } from "../../src/item/blank-item.ts"
import {
  ItemChange,
  MAX_TEXT_BYTES,
  NewItem,
  ProgressUpdate,
  QueueItem,
  type Status,
  STATUSES,
} from "../../src/item/item.ts"
import { isFinished, MOVES, transition } from "../../src/item/moves.ts"
import { endOrStatus } from "../../src/item/state-in-one-word.ts"
import { updateOf } from "../../src/item/update.ts"

const BEFORE = "2026-01-02T22:30:15.000Z"
const NOW = "2026-01-02T22:31:00.000Z"

/** The statuses that an ordinary change can lead to. From a finished state only a retry leads on. */
const ALLOWED: Readonly<Record<Status, readonly Status[]>> = {
  queued: ["processing", "failed"],
  processing: ["completed", "failed", "retrying", "queued"],
  retrying: ["processing", "queued", "failed"],
  completed: [],
  failed: [],
}

const NEW: QueueItem = { id: 7, ...blank(3, BEFORE), title: "Song", priority: 5 }

const text = fc.string({ unit: "grapheme", maxLength: 20 }).filter((value) => !value.includes("\0"))
const status = fc.constantFrom(...STATUSES)

/** Any change that the schema accepts. */
const change: fc.Arbitrary<ItemChange> = fc.record(
  {
    status,
    current_step: text,
    progress: fc.integer({ min: 0, max: 100 }),
    message: text,
    error_message: text,
    song_id: fc.integer({ min: 1 }),
    priority: fc.integer({ min: -10, max: 10 }),
    title: text,
    video_file_path: text,
    video_file_size: fc.nat(),
    thumbnail_path: text,
    flag: fc.constantFrom("image_issue" as const, "lyrics_issue" as const, "timing_issue" as const, null),
    metadata: fc.dictionary(text, text, { noNullPrototype: true }),
  },
  { requiredKeys: [] },
)
const changes = fc.array(change, { maxLength: 30 })

/** The item after a change, or the refusal. */
function attempt(item: QueueItem, wanted: ItemChange): QueueItem | AppError {
  try {
    return transition(item, wanted, NOW)
  } catch (error) {
    if (error instanceof AppError) return error
    throw error
  }
}

/** Applies changes to a new item. `look` sees each step: the item before, the change, and the result. */
function play(
  wanted: readonly ItemChange[],
  look: (before: QueueItem, wanted: ItemChange, after: QueueItem | AppError) => void,
): QueueItem {
  return wanted.reduce<QueueItem>((before, one) => {
    const after = attempt(before, one)
    look(before, one, after)
    return after instanceof AppError ? before : after
  }, NEW)
}

const during = (look: Parameters<typeof play>[1]): void =>
  fc.assert(fc.property(changes, (wanted) => void play(wanted, look)))

test("the five states are the seed's, in its order, for ever", () => {
  expect(STATUSES).toEqual(["queued", "processing", "completed", "failed", "retrying"])
})

test("the table of moves is the documented one; the moves out of a terminal state are there for a retry", () => {
  expect(MOVES).toEqual({ ...ALLOWED, completed: ["queued"], failed: ["queued"] })
})

test("exactly completed and failed are terminal", () => {
  expect(STATUSES.filter(isFinished)).toEqual(["completed", "failed"])
})

test("a change is accepted exactly when its move is allowed and a terminal item keeps its progress and step", () => {
  during((before, wanted, after) => {
    const to = wanted.status ?? before.status
    const legal = to === before.status || ALLOWED[before.status].includes(to)
    const kept =
      !isFinished(before.status) ||
      ((wanted.progress ?? before.progress) ===
        (wanted.status === "completed" ? (wanted.progress ?? 100) : before.progress) &&
        (wanted.current_step ?? before.current_step) === before.current_step)
    expect(after instanceof AppError).toBe(!(legal && kept))
  })
})

test("a refusal is an illegal move whose sentence names the item, its status, and for a move what is allowed", () => {
  during((before, wanted, after) => {
    if (!(after instanceof AppError)) return
    expect(after.code).toBe("illegal_move")
    expect(after.message).toStartWith(`queue item 7 is ${endOrStatus(before)}`)
    const allowed = ALLOWED[before.status]
    if (wanted.status === undefined || wanted.status === before.status) {
      expect(after.message).toMatch(
        /its (progress|current_step) can no longer change; retry it by POST \/queue\/7\/retry$/,
      )
    } else {
      const way =
        allowed.length > 0 ? `it can become ${allowed.join(", ")}` : "retry it by POST /queue/7/retry"
      expect(after.message).toEndWith(`cannot become ${wanted.status}; ${way}`)
    }
  })
})

test("a decision reads its item and its change and writes neither", () => {
  during((before, wanted) => {
    const copies = structuredClone([before, wanted])
    attempt(Object.freeze({ ...before }), Object.freeze({ ...wanted }))
    expect([before, wanted]).toEqual(copies as [QueueItem, ItemChange])
  })
})

test("whatever is accepted is a whole queue item again, with progress a whole number from 0 to 100", () => {
  during((_before, _wanted, after) => {
    if (after instanceof AppError) return
    expect([...Value.Errors(QueueItem, after)]).toEqual([])
    expect(Number.isInteger(after.progress) && after.progress >= 0 && after.progress <= 100).toBeTrue()
  })
})

test("completed means 100 percent and the outcome completed; failed means failed or cancelled; else there is none", () => {
  during((_before, _wanted, after) => {
    if (after instanceof AppError) return
    const { status: is, progress, outcome, completed_at } = after
    if (is === "completed") expect([progress, outcome, completed_at]).toEqual([100, "completed", NOW])
    else if (is === "failed") {
      expect(["failed", "cancelled"]).toContain(outcome as string)
      expect(completed_at).toBe(NOW)
    } else expect([outcome, completed_at]).toEqual([null, null])
  })
})

test("an item that fails while it is worked on has failed; one that was waiting was cancelled", () => {
  during((before, _wanted, after) => {
    if (after instanceof AppError || after.status !== "failed" || before.status === "failed") return
    expect(after.outcome).toBe(before.status === "processing" ? "failed" : "cancelled")
  })
})

test("attempt counts the starts and retry_count the failures that will be retried", () => {
  fc.assert(
    fc.property(changes, (wanted) => {
      const moves: Status[] = []
      const end = play(wanted, (before, _change, after) => {
        if (!(after instanceof AppError) && after.status !== before.status) moves.push(after.status)
      })
      expect(end.attempt).toBe(moves.filter((to) => to === "processing").length)
      expect(end.retry_count).toBe(moves.filter((to) => to === "retrying").length)
    }),
  )
})

test("a start begins at the progress given, else at 0, at its own time, and forgets the failure before it", () => {
  during((before, wanted, after) => {
    if (after instanceof AppError || before.status === "processing" || after.status !== "processing") return
    expect(after.progress).toBe(wanted.progress ?? 0)
    expect(after.error_message).toBe(wanted.error_message ?? "")
    expect(after.started_at).toBe(NOW)
  })
})

test("a change without a move touches its own keys alone, and shows in message and updated_at", () => {
  during((before, wanted, after) => {
    if (after instanceof AppError || after.status !== before.status) return
    const given = isFinished(before.status) ? { ...wanted, progress: before.progress } : wanted
    expect(after).toEqual({ ...before, message: "Queue item updated", ...given, updated_at: NOW })
  })
})

test("song_id, priority and title are whatever was last given, through all moves", () => {
  fc.assert(
    fc.property(changes, (wanted) => {
      const expected = { song_id: NEW.song_id, priority: NEW.priority, title: NEW.title }
      const end = play(wanted, (_before, one, after) => {
        if (after instanceof AppError) return
        expected.song_id = one.song_id ?? expected.song_id
        expected.priority = one.priority ?? expected.priority
        expected.title = one.title ?? expected.title
      })
      expect(end).toMatchObject(expected)
    }),
  )
})

test("the seed's change repeated changes nothing but the time", () => {
  const seeds: ItemChange = { status: "processing", current_step: "Testing", progress: 50 }
  const once = transition(NEW, seeds, BEFORE)
  expect(once).toMatchObject({ ...seeds, song_id: 3, priority: 5, attempt: 1, started_at: BEFORE })
  expect(transition(once, seeds, NOW)).toEqual({ ...once, updated_at: NOW })
})

test("an update has the seed's keys always and the others only when they are set", () => {
  during((_before, _wanted, after) => {
    if (after instanceof AppError) return
    const update = updateOf({ item: after })
    const { queue_id, song_id, status: is, current_step, progress, message, timestamp, ...rest } = update
    expect([queue_id, song_id, is, current_step, progress, message, timestamp]).toEqual([
      after.id,
      after.song_id,
      after.status,
      after.current_step,
      after.progress,
      after.message,
      after.updated_at,
    ])
    expect(rest).toEqual({
      ...(after.error_message && {
        error_message: after.error_message,
        error_cause: shortCauseOf(after.error_message),
      }),
      ...(after.title && { title: after.title }),
      ...(after.attempt && { attempt: after.attempt }),
      ...(after.outcome && { outcome: after.outcome }),
    })
    expect(Object.keys(update).every((key) => key in ProgressUpdate.properties)).toBeTrue()
  })
})

test("an update says deleted, stalled and the time left only when that is so", () => {
  const now = { stalled: true, eta_seconds: 0, time_progress: 0 }
  expect(updateOf({ item: { ...NEW, ...now }, deleted: true })).toMatchObject({ deleted: true, ...now })
  expect(updateOf({ item: NEW, deleted: false })).not.toContainKeys(["deleted", "stalled", "eta_seconds"])
})

test("text is accepted exactly when it has no NUL, no lone surrogate and at most 16 KiB of UTF-8", () => {
  const any = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: fc.constantFrom("a", "é", "\ud83d", "\ude00", "\0", "\u2028", "\r\n", "\u001b[31m") }),
    fc
      .tuple(fc.constantFrom("a", "é", "한", "😀"), fc.integer({ min: -1, max: 1 }))
      .map(([unit, more]) => unit.repeat(MAX_TEXT_BYTES / Buffer.byteLength(unit) + more)),
  )
  fc.assert(
    fc.property(any, (title) => {
      const fits = !title.includes("\0") && title.isWellFormed() && Buffer.byteLength(title) <= MAX_TEXT_BYTES
      expect(Value.Check(ItemChange, { title })).toBe(fits)
      expect(Value.Check(NewItem, { song_id: 1, metadata: { [title]: [title] } })).toBe(fits)
    }),
  )
})

test("progress is accepted exactly when it is a whole number from 0 to 100", () => {
  fc.assert(
    fc.property(fc.oneof(fc.integer({ min: -5, max: 105 }), fc.double(), fc.jsonValue()), (progress) => {
      const fits =
        typeof progress === "number" && Number.isInteger(progress) && progress >= 0 && progress <= 100
      expect(Value.Check(ItemChange, { progress })).toBe(fits)
    }),
  )
})

test("metadata is any JSON object of at most 32 levels, and nothing else", () => {
  const nested = (levels: number): unknown => (levels === 0 ? 1 : { a: nested(levels - 1) })
  const check = (metadata: unknown): boolean => Value.Check(NewItem, { song_id: 1, metadata })
  expect([nested(1), nested(32), {}, { a: [null, true, 1.5, { b: [] }] }].map(check)).toEqual(
    Array(4).fill(true),
  )
  expect([nested(33), [], null, 1, "text", [{ a: 1 }]].map(check)).toEqual(Array(6).fill(false))
})

test("a key that is not in the schema is refused, whatever its name", () => {
  const names = fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "id", "attempt", "outcome"))
  fc.assert(
    fc.property(names, (name) => {
      const body: unknown = JSON.parse(`{${JSON.stringify(name)}: 1}`)
      expect(Value.Check(ItemChange, body)).toBe(
        ["progress", "song_id", "priority", "video_file_size"].includes(name),
      )
    }),
  )
})

test("tags are at most 32 different texts of 1 to 64 characters", () => {
  const check = (tags: unknown): boolean => Value.Check(NewItem, { song_id: 1, tags })
  const many = (count: number): string[] => Array.from({ length: count }, (_, i) => `tag ${i}`)
  expect([[], ["gpu"], many(32), ["x".repeat(64)]].map(check)).toEqual(Array(4).fill(true))
  expect([many(33), ["a", "a"], [""], ["x".repeat(65)], ["\0"], [1], "gpu", null].map(check)).toEqual(
    Array(8).fill(false),
  )
})
