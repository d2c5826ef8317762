import { describe, expect, test } from "bun:test"

import type { StreamUpdate } from "../../../src/dashboard/model/hub-messages.ts"
import { Timeline } from "../../../src/dashboard/model/timeline.ts"
import {
  aboutTime,
  bandText,
  causeLine,
  doneName,
  doneOf,
  leftAt,
  leftText,
  messageOf,
  nameOf,
  oneLine,
  roughly,
  runningTitle,
  unitOf,
} from "../../../src/dashboard/model/wording.ts"
import { glideOf } from "../../../src/dashboard/view/running-lane.ts"
import type { Unit } from "../../../src/item/item.ts"
import { OWN_MESSAGES } from "../../../src/item/own-messages.ts"
import { sizeWords } from "../../../src/text.ts"
import { item, time, update } from "../items.ts"

test("the page shows the cause that the server names, and of an older server the last line", () => {
  const error_message = "disk full\n\u202eConversion  failed!\n\n"
  expect(causeLine({ error_message, error_cause: "disk  full" })).toBe("disk full")
  expect(causeLine({ error_message, error_cause: "" })).toBe("\ufffdConversion failed!")
  expect(causeLine({ error_message })).toBe("\ufffdConversion failed!")
  expect(causeLine({})).toBe("")
})

test("the cause of a long line from an older server is found at once", () => {
  const beginMs = performance.now()
  expect(causeLine({ error_message: "x".repeat(64_000) })).toHaveLength(401)
  expect(performance.now() - beginMs).toBeLessThan(4000)
})

describe("the timeline", () => {
  test("gathers the reports of a step, and shows what else happened", () => {
    const timeline = new Timeline()
    const updates = [
      update(1, { status: "queued", attempt: 0 }),
      update(2, { worker: "gpu-1" }),
      update(3, { progress: 5, current_step: "Images" }),
      update(4, { progress: 9, current_step: "Images" }),
      update(5, { progress: 20, current_step: "Video" }),
      update(6, { progress: 20, current_step: "Video", stalled: true, message: "No progress for a while" }),
      update(7, { status: "retrying", progress: 20, error_message: "out of memory" }),
      update(8, { attempt: 2 }),
      update(9, { attempt: 2, cancel_requested_at: time(9) }),
      update(10, { status: "failed", outcome: "cancelled", attempt: 2 }),
      update(11, { status: "queued", attempt: 0, message: "Queued for a retry" }),
      update(12, { status: "failed", deleted: true, attempt: 0 }),
    ]
    for (const one of updates) timeline.add(one)
    const told = timeline.entries.map((entry) =>
      entry.kind === "stretch"
        ? `${entry.step} x${entry.updates.length}`
        : `${entry.what} ${entry.detail}`.trim(),
    )
    expect(told).toEqual([
      "Added to the queue",
      "Attempt 1 started by gpu-1",
      "Images x2",
      "Video x1",
      "Stalled",
      "Attempt 1 failed, retrying out of memory",
      "Attempt 2 started",
      "Cancelling waiting for the worker to stop",
      "Cancelled",
      "Queued for a retry",
      "Deleted",
    ])
    expect(timeline.points).toHaveLength(updates.length)
  })

  test("has the colour of what happened: good, bad, to be watched, under way, or none", () => {
    const toneOf = (last: Partial<StreamUpdate>, before: Partial<StreamUpdate> = {}): string => {
      const timeline = new Timeline()
      for (const one of [update(1, before), update(2, last)]) timeline.add(one)
      const entry = timeline.entries.at(-1)
      return entry?.kind === "happening" ? entry.tone : ""
    }
    const failed = { status: "failed", outcome: "failed" } as const
    const waiting = { status: "queued", attempt: 0 } as const
    expect([
      toneOf({ status: "completed", outcome: "completed" }),
      toneOf(failed),
      toneOf({ ...failed, outcome: "lost" }),
      toneOf({ ...failed, outcome: "cancelled" }),
      toneOf({ status: "retrying" }),
      toneOf({ status: "retrying", message: OWN_MESSAGES.restored }),
      toneOf({ stalled: true }),
      toneOf({ cancel_requested_at: time(2) }),
      toneOf({}, waiting),
      toneOf(waiting),
      toneOf({ deleted: true }),
      toneOf({ ...waiting, message: "Renamed" }, waiting),
    ]).toEqual([
      ...["good", "bad", "bad", "quiet", "warn", "quiet", "warn", "warn", "run", "quiet", "quiet", "quiet"],
    ])
  })

  test("says of an attempt that a restore interrupted that it was interrupted, and not that it failed", () => {
    const timeline = new Timeline()
    for (const one of [
      update(1, { progress: 20 }),
      update(2, { status: "retrying", message: OWN_MESSAGES.restored }),
    ])
      timeline.add(one)
    expect(timeline.entries.at(-1)).toMatchObject({
      what: "Attempt 1 interrupted",
      detail: OWN_MESSAGES.restored,
    })
  })

  test("says of an attempt whose worker was lost that it lost its worker, because no limit of failures counts it", () => {
    const timeline = new Timeline()
    const lost = update(2, {
      status: "retrying",
      message: OWN_MESSAGES.lostForNow,
      error_message: "no sign of life",
    })
    for (const one of [update(1, { progress: 20 }), lost]) timeline.add(one)
    expect(timeline.entries.at(-1)).toMatchObject({
      what: "Attempt 1 lost its worker, retrying",
      detail: "no sign of life",
    })
  })

  test("says once that an item is stalled, however many updates say so", () => {
    const timeline = new Timeline()
    const stalled = { stalled: true, progress: 20, current_step: "Video" } as const
    for (const one of [update(1), update(2, stalled), update(3, { ...stalled, message: "still here" })])
      timeline.add(one)
    expect(timeline.entries.map(({ kind }) => kind)).toEqual(["happening", "happening", "stretch"])
  })

  test("shows an attempt that began where the end of the one before was left out", () => {
    const timeline = new Timeline()
    for (const one of [update(1), update(2, { attempt: 2, worker: "gpu-2" })]) timeline.add(one)
    expect(timeline.entries.at(-1)).toMatchObject({ what: "Attempt 2 started", detail: "by gpu-2" })
  })

  test("takes each update once, whichever way it comes", () => {
    const timeline = new Timeline()
    for (const id of [1, 2, 2, 1, 3]) timeline.add(update(id))
    expect(timeline.points).toHaveLength(3)
    expect(timeline.lastId).toBe(3)
  })
})

