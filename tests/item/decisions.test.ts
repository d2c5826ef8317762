import { expect, test } from "bun:test"

import { cancelled, created, removed, retried } from "../../src/item/add-cancel-retry-delete.ts"
import { changed } from "../../src/item/change-by-put.ts"
import { changesIn } from "../../src/item/changes-in-whole-item.ts"
import { stepBegun, stepsDeclared } from "../../src/item/declared-steps.ts"
import type { Report } from "../../src/item/item.ts"
import { REVOKED } from "../../src/item/lease-token.ts"
import {
  claimed,
  completed,
  directiveOf,
  failed,
  handedOver,
  printing,
  released,
  rescued,
} from "../../src/item/lease.ts"
import { type Moment, systemClock } from "../../src/item/moment.ts"
import { piecesAfter } from "../../src/item/output-piece.ts"
import { OWN_MESSAGES } from "../../src/item/own-messages.ts"
import { placed } from "../../src/item/reorder.ts"
import { reported } from "../../src/item/report.ts"
import { checkUnderWay } from "../../src/item/same-attempt.ts"
import { stalled } from "../../src/item/stalled.ts"
import { endOrStatus, standingOf } from "../../src/item/state-in-one-word.ts"
import { IDLE, type Stored } from "../../src/item/stored.ts"
import { updateOf } from "../../src/item/update.ts"
import { draft, START_MS } from "../contracts/store.contract.ts"

/** The moment this many milliseconds after the first one. */
const at = (ms: number): Moment => ({ time: new Date(START_MS + ms).toISOString(), steadyMs: START_MS + ms })
const NEW: Stored = { item: { id: 7, ...draft() }, work: IDLE }
const BY = { worker: "box1", token: "a", leaseMs: 60_000 }
const failure = { error_message: "broken", retryable: true, retryInMs: 10_000 }

test("every answer to a worker of a cancelled item says so, also after the end, and the worker's own reason is kept", () => {
  const taken = claimed(NEW, BY, at(0))
  const stopping = cancelled(taken, at(1000))
  expect(directiveOf(stopping.item)).toBe("cancel")
  const over = failed(stopping, "a", failure, at(2000))
  expect(over.item).toMatchObject({ outcome: "cancelled", error_message: "broken" })
  expect(directiveOf(over.item)).toBe("cancel")
  expect(directiveOf(released(stopping, "a", at(2000)).item)).toBe("cancel")
})

test("the failure that would use up the last attempt is final, and so is one that cannot be retried", () => {
  let now: Stored = { ...NEW, item: { ...NEW.item, max_attempts: 2 } }
  const states = [1, 2].map((attempt) => {
    now = failed(claimed(now, BY, at(attempt * 1000)), "a", failure, at(attempt * 1000 + 1))
    return now.item.status
  })
  expect(states).toEqual(["retrying", "failed"])
  const final = failed(claimed(NEW, BY, at(0)), "a", { ...failure, retryable: false }, at(1))
  expect(final.item).toMatchObject({ status: "failed", retry_count: 0 })
})

test("the last output of an attempt may come after its verdict, but only by its own lease", () => {
  const over = completed(claimed(NEW, BY, at(0)), "a", {}, at(1000))
  expect(printing(over, "a")).toBe(1)
  expect(() => printing(over, "b")).toThrow("is no longer yours")
  expect(() => printing(over, "a", 2)).toThrow("is for attempt 1, not for 2")
})

test("a verdict that comes again after a PUT gets the same answer as before", () => {
  const over = completed(claimed(NEW, BY, at(0)), "a", {}, at(1000))
  const renamed = changed(over, { title: "Northern Lights" }, at(2000))
  expect(completed(renamed, "a", {}, at(3000))).toMatchObject({ quiet: true, item: renamed.item })
})

test("while a worker holds an item, a PUT writes nothing of what the worker reports", () => {
  const taken = claimed(NEW, BY, at(0))
  for (const change of [
    { status: "failed" },
    { progress: 5 },
    { current_step: "x" },
    { message: "x" },
  ] as const)
    expect(() => changed(taken, change, at(1))).toThrow(`only its lease may change ${Object.keys(change)}`)
  expect(changed(taken, { title: "x", priority: 3 }, at(1)).item).toMatchObject({ title: "x", priority: 3 })
})

test("setting the priority of an item takes it from the place that it was moved to", () => {
  const placed: Stored = { ...NEW, item: { ...NEW.item, turn: 3.5 } }
  expect(changed(placed, { title: "x" }, at(1)).item.turn).toBe(3.5)
  expect(changed(placed, { priority: 4 }, at(1)).item.turn).toBeNull()
})

