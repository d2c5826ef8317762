import { expect, test } from "bun:test"

import { isOfOneWrite, serverError } from "../../../src/store/postgres/faults.ts"

test.each([
  ["22003", true],
  ["23505", true],
  ["23514", true],
  ["54000", true],
  ["40001", false],
  ["53100", false],
  ["57P01", false],
])("whether SQLSTATE %s is the fault of one write, and not of its group: %j", (state, isOfOne) => {
  expect(isOfOneWrite(serverError(state))).toBe(isOfOne)
})
