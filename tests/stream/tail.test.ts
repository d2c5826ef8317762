import { expect, test } from "bun:test"

import { Batch } from "../../src/stream/batch.ts"
import { Seat } from "../../src/stream/seat.ts"
import { Tail } from "../../src/stream/tail.ts"

test("a stream that is behind takes all that it lacks, and some 256 KiB at once", () => {
  const tail = new Tail()
  const data = "x".repeat(64 * 1024)
  for (let id = 1; id <= 20; id += 1) {
    tail.push(new Batch(id - 1, id, [{ id, queue_id: 1, song_id: 1, status: "processing", data }]))
  }
  const seat = new Seat("global", undefined)
  const taken: number[][] = []
  for (let lists = tail.take(seat); lists; lists = tail.take(seat)) {
    taken.push(lists.flat().map(({ update }) => update.id))
  }
  expect(taken.map(({ length }) => length)).toEqual([4, 4, 4, 4, 4])
  expect(taken.flat()).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
})

test("a batch that is larger than all that is kept is taken as well, while it is the newest", () => {
  const tail = new Tail()
  const [seat, late] = [new Seat("global", undefined), new Seat("global", undefined)]
  const large = { queue_id: 1, song_id: 1, status: "processing", data: "x".repeat(3 * 1024 * 1024) } as const
  tail.push(new Batch(0, 1, [{ id: 1, ...large }]))
  expect(tail.take(seat)?.flat()).toHaveLength(1)
  tail.push(new Batch(1, 2, [{ id: 2, ...large, data: "small" }]))
  expect(tail.take(late)).toBeNull()
  expect(tail.take(seat)?.flat()).toHaveLength(1)
})

test("thinned streams that begin at different places take different lists, and those at the same place one", () => {
  const tail = new Tail()
  const update = (id: number) => ({ id, queue_id: id, song_id: 1, status: "processing" as const, data: "{}" })
  tail.push(new Batch(0, 2, [update(1), update(2)]))
  const seatAt = (cursor: number): Seat => Object.assign(new Seat("global", undefined), { cursor })
  const [first] = tail.takeThinned(seatAt(0)) ?? []
  expect(first?.map((frame) => frame.update.id)).toEqual([1, 2])
  expect(
    tail
      .takeThinned(seatAt(1))
      ?.flat()
      .map((frame) => frame.update.id),
  ).toEqual([2])
  expect(tail.takeThinned(seatAt(0))?.[0]).toEqual(first)
  // Later updates are not skipped, although the first list began at the same place.
  tail.push(new Batch(2, 3, [update(3)]))
  const late = seatAt(0)
  const [list] = tail.takeThinned(late) ?? []
  expect([list?.map((frame) => frame.update.id), late.cursor]).toEqual([[1, 2, 3], 3])
})
