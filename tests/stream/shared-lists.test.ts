import { expect, test } from "bun:test"

import type { Wanted } from "../../src/stream/selection.ts"
import { SharedLists } from "../../src/stream/shared-lists.ts"
import type { Frame } from "../../src/wire/frames.ts"

const MIB = 1024 * 1024

/** The beginning of a stream with one update of this many characters. */
function beginningOf(size: number) {
  const update = { id: 1, queue_id: 1, song_id: 1, status: "queued" as const, data: "x".repeat(size) }
  return { frames: (): readonly Frame[] => [{ type: "update", update }] }
}

const greeting = { type: "hello", retryMs: 2000 } as const

test("streams that send the same share a list, and what differs has its own", () => {
  const lists = new SharedLists()
  const [one, other] = [beginningOf(1), beginningOf(1)]
  const [wanted, pause]: [Wanted, readonly Frame[]] = [() => true, []]
  const first = lists.of(one, greeting, undefined, pause)
  expect(lists.of(one, greeting, undefined, pause)).toBe(first)
  expect(lists.of(one, greeting, wanted, pause)).not.toBe(first)
  expect(lists.of(other, greeting, undefined, pause)).not.toBe(first)
  expect(lists.of(one, { ...greeting, retryMs: 1500 }, undefined, pause)[0]).toMatchObject({ retryMs: 1500 })
  expect(lists.of(one, greeting, undefined, pause)).toBe(first)
  expect(lists.of(one, greeting, undefined, [])).not.toBe(first)
})

test.each([
  ["beginnings", 20, MIB, () => [beginningOf(MIB), undefined] as const],
  ["choices", 20, MIB, (one: ReturnType<typeof beginningOf>) => [one, () => true] as const],
  ["small lists", 5000, 1, () => [beginningOf(1), undefined] as const],
])("of many different %s only a bounded amount is kept", (_, many, size, next) => {
  const lists = new SharedLists()
  const [one, pause]: [ReturnType<typeof beginningOf>, readonly Frame[]] = [beginningOf(size), []]
  const first = lists.of(one, greeting, undefined, pause)
  const ask = (times: number): void => {
    for (let time = 0; time < times; time += 1) {
      const [beginning, wanted] = next(one)
      lists.of(beginning, greeting, wanted, pause)
    }
  }
  ask(many / 2)
  expect(lists.of(one, greeting, undefined, pause)).toBe(first)
  ask(many / 2)
  expect(lists.of(one, greeting, undefined, pause)).not.toBe(first)
})

test("lists are kept again after all were dropped because their room was full", () => {
  const lists = new SharedLists()
  const pause: readonly Frame[] = []
  for (let time = 0; time < 20; time += 1) lists.of(beginningOf(MIB), greeting, undefined, pause)
  const [one, other] = [beginningOf(1), beginningOf(1)]
  const first = lists.of(one, greeting, undefined, pause)
  lists.of(other, greeting, undefined, pause)
  expect(lists.of(one, greeting, undefined, pause)).toBe(first)
})
