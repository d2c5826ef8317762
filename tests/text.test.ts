import { expect, test } from "bun:test"

import { duration } from "../src/text.ts"

test("a duration reads as a clock does: a second counts once it has passed", () => {
  expect([-3, 0, 42, 59.9, 723, 7205, 172_799, 172_800, 187_260].map(duration)).toEqual([
    "0:00",
    "0:00",
    "0:42",
    "0:59",
    "12:03",
    "2:00:05",
    "47:59:59",
    "2 d 00:00",
    "2 d 04:01",
  ])
})