test("progress that is set by hand does not count as a guess", () => {
  const guessed = reported(NEW, undefined, { progress: 20, basis: "guess" }, at(1))
  expect(guessed.item.basis).toBe("guess")
  expect(changed(guessed, { progress: 30 }, at(2)).item).toMatchObject({ progress: 30, basis: null })
})

test("values that an editor returns unchanged are no change, although updates leave out empty ones", () => {
  const { item } = NEW
  const read = [updateOf({ item: { ...item, title: "" } })]
  const now = { ...item, title: "Northern Lights" }
  expect(changesIn({ title: "", priority: item.priority }, read, now)).toEqual({})
  expect(changesIn({ title: "Aurora" }, read, now)).toEqual({ title: "Aurora" })
})

test("an item that is to wait for seconds is taken no sooner", () => {
  expect(created({ song_id: 3, available_in: 90 }, at(0)).available_at).toBe(at(90_000).time)
  expect(created({ song_id: 3 }, at(0)).available_at).toBeNull()
  const off = changed(NEW, { available_in: 90 }, at(0))
  expect(off.item).toEqual({
    ...NEW.item,
    available_at: at(90_000).time,
    message: OWN_MESSAGES.updated,
    updated_at: at(0).time,
  })
  expect(changed(off, { title: "x" }, at(1)).item.available_at).toBe(at(90_000).time)
  expect(changed(off, { available_in: 0 }, at(1)).item.available_at).toBeNull()
  for (const [status, shown] of [
    ["processing", "processing"],
    ["failed", "cancelled"],
  ] as const) {
    const change = { status, available_in: 0 }
    expect(() => changed(off, change, at(1))).toThrow(
      `item 7 is queued and would be ${shown}; only a waiting`,
    )
    const now = changed(off, { status }, at(1))
    expect(() => changed(now, { available_in: 0 }, at(2))).toThrow(`item 7 is ${shown}; only a waiting`)
  }
})

test("an item that is removed has ended: what was under way or waited is cancelled, what had ended stays so", () => {
  const taken = claimed(NEW, BY, at(0))
  for (const stored of [NEW, taken]) {
    expect(removed(stored, at(1))).toMatchObject({
      item: { status: "failed", outcome: "cancelled" },
      work: { ...IDLE, lease_token: stored.work.lease_token },
      deleted: true,
    })
  }
  const over = removed(completed(taken, "a", {}, at(1)), at(2))
  expect(over.item).toMatchObject({ status: "completed", outcome: "completed" })
})

test("an attempt of the same number after a retry is another one", () => {
  const first = claimed(NEW, BY, at(0))
  const over = completed(first, "a", {}, at(1))
  const again = claimed(retried(over, at(2)), BY, at(3))
  expect(again.item.attempt).toBe(first.item.attempt)
  expect(() => checkUnderWay(again.item, first.item)).toThrow("attempt 1 of queue item 7 has ended")
  checkUnderWay(again.item, again.item)
})

test("of repeated output only the new part is kept", () => {
  const piece = { from: 10, to: 16, text: "framé" }
  expect(piecesAfter([piece], 12)).toEqual([{ from: 12, to: 16, text: "amé" }])
  expect(piecesAfter([piece], 10)).toEqual([piece])
  expect(piecesAfter([piece], 16)).toEqual([])
})

test("an item whose worker was lost too often ends with the outcome lost", () => {
  const { item } = rescued({ ...claimed(NEW, BY, at(0)) }, 0, at(1))
  expect(standingOf(item)).toBe("retrying")
  expect(standingOf({ ...item, status: "failed", outcome: "lost" })).toBe("lost")
  expect(standingOf({ ...item, status: "failed", outcome: "failed" })).toBe("failed")
  const cancel_requested_at = "2026-01-01T00:00:00Z"
  expect(standingOf({ ...item, status: "failed", outcome: "cancelled", cancel_requested_at })).toBe(
    "cancelled",
  )
})

test("an item that is being rendered is cancelling once it was to be stopped, even if it is stalled", () => {
  const { item } = claimed(NEW, BY, at(0))
  const stopping = cancelled(claimed(NEW, BY, at(0)), at(1)).item
  const standings = [
    item,
    { ...item, stalled: true as const },
    stopping,
    { ...stopping, stalled: true as const },
  ]
  expect(standings.map(standingOf)).toEqual(["processing", "stalled", "cancelling", "cancelling"])
})

