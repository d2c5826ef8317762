import { expect, setDefaultTimeout, test } from "bun:test"

import { blank } from "../../src/item/blank-item.ts"
import type { QueueItem } from "../../src/item/item.ts"
import { paceWords } from "../../src/item/progress-words.ts"
import { UTC, zoneNamed } from "../../src/terminal/times-of-day.ts"
import { readable, readableControl } from "../../src/terminal/updates-as-lines.ts"
import {
  countAndSpoken,
  gapOf,
  leftWithEnd,
  offlineLine,
  spokenOf,
  startsOf,
  toneOf,
} from "../../src/terminal/words.ts"
import type { Gap } from "../../src/wire/frames.ts"
import { run, start } from "../server.ts"

// This test starts a program, which takes its time on a busy machine.
setDefaultTimeout(180_000)

const NOW = Date.parse("2026-01-02T23:04:05.000Z")

test("when an item starts is said with the earliest and the latest time", () => {
  expect(startsOf({ in: 3600, low: 3000, high: 5400 }, NOW, UTC)).toBe(
    "starts about Sat 00:04 UTC (23:54 UTC to Sat 00:34 UTC)",
  )
})

test("a time is that of its zone, with the day when that is another one", () => {
  const berlin = zoneNamed("Europe/Berlin")
  expect([UTC.clock(NOW), berlin.clock(NOW)]).toEqual(["23:04:05", "00:04:05"])
  for (const zone of [UTC, zoneNamed("UTC")]) expect(zone.when(NOW, NOW)).toBe("23:04 UTC")
  expect(leftWithEnd({ seconds: 42, low: null, high: null }, NOW, berlin)).toBe("0:42 left, done at 00:04")
  expect(leftWithEnd({ seconds: 3600, low: null, high: null }, NOW, UTC)).toBe(
    "1:00:00 left, done at Sat 00:04 UTC",
  )
  expect(leftWithEnd({ seconds: 3600, low: null, high: null }, NOW, berlin)).toBe(
    "1:00:00 left, done at 01:04",
  )
  // A weekday names a day of the next six: of a week ahead it would be taken for today's.
  expect(UTC.when(NOW + 5 * 86_400_000, NOW)).toBe("Wed 23:04 UTC")
  expect(UTC.when(NOW + 7 * 86_400_000, NOW)).toBe("09 Jan 23:04 UTC")
  expect(UTC.when(NOW - 5 * 86_400_000, NOW)).toBe("Sun 23:04 UTC")
  expect(UTC.when(NOW - 7 * 86_400_000, NOW)).toBe("26 Dec 23:04 UTC")
  expect(UTC.when(NOW + 30 * 86_400_000, NOW)).toBe("01 Feb 23:04 UTC")
  expect(berlin.when(NOW + 30 * 86_400_000, NOW)).toBe("02 Feb 00:04")
  expect(() => zoneNamed("Mars/Olympus")).toThrow(RangeError)
})

test("the pace has no more digits than people read", () => {
  const media = { out_time: 1, total: null, fps: 49.229177447093356, speed: 1.9798414703665175 }
  expect(paceWords({ ...media, total: 80 })).toEqual(["0:01 of 1:20", "49 fps", "2.0x"])
  expect(paceWords({ ...media, fps: null, speed: 0.0213 })).toEqual(["0:01", "0.02x"])
  // ffmpeg's own words for this are not shown as well.
  expect(spokenOf("1.0 s of 80.0 s, 49 fps, 1.98x", media)).toBe("")
  expect(spokenOf("1.0 s of 80.0 s", null)).toBe("1.0 s of 80.0 s")
  expect(paceWords(null)).toEqual([])
})

