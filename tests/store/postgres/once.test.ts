import { expect, setDefaultTimeout, test } from "bun:test"

import { SQL } from "bun"

import { rescued } from "../../../src/item/lease.ts"
import type { Store } from "../../../src/store/contract/store.ts"
import { APPEND, parametersOf } from "../../../src/store/postgres/append-statement.ts"
import { GroupDecisions } from "../../../src/store/postgres/group-decisions.ts"
import { PostgresStore } from "../../../src/store/postgres/postgres.ts"
import { answeredOnceStored } from "../../contracts/answered-once-stored.ts"
import { added, draft, put } from "../../contracts/store.contract.ts"
import { distant } from "./distant.ts"
import { loseAnswerTo } from "./proxy.ts"
import { whyNoPostgres } from "./server.ts"
import { atOnce, from1, rescue, taking, together, WAITING, WITHOUT_VERSIONS, withWrong } from "./several.ts"

setDefaultTimeout(180_000)

const withPostgres = test.skipIf(whyNoPostgres !== undefined)

/** A way for `POST /queue` to add an item for a key. Returns the item. */
type Adds = (store: Store, key: string) => Promise<number>

const byKey: Adds = async (store, key) => (await store.add(() => draft(), { key, digest: "d" })).item.id

/** Looks for the key, and adds the item if there is none. Two instances both find none, and both add it. */
const byLooking =
  (client: SQL): Adds =>
  async (store, key) => {
    const [known]: { id: string }[] = await client.unsafe("SELECT id FROM queue_items WHERE title = $1", [
      key,
    ])
    return known ? Number(known.id) : (await store.add(() => draft({ title: key }))).item.id
  }

withPostgres("one idempotency key at several instances at the same time adds one item", async () => {
  await using opened = await together(3)
  const { one, stores, client } = opened
  const items = async (adds: Adds, count: number): Promise<number> => {
    const before = await one.items()
    const ids = await Promise.all(from1(count).flatMap((i) => stores.map((store) => adds(store, `k${i}`))))
    expect(new Set(ids).size).toBe((await one.items()) - before)
    return new Set(ids).size
  }
  expect(await items(byKey, 20)).toBe(20)
  // The control.
  expect(await items(byLooking(client), 20)).toBeGreaterThan(20)
})

withPostgres("a key that has expired is taken over; one that is left alone would never be free", async () => {
  await using opened = await together(1)
  const { one, client } = opened
  await client.unsafe("INSERT INTO instances (id, seen_at, epoch) VALUES ('control', 0, 7)")
  await byKey(one, "old")
  await client.unsafe("UPDATE idempotency_keys SET created_at = 1")
  const stored = async (statement: string, group: number): Promise<unknown> => {
    const decisions = new GroupDecisions(one.clock)
    const [row]: { id: string }[] = await client.unsafe("SELECT nextval('queue_items_ids') AS id")
    decisions.numbers.push(Number(row?.id))
    decisions.add(() => draft(), { key: "old", digest: "d" })
    const parameters = parametersOf(decisions, { era: 0, nowMs: one.clock.now(), oldestMs: 1 })
    const [answer]: { kept: string }[] = await client.unsafe(statement, [
      "control",
      group,
      7,
      0,
      ...parameters,
      Date.now(),
    ])
    return JSON.parse(answer?.kept ?? "")
  }
  // The control.
  const leaving = APPEND.replace("created_at <= $7::int8", "created_at <= least(0, $7::int8)")
  expect(leaving).not.toBe(APPEND)
  expect(await stored(leaving, 1)).toEqual([])
  expect(await stored(APPEND, 2)).toEqual([expect.any(Number)])
  expect(await one.items()).toBe(2)
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
  const head = await one.head()
  const rescued = await Promise.all(stores.map((store) => store.sweep({ due: "lease", by: 2 }, rescue)))
  expect(rescued.reduce((sum, count) => sum + count)).toBe(90)
  expect(await one.head()).toBe(head + 90)
})

withPostgres("an item that three instances have all seen waiting is taken and rescued by one", async () => {
  await using opened = await together(3)
  const { one, stores, client } = opened
  /** How many of the instances take one item, and how many of them rescue it. */
  const once = async (): Promise<[claims: number, rescues: number]> => {
    await client.unsafe("UPDATE queue_items SET deleted_at = 1, version = version + 1")
    await added(one)
    const claims = await atOnce(client, 3, () =>
      Promise.all(stores.map((store, i) => store.claim([], taking(`${i}`)))),
    )
    await client.unsafe(
      "UPDATE queue_items SET lease_expires_at = 1, version = version + 1 WHERE deleted_at IS NULL",
    )
    const rescues = await atOnce(client, 3, () =>
      Promise.all(stores.map((store) => store.sweep({ due: "lease", by: 2 }, rescue))),
    )
    return [claims.filter((change) => change !== null).length, rescues.reduce((sum, count) => sum + count)]
  }
  expect(await once()).toEqual([1, 1])
  const { wrong, right } = WITHOUT_VERSIONS
  await withWrong(client, wrong, right, async () => expect(await once()).toEqual([3, 3]))
})

