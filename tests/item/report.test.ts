import { describe, expect, test } from "bun:test"

import fc from "fast-check"

import { AppError } from "../../src/errors.ts"
import { nextStep, stepBegun, stepsDeclared } from "../../src/item/declared-steps.ts"
import type { Basis, Report } from "../../src/item/item.ts"
import { claimed, completed, failed, released } from "../../src/item/lease.ts"
import type { Moment } from "../../src/item/moment.ts"
import { reported } from "../../src/item/report.ts"
import { spanned, spanOf } from "../../src/item/step-span.ts"
import { IDLE, type Stored } from "../../src/item/stored.ts"
import { draft, START_MS } from "../contracts/store.contract.ts"

const at = (seconds: number): Moment => {
  const steadyMs = START_MS + seconds * 1000
  return { time: new Date(steadyMs).toISOString(), steadyMs }
}
const BY = { worker: "box1", token: "a", leaseMs: 60_000 }
const CLAIMED: Stored = claimed({ item: { id: 7, ...draft() }, work: IDLE }, BY, at(0))

/** The item after these reports, with one second between two of them. */
const after = (stored: Stored, ...reports: Report[]): Stored =>
  reports.reduce((now, report, i) => reported(now, "a", report, at(i + 1)), stored)

describe("the progress of an attempt", () => {
  test("goes down once, from a guess, and never again", () => {
    const guess = after(CLAIMED, { progress: 80, basis: "guess" })
    const back = after(guess, { progress: 40, basis: "guess" })
    expect(back.item).toMatchObject({ progress: 40, basis: "guess" })
    expect(after(back, { progress: 10, basis: "guess" }).item).toMatchObject({ progress: 40, basis: "guess" })
    expect(after(back, { progress: 50, basis: "counted" }).item).toMatchObject({
      progress: 50,
      basis: "counted",
    })
  })

  test.each(["counted", "declared", undefined] as const)("does not go down from %p", (basis) => {
    const told = after(CLAIMED, { progress: 80, ...(basis && { basis }) }, { progress: 40, basis: "guess" })
    expect(told.item).toMatchObject({ progress: 80, basis: basis ?? "declared" })
  })

  test("falls at most once within an attempt, and only from a guess", () => {
    const report = fc.record({
      progress: fc.double({ min: 0, max: 100, noNaN: true }),
      basis: fc.constantFrom<Basis>("guess", "counted", "declared"),
    })
    fc.assert(
      fc.property(fc.array(report, { maxLength: 30 }), (reports) => {
        let [now, falls] = [CLAIMED, 0]
        for (const [i, one] of reports.entries()) {
          const next = reported(now, "a", one, at(i + 1))
          if (next.item.progress < now.item.progress) {
            expect(now.item.basis).toBe("guess")
            falls += 1
          }
          now = next
        }
        expect(falls).toBeLessThanOrEqual(1)
      }),
    )
  })

  test("is not known from a step of an unknown number of steps", () => {
    const step = { index: 1, total: 0, name: "Render" }
    expect(() => after(CLAIMED, { step, step_progress: 50 })).toThrow("step_progress needs a step")
    expect(() => after(CLAIMED, { step }, { step_progress: 50 })).toThrow("step_progress needs a step")
  })

  test("has no time to its end while the reporter says that none can be estimated", () => {
    const moving = after(CLAIMED, { progress: 10 }, { progress: 20 }, { progress: 30 }, { progress: 40 })
    expect(moving.item.eta_seconds).toBeGreaterThan(0)
    expect(reported(moving, "a", { progress: 50, eta_seconds: null }, at(5)).item.eta_seconds).toBeNull()
  })

  test("begins at 0 when the item is released or waits for another attempt, and stays when it ends", () => {
    const told = after(CLAIMED, { progress: 80, basis: "guess", unit: { done: 4, total: 5, name: "images" } })
    const failure = { error_message: "broke", retryable: true, retryInMs: 0 }
    for (const next of [released(told, "a", at(2)), failed(told, "a", failure, at(2))]) {
      expect(next.item).toMatchObject({ progress: 0, basis: null, unit: null, step: null, steps: null })
    }
    const last = failed(told, "a", { ...failure, retryable: false }, at(2))
    expect(last.item).toMatchObject({ progress: 80, basis: "guess", unit: null })
    // 100 percent of a completed item rest on nothing that was reported.
    expect(completed(told, "a", {}, at(2)).item).toMatchObject({ progress: 100, basis: null })
  })
})

describe("a key that a report does not have", () => {
  const unit = { done: 3, total: 5, name: "images" }

  test("the files of an item stay as they are until a report names others, or none", () => {
    const files = { video_file_path: "/a.mp4", video_file_size: 9, thumbnail_path: "/a.png" }
    const named = after(CLAIMED, files, { progress: 50 })
    expect(named.item).toMatchObject(files)
    const none = { video_file_path: "", video_file_size: 0, thumbnail_path: "" }
    expect(after(named, none).item).toMatchObject(none)
  })

  test("is taken away: the unit, and the message", () => {
    const told = after(CLAIMED, { progress: 60, unit, message: "image 3 of 5" })
    expect(told.item).toMatchObject({ unit, message: "image 3 of 5" })
    expect(after(told, { progress: 71 }).item).toMatchObject({ unit: null, message: "", progress: 71 })
  })

  test("stays: the step and the medium, until the step changes", () => {
    const media = { out_time: 3, total: 6, fps: null, speed: null }
    const step = { index: 1, total: 2, name: "Render" }
    const told = after(CLAIMED, { step, media, unit })
    expect(after(told, { progress: 50 }).item).toMatchObject({ step, media })
    const next = { index: 2, total: 2, name: "Thumbnail" }
    expect(after(told, { step: next }).item).toMatchObject({ step: next, media: null, unit: null })
  })
})

