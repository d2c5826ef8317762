import { expect, test } from "bun:test"

import { Value } from "@sinclair/typebox/value"
import fc from "fast-check"

import { AppError } from "../../src/errors.ts"
import { cancelled, retried } from "../../src/item/add-cancel-retry-delete.ts"
import { changed } from "../../src/item/change-by-put.ts"
import { QueueItem } from "../../src/item/item.ts"
import { tokenOf } from "../../src/item/lease-token.ts"
import {
  claimed,
  completed,
  directiveOf,
  failed,
  handedOver,
  heartbeat,
  isLeased,
  released,
  rescued,
} from "../../src/item/lease.ts"
import type { Moment } from "../../src/item/moment.ts"
import { isFinished, MOVES } from "../../src/item/moves.ts"
import { reported } from "../../src/item/report.ts"
import { stalled } from "../../src/item/stalled.ts"
import { type Change, IDLE, type Stored } from "../../src/item/stored.ts"
import { draft, START_MS } from "../contracts/store.contract.ts"

const MAX_RESCUES = 5

/** The moment this many milliseconds after the first one. */
const at = (ms: number): Moment => ({ time: new Date(START_MS + ms).toISOString(), steadyMs: START_MS + ms })
const NEW: Stored = { item: { id: 7, ...draft() }, work: IDLE }
const BY = { worker: "box1", token: "a", leaseMs: 60_000 }
const failure = { error_message: "broken", retryable: true, retryInMs: 10_000 }

/** What can happen to an item. A token is the newest lease's, one that was never given, or none. */
type Act =
  | { readonly do: "claim" | "rescue" | "stall" | "cancel" | "retry" }
  | { readonly do: "heartbeat" | "complete" | "release"; readonly token: Token }
  | { readonly do: "report"; readonly token: Token | "none"; readonly progress: number | undefined }
  | { readonly do: "fail"; readonly token: Token; readonly retryable: boolean }
  | { readonly do: "put"; readonly change: Parameters<typeof changed>[1] }
type Token = "newest" | "older" | "wrong"

const token = fc.constantFrom<Token>("newest", "newest", "newest", "newest", "older", "wrong")
const progress = fc.option(fc.double({ min: 0, max: 100, noNaN: true }), { nil: undefined })
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ do: "claim" as const }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("report" as const),
      token: fc.oneof(token, fc.constant("none" as const)),
      progress,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom("heartbeat" as const, "complete" as const, "release" as const),
      token,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("fail" as const), token, retryable: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom("rescue" as const, "stall" as const, "cancel" as const, "retry" as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("put" as const),
      change: fc.record(
        {
          status: fc.constantFrom("queued", "processing", "completed", "failed", "retrying"),
          progress: fc.integer({ min: 0, max: 100 }),
          priority: fc.integer({ min: -9, max: 9 }),
        },
        { requiredKeys: [] },
      ),
    }),
  },
)

/** One step of a story: the state before, the act, and the result; undefined if the act is not possible. */
interface Step {
  readonly before: Stored
  readonly act: Act
  readonly after: Change | AppError
  /** The token that was given, and the state of the lease. */
  readonly token: string | undefined
}

/**
 * Applies one act after another to a new item. Acts that the store never passes to a decision are left out.
 */
function play(acts: readonly Act[], look: (step: Step) => void): Stored {
  const tokens: string[] = []
  let now: Stored = NEW
  acts.forEach((act, i) => {
    const moment = at((i + 1) * 700)
    const named: Record<Token | "none", string | undefined> = {
      newest: tokens.at(-1) ?? "none yet",
      older: tokens.at(-2) ?? "none yet",
      wrong: "wrong",
      none: undefined,
    }
    const token = "token" in act ? named[act.token] : undefined
    const decide = decisionOf(act, token ?? "", token, `lease ${i}`, moment)
    // The store passes only waiting items to a claim, and only leased or stalled items to a sweep.
    if (act.do === "claim" && !["queued", "retrying"].includes(now.item.status)) return
    if (act.do === "rescue" && !isLeased(now)) return
    if (act.do === "stall" && (now.item.status !== "processing" || now.item.stalled)) return
    const after = attempted(decide, Object.freeze(structuredClone(now)))
    look({ before: now, act, after, token })
    if (after instanceof AppError) return
    if (act.do === "claim") tokens.push(`lease ${i}`)
    now = { item: after.item, work: after.work }
  })
  return now
}