test("what is counted is said once", () => {
  const unit = { done: 14, total: 120, name: "frames" }
  expect(countAndSpoken({ unit, message: "frame 15/120" })).toEqual(["14 of 120 frames", ""])
  expect(countAndSpoken({ unit, message: "frame 15/120, 4 fps" })).toEqual(["", "frame 15/120, 4 fps"])
  expect(countAndSpoken({ unit, message: "" })).toEqual(["14 of 120 frames", ""])
  expect(countAndSpoken({ message: "frame 15/120" })).toEqual(["", "frame 15/120"])
})

test("a gap counts one update, several, or none that it knows", () => {
  expect(gapOf({ missed: 1, reason: "slow" })).toBe("1 update was missed (slow)")
  expect(gapOf({ missed: 1200, reason: "expired" })).toBe("1,200 updates were missed (expired)")
  expect(gapOf({ missed: null, reason: "unknown" })).toBe("some updates were missed (unknown)")
})

test("a line for a gap says what follows it", () => {
  const lineOf = (reason: Gap["reason"]): string =>
    readableControl({ event: "gap", reason, last_event_id: 1, missed: 2 })
  expect(lineOf("expired")).toBe("# gap: 2 updates were missed (expired); the current state follows")
  expect(lineOf("slow")).toEndWith("(slow); the latest update of each item that changed follows")
  expect(lineOf("unreadable")).toEndWith("(unreadable); what can be read follows")
})

test("a command shows the time of this machine, or UTC when it is asked to", async () => {
  await using server = await start()
  await server.add()
  const env = { TRACK_STUDIO_SERVER: server.url, TZ: "Asia/Kolkata" }
  const shown = async (...args: string[]): Promise<string> =>
    /queued +(\S.*)$/m.exec((await run(["show", "1", ...args], env)).stdout)?.[1] ?? ""
  const queuedMs = Date.parse((await server.item(1)).queued_at)
  expect(await shown("--utc")).toBe(UTC.when(queuedMs, queuedMs))
  expect(await shown()).toBe(zoneNamed("Asia/Kolkata").when(queuedMs, queuedMs))
})

test("a line of an update has the figures of ffmpeg and Blender in the notation of the board", () => {
  const told = {
    queue_id: 1,
    song_id: 1,
    status: "processing",
    current_step: "",
    progress: 12,
    timestamp: "2026-01-02T03:04:05.678Z",
  } as const
  const media = { out_time: 18.3, total: 80, fps: 90, speed: 2.8 }
  expect(readable({ ...told, media, message: "18.3 s, 90 fps, 2.8x" })).toEndWith(
    "  0:18 of 1:20, 90 fps, 2.8x",
  )
  const unit = { done: 15, total: 120, name: "frames" }
  expect(readable({ ...told, unit, message: "frame 15/120" })).toEndWith("  15 of 120 frames")
  expect(readable({ ...told, unit, message: "frame 15/120, Light" })).toEndWith("  frame 15/120, Light")
})

test("a failure is red, what needs care is yellow, and what goes well has its own colour", () => {
  const at = new Date(NOW).toISOString()
  const tones = (changes: readonly Partial<QueueItem>[]): unknown[] =>
    changes.map((change) => toneOf({ id: 1, ...blank(1, at), ...change }))
  const [running, failed] = [{ status: "processing" }, { status: "failed" }] as const
  expect(tones([{}, running, { status: "completed", outcome: "completed" }])).toEqual([
    undefined,
    "bar",
    "good",
  ])
  const stopping = { ...running, cancel_requested_at: at }
  const stalled = { ...running, stalled: true, stalled_since: at }
  expect(tones([stopping, stalled, { status: "retrying" }])).toEqual(["warn", "warn", "warn"])
  const ends = (["failed", "lost", "cancelled"] as const).map((outcome) => ({ ...failed, outcome }))
  expect(tones(ends)).toEqual(["bad", "bad", "dim"])
})

test("a line for a broken stream says why, and when it is opened again", () => {
  expect(offlineLine({ reason: "the stream\u001b ended", retryMs: 1650 })).toBe(
    "# the stream\ufffd ended; retrying in 1.6 s",
  )
})
