import { expect, test } from "bun:test"

import fc from "fast-check"

import { Client } from "../../../src/client/client.ts"
import { listsOf } from "../../../src/dashboard/model/apply-updates.ts"
import { missingTags } from "../../../src/item/missing-tags.ts"
import { start } from "../../server.ts"
import { item } from "../items.ts"

test("waiting items, moved ones too, stand in the order in which a worker takes them, without any others among them", async () => {
  await using server = await start()
  const client = new Client(server.url)
  const queue = fc.array(
    fc.record({
      priority: fc.integer({ min: -2, max: 2 }),
      available_in: fc.option(fc.constant(3600), { nil: undefined }),
      hasFailed: fc.boolean(),
      tags: fc.subarray(["gpu", "4k"]),
    }),
    { maxLength: 9 },
  )
  const moves = fc.array(fc.tuple(fc.nat(8), fc.nat(8)), { maxLength: 4 })
  const offer = ["gpu"]
  await fc.assert(
    fc.asyncProperty(queue, moves, async (wanted, moved) => {
      const ids: number[] = []
      for (const { priority, available_in, hasFailed, tags } of wanted) {
        const delay = available_in === undefined ? {} : { available_in }
        const { id } = await client.add({ song_id: 1, priority, tags, ...delay })
        ids.push(id)
        if (!hasFailed) continue
        await client.update(id, { status: "processing" })
        await client.update(id, { status: "retrying" })
      }
      for (const [from, to] of moved) {
        const [id, before] = [ids[from], ids[to]]
        if (id !== undefined && before !== undefined && id !== before) await client.move(id, before)
      }
      const { queue: items } = await client.list({})
      const isServed = (tags: readonly string[]): boolean => missingTags(tags, [offer]).length === 0
      const { waiting, delayed } = listsOf(items, { isServed })
      const claimed: number[] = []
      for (;;) {
        const next = await client.claim({ worker: "w", tags: offer })
        if (!next || next === "drain") break
        claimed.push(next.item.id)
      }
      expect(waiting.map(({ id }) => id)).toEqual(claimed)
      expect(waiting.length + delayed.length).toBe(wanted.length)
      for (const { id } of items) await client.remove(id)
    }),
    { numRuns: 16 },
  )
}, 180_000)

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
