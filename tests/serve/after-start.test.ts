import { expect, jest, test } from "bun:test"

import { AfterStart } from "../../src/serve/after-start.ts"

/** A server that notes what it does after its start. */
function started() {
  const done: string[] = []
  const clock = { nowMs: 0 }
  const acts = { compile: () => void done.push("compile"), shrink: () => void done.push("shrink") }
  const afterStart = new AfterStart(acts, () => clock.nowMs)
  /** Answers so many requests, at these times. */
  const answers = (count: number, everyMs: number, route = "PUT /api/v1/queue/:id"): void => {
    for (let number = 0; number < count; number++) {
      afterStart.answered({ route })
      clock.nowMs += everyMs
    }
  }
  return { afterStart, answers, done }
}

test("code is compiled once many requests come in a second, or have come in all", () => {
  const quick = started()
  quick.answers(49, 1)
  expect(quick.done).toEqual([])
  quick.answers(100, 1)
  expect(quick.done).toEqual(["compile"])
  const slow = started()
  slow.answers(999, 30)
  expect(slow.done).toEqual([])
  slow.answers(3, 30)
  expect(slow.done).toEqual(["compile"])
})

test("questions for health and metrics are no requests for which code is compiled", () => {
  const { answers, done } = started()
  for (const route of [
    "GET /health",
    "GET /api/v1/health",
    "GET /health/live",
    "GET /health/ready",
    "GET /metrics",
  ])
    answers(1000, 1, route)
  expect(done).toEqual([])
})

test("a server at rest frees what its start has left, once; one that is used does not stop for that", async () => {
  jest.useFakeTimers()
  try {
    const [idle, used, stopped] = [started(), started(), started()]
    for (const { afterStart } of [idle, used, stopped]) await afterStart.start()
    used.answers(1, 1, "GET /")
    await stopped.afterStart.stop()
    jest.advanceTimersByTime(60_000)
    expect([idle.done, used.done, stopped.done]).toEqual([["shrink"], [], []])
  } finally {
    jest.useRealTimers()
  }
})