function decisionOf(act: Act, held: string, maybe: string | undefined, next: string, moment: Moment) {
  return (stored: Stored): Change => {
    switch (act.do) {
      case "claim":
        return claimed(stored, { ...BY, token: next }, moment)
      case "report":
        return reported(stored, maybe, act.progress === undefined ? {} : { progress: act.progress }, moment)
      case "heartbeat":
        return heartbeat(stored, held, moment)
      case "complete":
        return completed(stored, held, {}, moment)
      case "release":
        return released(stored, held, moment)
      case "fail":
        return failed(stored, held, { ...failure, retryable: act.retryable }, moment)
      case "rescue":
        return rescued(stored, MAX_RESCUES, moment)
      case "stall":
        return stalled(stored, moment)
      case "cancel":
        return cancelled(stored, moment)
      case "retry":
        return retried(stored, moment)
      case "put":
        return changed(stored, act.change, moment)
    }
  }
}

function attempted(decide: (stored: Stored) => Change, stored: Stored): Change | AppError {
  try {
    return decide(stored)
  } catch (error) {
    if (error instanceof AppError) return error
    throw error
  }
}

const during = (look: (step: Step) => void): void =>
  fc.assert(
    fc.property(fc.array(act, { minLength: 15, maxLength: 40 }), (acts) => void play(acts, look)),
    { numRuns: 200 },
  )

test("whatever is done, in whatever order, each move is one of the table, and only a retry leads out of a finished state", () => {
  during(({ before, act, after }) => {
    if (after instanceof AppError || after.item.status === before.item.status) return
    expect(MOVES[before.item.status]).toContain(after.item.status)
    if (isFinished(before.item.status)) expect(act.do).toBe("retry")
  })
})

test("whatever is done, the item stays a whole queue item, and a lease is held exactly while somebody works", () => {
  during(({ after }) => {
    if (after instanceof AppError) return
    const { item, work } = after
    expect([...Value.Errors(QueueItem, item)]).toEqual([])
    if (isLeased(after)) {
      expect([item.status, item.worker, item.outcome]).toEqual(["processing", "box1", null])
      expect(work.lease_token).toStartWith("lease ")
      expect(work.verdict).toBeNull()
    } else if (work.verdict === null) expect(tokenOf(work)).toBe("")
    if (item.status !== "processing") expect([item.eta_seconds, item.stalled]).toEqual([null, false])
    if (work.verdict !== null) expect(item.status).not.toBe("processing")
  })
})

test("progress reported never goes down within an attempt, and is at most 99 until it is completed", () => {
  during(({ before, act, after }) => {
    if (after instanceof AppError || act.do !== "report") return
    const isStart = before.item.status !== "processing"
    expect(after.item.attempt).toBe(before.item.attempt + (isStart ? 1 : 0))
    const from = isStart ? 0 : before.item.progress
    expect(after.item.progress).toBe(Math.max(from, Math.min(99, Math.floor(act.progress ?? 0))))
    expect(Number.isInteger(after.item.progress)).toBeTrue()
  })
})

test("only the newest token is ever accepted, and only while its lease is held or for the verdict that it gave", () => {
  during(({ before, act, after, token }) => {
    if (token === undefined || after instanceof AppError) return
    expect(before.work.lease_token).toBe(token)
    if (isLeased(before)) return
    expect(act.do).toBe(before.work.verdict as typeof act.do)
    expect(after).toMatchObject({ item: before.item, work: before.work, quiet: true })
  })
})

test("a refusal says why: a lost lease for callers with a token, an illegal move or a lease for the others", () => {
  during(({ before, act, after, token }) => {
    if (!(after instanceof AppError)) return
    if (token !== undefined) expect(after.code).toBe("lease_lost")
    else if (act.do === "report") expect(["leased", "illegal_move"]).toContain(after.code)
    else if (act.do === "put") expect(after.code).toBe(isLeased(before) ? "leased" : "illegal_move")
    else expect([act.do, after.code]).toEqual([act.do, "illegal_move"])
  })
})

test("attempt counts the starts, and only a retry begins to count from zero", () => {
  during(({ before, act, after }) => {
    if (after instanceof AppError) return
    const starts = before.item.status !== "processing" && after.item.status === "processing"
    const wanted = act.do === "retry" ? 0 : before.item.attempt + (starts ? 1 : 0)
    expect(after.item.attempt).toBe(wanted)
  })
})

