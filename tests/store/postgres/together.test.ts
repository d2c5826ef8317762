import { expect, setDefaultTimeout, spyOn, test } from "bun:test"
import { join } from "node:path"

import { SQL } from "bun"
import { drizzle } from "drizzle-orm/bun-sql"
import { migrate } from "drizzle-orm/bun-sql/migrator"

import { AppError } from "../../../src/errors.ts"
import type { Decide } from "../../../src/store/contract/items.ts"
import type { Store } from "../../../src/store/contract/store.ts"
import { stateOf } from "../../../src/store/postgres/faults.ts"
import { PostgresStore } from "../../../src/store/postgres/postgres.ts"
import { added, codeOf, put, uncommon } from "../../contracts/store.contract.ts"
import { newDatabase, whyNoPostgres } from "./server.ts"
import {
  from1,
  killedOnce,
  LEASE_MS,
  rescue,
  taking,
  together,
  WITHOUT_VERSIONS,
  withWrong,
} from "./several.ts"

setDefaultTimeout(180_000)

const withPostgres = test.skipIf(whyNoPostgres !== undefined)

const refusing: Decide = () => {
  throw new AppError("invalid", "refused by the test")
}

const idsOf = async (store: Store): Promise<number[]> => {
  const ids: number[] = []
  for (let more = true; more;) {
    const page = await store.page({ after: ids.at(-1) ?? 0, limit: 500 })
    ids.push(...page.updates.map(({ id }) => id))
    more = page.more
  }
  return ids
}

withPostgres(
  "a reader that follows sees every update once and in order, whichever instance writes",
  async () => {
    await using opened = await together(3)
    const items = await Promise.all(opened.stores.map((store) => added(store)))
    const seen: number[] = []
    let isOver = false
    const follow = async (): Promise<void> => {
      for (let isLast = false; !isLast;) {
        isLast = isOver
        const { updates } = await opened.two.page({ after: seen.at(-1) ?? 0, limit: 100 })
        seen.push(...updates.map(({ id }) => id))
      }
    }
    const following = follow()
    const writers = opened.stores.flatMap((store, i) =>
      from1(4).map(async (writer) => {
        for (let round = 0; round < 25; round += 1) {
          // Some on one item, which the others write as well.
          const id = items[round % 5 === 0 ? 0 : i] ?? 0
          await put(store, id, { message: `${writer} of ${i}, ${round}` })
        }
      }),
    )
    await Promise.all(writers)
    isOver = true
    await following
    expect(seen).toEqual(from1(3 + 3 * 4 * 25))
  },
)

withPostgres(
  "an update is not seen before those that come before it; with a sequence it would be",
  async () => {
    await using opened = await together(1)
    const { one, client, url } = opened
    const id = await added(one)
    await using other = new SQL({ url, max: 1 })
    await client.unsafe("BEGIN")
    await client.unsafe(
      "INSERT INTO updates (id, queue_id, song_id, status, data) SELECT take_turn() + 1, $1, 1, 'queued', '{}'",
      [id],
    )
    const next = put(one, id, { message: "after it" })
    expect(await Promise.race([next.then(() => "stored"), Bun.sleep(300).then(() => "waits")])).toBe("waits")
    expect(await idsOf(one)).toEqual([1])
    await client.unsafe("COMMIT")
    await next
    expect(await idsOf(one)).toEqual([1, 2, 3])
    // The control.
    await other.unsafe("CREATE TABLE by_sequence (id bigserial PRIMARY KEY)")
    await client.unsafe("BEGIN")
    await client.unsafe("INSERT INTO by_sequence DEFAULT VALUES")
    await other.unsafe("INSERT INTO by_sequence DEFAULT VALUES")
    const [first]: { id: string }[] = await other.unsafe("SELECT id FROM by_sequence WHERE id > 0")
    await client.unsafe("COMMIT")
    const late: unknown[] = await other.unsafe("SELECT id FROM by_sequence WHERE id > $1", [
      Number(first?.id),
    ])
    expect({ first: Number(first?.id), late: late.length }).toEqual({ first: 2, late: 0 })
    await other.unsafe("DROP TABLE by_sequence")
  },
)

