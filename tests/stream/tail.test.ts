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
