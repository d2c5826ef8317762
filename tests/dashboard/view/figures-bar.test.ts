import { expect, test } from "bun:test"

import { lately } from "../../../src/dashboard/view/figures-bar.ts"

test("how long renders took is said of those that completed", () => {
  const finished = { since: "", completed: 1, failed: 6, cancelled: 0, lost: 1 }
  const took = { shortest_seconds: 8, longest_seconds: 8, mean_seconds: 8 }
  expect(lately("Today", { ...finished, ...took })).toBe("Today 1 completed in 0:08, 7 failed")
  const more = { shortest_seconds: 8, longest_seconds: 300, mean_seconds: 80 }
  expect(lately("This week", { ...finished, completed: 41, ...more })).toBe(
    "This week 41 completed in 1:20 on average (0:08 to 5:00), 7 failed",
  )
})