withPostgres(
  "event IDs have no holes after refusals and broken constraints on several instances",
  async () => {
    await using opened = await together(2)
    const id = await added(opened.one)
    const work = from1(60).map((i) => {
      const store = i % 2 === 0 ? opened.one : opened.two
      if (i % 3 === 0) return codeOf(store.change(id, refusing))
      if (i % 5 === 0)
        return store.change(id, ({ item, work: beside }) => ({
          item: { ...item, status: "completed" },
          work: beside,
        }))
      return put(store, id, { message: `${i}` })
    })
    const results = await Promise.allSettled(work)
    // A write that a constraint refuses fails alone, although it shares its group with others.
    const isStored = (i: number): boolean => i % 3 !== 0 && i % 5 !== 0
    expect(results.map(({ status }) => status === "fulfilled")).toEqual(
      from1(60).map((i) => i % 3 === 0 || isStored(i)),
    )
    const stored = 1 + from1(60).filter(isStored).length
    expect(await idsOf(opened.one)).toEqual(from1(stored))
    // A change that another instance's keeps out of its group leaves no hole before those beside it.
    const beside = await added(opened.one)
    await put(opened.one, id, { message: "remembered" })
    await put(opened.two, id, { message: "of the other" })
    await Promise.all([id, beside].map((item) => put(opened.one, item, { message: "together" })))
    expect(await idsOf(opened.one)).toEqual(from1(stored + 5))
  },
)

/** The numbers of a sequence, which are used up even if their writes are undone; and the expected result. */
const BY_SEQUENCE = (right: string) => ({
  wrong: `CREATE SEQUENCE numbers; SELECT setval('numbers', (SELECT max(id) FROM updates));
    CREATE OR REPLACE FUNCTION take_turn() RETURNS bigint LANGUAGE plpgsql AS $$ DECLARE n bigint := nextval('numbers'); BEGIN
      PERFORM pg_advisory_xact_lock(1, 'updates'::regclass::oid::int); RETURN n - 1; END $$`,
  right: `${right}; DROP SEQUENCE numbers`,
})

withPostgres(
  "event IDs have no holes after a broken constraint, and after a write whose connection was cut",
  async () => {
    await using opened = await together(2)
    const { one, two, client } = opened
    /** The differences between each event ID and the next one. */
    const steps = async (): Promise<number[]> => {
      const id = await added(one)
      await put(one, id, { message: "before" })
      await Promise.allSettled([
        two.change(id, ({ item, work }) => ({ item: { ...item, status: "completed" }, work })),
      ])
      await put(two, id, { message: "after a broken constraint" })
      await killedOnce(client, () => put(one, id, { message: "cut" }))
      await put(two, id, { message: "after a cut" })
      const { updates } = await one.page({ after: 0, queueId: id, limit: 9 })
      const ids = updates.map((update) => update.id)
      return ids.slice(1).map((next, i) => next - (ids[i] ?? 0))
    }
    expect(await steps()).toEqual([1, 1, 1, 1])
    const [row]: { text: string }[] = await client.unsafe(
      "SELECT pg_get_functiondef('take_turn'::regproc) AS text",
    )
    const { wrong, right } = BY_SEQUENCE(row?.text ?? "")
    await withWrong(client, wrong, right, async () => {
      expect((await steps()).map((step) => step > 1)).toEqual([false, true, true, false])
    })
  },
)

withPostgres(
  "remembered rows decide nothing: a refusal and a quiet answer depend on the present row",
  async () => {
    await using opened = await together(2)
    const { one, two } = opened
    const id = await added(one)
    await put(one, id, { status: "processing" })
    await put(two, id, { status: "completed" })
    const statuses: string[] = []
    const picky: Decide = (stored) => {
      statuses.push(stored.item.status)
      if (stored.item.status === "processing") throw new AppError("illegal_move", "it is processing")
      return { ...stored, quiet: true }
    }
    expect((await one.change(id, picky)).item.status).toBe("completed")
    // The control: the memory was old, and alone it would have led to a refusal.
    expect(statuses).toEqual(["processing", "completed"])
    await put(one, id, { message: "remembered again" })
    await put(two, id, { message: "of the other" })
    const quiet = await one.change(id, (stored) => ({ ...stored, quiet: true }))
    expect(quiet.item.message).toBe("of the other")
  },
)

