import { Database } from "bun:sqlite"
import { expect, test } from "bun:test"
import { join } from "node:path"

import { STATUSES } from "../../../src/item/item.ts"
import type { StoredUpdate } from "../../../src/item/stored.ts"
import { DELIVERY_STATUSES } from "../../../src/item/webhook-notice.ts"
import type { Deliveries } from "../../../src/store/contract/deliveries.ts"
import type { Decide } from "../../../src/store/contract/items.ts"
import type { Store } from "../../../src/store/contract/store.ts"
import { claims, waitingItems } from "../../../src/store/sqlite/claim-order.ts"
import { SqliteStore } from "../../../src/store/sqlite/sqlite.ts"
import { under } from "../../contracts/repeated-claims.contract.ts"
import { added, draft, put } from "../../contracts/store.contract.ts"
import { temporaryFolder } from "../../server.ts"
import { counted } from "../counted.ts"

const URL = "https://one.example/hook"

/**
 * Tables with one row, with one row for each webhook, table, status or token, or with at most 1,000 rows for
 * each token.
 */
const SMALL = [
  "sqlite_master",
  "__drizzle_migrations",
  "history",
  "webhooks",
  "tokens",
  "tickets",
  "queue_counts",
  "json_each",
  "sqlite_sequence",
  "CONSTANT ROW",
]
/**
 * Statements that run once, for people, or for a scrape of metrics, and count everything, or group a whole
 * time.
 */
const COUNTS =
  /^select count\(\*\) from "queue_items"|GROUP BY outcome$|group by "deliveries"."status"$|group by "runs"."kind", "runs"."look"/i
/** Statements that count up to a limit, or check whether there is a row at all. */
const LIMITED =
  /^SELECT count\(\*\) AS n FROM \(SELECT 1 FROM .* LIMIT \?\)$|EXISTS \(SELECT 1 FROM queue_items\)/
/**
 * Statements that go from one key of an index to the next one, or over the rows that were read before, up to a limit.
 */
const STEPS = ["SCAN song", "SCAN ranks", "SCAN slice"]

/** Remembers the text of each statement that is prepared while this object exists. */
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

/** Calls every method of a store and of its parts, in all variants. */
async function everything(store: Store): Promise<void> {
  const all = store.deliveries
  await all.follow([URL])
  const id = await added(store, { tags: ["gpu"], available_at: new Date(Date.now() - 1).toISOString() })
  await store.nextWaiting()
  await store.nextWaiting(["gpu"])
  // More sets of tags than are searched one by one.
  const tags = Array.from({ length: 7 }, (_, i) => `tag ${i}`)
  const some = (i: number): string[] => tags.filter((_tag, bit) => ((i >> bit) & 1) === 1)
  await Promise.all(Array.from({ length: 100 }, (_, i) => added(store, { tags: some(i + 1) })))
  await store.nextWaiting(tags)
  const take: Decide = ({ item, work }) => ({
    item: { ...item, status: "processing", attempt: item.attempt + 1 },
    work: { ...work, lease_expires_at: 1 },
  })
  await store.claim(["gpu"], take, under("one"))
  await store.claimedBefore(under("one"))
  await store.change(id, ({ item, work }) => ({ item, work: { ...work, done: 1 }, quiet: true }))
  await store.place(id, id, (stored) => ({ ...stored, quiet: true }))
  await put(store, id, { progress: 2 })
  await store.outputs.append(id, [{ from: 0, to: 4, text: "one\n" }], 1, ({ item }) => item.attempt)
  await store.outputs.read(id, 1, 0, 1)
  await store.outputs.end(id, 1)
  for (const due of ["lease", "stall"] as const) {
    await store.sweep({ due, by: Date.now() }, (stored) => ({ ...stored, quiet: true }))
  }
  const run = { kind: "song", look: "a look", worker: "w", queue_id: id, seconds: 9, steps: [] }
  await store.change(id, ({ item, work }) => ({ item, work, run }))
  await put(store, id, { status: "completed" })
  await store.add(() => draft(), { key: "key", digest: "digest" })
  store.outages.begin(0)
  await store.alive()
  await store.isAnyLeased()
  store.faults()
  store.noteError(new Error("of a reader"))
  await store.wasDeleted(id)
  await store.item(id)
  await store.stored(id)
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
  await runs(store)
  await access(store.access)
  await upkeep(store.upkeep)
  await instances(store.instances)
}

async function runs({ runs: all, upkeep: kept }: Store): Promise<void> {
  const run = { kind: "song", look: "a look", worker: "w", queue_id: 1, seconds: 9, steps: [] }
  await all.addLearned([{ ...run, ended_at: new Date().toISOString() }])
  await all.hasLearned()
  await all.alike("song", "a look")
  await all.alike("", "a look")
  await all.kinds(9)
  await kept.forgetRuns(0, 1)
  await all.forget("song")
}

async function access(all: Store["access"]): Promise<void> {
  const [role, expires_at] = ["viewer" as const, new Date(Date.now() + 60_000).toISOString()]
  const { id } = await all.addToken({ hash: "aa", label: "", role, item: null, expires_at: null })
  const ticket = { hash: "t", token_id: id, method: "GET", path: "/", use_by: expires_at, expires_at }
  await all.addTicket(ticket)
  await all.ticket("t")
  await all.tickets()
  await all.useTicket("t")
  await all.useTokens([id])
  await all.tokens()
  await all.version()
  await all.endLeases(id)
  await all.revokeToken(id)
}