describe("words", () => {
  test.each([
    [5, "5 s"],
    [250, "4 min"],
    [7380, "2 h 3 min"],
    [40_000, "11 h"],
    [172_799, "47 h"],
    [200_000, "2 d"],
  ])("%d seconds are roughly %s", (seconds, text) => expect(roughly(seconds)).toBe(text))

  test("sizes, names, and lines", () => {
    expect([sizeWords(0), sizeWords(999), sizeWords(48_123_456), sizeWords(2.5e12)]).toEqual([
      "0 bytes",
      "999 bytes",
      "48.1 MB",
      "2.5 TB",
    ])
    expect(nameOf({ title: " ", song_id: 9 })).toBe("Song 9")
    expect(oneLine("a\n\tb\u2028c")).toBe("a b c")
    expect(oneLine("x".repeat(16_000)).length).toBeLessThan(500)
    expect(oneLine("x".repeat(16_000))).toEndWith("x…")
    expect(oneLine("a\u202eb")).toBe("a\ufffdb")
  })

  test("a span is said in the largest unit that says enough, and in days from 48 hours on", () => {
    const hours = (count: number): string => roughly(count * 3600)
    expect([roughly(59), roughly(60), hours(1), hours(47.99), hours(48)]).toEqual([
      ...["59 s", "1 min", "1 h", "47 h", "2 d"],
    ])
  })

  test("a message that is the name of the step is not said again", () => {
    const told = { message: "Draw waves", current_step: "Draw waves" }
    expect([messageOf(told), messageOf({ ...told, current_step: "Draw" })]).toEqual(["", "Draw waves"])
  })

  test("a count is named once, and not when the item is done", () => {
    const unit = { done: 3, total: 5, name: "images" }
    expect(unitOf({ unit, message: "" })).toBe("3 of 5 images")
    expect(unitOf({ unit, message: "Creating image 3 of 5" })).toBe("")
    expect(unitOf({ unit: { ...unit, done: 5 }, message: "" })).toBe("")
    const both = (message: string, counted: Unit = unit): string[] => [
      ...[unitOf({ unit: counted, message }), messageOf({ message, current_step: "", unit: counted })],
    ]
    // In one notation, also if the message counts the one in hand.
    for (const message of ["image 4/5", "[3 / 5]", "3/5 images", "Image 4 of 5:"])
      expect(both(message)).toEqual(["3 of 5 images", ""])
    for (const message of ["Drawing image 4/5", "image 3/5: cover.png", "image 3/5 (60%)"])
      expect(both(message)).toEqual(["", message])
    for (const message of ["image 3/50", "pass 2/5", "13/5", "image 3.5/5", "Drawing"])
      expect(both(message)).toEqual(["3 of 5 images", message])
    const many = { done: 1200, total: 2000, name: "frames" }
    expect(both("frame 1,200/2,000", many)).toEqual(["1,200 of 2,000 frames", ""])
    expect(both("image 5/5", { ...unit, done: 5 })).toEqual(["", "image 5/5"])
  })
})