describe("the reader around a command", () => {
  const outer = { outer: true, basis: "guess" } as const

  test("is heard until the command itself reports, and its guess is taken back", () => {
    const guessed = after(CLAIMED, { ...outer, progress: 58, message: "track: 7/12" })
    expect(guessed.item.progress).toBe(58)
    for (const [inner, progress] of [
      [{ progress: 10, message: "frame 1" }, 10],
      [{ message: "frame 1" }, 0],
    ] as const) {
      const told = after(guessed, inner)
      expect(told.item).toMatchObject({ progress, message: "frame 1" })
      const again = reported(told, "a", { ...outer, progress: 99, message: "99 %" }, at(9))
      expect(again).toMatchObject({ item: told.item, quiet: true })
      expect(again.work.lease_expires_at).toBe(at(69).steadyMs)
    }
  })

  test("does not matter any more once the command itself has reported a guess", () => {
    const guess = after(CLAIMED, { progress: 40, basis: "guess" })
    expect(after(guess, { message: "frame 2" }).item).toMatchObject({ progress: 40, basis: "guess" })
  })

  test("holds what the user declared", () => {
    const declared = after(CLAIMED, { outer: true, basis: "declared", progress: 58 })
    expect(after(declared, { progress: 10 }).item.progress).toBe(58)
  })

  test("is heard again in the next attempt", () => {
    const told = after(CLAIMED, { progress: 10 })
    const next = claimed(released(told, "a", at(2)), { ...BY, token: "b" }, at(3))
    expect(reported(next, "b", { ...outer, progress: 5 }, at(4)).item.progress).toBe(5)
  })
})

describe("steps", () => {
  const steps = ["Image", "Loudness", "Render", "Thumbnail"]
  const DECLARED = stepsDeclared(CLAIMED, "a", steps, at(1))

  test("are the attempt's: declared once, begun in their order, and gone with it", () => {
    expect(DECLARED.item).toMatchObject({ steps, step: null })
    expect(stepsDeclared(DECLARED, "a", steps, at(2)).quiet).toBe(true)
    const second = stepBegun(stepBegun(DECLARED, "a", at(2)), "a", at(3))
    expect(second.item).toMatchObject({
      step: { index: 2, total: 4, name: "Loudness" },
      progress: 25,
      basis: "declared",
    })
    const next = claimed(released(second, "a", at(4)), { ...BY, token: "b" }, at(5))
    expect(next.item).toMatchObject({ steps: null, step: null })
    expect(nextStep(stepsDeclared(next, "b", steps, at(6)))).toMatchObject({ index: 1 })
  })

  test("that a report names have begun", () => {
    const told = after(DECLARED, { step: { index: 3, total: 4, name: "Render" } })
    expect(nextStep(told)).toEqual({ index: 4, total: 4, name: "Thumbnail" })
    // The lease is renewed all the same.
    expect(stepBegun(after(told, { step: { index: 4, total: 4, name: "" } }), "a", at(9))).toMatchObject({
      quiet: true,
      work: { lease_expires_at: at(69).steadyMs },
    })
  })

  test("another list begins again", () => {
    const told = after(DECLARED, {
      ...{ step: { index: 3, total: 4, name: "Render" }, step_progress: 0 },
      unit: { done: 3, total: 5, name: "images" },
      media: { out_time: 3, total: 6, fps: null, speed: null },
    })
    const other = stepsDeclared(told, "a", ["Mix", "Render"], at(4))
    expect(other.item).toMatchObject({ step: null, unit: null, media: null, progress: 50 })
    expect(nextStep(other)).toMatchObject({ index: 1, name: "Mix" })
  })

  test("need an attempt and its lease", () => {
    const waiting: Stored = { item: { id: 7, ...draft() }, work: IDLE }
    const codeOf = (act: () => unknown): string => {
      try {
        act()
      } catch (error) {
        return error instanceof AppError ? error.code : String(error)
      }
      return "none"
    }
    expect(codeOf(() => stepsDeclared(waiting, undefined, steps, at(1)))).toBe("illegal_move")
    expect(codeOf(() => stepsDeclared(CLAIMED, undefined, steps, at(1)))).toBe("leased")
    expect(codeOf(() => stepBegun(CLAIMED, "b", at(1)))).toBe("lease_lost")
    expect(codeOf(() => after(CLAIMED, { step_progress: 50 }))).toBe("invalid")
    expect(codeOf(() => after(CLAIMED, { step_progress: 50, progress: 50 }))).toBe("invalid")
  })

  test("step_progress is the part of the step that is done", () => {
    const step = { index: 3, total: 4, name: "Render" }
    expect(after(CLAIMED, { step, step_progress: 50 }).item).toMatchObject({
      progress: 62,
      basis: "declared",
    })
    expect(after(CLAIMED, { step }, { step_progress: 100 }).item.progress).toBe(75)
  })

  test("a report on a step alone fills its place", () => {
    const step = { index: 3, total: 4, name: "Render" }
    expect(spanned({ progress: 50, message: "x" }, spanOf(step))).toEqual({
      progress: 62.5,
      basis: "declared",
      message: "x",
      step,
    })
    expect(spanned({ progress: 50, basis: "guess" }, { step, from: 20, to: 95 })).toMatchObject({
      progress: 57.5,
      basis: "guess",
    })
    expect(spanned({ message: "x" }, { step: undefined, from: 20, to: 95 })).toEqual({ message: "x" })
  })
})