withPostgres(
  "a remembered row that was old is decided on once, and that of a deleted item never",
  async () => {
    await using opened = await together(2)
    const { one, two } = opened
    const id = await added(one)
    await put(one, id, { status: "processing" })
    await put(two, id, { status: "completed" })
    /** How often a change that is refused is decided. */
    const decided = async (): Promise<number> => {
      let count = 0
      const refusal = one.change(id, () => {
        count += 1
        throw new AppError("illegal_move", "refused by the test")
      })
      await expect(refusal).rejects.toThrow()
      return count
    }
    expect([await decided(), await decided()]).toEqual([2, 1])
    await one.change(id, (stored) => ({ ...stored, deleted: true }))
    expect(await decided()).toBe(0)
  },
)

withPostgres("storing output does not make a decision on its item run twice", async () => {
  await using opened = await together(2)
  const { one, two } = opened
  const id = await added(one)
  const times = async (between: () => Promise<unknown>): Promise<number> => {
    await put(one, id, { message: "remembered" })
    await between()
    let count = 0
    await one.change(id, (stored) => {
      count += 1
      return { ...stored, item: { ...stored.item, message: `${count}` } }
    })
    return count
  }
  const piece = { from: 0, to: 4, text: "one\n" }
  expect(await times(() => one.outputs.append(id, [piece], 100, ({ item }) => item.attempt))).toBe(1)
  // The control: an item that another instance changed is decided again.
  expect(await times(() => put(two, id, { message: "of the other" }))).toBe(2)
})

withPostgres(
  "a write of which a value does not fit into its column or index fails alone, and is no fault of the database",
  async () => {
    await using opened = await together(1)
    const { one } = opened
    const id = await added(one)
    const kind = uncommon("kind", 4000)
    const run = { kind, look: "", queue_id: id, worker: "w", seconds: 1, steps: [] }
    const wrong: readonly (readonly [string, () => Promise<unknown>])[] = [
      ["22P02", () => one.change(1e308, refusing)],
      ["22P05", () => put(one, id, { message: "NUL \0" })],
      ["54000", () => one.change(id, ({ item, work }) => ({ item, work, run }))],
    ]
    for (const [state, write] of wrong) {
      const [failed, beside] = await Promise.allSettled([write(), added(one, { title: state })])
      expect(failed.status === "rejected" && stateOf(failed.reason)).toBe(state)
      expect(beside.status).toBe("fulfilled")
      expect(one.faults()).toEqual([])
    }
  },
)

withPostgres("changes of one item by several instances build upon each other: none is lost", async () => {
  await using opened = await together(3)
  const { two, stores, client } = opened
  const increment: Decide = ({ item, work }) => ({
    item: { ...item, retry_count: item.retry_count + 1 },
    work,
  })
  const counted = async (): Promise<number> => {
    const id = await added(opened.one)
    const all = stores.flatMap((store) =>
      from1(4).map(async () => {
        for (let round = 0; round < 10; round += 1) await store.change(id, increment)
      }),
    )
    await Promise.all(all)
    return (await two.item(id)).retry_count
  }
  expect(await counted()).toBe(120)
  expect(await two.head()).toBe(121)
  const { wrong, right } = WITHOUT_VERSIONS
  await withWrong(client, wrong, right, async () => expect(await counted()).toBeLessThan(120))
})

withPostgres("an outage that several instances have seen makes every lease longer once", async () => {
  await using opened = await together(2)
  const { one, two, client } = opened
  const id = await added(one)
  await one.change(id, taking("w"))
  const expiry = async (): Promise<number> => {
    const [row]: { at: number }[] = await client.unsafe(
      "SELECT lease_expires_at::float8 AS at FROM queue_items",
    )
    return row?.at ?? 0
  }
  // As if no server had run for the last 5 s.
  await client.unsafe("UPDATE history SET alive_at = alive_at - 5000")
  // Far less than its whole length, to which no outage extends it.
  await client.unsafe(
    "UPDATE queue_items SET lease_expires_at = lease_expires_at - 20000, version = version + 1",
  )
  const before = await expiry()
  const nowMs = one.clock.steadyMs()
  for (const store of [one, two]) store.outages.begin(nowMs - 5000)
  await Promise.all([one.alive(), two.alive()])
  expect((await expiry()) - before).toBeWithin(3900, 6500)
})

