import { expect, spyOn, test } from "bun:test"

import { Client } from "../../src/client/client.ts"
import { OwnLease } from "../../src/runner/own-lease.ts"

test("a claim whose answer was lost may hold the item for the length of its lease and two seconds more", () => {
  let nowMs = 0
  using _steady = spyOn(performance, "now").mockImplementation(() => nowMs)
  using _wall = spyOn(Date, "now").mockImplementation(() => nowMs)
  const client = new Client("http://127.0.0.1:1")
  const options = { client, worker: "w", leaseS: 60, say: () => undefined }
  const [lost, none] = [1, 0].map(
    (unanswered) => new OwnLease({ ...options, unanswered }, () => Promise.reject()),
  )
  const seen = [0, 61_999, 62_000].map((atMs) => {
    nowMs = atMs
    return [lost?.isPerhapsOurs, none?.isPerhapsOurs]
  })
  expect(seen).toEqual([
    [true, false],
    [true, false],
    [false, false],
  ])
})
