import { expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"

import { SQL } from "bun"
import { drizzle } from "drizzle-orm/bun-sql"
import { migrate } from "drizzle-orm/bun-sql/migrator"

import { AppError } from "../../src/errors.ts"
import { transition } from "../../src/item/moves.ts"
import type { Decide } from "../../src/store/items.ts"
import { PostgresStore } from "../../src/store/postgres/postgres.ts"
import type { Store } from "../../src/store/store.ts"
import { added, codeOf, draft, put } from "../contracts/store.contract.ts"
import { emptyDatabase } from "./open.ts"
import { newDatabase, whyNoPostgres } from "./server.ts"

setDefaultTimeout(60_000)

const withPostgres = test.skipIf(whyNoPostgres !== undefined)
const LEASE_MS = 60_000
const from1 = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)

/** Several stores on one database, and a client of it. */
async function together(count: number, onePerSong = false) {
  const database = await emptyDatabase()
  const stores = await Promise.all(from1(count).map(() => PostgresStore.open(database.url, { onePerSong })))
  const [one, two = one, three = two] = stores
  if (!one || !two || !three) throw new Error("there is no store")
  const client = new SQL({ url: database.url, max: 1 })
  return {
    stores,
    one,
    two,
    three,
    client,
    url: database.url,
    async [Symbol.asyncDispose]() {
      await client.close({ timeout: 0 })
      for (const store of stores) await store.close()
      await database[Symbol.asyncDispose]()
    },
  }
}

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

const taking =
  (worker: string): Decide =>
  ({ item, work }, { time, steadyMs }) => ({
    item: { ...transition(item, { status: "processing" }, time), worker },
    work: { ...work, lease_token: worker, lease_ms: LEASE_MS, lease_expires_at: steadyMs + LEASE_MS },
  })

withPostgres("a reader that follows sees every update once and in order, whoever writes", async () => {
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
})

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
    const stored = results.filter(({ status }, i) => status === "fulfilled" && (i + 1) % 3 !== 0).length
    expect(await idsOf(opened.one)).toEqual(from1(1 + stored))
  },
)

withPostgres(
  "what is remembered decides nothing: a refusal and a quiet answer count on the row of now",
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
    // The control: the memory was old, and alone would have refused.
    expect(statuses).toEqual(["processing", "completed"])
    await put(one, id, { message: "remembered again" })
    await put(two, id, { message: "of the other" })
    const quiet = await one.change(id, (stored) => ({ ...stored, quiet: true }))
    expect(quiet.item.message).toBe("of the other")
  },
)

withPostgres("output that is stored makes no decision on its item be taken twice", async () => {
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
  // The control: what another instance changed is decided on again.
  expect(await times(() => put(two, id, { message: "of the other" }))).toBe(2)
})

withPostgres("changes of one item by several instances build upon each other: none is lost", async () => {
  await using opened = await together(3)
  const id = await added(opened.one)
  const increment: Decide = ({ item, work }) => ({
    item: { ...item, retry_count: item.retry_count + 1 },
    work,
  })
  const all = opened.stores.flatMap((store) =>
    from1(4).map(async () => {
      for (let round = 0; round < 10; round += 1) await store.change(id, increment)
    }),
  )
  await Promise.all(all)
  expect((await opened.two.item(id)).retry_count).toBe(120)
  expect(await opened.two.head()).toBe(121)
})

withPostgres("one idempotency key at several instances at the same time adds one item", async () => {
  await using opened = await together(3)
  const results = await Promise.all(
    from1(20).flatMap((i) =>
      opened.stores.map((store) => store.add(() => draft(), { key: `k${i}`, digest: "d" })),
    ),
  )
  expect(results.filter(({ added: isNew }) => isNew)).toHaveLength(20)
  expect(await opened.one.items()).toBe(20)
  const ids = new Set(results.map(({ item }) => item.id))
  expect(ids.size).toBe(20)
})