async function upkeep(all: Store["upkeep"]): Promise<void> {
  const upTo = 1_000_000
  const ended = { fromMs: 0, toMs: Date.now() + 60_000, upTo }
  await all.takeTimer("retention", 1000)
  await all.beginsAt(1000)
  await all.passMinutes(60)
  await all.newestAgo(1)
  for (const finished of [[], [ended]]) {
    for (const perItem of [0, 1]) {
      const thinning = { finished, perItem, upTo, keepCompleted: 0, limit: 1 }
      while ((await all.thin(thinning)) > 0);
    }
  }
  await all.finished(ended, 1)
  await all.items()
  while ((await all.purge([ended], 1)) > 0);
  await all.size()
  await all.checkpoint()
  await all.shrink(1)
}

async function instances(all: Store["instances"]): Promise<void> {
  await all.write({ name: "box", version: "", address: "", since: "", streams: 0, crew: [] })
  await all.all()
}

async function lists(store: Store): Promise<void> {
  const after = "1.0.1.1"
  // A search reads these in more than one tick.
  await Promise.all(Array.from({ length: 120 }, () => added(store)))
  for (const status of [undefined, ...STATUSES]) {
    await store.list({ limit: 1, status })
    await store.list({ limit: 1, status, after })
    await store.list({ limit: 1, status, after, songId: 1 })
    await store.list({ limit: 1, status, search: "word" })
  }
}

async function reads(store: Store, id: number): Promise<void> {
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
  await all.failing(URL)
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

test.each([false, true])(
  "no statement of the store walks a table, sorts, or asks for each row, one item per song: %j",
  async (onePerSong) => {
    using folder = temporaryFolder()
    const path = join(folder.path, "test.db")
    const store = new SqliteStore(path, undefined, { onePerSong })
    // Statements that run once, when it is opened, do not count.
    using prepared = new Prepared()
    const { used, called, methods } = counted(store)
    await everything(used)
    // The next items in the queue's order are read only if there are very many sets of tags.
    using reader = new Database(path)
    waitingItems(claims(reader, onePerSong)).after({ rank: 0, place: 0, id: 0 }, 1)
    await store.close()
    // The store calls the last two itself, within other writes.
    expect(methods.filter((name) => !called.has(name))).toEqual([
      "drain",
      "close",
      "runs.keep",
      "outputs.forgetFrom",
    ])
    const texts = [...prepared.texts].filter((text) => /^\s*(select|insert|update|delete|with)/i.test(text))
    expect(texts.length).toBeGreaterThan(40)
    using client = new Database(path)
    const faults = texts.flatMap((text) =>
      client
        .query<{ detail: string }, []>(`EXPLAIN QUERY PLAN ${text}`)
        .all()
        .map(({ detail }) => detail)
        .filter(
          (detail) =>
            (isBad(detail) || isAskedForEachRow(detail, text)) &&
            ![COUNTS, LIMITED].some((those) => those.test(text)) &&
            !isFirstPage(text),
        )
        .map((detail) => `${detail}: ${text}`),
    )
    expect(faults).toEqual([])
    checkStatusIndex(client, texts)
    const slices = texts.filter((text) => text.includes("instr(") && text.includes(") <= (?"))
    expect([slices.length > 0, texts.filter((text) => isOpenEnded(text, planOf(client, text)))]).toEqual([
      true,
      [],
    ])
  },
)

/** Checks that of a status of which there are few items the many others of its section are not read. */
function checkStatusIndex(client: Database, texts: readonly string[]): void {
  const ofStatus = texts.filter((text) => text.includes('"queue_items"."status" = ?'))
  const indexOf = (text: string): string =>
    text.includes('"queue_items"."song_id" = ?')
      ? "queue_items_song (song_id=? AND section=?"
      : "queue_items_status"
  const passing = ofStatus.filter((text) => !planOf(client, text).includes(indexOf(text)))
  expect([ofStatus.length > 0, passing]).toEqual([true, []])
}

const planOf = (client: Database, text: string): string =>
  client
    .query<{ detail: string }, []>(`EXPLAIN QUERY PLAN ${text}`)
    .all()
    .map(({ detail }) => detail)
    .join()

/** Whether a part of the queue is read from before its first item, or to beyond its last one. */
const isOpenEnded = (text: string, plan: string): boolean =>
  (text.includes(") > (?") && !plan.includes(")>(")) || (text.includes(") <= (?") && !plan.includes(")<("))

/** The newest rows by their key. It ends at the limit, and reads only the rows that it returns. */
const isFirstPage = (text: string): boolean =>
  !/ where /i.test(text) && / order by "\w+"\."id" desc limit \?$/.test(text)

/** A question for each row that is passed over makes claims wait where thousands of items are for nobody now. */
const isAskedForEachRow = (detail: string, text: string): boolean =>
  detail.startsWith("CORRELATED") && !text.startsWith("WITH RECURSIVE")

const isBad = (detail: string): boolean =>
  detail.includes("USE TEMP B-TREE") ||
  // The songs are no table: they are found one after the other, each by the index.
  (detail.startsWith("SCAN") && !STEPS.includes(detail) && !SMALL.some((name) => detail.includes(name)))
