import { Database } from "bun:sqlite"
import { expect, test } from "bun:test"
import { join } from "node:path"

import { STATUSES, type StoredUpdate } from "../../src/item/item.ts"
import { DELIVERY_STATUSES } from "../../src/item/notice.ts"
import type { Deliveries } from "../../src/store/deliveries.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { added, draft, put } from "../contracts/store.contract.ts"
import { temporaryFolder } from "../server.ts"

const URL = "https://one.example/hook"

/** Tables of one row, or of one for each webhook, table or status. */
const SMALL = [
  "sqlite_master",
  "__drizzle_migrations",
  "history",
  "webhooks",
  "queue_counts",
  "json_each",
  "sqlite_sequence",
  "CONSTANT ROW",
]
/** What is asked once, by people, or by who scrapes metrics, and counts everything, or all of a time in groups. */
const COUNTS = /^select count\(\*\) from "queue_items"|GROUP BY outcome$|group by "deliveries"."status"$/i
/** What walks from one key of an index to the next one. */
const STEPS = ["SCAN song", "SCAN ranks"]

/** Remembers the text of each statement that is prepared while it lives. */
class Prepared implements Disposable {
  readonly texts = new Set<string>()
  readonly #prepare = Database.prototype.prepare
  readonly #query = Database.prototype.query

  constructor() {
    const { texts } = this
    for (const name of ["prepare", "query"] as const) {
      const real = Database.prototype[name]
      Database.prototype[name] = function (this: Database, ...given: Parameters<Database["prepare"]>) {
        texts.add(given[0])
        return Reflect.apply(real, this, given)
      } as Database["prepare"]
    }
  }

  [Symbol.dispose](): void {
    Database.prototype.prepare = this.#prepare
    Database.prototype.query = this.#query
  }
}

/** Calls every method of a store, each in all of its ways. */
async function everything(store: SqliteStore, all: Deliveries): Promise<void> {
  await all.follow([URL])
  const id = await added(store, { tags: ["gpu"], available_at: new Date(Date.now() - 1).toISOString() })
  await store.nextWaiting()
  await store.nextWaiting(["gpu"])
  await store.claim(["gpu"], ({ item, work }) => ({
    item: { ...item, status: "processing" },
    work: { ...work, lease_expires_at: 1 },
  }))
  await store.change(id, ({ item, work }) => ({ item, work: { ...work, done: 1 }, quiet: true }))
  await store.place(id, id, (stored) => ({ ...stored, quiet: true }))
  await put(store, id, { progress: 2 })
  await store.outputs.append(id, [{ from: 0, to: 4, text: "one\n" }], 1, ({ item }) => item.attempt)
  await store.outputs.read(id, 1, 0, 1)
  await store.outputs.end(id, 1)
  for (const due of ["lease", "stall"] as const) {
    await store.sweep({ due, by: Date.now() }, (stored) => ({ ...stored, quiet: true }))
  }
  await put(store, id, { status: "completed" })
  await store.add(() => draft(), { key: "key", digest: "digest" })
  store.outages.begin(0)
  await store.alive()
  await store.isAnyLeased()
  store.faults()
  await store.wasDeleted(id)
  await store.item(id)
  await store.items()
  await store.figures.songs()
  await store.figures.oldestWaiting()
  await store.figures.leases()
  await all.standing()
  await store.figures.standing()
  await store.figures.finished(0)
  await store.pause()
  await store.pausedAt()
  await store.resume()
  await lists(store)
  await reads(store, id)
  await deliveries(all, (await store.latestOfItem(id)).update)
}

async function lists(store: SqliteStore): Promise<void> {
  const after = "1.0.1.1"
  for (const status of [undefined, ...STATUSES]) {
    await store.list({ limit: 1, status })
    await store.list({ limit: 1, status, after })
    await store.list({ limit: 1, status, after, songId: 1 })
    await store.list({ limit: 1, status, search: "word" })
  }
}

async function reads(store: SqliteStore, id: number): Promise<void> {
  await store.page({ after: 0, limit: 1 })
  await store.page({ after: 0, limit: 1, queueId: id })
  await store.latest({ of: "open" })
  await store.latest({ of: "changed", after: 0 })
  await store.latest({ of: "changed", after: 0, queueId: id })
  const { update } = await store.latestOfItem(id)
  await store.updates([update.id])
  await store.previous(update)
  await store.count(0, 1, id)
  await store.bounds()
  await store.head()
}

async function deliveries(all: Deliveries, update: StoredUpdate): Promise<void> {
  await all.cursor()
  await all.add([{ notice: "completed", update }], update.id)
  const [delivery] = await all.take(URL, 1, 1000)
  if (!delivery) throw new Error("nothing is due")
  await all.giveBack(delivery.id)
  await all.settle(delivery.id, { status: "delivered", nextAttemptAt: null, answer: 200, error: "" })
  for (const status of [undefined, ...DELIVERY_STATUSES]) {
    await all.list({ limit: 1, status })
    await all.list({ limit: 1, status, before: 9 })
  }
}

/** The methods that a class of ours has, those of its parents included. */
function methodsOf(object: object): string[] {
  const names = new Set<string>()
  for (let at: object | null = object; at && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (typeof value === "function" && name !== "constructor") names.add(name)
    }
  }
  return [...names]
}

/** The same object, which remembers the names of the methods that are called. */
const counted = <T extends object>(object: T, called: Set<string>): T =>
  new Proxy(object, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key, target)
      if (typeof member !== "function") return member
      called.add(String(key))
      return member.bind(target)
    },
  })

test.each([false, true])(
  "no statement of the store walks a table or sorts, one item per song: %j",
  async (onePerSong) => {
    using folder = temporaryFolder()
    const path = join(folder.path, "test.db")
    const store = new SqliteStore(path, undefined, { onePerSong })
    // What is asked once, to open it, does not count.
    using prepared = new Prepared()
    const called = new Set<string>()
    await everything(counted(store, called), counted(store.deliveries, called))
    await store.close()
    expect([...methodsOf(store), ...methodsOf(store.deliveries)].filter((name) => !called.has(name))).toEqual(
      ["drain", "close"],
    )
    const texts = [...prepared.texts].filter((text) => /^\s*(select|insert|update|delete|with)/i.test(text))
    expect(texts.length).toBeGreaterThan(40)
    using client = new Database(path)
    const faults = texts.flatMap((text) =>
      client
        .query<{ detail: string }, []>(`EXPLAIN QUERY PLAN ${text}`)
        .all()
        .map(({ detail }) => detail)
        .filter((detail) => isBad(detail) && !COUNTS.test(text) && !isFirstPage(text))
        .map((detail) => `${detail}: ${text}`),
    )
    expect(faults).toEqual([])
  },
)

/** The newest rows by their key: it ends at the limit, and walks over nothing that it does not give. */
const isFirstPage = (text: string): boolean =>
  !/ where /i.test(text) && / order by "\w+"\."id" desc limit \?$/.test(text)

const isBad = (detail: string): boolean =>
  detail.includes("USE TEMP B-TREE") ||
  // The songs are no table: they are found one after the other, each by the index.
  (detail.startsWith("SCAN") && !STEPS.includes(detail) && !SMALL.some((name) => detail.includes(name)))
