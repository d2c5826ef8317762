import { expect, setDefaultTimeout, test } from "bun:test"

import { SQL } from "bun"

import type { Decide } from "../../../src/store/contract/items.ts"
import { PostgresStore } from "../../../src/store/postgres/postgres.ts"
import { under } from "../../contracts/repeated-claims.contract.ts"
import { added, draft, put } from "../../contracts/store.contract.ts"
import { counted } from "../counted.ts"
import { newDatabase, whyNoPostgres } from "./server.ts"

setDefaultTimeout(180_000)

const ITEMS = 12_000
const HOOK = "https://one.example/hook"
/** Tables that grow. Tokens are few, and each has at most 1,000 tickets. */
const LARGE = ["queue_items", "updates", "deliveries", "idempotency_keys", "outputs"]

/** Copies one item until there are many in every state, with their updates and deliveries. */
const FILL = `
ALTER TABLE queue_items DISABLE TRIGGER USER;
CREATE TEMPORARY TABLE one AS SELECT * FROM queue_items WHERE id = 1;
ALTER TABLE one DROP COLUMN section, DROP COLUMN rank, DROP COLUMN place, DROP COLUMN thin_at;
DO $$
DECLARE
  names text;
BEGIN
  SELECT string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position) INTO names
  FROM information_schema.columns WHERE table_name = 'one' AND column_name <> 'id';
  EXECUTE format('INSERT INTO queue_items (id, %s) SELECT i, %s FROM one, generate_series(2, ${ITEMS}) i', names, names);
END $$;
UPDATE queue_items SET song_id = id / 3 + 1, priority = id % 7, last_update_id = id * 2,
  status = CASE WHEN id % 300 = 0 THEN 'processing' WHEN id % 2 = 0 THEN 'completed' ELSE 'queued' END,
  outcome = CASE WHEN id % 300 <> 0 AND id % 2 = 0 THEN 'completed' END,
  started_at = id, completed_at = CASE WHEN id % 300 <> 0 AND id % 2 = 0 THEN id + 1000 END,
  needs = CASE id % 3 WHEN 0 THEN '{}' WHEN 1 THEN ARRAY['4k', 'set ' || id] ELSE ARRAY['gpu'] END,
  lease_expires_at = CASE WHEN id % 300 = 0 THEN 9e15::int8 END,
  deleted_at = CASE WHEN id % 50 = 4 THEN 5 END
WHERE id > 1;
ALTER TABLE queue_items ENABLE TRIGGER USER;
INSERT INTO updates (id, queue_id, song_id, status, data)
  SELECT i, i / 2, 1, 'queued', json_build_object('timestamp', '2026-01-01T00:00:00.000Z', 'message', repeat('x', 200))::text
  FROM generate_series(4, ${2 * ITEMS}) i;
INSERT INTO deliveries (url, notice, update_id, queue_id, data, status, created_at, finished_at)
  SELECT '${HOOK}', 'completed', i, i / 2, '{}', 'delivered', 1, ${Date.now()} FROM generate_series(4, ${ITEMS}) i;
INSERT INTO idempotency_keys (key, digest, answer, created_at)
  SELECT 'k' || i, 'd', '{}', 9e14::int8 FROM generate_series(1, ${ITEMS}) i;
INSERT INTO outputs (queue_id, attempt, until, at, text) SELECT i, 1, 5, 0, 'text' FROM generate_series(2, ${ITEMS}) i;
SELECT setval('queue_items_ids', ${ITEMS});
UPDATE history SET retain_from = 0`

