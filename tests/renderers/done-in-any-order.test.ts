import { expect, test } from "bun:test"

import { DoneInAnyOrder } from "../../src/renderers/done-in-any-order.ts"

/** What is done after each of these numbers of 10; a new pass begins before those that are marked. */
function done(...numbers: readonly (number | "again")[]): number[] {
  const order = new DoneInAnyOrder()
  let isGoingOn = false
  return numbers.flatMap((n) => {
    if (n === "again") isGoingOn = false
    const counted = n === "again" ? [] : [order.doneWith(n, 10, isGoingOn)]
    if (n !== "again") isGoingOn = true
    return counted
  })
}

test("numbers that come in any order count as many as came, and those in order count as their highest", () => {
  expect(done(1, 4, 2, 7)).toEqual([1, 4, 4, 4])
  expect(done(1, 4, 7)).toEqual([1, 4, 7])
})

test("a pass in order after one in any order counts as its highest number again", () => {
  expect(done(1, 4, 2, 7, "again", 2, 5, 9)).toEqual([1, 4, 4, 4, 2, 5, 9])
})
