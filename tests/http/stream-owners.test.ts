import { expect, test } from "bun:test"

import { EVERYBODY } from "../../src/access/authorize.ts"
import { StreamOwners } from "../../src/http/stream-owners.ts"
import type { Streams } from "../../src/stream/streams.ts"

const visitor = { ...EVERYBODY, client: "10.0.0.1" }

test("the count of a client's streams is kept, however many clients come after it", () => {
  const streams: unknown = { dismiss: () => undefined }
  const owners = new StreamOwners(streams as Streams)
  const [one, idle] = [owners.of(visitor), owners.of({ ...visitor, client: "idle" })]
  expect(owners.of(EVERYBODY)).toBeUndefined()
  if (one) one.streams = 1
  for (let i = 0; i < 10_000; i += 1) owners.of({ ...visitor, client: `${i}` })
  expect(owners.of(visitor)).toBe(one)
  expect(owners.of({ ...visitor, client: "idle" })).not.toBe(idle)
})

test("a signal that ends several clients dismisses the streams of each, and they may open no others afterwards", () => {
  const dismissed: unknown[] = []
  const streams: unknown = { dismiss: (owner: unknown) => dismissed.push(owner) }
  const owners = new StreamOwners(streams as Streams)
  const over = new AbortController()
  const here = { ...EVERYBODY, ended: over.signal }
  const there = { ...visitor, ended: over.signal }
  const all = [owners.of(here), owners.of(there)]
  expect(all.map((owner) => owner?.isLimited)).toEqual([false, true])
  const other = owners.of({ ...visitor, client: "other" })
  over.abort()
  expect(dismissed).toEqual(all)
  expect(() => owners.of(here)).toThrow("needs a token")
  expect(all).not.toContain(owners.of(visitor))
  expect(owners.of({ ...visitor, client: "other" })).toBe(other)
})