test("a second cancel changes nothing, whether a worker is being asked to stop or the item has ended", () => {
  const stopping = cancelled(claimed(NEW, BY, at(0)), at(1))
  expect(cancelled(stopping, at(2))).toEqual({ item: stopping.item, work: stopping.work, quiet: true })
  const over = cancelled(NEW, at(1))
  expect(cancelled(over, at(2))).toMatchObject({ item: over.item, quiet: true })
})

test("an item that waits for another attempt can be retried at once, one that is queued or running cannot", () => {
  const waiting = failed(claimed(NEW, BY, at(0)), "a", failure, at(1))
  expect(retried(waiting, at(2)).item).toMatchObject({ status: "queued", available_at: null, retry_count: 0 })
  expect(() => retried(NEW, at(2))).toThrow("is queued; only")
  expect(() => retried(claimed(NEW, BY, at(0)), at(2))).toThrow("is processing; only")
})

test("facts that a worker knows about an item are added to those of the item itself", () => {
  const by = { ...BY, kind: "film", totals: { seconds: 9, frames: 3 } }
  const { item } = NEW
  expect(claimed(NEW, by, at(0)).item).toMatchObject({ kind: "film", totals: { seconds: 9, frames: 3 } })
  const said = { item: { ...item, kind: "song", totals: { seconds: 200 } }, work: IDLE }
  expect(claimed(said, by, at(0)).item).toMatchObject({ kind: "song", totals: { seconds: 200, frames: 3 } })
})

test("an item is moved before the other one, and behind the one that was there", () => {
  const before = { ...NEW.item, id: 3, turn: null }
  expect(placed(NEW, before, 2, at(1)).item.turn).toBe(2.5)
  expect(placed(NEW, before, null, at(1)).item.turn).toBe(2)
  expect(placed({ ...NEW, item: { ...NEW.item, turn: 2.7 } }, before, 2, at(1)).quiet).toBe(true)
})

test("an item for which there is no room between two others is not moved, and takes the place of no other item", () => {
  const before = { ...NEW.item, id: 3, turn: 1 + Number.EPSILON }
  expect(() => placed(NEW, before, 1, at(1))).toThrow("there is no more room before queue item 3")
})

test("an item that a worker gave back or lost names no worker, and says why it was taken back", () => {
  const taken = claimed(NEW, BY, at(0))
  expect(released(taken, "a", at(1)).item).toMatchObject({
    status: "queued",
    worker: "",
    requeued_at: at(1).time,
  })
  const silent = rescued(taken, 5, at(1)).item
  expect(silent).toMatchObject({ worker: "", error_message: 'worker "box1" gave no sign of life for 60 s' })
  const revoked = rescued({ ...taken, work: { ...taken.work, lease_token: null } }, 5, at(1)).item
  expect(revoked.error_message).toStartWith('the token by which worker "box1" had claimed')
})

test("neither an item that is being rendered nor a finished one is moved, nor is another moved before it", () => {
  const taken = claimed(NEW, BY, at(0))
  for (const { item, work } of [taken, completed(taken, "a", {}, at(1)), cancelled(NEW, at(1))]) {
    const refused = `is ${endOrStatus(item)}; only a waiting item has a place`
    expect(() => placed({ item, work }, { ...NEW.item, id: 3 }, null, at(2))).toThrow(refused)
    expect(() => placed({ ...NEW, item: { ...NEW.item, id: 3 } }, item, null, at(2))).toThrow(refused)
  }
})

test("an item that is put back into the queue keeps no earlier delay", () => {
  const waiting = failed(claimed(NEW, BY, at(0)), "a", failure, at(1))
  expect(waiting.item.available_at).not.toBeNull()
  expect(changed(waiting, { status: "queued" }, at(2)).item.available_at).toBeNull()
})

test("a report of 100 percent is shown as 99 until the item is completed", () => {
  const taken = claimed(NEW, BY, at(0))
  const full = reported(taken, "a", { progress: 100 }, at(1))
  expect(full.item.progress).toBe(99)
  expect(completed(full, "a", {}, at(2)).item.progress).toBe(100)
})

test("once a command reports by itself, reports of the reader around it do not count any more", () => {
  const inner = reported(claimed(NEW, BY, at(0)), "a", { progress: 10 }, at(1))
  const outer = reported(inner, "a", { progress: 50, outer: true }, at(2))
  expect(outer).toMatchObject({ item: { progress: 10 }, quiet: true })
})

