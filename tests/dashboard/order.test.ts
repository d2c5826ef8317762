import { expect, test } from "bun:test"

import fc from "fast-check"

import { Client } from "../../src/client/client.ts"
import { listsOf } from "../../src/dashboard/model/state.ts"
import { start } from "../server.ts"
import { item } from "./items.ts"

test("waiting items stand in the order in which workers take them, and none else stands among them", async () => {
  await using server = await start()
  const client = new Client(server.url)
  const queue = fc.array(
    fc.record({
      priority: fc.integer({ min: -2, max: 2 }),
      available_in: fc.option(fc.constant(3600), { nil: undefined }),
      hasFailed: fc.boolean(),
    }),
    { maxLength: 9 },
  )
  await fc.assert(
    fc.asyncProperty(queue, async (wanted) => {
      for (const { priority, available_in, hasFailed } of wanted) {
        const delay = available_in === undefined ? {} : { available_in }
        const { id } = await client.add({ song_id: 1, priority, ...delay })
        if (!hasFailed) continue
        await client.update(id, { status: "processing" })
        await client.update(id, { status: "retrying" })
      }
      const { queue: items } = await client.list({})
      const { waiting, delayed } = listsOf(items)
      const claimed: number[] = []
      for (;;) {
        const next = await client.claim({ worker: "w" })
        if (!next || next === "drain") break
        claimed.push(next.item.id)
      }
      expect(waiting.map(({ id }) => id)).toEqual(claimed)
      expect(waiting.length + delayed.length).toBe(wanted.length)
      for (const { id } of items) await client.remove(id)
    }),
    { numRuns: 25 },
  )
}, 60_000)

test("an item that is delayed waits among the others once its time has come", () => {
  const later = item({ id: 1, priority: 9, available_at: "2026-01-02T12:00:10.000Z" })
  const now = item({ id: 2 })
  const before = listsOf([later, now], { nowMs: Date.parse("2026-01-02T12:00:09.999Z") })
  expect([before.waiting, before.delayed, before.dueMs]).toEqual([
    [now],
    [later],
    Date.parse("2026-01-02T12:00:10.000Z"),
  ])
  const after = listsOf([later, now], { nowMs: before.dueMs })
  expect([after.waiting, after.delayed, after.dueMs]).toEqual([[later, now], [], Number.POSITIVE_INFINITY])
})