withPostgres(
  "where a song has one worker at a time, claims at several instances at once take one item of each",
  async () => {
    for (const onePerSong of [true, false]) {
      await using opened = await together(3, onePerSong)
      // The workers of each instance take other items of the same songs, so that no two want the same item.
      for (let i = 0; i < 60; i += 1) await added(opened.one, { song_id: 1 + (i % 4), tags: [`of ${i % 3}`] })
      const claims = await atOnce(opened.client, 3, () =>
        Promise.all(
          opened.stores.flatMap((store, i) =>
            from1(5).map((worker) => store.claim([`of ${i}`], taking(`${i} ${worker}`))),
          ),
        ),
      )
      const songs = claims.flatMap((change) => change?.item.song_id ?? [])
      // The control: otherwise each claim takes an item.
      if (onePerSong) expect(songs.toSorted()).toEqual([1, 2, 3, 4])
      else expect(songs).toHaveLength(15)
    }
  },
)

withPostgres("the notes of stored groups are removed, except for those of the last groups", async () => {
  await using opened = await together(1)
  const { one, client } = opened
  const id = await added(one)
  for (let i = 0; i < 505; i += 1) await put(one, id, { message: `${i}` })
  for (let kept = 505; kept > 100;) {
    const [row]: { n: number }[] = await client.unsafe("SELECT count(*)::int AS n FROM groups")
    kept = row?.n ?? 0
    // They are removed rarely, and not again with each group.
    if (kept <= 100) expect(kept).toBeGreaterThan(4)
  }
})

withPostgres("waiting reads, however many, do not delay a write", async () => {
  await using opened = await together(1)
  const { one, client } = opened
  const id = await added(one)
  await client.unsafe("BEGIN")
  await client.unsafe("LOCK TABLE tokens IN ACCESS EXCLUSIVE MODE")
  const reads = Promise.all(from1(20).map(() => one.access.tokens()))
  const read = reads.then(() => "read")
  // The control: reads that share their connections wait as well.
  const isHeld = Promise.race([one.items().then(() => "read"), Bun.sleep(300).then(() => "waits")])
  expect((await put(one, id, { message: "stored" })).message).toBe("stored")
  expect([await isHeld, await Promise.race([read, "waits"])]).toEqual(["waits", "waits"])
  await client.unsafe("COMMIT")
  expect(await read).toBe("read")
})

withPostgres(
  "a delivery that another server has taken since stays with it when it is given back",
  async () => {
    await using opened = await together(2)
    const { one, two } = opened
    await one.deliveries.follow(["http://one"])
    const { update } = await one.latestOfItem(await added(one))
    await one.deliveries.add([{ notice: "failed", update }], update.id)
    const [taken] = await one.deliveries.take("http://one", 1, 1)
    // It stood still for longer than it had taken the delivery for.
    let hasTwo = false
    while (!hasTwo) hasTwo = (await two.deliveries.take("http://one", 1, 600_000)).length > 0
    await one.deliveries.giveBack(taken?.id ?? 0)
    expect(await one.deliveries.take("http://one", 1, 1)).toEqual([])
    await two.deliveries.giveBack(taken?.id ?? 0)
    expect(await one.deliveries.take("http://one", 1, 1)).toHaveLength(1)
  },
)

withPostgres(
  "a gone server is shown for a minute, and its webhooks are kept for ten and if it comes back",
  async () => {
    await using opened = await together(1)
    const { client, url } = opened
    let nowMs = Date.parse("2026-01-02T03:04:05.000Z")
    const clock = { now: () => nowMs, steadyMs: () => nowMs }
    const [gone, here] = [await PostgresStore.open(url, { clock }), await PostgresStore.open(url, { clock })]
    const report = {
      version: "1",
      address: "http://box",
      since: "2026-01-02T03:04:05.000Z",
      streams: 0,
      crew: [],
    }
    await gone.instances.write({ ...report, name: "gone" })
    await gone.deliveries.follow(["http://gone"])
    /** What is known after this time: the servers, and the webhooks. */
    const after = async (ms: number): Promise<string[][]> => {
      nowMs += ms
      await here.deliveries.follow(["http://here"])
      await here.instances.write({ ...report, name: "here" })
      const shown = await here.instances.all()
      return [shown.map(({ name }) => name).sort(), await webhooks()]
    }
    const webhooks = async (): Promise<string[]> => {
      const rows: { url: string }[] = await client.unsafe("SELECT url FROM webhooks ORDER BY url")
      return rows.map((row) => row.url)
    }
    const both = ["http://gone", "http://here"]
    expect(await after(59_999)).toEqual([["gone", "here"], both])
    expect(await after(1)).toEqual([["here"], both])
    expect(await after(539_999)).toEqual([["here"], both])
    expect(await after(1)).toEqual([["here"], ["http://here"]])
    // It had only stood still: its webhook, which was forgotten, is followed again.
    await gone.instances.write({ ...report, name: "gone" })
    expect(await webhooks()).toEqual(both)
    // This time another server removes only its row, and forgets webhooks later.
    nowMs += 600_000
    await here.instances.write({ ...report, name: "here" })
    await gone.instances.write({ ...report, name: "gone" })
    expect(await after(0)).toEqual([["gone", "here"], both])
    for (const store of [gone, here]) await store.close()
  },
)