test("a finished item keeps its outcome: no cancel makes a failed item a cancelled one", () => {
  during(({ before, act, after }) => {
    if (!isFinished(before.item.status) || act.do === "retry" || act.do === "put") return
    if (!(after instanceof AppError)) expect(after).toMatchObject({ item: before.item, quiet: true })
  })
})

test("a quiet change is one that no viewer could see", () => {
  during(({ before, after }) => {
    if (after instanceof AppError || !after.quiet) return
    expect(after.item).toEqual(before.item)
  })
})

test("once a worker is to stop, every answer says so until its lease has ended", () => {
  during(({ before, after, token }) => {
    if (after instanceof AppError || token === undefined || !isLeased(before)) return
    const wasCalledOff = before.item.cancel_requested_at !== null
    if (after.item.status === "completed") expect(directiveOf(after.item)).toBe("continue")
    else expect(directiveOf(after.item)).toBe(wasCalledOff ? "cancel" : "continue")
    // Unless it completes, it is cancelled, because a cancel was requested.
    if (wasCalledOff && after.item.status !== "processing" && after.item.status !== "completed") {
      expect([after.item.status, after.item.outcome]).toEqual(["failed", "cancelled"])
    }
  })
})

/** The item after a claim and a rescue, repeated several times. */
function lostTimes(times: number, maxRescues: number): Stored {
  let now: Stored = NEW
  for (let i = 0, ms = 0; i < times; i += 1, ms += 100_000)
    now = rescued(claimed(now, { ...BY, token: `${i}` }, at(ms)), maxRescues, at(ms + 60_000))
  return now
}

test("rescues count apart from failures, and the sixth gives the item up as lost", () => {
  const fifth = lostTimes(5, MAX_RESCUES)
  expect(fifth.item).toMatchObject({
    status: "retrying",
    attempt: 5,
    retry_count: 0,
    worker: "",
    available_at: null,
    message: "Worker lost, another attempt will follow",
    error_message: 'worker "box1" gave no sign of life for 60 s',
  })
  const sixth = lostTimes(6, MAX_RESCUES)
  expect(sixth.item).toMatchObject({
    status: "failed",
    outcome: "lost",
    attempt: 6,
    retry_count: 0,
    worker: "box1",
  })
  expect(lostTimes(1, 1).item.status).toBe("retrying")
  expect(lostTimes(2, 1).item.outcome).toBe("lost")
  expect(lostTimes(50, 0).item.status).toBe("retrying")
})

test("a rescue does not count once its worker shows its former lease: it was only cut off", () => {
  let now = lostTimes(4, MAX_RESCUES)
  for (let i = 10; i < 30; i += 1) {
    const goesOn = claimed(now, { ...BY, former: "3" }, at(i * 100_000))
    now = rescued(goesOn, MAX_RESCUES, at(i * 100_000 + 60_000))
    expect(now.item.status).toBe("retrying")
  }
  // A lease that the item never had costs or saves none; nor does one that its worker, or a restore, has ended.
  for (const former of ["b", "2", ""])
    expect(claimed(now, { ...BY, former }, at(3_990_000)).work.rescues).toBe(now.work.rescues)
  const held = claimed(now, BY, at(4_000_000))
  for (const back of [handedOver(held, at(4_001_000)), released(held, BY.token, at(4_001_000))])
    expect(claimed(back, { ...BY, former: BY.token }, at(4_002_000)).work.rescues).toBe(held.work.rescues)
  for (const status of ["retrying", "failed"] as const) {
    now = rescued(claimed(now, BY, at(5_000_000)), MAX_RESCUES, at(5_060_000))
    expect(now.item.status).toBe(status)
  }
})

test("failures and releases in between do not hide rescues, and a retry forgets them", () => {
  const fourth = lostTimes(4, MAX_RESCUES)
  const taken = claimed(fourth, BY, at(500_000))
  const back = failed(taken, "a", failure, at(501_000))
  expect(back.item.retry_count).toBe(1)
  const again = released(claimed(back, BY, at(600_000)), "a", at(601_000))
  const fifth = rescued(claimed(again, BY, at(700_000)), MAX_RESCUES, at(800_000))
  expect(fifth.item).toMatchObject({ status: "retrying", retry_count: 1, requeued_at: at(800_000).time })
  const sixth = rescued(claimed(fifth, BY, at(900_000)), MAX_RESCUES, at(990_000))
  expect(sixth.item.outcome).toBe("lost")
  const clean = retried(sixth, at(1_000_000))
  expect(rescued(claimed(clean, BY, at(1_100_000)), MAX_RESCUES, at(1_200_000)).item.status).toBe("retrying")
})