withPostgres("claims and rescues of several instances take each item once", async () => {
  await using opened = await together(3)
  const { one, stores, client } = opened
  await Promise.all(from1(90).map(() => added(one)))
  const taken = await Promise.all(
    stores.flatMap((store, i) =>
      from1(10).map(async (worker) => {
        const ids: number[] = []
        for (;;) {
          const change = await store.claim([], taking(`${i} ${worker}`))
          if (!change) return ids
          ids.push(change.item.id)
        }
      }),
    ),
  )
  expect(taken.flat().sort((a, b) => a - b)).toEqual(from1(90))
  await client.unsafe("UPDATE queue_items SET lease_expires_at = 1, version = version + 1")
  const rescue: Decide = ({ item, work }, { time }) => ({
    item: transition(item, { status: "retrying" }, time),
    work: { ...work, lease_token: null, lease_expires_at: null },
  })
  const head = await one.head()
  const rescued = await Promise.all(stores.map((store) => store.sweep({ due: "lease", by: 2 }, rescue)))
  expect(rescued.reduce((sum, count) => sum + count)).toBe(90)
  expect(await one.head()).toBe(head + 90)
})

withPostgres(
  "where a song has one worker at a time, claims at several instances at once take one item of each",
  async () => {
    for (const onePerSong of [true, false]) {
      await using opened = await together(3, onePerSong)
      // Each instance's workers take other items of the same songs, so no item is wanted by two.
      for (let i = 0; i < 60; i += 1) await added(opened.one, { song_id: 1 + (i % 4), tags: [`of ${i % 3}`] })
      await opened.client.unsafe("SELECT pg_advisory_lock(1, 'updates'::regclass::oid::int)")
      const claims = opened.stores.flatMap((store, i) =>
        from1(5).map((worker) => store.claim([`of ${i}`], taking(`${i} ${worker}`))),
      )
      // All have looked, and none has written.
      for (let waiting = 0; waiting < 3;) {
        const [row]: { n: number }[] = await opened.client.unsafe(
          "SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        waiting = row?.n ?? 0
      }
      await opened.client.unsafe("SELECT pg_advisory_unlock(1, 'updates'::regclass::oid::int)")
      const songs = (await Promise.all(claims)).flatMap((change) => change?.item.song_id ?? [])
      // The control: otherwise each claim takes an item.
      if (onePerSong) expect(songs.toSorted()).toEqual([1, 2, 3, 4])
      else expect(songs).toHaveLength(15)
    }
  },
)

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
  // As if nobody had been alive for the last 5 s.
  await client.unsafe("UPDATE history SET alive_at = alive_at - 5000")
  await client.unsafe(
    "UPDATE queue_items SET lease_expires_at = lease_expires_at - 5000, version = version + 1",
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
  one.outages.begin(one.clock.steadyMs() - 10)
  await one.alive()
  const [row]: { lease: number; alive: number }[] = await client.unsafe(
    "SELECT (SELECT lease_expires_at FROM queue_items)::float8 AS lease, alive_at::float8 AS alive FROM history",
  )
  const nowMs = one.clock.steadyMs()
  expect(row?.lease).toBeWithin(nowMs + LEASE_MS - 5000, nowMs + LEASE_MS + 1)
  expect(row?.alive).toBeLessThanOrEqual(nowMs)
})

withPostgres("instances that start at once on a new database migrate it once", async () => {
  const { url } = await newDatabase()
  const stores = await Promise.all(from1(4).map(() => PostgresStore.open(url)))
  expect(stores.filter(({ found }) => found.isNew)).toHaveLength(1)
  expect(new Set(stores.map(({ historyId }) => historyId)).size).toBe(1)
  for (const store of stores) await store.close()
  // The control: drizzle alone.
  const other = await newDatabase()
  const migrationsFolder = join(import.meta.dir, "../../src/store/postgres/postgres-migrations")
  const alone = await Promise.allSettled(
    from1(4).map(async () => {
      await using client = new SQL({ url: other.url, max: 1 })
      await client.unsafe("SELECT 1")
      await migrate(drizzle({ client }), { migrationsFolder })
    }),
  )
  expect(alone.some(({ status }) => status === "rejected")).toBeTrue()
})