/** Statements that run many times a second, or for each viewer. */
async function used(store: PostgresStore): Promise<void> {
  const id = await added(store, { tags: ["gpu"], available_at: new Date(Date.now() - 1).toISOString() })
  for (const tags of [[], ["gpu"]]) {
    await store.nextWaiting(tags)
    const take: Decide = ({ item, work }, { steadyMs }) => ({
      item: { ...item, status: "processing" },
      work: { ...work, lease_ms: 60_000, lease_expires_at: steadyMs + 60_000 },
    })
    await store.claim(tags, take, under("one"))
    await store.claimedBefore(under("one"))
  }
  await store.nextWaiting()
  await put(store, id, { message: "a report" })
  await store.place(id, id, (stored) => ({ ...stored, quiet: true }))
  await store.add(() => draft(), { key: "key", digest: "digest" })
  await store.outputs.append(2, [{ from: 5, to: 9, text: "more" }], 1, () => 1)
  await store.outputs.read(2, 1, 0, 1)
  store.outages.begin(0)
  await store.alive()
  await store.isAnyLeased()
  await store.sweep({ due: "lease", by: 5 }, (stored) => ({ ...stored, quiet: true }))
  await store.wasDeleted(id)
  await store.item(id)
  await store.stored(id)
  await store.figures.oldestWaiting()
  await store.figures.standing()
  await store.figures.finished(ITEMS)
  for (const status of [undefined, "queued", "completed"] as const) {
    await store.list({ limit: 9, status })
    await store.list({ limit: 9, status, songId: 70 })
    await store.list({ limit: 9, status, after: "1.-3.100.100" })
  }
  await store.page({ after: ITEMS, limit: 100 })
  await store.page({ after: 0, limit: 100, queueId: 9 })
  await store.latest({ of: "changed", after: 2 * ITEMS - 50 })
  await store.latest({ of: "changed", after: 0, queueId: 9 })
  await store.previous((await store.latestOfItem(9)).update)
  await store.updates([5, 6, 7])
  await store.count(5, 9, 3)
  await store.bounds(9)
  await store.head()
  await store.deliveries.cursor()
  await store.deliveries.take(HOOK, 4, 1000)
  await store.deliveries.failing(HOOK)
  await store.deliveries.list({ limit: 9 })
  await store.deliveries.list({ limit: 9, status: "pending", before: 99 })
  const ended = { fromMs: 0, toMs: Date.now(), upTo: 99_999 }
  const thinning = { finished: [ended], perItem: 9, upTo: 99_999, keepCompleted: 9, limit: 9 }
  await store.upkeep.thin(thinning)
  await store.upkeep.purge([ended], 9)
  await store.upkeep.finished(ended, 9)
  await store.upkeep.items()
  await store.upkeep.newestAgo(9)
}

/** Statements that run for each token, delivery, run and round of the upkeep. */
async function usedBeside(store: PostgresStore): Promise<void> {
  await store.pause()
  await store.pausedAt()
  await store.resume()
  store.faults()
  store.noteError()
  const { update } = await store.latestOfItem(9)
  const { deliveries, runs, access, upkeep } = store
  await deliveries.follow([HOOK])
  await deliveries.add([{ notice: "completed", update }], update.id)
  await deliveries.giveBack(5)
  await deliveries.settle(5, { status: "delivered", nextAttemptAt: null, answer: 200, error: "" })
  const run = { kind: "song", look: "a look", worker: "w", queue_id: 9, seconds: 9, steps: [] }
  await runs.addLearned([{ ...run, ended_at: new Date().toISOString() }])
  await runs.hasLearned()
  await runs.alike("song", "a look")
  await runs.kinds(9)
  await runs.forget("song")
  const [role, expires_at] = ["viewer" as const, new Date(Date.now() + 60_000).toISOString()]
  const { id } = await access.addToken({ hash: "aa", label: "", role, item: null, expires_at: null })
  await access.addTicket({
    hash: "t",
    token_id: id,
    method: "GET",
    path: "/",
    use_by: expires_at,
    expires_at,
  })
  await access.ticket("t")
  await access.tickets()
  await access.useTicket("t")
  await access.useTokens([id])
  await access.tokens()
  await access.version()
  await access.endLeases(id)
  await access.revokeToken(id)
  await upkeep.takeTimer("retention", 1000)
  await upkeep.beginsAt(1000)
  await upkeep.passMinutes(60)
  await upkeep.size()
  await upkeep.checkpoint()
  await upkeep.forgetRuns(0, 1)
  await upkeep.shrink()
  await store.figures.leases()
  await store.outputs.end(2, 1)
  await store.instances.write({
    name: "box",
    version: "",
    address: "",
    since: expires_at,
    streams: 0,
    crew: [],
  })
  await store.instances.all()
}