test("a lease that runs out on an item that was cancelled makes it cancelled, not lost", () => {
  const taken = cancelled(claimed(lostTimes(5, MAX_RESCUES), BY, at(1_000_000)), at(1_000_100))
  expect(rescued(taken, MAX_RESCUES, at(1_100_000)).item).toMatchObject({
    status: "failed",
    outcome: "cancelled",
  })
})

test("a lease is renewed to its own length from now, by the steady clock", () => {
  const taken = claimed(NEW, { ...BY, leaseMs: 5000 }, at(0))
  expect(taken.work.lease_expires_at).toBe(START_MS + 5000)
  // The clock of the machine has jumped by an hour, but the steady one has not.
  const jumped: Moment = { ...at(3_600_000), steadyMs: START_MS + 2000 }
  expect(heartbeat(taken, "a", jumped).work.lease_expires_at).toBe(START_MS + 7000)
  expect(reported(taken, "a", { progress: 1 }, jumped).work.lease_expires_at).toBe(START_MS + 7000)
})

test("after a restore the former holder takes its item at once, and others after a minute", () => {
  const back = handedOver(claimed(NEW, BY, at(0)), at(1000))
  expect(back.item).toMatchObject({ status: "retrying", worker: "", retry_count: 0 })
  const claim = (former: string | undefined, ms: number) => () =>
    claimed(back, { ...BY, token: "next", former }, at(ms)).item.status
  expect(claim(undefined, 1000)).toThrow("others may claim it in 60 s")
  expect(claim("another", 60_999)).toThrow("others may claim it in 1 s")
  expect(claim("a", 1000)()).toBe("processing")
  expect(claim(undefined, 61_000)()).toBe("processing")
  expect(() => heartbeat(back, "a", at(1000))).toThrow("no longer yours")
  // An operator decides differently.
  const queued = changed(back, { status: "queued" }, at(2000))
  expect(claimed(queued, { ...BY, token: "next" }, at(2000)).item.status).toBe("processing")
})

test("an item that is to be cancelled ends so however its work ends, unless that succeeds", () => {
  const stopping = cancelled(claimed(NEW, BY, at(0)), at(1000))
  const ways = [
    () => released(stopping, "a", at(2000)),
    () => failed(stopping, "a", failure, at(2000)),
    () => rescued(stopping, MAX_RESCUES, at(2000)),
    () => handedOver(stopping, at(2000)),
  ]
  for (const way of ways) {
    const { item, work } = way()
    expect(item).toMatchObject({ status: "failed", outcome: "cancelled", completed_at: at(2000).time })
    expect(work.lease_expires_at).toBeNull()
  }
  expect(completed(stopping, "a", {}, at(2000)).item).toMatchObject({
    outcome: "completed",
    cancel_requested_at: null,
  })
})

test("a stalled item knows since when it has made no progress, whatever it says meanwhile", () => {
  const begun = claimed(NEW, BY, at(0))
  const moving = reported(begun, "a", { progress: 10 }, at(5000))
  const still = stalled(moving, at(125_000))
  expect(still.item).toMatchObject({ stalled: true, stalled_since: at(5000).time })
  const spoke = reported(still, "a", { progress: 10, message: "still here" }, at(190_000))
  expect(spoke.item).toMatchObject({
    stalled: true,
    stalled_since: at(5000).time,
    updated_at: at(190_000).time,
  })
  const went = reported(spoke, "a", { progress: 11 }, at(200_000))
  expect(went.item).toMatchObject({ stalled: false, stalled_since: null })
  expect(completed(still, "a", {}, at(130_000)).item.stalled_since).toBeNull()
})

test("an attempt begins without the step of the one before", () => {
  const first = claimed(NEW, BY, at(0))
  const told = reported(first, "a", { progress: 40, current_step: "Encoding" }, at(1000))
  const back = failed(told, "a", failure, at(2000))
  expect(back.item.current_step).toBe("Encoding")
  const second = claimed(back, { ...BY, token: "b" }, at(20_000))
  expect(second.item).toMatchObject({ current_step: "", progress: 0, attempt: 2 })
})
