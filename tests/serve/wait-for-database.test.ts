import { expect, test } from "bun:test"

import { AppError } from "../../src/errors.ts"
import { startedOrAsked, waitingForDatabase } from "../../src/serve/wait-for-database.ts"

const AWAY = new AppError("unavailable", "the database cannot be reached now")
const NEVER = new Promise<never>(() => undefined)

/** Work that fails some times, with how often it was tried and how often the start said that it waits. */
function failing(times: number, error: unknown = AWAY) {
  const counts = { tries: 0, waits: 0 }
  const begin = (untilMs: number, isAway = true, asked: Promise<unknown> = NEVER): Promise<number> =>
    waitingForDatabase(
      async () => {
        counts.tries += 1
        if (counts.tries <= times) throw error
        return counts.tries
      },
      { untilMs, isAway: () => isAway, asked, onWaiting: () => (counts.waits += 1) },
    )
  return { counts, begin }
}

test("a part of a start that the database did not answer is tried again until the start gives up", async () => {
  const passing = failing(1)
  expect(await passing.begin(performance.now() + 30_000)).toBe(2)
  expect(passing.counts).toEqual({ tries: 2, waits: 1 })
  const late = failing(1)
  await expect(late.begin(performance.now())).rejects.toBe(AWAY)
  expect(late.counts).toEqual({ tries: 1, waits: 0 })
})

test("what no wait can mend ends a start at once, and so does a signal to stop", async () => {
  const other = failing(1, new Error("a defect"))
  await expect(other.begin(Number.POSITIVE_INFINITY)).rejects.toThrow("a defect")
  const unable = failing(1)
  await expect(unable.begin(Number.POSITIVE_INFINITY, false)).rejects.toBe(AWAY)
  const stopping = failing(1)
  await expect(stopping.begin(Number.POSITIVE_INFINITY, true, Promise.resolve("SIGTERM"))).rejects.toBe(AWAY)
  expect([other, unable, stopping].map(({ counts }) => counts.tries)).toEqual([1, 1, 1])
})

test("a start that hangs at its database is left when the server is asked to stop, and one that goes well may end", async () => {
  const asked = Promise.resolve("SIGTERM")
  let wasLeft: AbortSignal | undefined
  await startedOrAsked((left) => {
    wasLeft = left
    return NEVER
  }, asked)
  // It goes on once the database answers, and must know that nothing is to be begun any more.
  expect(wasLeft?.aborted).toBe(true)
  let hasEnded = false
  await startedOrAsked(async (left) => {
    await Bun.sleep(10)
    hasEnded = !left.aborted
  }, asked)
  expect(hasEnded).toBe(true)
  await startedOrAsked(() => Promise.resolve(), NEVER)
  const failed = (): Promise<void> => Promise.reject(AWAY)
  await expect(startedOrAsked(failed, asked)).rejects.toBe(AWAY)
  await expect(startedOrAsked(failed, NEVER)).rejects.toBe(AWAY)
})
