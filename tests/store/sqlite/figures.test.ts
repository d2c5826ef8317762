import { Database } from "bun:sqlite"
import { expect, test } from "bun:test"

import { added, START_MS } from "../../contracts/store.contract.ts"
import { openSqlite } from "./open.ts"

test("what finished is counted in slices between which others work, also if very many items finished at one time", async () => {
  await using opened = await openSqlite()
  const { store, path } = opened
  const first = await added(store)
  {
    using other = new Database(path)
    const columns = other
      .query<{ name: string }, []>("SELECT name FROM pragma_table_info('queue_items') WHERE name <> 'id'")
      .all()
      .map(({ name }) => name)
    other.run(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)
      INSERT INTO queue_items (${columns.join()}) SELECT ${columns.join()} FROM queue_items, n WHERE id = ?`,
      [first],
    )
    // 4000 items finish one after the other, and 5000 at one time.
    other.run(`UPDATE queue_items SET status = 'processing', started_at = ?1 WHERE id > ?2`, [
      START_MS,
      first,
    ])
    other.run(
      `UPDATE queue_items SET completed_at = ?1 + min(id - ?2, 4001), outcome = iif(id % 2, 'completed', 'failed'),
        status = iif(id % 2, 'completed', 'failed') WHERE id > ?2`,
      [START_MS, first],
    )
  }
  let ticks = 0
  const counted = store.figures.finished(START_MS)
  const isOver = counted.then(() => true)
  while (!(await Promise.race([isOver, new Promise((tick) => void setImmediate(tick, false))]))) ticks += 1
  expect(ticks).toBeGreaterThanOrEqual(3)
  const [even, atOnce] = [2000, 2500]
  expect(await counted).toEqual({
    ...{ completed: even + atOnce, failed: even + atOnce, cancelled: 0, lost: 0 },
    // The first item has the number 1, so the completed ones took 2, 4, ... 4000 ms, and then 4001 ms each.
    ...{ shortestMs: 2, longestMs: 4001, meanMs: (2001 * even + 4001 * atOnce) / (even + atOnce) },
  })
  expect(await store.figures.finished(START_MS + 4001)).toMatchObject({ completed: atOnce, failed: atOnce })
}, 180_000)