withPostgres("a lease does not run longer because the server's clock has gone back", async () => {
  await using opened = await together(1)
  const { one, client } = opened
  const id = await added(one)
  await one.change(id, taking("w"))
  await client.unsafe("UPDATE history SET alive_at = alive_at + 3600000")
  await client.unsafe(
    "UPDATE queue_items SET lease_expires_at = lease_expires_at + 3600000, version = version + 1",
  )
  const stored = async (): Promise<{ lease: number; alive: number } | undefined> => {
    const [row]: { lease: number; alive: number }[] = await client.unsafe(
      "SELECT (SELECT lease_expires_at FROM queue_items)::float8 AS lease, alive_at::float8 AS alive FROM history",
    )
    return row
  }
  // The control: without the limit it would run for an hour more.
  expect((await stored())?.lease).toBeGreaterThan(one.clock.steadyMs() + LEASE_MS + 3_000_000)
  one.outages.begin(one.clock.steadyMs() - 10)
  await one.alive()
  const row = await stored()
  const nowMs = one.clock.steadyMs()
  expect(row?.lease).toBeWithin(nowMs + LEASE_MS - 5000, nowMs + LEASE_MS + 1)
  expect(row?.alive).toBeLessThanOrEqual(nowMs)
})

withPostgres(
  "a server whose clock jumps ends no lease early, and none late, whichever instance notices it first",
  async () => {
    await using opened = await together(2)
    const { one, two, client } = opened
    const id = await added(one)
    await one.change(id, taking("w"))
    const heartbeat: Decide = ({ item, work }, { steadyMs }) => ({
      item,
      work: { ...work, lease_expires_at: steadyMs + LEASE_MS },
      quiet: true,
    })
    const leftMs = async (): Promise<number> => {
      const [row]: { left: number }[] = await client.unsafe(
        "SELECT (lease_expires_at - extract(epoch FROM clock_timestamp()) * 1000)::float8 AS left FROM queue_items",
      )
      return row?.left ?? 0
    }
    const real = performance.now.bind(performance)
    const now = spyOn(performance, "now")
    let offMs = 0
    now.mockImplementation(() => real() + offMs)
    try {
      // For the instances it is the same whether their clocks go back or that of the server goes forward.
      for (const jumpMs of [-3_600_000, 3_600_000, 3_600_000, -3_600_000]) {
        for (const store of [one, two]) await store.change(id, heartbeat)
        offMs += jumpMs
        await two.change(id, heartbeat)
        for (const store of [one, two]) {
          expect(await store.sweep({ due: "lease", by: store.clock.steadyMs() }, rescue)).toBe(0)
          await store.alive()
          expect(await store.sweep({ due: "lease", by: store.clock.steadyMs() }, rescue)).toBe(0)
        }
        expect(await leftMs()).toBeWithin(LEASE_MS - 10_000, LEASE_MS + 2000)
      }
    } finally {
      now.mockRestore()
    }
  },
)

withPostgres("instances that start at once on a new database migrate it once", async () => {
  const { url } = await newDatabase()
  const stores = await Promise.all(from1(4).map(() => PostgresStore.open(url)))
  expect(stores.filter(({ found }) => found.isNew)).toHaveLength(1)
  expect(stores.map(({ found }) => found.migrated)).toEqual([0, 0, 0, 0])
  expect(new Set(stores.map(({ historyId }) => historyId)).size).toBe(1)
  for (const store of stores) await store.close()
  // The control: drizzle alone.
  const other = await newDatabase()
  const migrationsFolder = join(import.meta.dir, "../../../src/store/postgres/postgres-migrations")
  const alone = await Promise.allSettled(
    from1(4).map(async () => {
      await using client = new SQL({ url: other.url, max: 1 })
      await client.unsafe("SELECT 1")
      await migrate(drizzle({ client }), { migrationsFolder })
    }),
  )
  expect(alone.some(({ status }) => status === "rejected")).toBeTrue()
})