test("a step that was begun counts as begun, also after a report on an earlier one", () => {
  const step = (index: number): Report => ({ step: { index, total: 4, name: "" } })
  const third = reported(claimed(NEW, BY, at(0)), "a", step(3), at(1))
  expect(reported(third, "a", step(2), at(2)).work.steps_begun).toBe(3)
})

test("a retry keeps what people gave an item and the files that it made, and begins with nothing else", () => {
  const given = {
    ...{ title: "Northern Lights", priority: 4, flag: "image_issue" as const, max_attempts: 5 },
    ...{ kind: "lyrics", totals: { frames: 300 }, tags: ["gpu", "blender"], metadata: { a: [1] } },
    ...{ video_file_path: "/a.mp4", video_file_size: 7, thumbnail_path: "/a.png" },
  }
  const begun = claimed({ ...NEW, item: { ...NEW.item, ...given } }, BY, at(0))
  const over = failed(begun, "a", { ...failure, retryable: false }, at(1000))
  expect(retried(over, at(2000))).toEqual({
    item: {
      ...NEW.item,
      ...given,
      requeued_at: at(2000).time,
      updated_at: at(2000).time,
      message: "Queued for a retry",
    },
    work: IDLE,
  })
})

test("the steady clock does not begin before the time at which a server was last alive", () => {
  const aliveMs = Date.now() + 3_600_000
  expect(systemClock(aliveMs).steadyMs() - aliveMs).toBeWithin(0, 60_000)
  expect(systemClock(0).steadyMs() - Date.now()).toBeWithin(-1, 60_000)
})

test("a render that goes on after its lease ran out, or after a restore, is as long as it took, and that of another worker is not", () => {
  const held = claimed(NEW, BY, at(0))
  for (const free of [rescued(held, 5, at(60_000)), handedOver(held, at(60_000))]) {
    const began = (former: string | undefined) =>
      claimed(free, { ...BY, token: "next", former }, at(180_000)).item.started_at
    expect([began("a"), began("another"), began(undefined)]).toEqual([
      at(0).time,
      at(180_000).time,
      at(180_000).time,
    ])
  }
  // It was given back, so it begins again.
  const back = released(held, "a", at(60_000))
  const again = claimed(back, { ...BY, former: "a" }, at(180_000))
  expect(again.item.started_at).toBe(at(180_000).time)
  // Its worker may have gone on all the same, so nothing is learned from how long it takes.
  expect(again.work.course?.unwatchedMs).toBe(Number.MAX_SAFE_INTEGER)
  expect(claimed(back, BY, at(180_000)).work.course).toBeNull()
})

test("the same steps declared again change nothing that a viewer sees, and leave the step that was begun", () => {
  const declared = stepsDeclared(claimed(NEW, BY, at(0)), "a", ["Image", "Video"], at(1))
  const begun = stepBegun(declared, "a", at(2))
  const again = stepsDeclared(begun, "a", ["Image", "Video"], at(3))
  expect(again).toMatchObject({ quiet: true, item: begun.item, work: { steps_begun: 1 } })
  // The control: another list replaces it.
  const others = stepsDeclared(begun, "a", ["Video"], at(3))
  expect(others).toMatchObject({ item: { steps: ["Video"], step: null }, work: { steps_begun: 0 } })
  expect(others.quiet).toBeUndefined()
})

test("how much of its time is over stays known of an item that stalls, and how much is left does not", () => {
  const { item, work } = claimed(NEW, BY, at(0))
  const left = { eta_seconds: 5, eta_low_seconds: 1, eta_high_seconds: 9, eta_runs: 2 }
  const unknown = { eta_seconds: null, eta_low_seconds: null, eta_high_seconds: null, eta_runs: 0 }
  const still = stalled({ item: { ...item, time_progress: 12.5, ...left }, work }, at(125_000))
  expect(still.item).toMatchObject({ stalled: true, time_progress: 12.5, ...unknown })
})

test("a verdict under a revoked lease learns that it was revoked, also after the item was taken back", () => {
  const held = claimed(NEW, BY, at(0))
  const revoked = { ...held, work: { ...held.work, lease_token: `${REVOKED}a`, lease_expires_at: 0 } }
  const free = rescued(revoked, 5, at(1))
  const failure = { error_message: "no", retryable: true, retryInMs: 0 }
  for (const stored of [revoked, free]) {
    expect(() => completed(stored, "a", {}, at(2))).toThrow("was revoked")
    expect(() => failed(stored, "a", failure, at(2))).toThrow("was revoked")
    expect(() => released(stored, "a", at(2))).toThrow("was revoked")
  }
})