withPostgres(
  "work that one server at a time must do is done by the first that asks once it is due",
  async () => {
    await using opened = await together(1)
    let nowMs = Date.parse("2026-01-02T03:04:05.000Z")
    const clock = { now: () => nowMs, steadyMs: () => nowMs }
    const stores = [
      await PostgresStore.open(opened.url, { clock }),
      await PostgresStore.open(opened.url, { clock }),
    ]
    const taken = async (afterMs: number): Promise<boolean[]> => {
      nowMs += afterMs
      const found: boolean[] = []
      for (const { upkeep } of stores) found.push(await upkeep.takeTimer("retention", 1000))
      return found
    }
    expect([await taken(0), await taken(999), await taken(1)]).toEqual([
      [true, false],
      [false, false],
      [true, false],
    ])
    for (const store of stores) await store.close()
  },
)

/** Takes a lock of tables, under which they are only read; `asked` resolves once a server waits for it. */
async function locked(client: SQL, observer: SQL, tables: string) {
  await client.unsafe("BEGIN")
  await client.unsafe(`LOCK TABLE ${tables} IN EXCLUSIVE MODE`)
  return {
    asked: async (): Promise<void> => {
      while ((await observer.unsafe(WAITING)).length < 1);
    },
    letGo: async (): Promise<void> => void (await client.unsafe("ROLLBACK")),
  }
}

withPostgres("no write is answered before the database has stored it", async () => {
  await using opened = await together(1)
  await using observer = new SQL({ url: opened.url, max: 1 })
  const tables =
    "queue_items, history, webhooks, followers, deliveries, tokens, tickets, runs, hours, instances"
  await answeredOnceStored(opened.one, () => locked(opened.client, observer, tables))
})

withPostgres(
  "the next item for a worker is looked for after those whose time has come can be claimed",
  async () => {
    await using opened = await together(1)
    const { url, client } = opened
    await using observer = new SQL({ url, max: 1 })
    let nowMs = Date.now()
    const now = (): number => nowMs
    const store = await PostgresStore.open(url, { clock: { now, steadyMs: now } })
    const id = await added(store, { available_at: new Date(nowMs + 1000).toISOString() })
    expect(await store.nextWaiting([])).toBeNull()
    nowMs += 1000
    const { asked, letGo } = await locked(client, observer, "queue_items")
    const next = store.nextWaiting([])
    await asked()
    await letGo()
    expect((await next)?.id).toBe(id)
    await store.close()
  },
)

withPostgres("the leases that a token loses are counted once, although the answer is lost", async () => {
  await using opened = await distant()
  const { store, proxy, url } = opened
  const near = await PostgresStore.open(url)
  const [first, second, over, other] = [
    await added(store),
    await added(store),
    await added(store),
    await added(store),
  ]
  for (const id of [first, second, over, other])
    await store.change(id, (stored, moment) => {
      const change = taking(`lease of ${id}`)(stored, moment)
      return { ...change, work: { ...change.work, lease_holder: id === other ? 8 : 7 } }
    })
  await near.change(over, rescue)
  loseAnswerTo(proxy, "UPDATE queue_items q SET lease_token")
  const lose = proxy.decide
  let sweeping: Promise<number> | undefined
  proxy.decide = (bytes) => {
    const fate = lose(bytes)
    if (fate !== "cut after") return fate
    // Before it is asked again, another server takes back what it finds revoked.
    proxy.decide = (again) => {
      if (sweeping || !again.includes("lease_holder")) return "pass"
      sweeping = near.sweep({ due: "lease", by: 1 }, (stored, moment) => rescued(stored, 5, moment))
      void sweeping.then(() => proxy.release())
      return "hold"
    }
    return fate
  }
  expect(await store.access.endLeases(7)).toBe(2)
  expect(await sweeping).toBe(2)
  expect(await store.access.endLeases(7)).toBe(0)
  expect(await store.access.endLeases(8)).toBe(1)
  await near.close()
})