/** Statements that read everything: for people, or for a scrape of the metrics. */
const ALL = ["deliveries.standing", "figures.songs", "items"]

test.skipIf(whyNoPostgres !== undefined)(
  "nothing that is asked often walks a table, however many items there are",
  async () => {
    const { url } = await newDatabase()
    const first = await PostgresStore.open(url)
    await added(first)
    await first.deliveries.follow([HOOK])
    await first.close()
    {
      // PostgreSQL counts what this session reads a second later, or at its end.
      await using filling = new SQL({ url, max: 1 })
      await filling.unsafe(FILL).simple()
      await filling.unsafe("VACUUM ANALYZE").simple()
      await filling.unsafe("SELECT pg_stat_force_next_flush()")
    }
    await using client = new SQL({ url, max: 1 })
    const scans = async (): Promise<Record<string, number>> => {
      const rows: { name: string; scans: string }[] = await client.unsafe(
        "SELECT relname AS name, seq_scan AS scans FROM pg_stat_user_tables",
      )
      return Object.fromEntries(rows.map(({ name, scans: count }) => [name, Number(count)]))
    }
    const readFrom = async (index: string): Promise<number> => {
      const [row]: { n: number }[] = await client.unsafe(
        "SELECT idx_tup_read::float8 AS n FROM pg_stat_user_indexes WHERE indexrelname = $1",
        [index],
      )
      return row?.n ?? 0
    }
    /** PostgreSQL counts what a store uses only after its sessions have ended. */
    const ended = async (use: (store: PostgresStore) => Promise<unknown>): Promise<void> => {
      const store = await PostgresStore.open(url)
      await use(store)
      await store.close()
      await client.unsafe("SELECT pg_stat_clear_snapshot()")
      for (let sessions = 1; sessions > 0;) {
        const [row]: { n: number }[] = await client.unsafe(
          "SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'track-studio'",
        )
        sessions = row?.n ?? 0
      }
    }
    const walked = async (use: (store: PostgresStore) => Promise<unknown>): Promise<string[]> => {
      const before = await scans()
      await ended(use)
      const after = await scans()
      return LARGE.filter((name) => (after[name] ?? 0) > (before[name] ?? 0))
    }
    const asked = new Set<string>()
    const all = new Set<string>()
    const walkedBy = await walked(async (store) => {
      const { used: one, called, methods } = counted(store)
      await used(one)
      await usedBeside(one)
      for (const name of called) asked.add(name)
      for (const name of methods) all.add(name)
    })
    expect(walkedBy).toEqual([])
    expect([...all].filter((name) => !asked.has(name)).sort()).toEqual([...ALL, "close", "drain"].sort())
    // Nor does it read all sets of tags: 2,000 items need each another one, which this worker has not.
    const before = await readFrom("queue_items_ready")
    await ended((store) => store.nextWaiting(["4k", "zoo"]))
    expect((await readFrom("queue_items_ready")) - before).toBeLessThan(20)
    // A search looks for the end of each of its slices, and then reads that slice and no further.
    const unsearched = await readFrom("queue_items_order")
    await ended((store) => store.list({ limit: 1, search: "nothing has this" }))
    expect((await readFrom("queue_items_order")) - unsearched).toBeLessThan(2.2 * ITEMS)
    // The control: a statement that counts everything walks a table.
    expect(await walked((store) => store.deliveries.standing())).toEqual(["deliveries"])
  },
)
