import { afterEach, expect, setSystemTime, spyOn, test } from "bun:test"

import { Reasons } from "../src/degraded-reasons.ts"

afterEach(() => void setSystemTime())

test("a reason says since when it holds, as long as it does, and begins again after an end; its detail is the latest", () => {
  const reasons = new Reasons()
  const at = (minute: number): string => `2026-01-02T03:0${minute}:00.000Z`
  const note = (minute: number, holds: boolean, detail?: string): void => {
    setSystemTime(new Date(at(minute)))
    reasons.set("disk_low", holds, detail)
  }
  note(1, true, "200 MiB free")
  note(2, true, "100 MiB free")
  expect(reasons.held).toEqual([{ reason: "disk_low", since: at(1), detail: "100 MiB free" }])
  reasons.set("draining", true)
  note(3, true)
  expect(reasons.current).toEqual(["disk_low", "draining"])
  note(4, false)
  expect(reasons.current).toEqual(["draining"])
  note(5, true)
  expect(reasons.held[1]).toEqual({ reason: "disk_low", since: at(5), detail: "" })
})

test("a reason that begins to hold, and one that no longer does, is announced once", () => {
  const seen: string[] = []
  const reasons = new Reasons(({ reason, detail }, holds) => seen.push(`${reason} ${detail} ${holds}`))
  reasons.set("disk_low", false)
  reasons.set("disk_low", true, "200 MiB free")
  reasons.set("disk_low", true, "100 MiB free")
  reasons.set("disk_low", false)
  reasons.set("disk_low", false)
  expect(seen).toEqual(["disk_low 200 MiB free true", "disk_low 100 MiB free false"])
})

test("a reason has held since its first report, and a clock that jumps meanwhile does not change for how long", () => {
  const spans: number[] = []
  let steadyMs = 1000
  using _clock = spyOn(performance, "now").mockImplementation(() => steadyMs)
  const reasons = new Reasons((_, __, forMs) => spans.push(forMs))
  reasons.set("clock_jumped", true)
  setSystemTime(new Date(Date.now() - 3_600_000))
  for (const holds of [true, true, false]) {
    steadyMs += 500
    reasons.set("clock_jumped", holds)
  }
  expect(spans).toEqual([0, 1500])
})
