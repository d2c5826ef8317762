import { expect, test } from "bun:test"

import type { PostgresConnections } from "../../../src/store/postgres/connections.ts"
import { PostgresUpkeep } from "../../../src/store/postgres/upkeep.ts"

test("an item with few updates is looked at once, and again only when it has changed", async () => {
  const changed = [[{ id: 5, queue_id: 7 }], [], [{ id: 6, queue_id: 7 }], []]
  const looked: unknown[] = []
  const link: unknown = {
    async run(text: string, [ids]: readonly unknown[] = []): Promise<unknown[]> {
      if (text.includes("webhooks")) return [{ id: 100 }]
      if (text.includes("u.id > $1 ORDER BY")) return changed.shift() ?? []
      if (text.includes("unnest")) looked.push(ids)
      return []
    },
  }
  const upkeep = new PostgresUpkeep(link as PostgresConnections, () => 0)
  const thinning = { finished: [], perItem: 10, upTo: 100, keepCompleted: 0, limit: 9 }
  const done: number[] = []
  for (let round = 0; round < 4; round += 1) done.push(await upkeep.thin(thinning))
  expect([done, looked]).toEqual([
    [1, 0, 1, 0],
    [[7], [7]],
  ])
})
