import { expect, jest, test } from "bun:test"

import { AfterStart } from "../../src/serve/after-start.ts"

/** A server that counts what it does after its start. */
function started(): { readonly afterStart: AfterStart; readonly done: string[] } {
  const done: string[] = []
  const afterStart = new AfterStart({
    compile: () => void done.push("compile"),
    shrink: () => void done.push("shrink"),
  })
  return { afterStart, done }
}

test("code is compiled from the first real request on; asking for health and metrics is none", async () => {
  const { afterStart, done } = started()
  for (const route of [
    "GET /health",
    "GET /api/v1/health",
    "GET /health/live",
    "GET /health/ready",
    "GET /metrics",
  ])
    afterStart.answered({ route })
  expect(done).toEqual([])
  afterStart.answered({ route: "GET /api/v1/progress/stream" })
  afterStart.answered({ route: "PUT /api/v1/queue/:id" })
  expect(done).toEqual(["compile"])
})

test("a server at rest frees what its start has left, once; one that is used does not stop for that", async () => {
  jest.useFakeTimers()
  try {
    const [idle, used, stopped] = [started(), started(), started()]
    for (const { afterStart } of [idle, used, stopped]) await afterStart.start()
    used.afterStart.answered({ route: "GET /" })
    await stopped.afterStart.stop()
    jest.advanceTimersByTime(60_000)
    expect([idle.done, used.done, stopped.done]).toEqual([["shrink"], ["compile"], []])
  } finally {
    jest.useRealTimers()
  }
})
