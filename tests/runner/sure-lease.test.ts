import { afterEach, expect, setSystemTime, test } from "bun:test"

import { ServerError } from "../../src/client/client.ts"
import { isAway } from "../../src/runner/server-errors.ts"
import { SureLease } from "../../src/runner/sure-lease.ts"

afterEach(() => void setSystemTime())

/** A lease that remembers the doubts that were told of. */
function leaseOf(leaseMs: number): { lease: SureLease; doubts: boolean[]; next: () => Promise<void> } {
  const doubts: boolean[] = []
  let told = Promise.withResolvers<void>()
  const lease = new SureLease(leaseMs, (isDoubtful) => {
    doubts.push(isDoubtful)
    told.resolve()
    told = Promise.withResolvers()
  })
  return { lease, doubts, next: () => told.promise }
}

/** Calls `then` as if this many seconds had passed. */
function after(seconds: number, then: () => void): void {
  setSystemTime(Date.now() + seconds * 1000)
  then()
  setSystemTime()
}

test("a lease that was not renewed for its whole length is in doubt until the server says that it is ours", async () => {
  const { lease, doubts, next } = leaseOf(100)
  lease.start()
  const startedMs = performance.now()
  lease.renewed(0)
  await next()
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(95)
  lease.failed(true)
  expect(lease.isDoubtful).toBe(true)
  lease.renewed(0)
  expect(doubts).toEqual([true, false])
  await next()
  expect(doubts).toEqual([true, false, true])
})

test.each([
  ["the server was away does not count", true, false],
  ["the server was silent counts", false, true],
])("time in which %s", async (_, isAwayFor, isDoubtful) => {
  const { lease } = leaseOf(60_000)
  lease.renewed(0)
  lease.failed(isAwayFor)
  after(61, () => lease.failed(isAwayFor))
  lease.start()
  await Bun.sleep(20)
  expect(lease.isDoubtful).toBe(isDoubtful)
  lease.stop()
})

test("a server that is away after a silence may have given the item to another worker before", async () => {
  const { lease } = leaseOf(60_000)
  lease.renewed(0)
  after(61, () => lease.failed(true))
  lease.start()
  await Bun.sleep(20)
  expect(lease.isDoubtful).toBe(true)
})

test("a renewal counts from the earliest moment at which it can have been, and for a quarter at least", async () => {
  const { lease, next } = leaseOf(200)
  lease.start()
  const startedMs = performance.now()
  lease.renewed(1000)
  await next()
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(45)
  lease.stop()
})

test("no doubt is told of before the first lease, before the start and after the end", async () => {
  const { lease, doubts } = leaseOf(1)
  lease.start()
  lease.failed(false)
  await Bun.sleep(20)
  lease.stop()
  lease.renewed(0)
  await Bun.sleep(20)
  expect(doubts).toEqual([])
})

test("a server is away if nothing listens at its address, or if it can store nothing", async () => {
  const refused = await fetch("http://127.0.0.1:1").catch((cause: unknown) => cause)
  expect(isAway(new ServerError(0, "no answer", {}, { cause: refused }))).toBe(true)
  expect(isAway(new ServerError(503, "the disk is full"))).toBe(true)
  expect(isAway(new ServerError(0, "no answer in time", {}, { cause: new Error("late") }))).toBe(false)
  expect(isAway(new ServerError(401, "not with this token"))).toBe(false)
})
