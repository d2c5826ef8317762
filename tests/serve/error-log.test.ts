import { afterEach, expect, mock, spyOn, test } from "bun:test"

import { DEGRADED, type Reason } from "../../src/degraded-reasons.ts"
import { errorLog, logReason } from "../../src/serve/error-log.ts"

afterEach(() => mock.restore())

/** The lines that one change of a reason writes. */
function linesOf(reason: Reason, holds: boolean, detail = ""): unknown[] {
  const lines: unknown[] = []
  for (const how of ["log", "warn", "info"] as const)
    spyOn(errorLog, how).mockImplementation((...line: readonly unknown[]) => void lines.push([how, ...line]))
  logReason({ reason, detail, since: "2026-01-02T03:04:05.678Z" }, holds, 3499)
  return lines
}

test("a reason is an error in the log if it makes the server unready, otherwise a warning, with what it means and its detail", () => {
  const { about } = DEGRADED.disk_full
  expect(linesOf("disk_full", true, "SQLITE_FULL")).toEqual([
    ["log", "degraded", "disk_full", { about, detail: "SQLITE_FULL" }],
  ])
  expect(linesOf("wal_pinned", true)).toEqual([
    ["warn", "degraded", "wal_pinned", { about: DEGRADED.wal_pinned.about }],
  ])
})

test("a reason that no longer holds is logged with for how long it did", () => {
  expect(linesOf("disk_full", false, "SQLITE_FULL")).toEqual([
    ["info", "no longer degraded", "disk_full", { seconds: 3 }],
  ])
})

test("a drain is logged as itself, and not as a reason", () => {
  expect([linesOf("draining", true), linesOf("draining", false)]).toEqual([[], []])
})
