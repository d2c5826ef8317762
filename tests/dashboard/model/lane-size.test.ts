import { expect, test } from "bun:test"

import { LaneSize } from "../../../src/dashboard/model/lane-size.ts"

/** The sizes for given numbers of lanes, one second after the other. */
function sizes(...lanes: readonly (readonly [second: number, lanes: number])[]): string {
  const size = new LaneSize()
  return lanes.map(([second, count]) => size.sizeAt(count, second * 1000)).join(" ")
}

test("the first lanes have their size at once", () => {
  expect(sizes([0, 1])).toBe("one")
  expect(sizes([0, 0], [1, 9])).toBe("few many")
})

test("the size changes only once the number has called for it for 5 s", () => {
  expect(sizes([0, 2], [1, 1], [1.2, 2], [9, 2])).toBe("few few few few")
  expect(sizes([0, 2], [1, 1], [5.9, 1], [6, 1])).toBe("few few few one")
  expect(sizes([0, 7], [1, 6], [2, 7], [3, 6], [7.9, 6], [8, 6])).toBe("many many many many many few")
})

test("an empty list between two items keeps its size, and one that stays empty loses it", () => {
  expect(sizes([0, 1], [1, 0], [1.3, 1])).toBe("one one one")
  expect(sizes([0, 1], [1, 0], [9, 2])).toBe("one one few")
})