describe("a bar", () => {
  const queue = (live: boolean, crowded = false) => ({
    isLive: () => live,
    isCrowded: () => crowded,
    nowMs: () => Date.parse(time(0)),
    waiting: () => [],
    waitingTotal: () => 0,
    item: () => undefined,
    startOf: () => undefined,
    missing: () => [],
    may: () => true,
    asOfMs: () => Date.parse(time(0)),
  })
  const running = item({ status: "processing", progress: 40, eta_seconds: 120, updated_at: time(0) })

  test("goes on at the item's pace, and never reaches the next percent by itself", () => {
    const { to, seconds } = glideOf(running, queue(true))
    expect(to).toBeCloseTo(40.95)
    expect(seconds).toBeCloseTo(1.9)
    expect(glideOf({ ...running, progress: 98 }, queue(true)).to).toBeLessThan(99)
    const media = { out_time: 81, total: 200, fps: null, speed: null }
    expect(glideOf({ ...running, media }, queue(true))).toMatchObject({ done: 40.5, to: 40.95 })
    expect(glideOf({ ...running, progress: 99 }, queue(true)).to).toBe(99)
  })

  test("agrees with the percentage beside it also where time is known, however long its worker is silent", () => {
    for (const time_progress of [20, 20.4, 98.3]) {
      const { done, to } = glideOf({ ...running, time_progress }, queue(true))
      expect([done, Math.floor(to)]).toEqual([time_progress, Math.floor(time_progress)])
    }
  })

  test("stands still when it is stalled, its pace is unknown, or what is shown may be old", () => {
    for (const [one, live, crowded] of [
      [{ ...running, stalled: true }, true, false],
      [{ ...running, eta_seconds: null }, true, false],
      [running, false, false],
      [running, true, true],
    ] as const) {
      expect(glideOf(one, queue(live, crowded)).to).toBe(40)
    }
  })

  test("is as fine as the medium's time, within its percent", () => {
    const media = { out_time: 81, total: 200, fps: null, speed: null }
    const known = { progress: 40, time_progress: null }
    expect(doneOf({ ...known, media })).toBe(40.5)
    expect(doneOf({ ...known, media: { ...media, out_time: 199 } })).toBe(40.99)
    expect(doneOf({ ...known, media: { ...media, total: null } })).toBe(40)
    expect(doneOf({ ...known, media, time_progress: 12.5 })).toBe(12.5)
  })

  test("the time left is shown with the time of day at which it is over", () => {
    const end = new Date(Date.parse(time(120)))
    const two = (value: number): string => String(value).padStart(2, "0")
    const clock = `${two(end.getHours())}:${two(end.getMinutes())}`
    expect(leftText(running, Date.parse(time(0)))).toBe(`2:00 left, done at ${clock}`)
    // The end stays where it is while the remaining time counts down.
    expect(leftText(running, Date.parse(time(90)))).toBe(`0:30 left, done at ${clock}`)
    expect(leftText(running, Date.parse(time(500)))).toBe("Longer than expected")
    expect(leftText(running, Date.parse(time(119)) + 500)).toBe("Finishing")
    expect(leftText({ ...running, progress: 97 }, Date.parse(time(500)))).toBe("Finishing")
    expect(leftText(item(), 0)).toBe("")
    const later = new Date(Date.parse(time(0)) + 3 * 86_400_000)
    expect(aboutTime(later.getTime(), Date.parse(time(0)))).toMatch(
      new RegExp(`^${later.getDate()} Jan, \\d\\d:\\d\\d$`),
    )
    const titled = { ...running, title: "Tidelines" }
    expect(runningTitle(doneName(titled), [titled], Date.parse(time(0)))).toBe(
      `40% Tidelines, done at ${clock}`,
    )
    // Several are done when the last of them is; if nobody knows that of one, of all.
    const sooner = { ...running, eta_seconds: 30 }
    expect(runningTitle("40% of 2", [running, sooner], Date.parse(time(0)))).toBe(
      `40% of 2, done at ${clock}`,
    )
    const unknown = { ...running, eta_seconds: null }
    expect(runningTitle("40% of 2", [running, unknown], Date.parse(time(0)))).toBe("40% of 2")
  })

  test("the times between which it ends are shown until the expected time is over", () => {
    const banded = { ...running, eta_low_seconds: 100, eta_high_seconds: 150 }
    expect(bandText(banded, Date.parse(time(0)))).toBe("1:40 to 2:30")
    const exact = { ...running, eta_low_seconds: 120, eta_high_seconds: 120 }
    expect(bandText(exact, Date.parse(time(118)))).toBe("0:02 to 0:02")
    expect(bandText(exact, Date.parse(time(119)) + 500)).toBe("")
  })

  test("the time left counts down from when it was said", () => {
    expect(leftAt(running, Date.parse(time(20)))?.seconds).toBe(100)
    expect(leftAt(running, Date.parse(time(500)))?.seconds).toBe(0)
    expect(leftAt(item(), 0)).toBeNull()
  })
})
