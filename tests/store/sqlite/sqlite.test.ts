import { Database } from "bun:sqlite"
import { expect, setDefaultTimeout, test } from "bun:test"
import { copyFileSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { Value } from "@sinclair/typebox/value"
import { getTableColumns } from "drizzle-orm"

import { AppError } from "../../../src/errors.ts"
import { QueueItem, STATUSES } from "../../../src/item/item.ts"
import { MOVES, transition } from "../../../src/item/moves.ts"
import { openDatabase, WAL_BYTES } from "../../../src/store/sqlite/open.ts"
import { movesTrigger, queueItems, updates } from "../../../src/store/sqlite/schema.ts"
import { SqliteStore } from "../../../src/store/sqlite/sqlite.ts"
import { added, codeOf, put, START_MS } from "../../contracts/store.contract.ts"
import { temporaryFolder } from "../../server.ts"
import { openSqlite } from "./open.ts"

setDefaultTimeout(180_000)

const MIGRATIONS = join(import.meta.dir, "../../../src/store/sqlite/migrations")

/** How many commits the write-ahead log has: frames that contain the size of the database after them. */
function commits(path: string): number {
  const log = readFileSync(`${path}-wal`)
  const frame = 24 + log.readUInt32BE(8)
  let found = 0
  for (let at = 32; at + frame <= log.length; at += frame) if (log.readUInt32BE(at + 4) > 0) found += 1
  return found
}

test("writes that come in one tick share one commit", async () => {
  await using opened = await openSqlite()
  const { store, path } = opened
  const id = await added(store)
  const before = commits(path)
  await Promise.all(Array.from({ length: 50 }, () => put(store, id, {})))
  expect(commits(path) - before).toBe(1)
  await put(store, id, {})
  expect(commits(path) - before).toBe(2)
  expect(await store.head()).toBe(52)
})

test("a worker of many tags gets the first item that fits, however many others are before it", async () => {
  await using opened = await openSqlite()
  const { store } = opened
  const offered = Array.from({ length: 8 }, (_, i) => `tag ${i}`)
  await Promise.all(Array.from({ length: 2100 }, () => added(store, { tags: ["foreign"] })))
  const some = (i: number): string[] => offered.filter((_tag, bit) => ((i >> bit) & 1) === 1)
  await Promise.all(Array.from({ length: 255 }, (_, i) => added(store, { tags: some(255 - i) })))
  expect((await store.nextWaiting(offered))?.id).toBe(2101)
  expect(await store.nextWaiting(["tag 9", ...offered.slice(1)])).toMatchObject({ id: 2102 })
})

test("thousands of items whose time comes at once keep nobody waiting but the claims", async () => {
  let nowMs = Date.parse("2026-01-02T00:00:00Z")
  await using opened = await openSqlite(() => nowMs)
  const { store } = opened
  const id = await added(store)
  const available_at = new Date(nowMs + 1000).toISOString()
  await Promise.all(Array.from({ length: 1200 }, () => added(store, { available_at, priority: 1 })))
  nowMs += 2000
  const over: string[] = []
  const note = (name: string) => () => void over.push(name)
  const claims = [1, 2].map(() => store.claim([], (stored) => stored).then(note("claim")))
  await Promise.all([...claims, put(store, id, {}).then(note("put"))])
  expect(over).toEqual(["put", "claim", "claim"])
  // The last that was added for that time, too, comes before what had no time.
  expect((await store.nextWaiting([]))?.priority).toBe(1)
  using client = new Database(opened.path)
  expect(client.query("SELECT count(*) AS n FROM queue_items WHERE available_ms IS NOT NULL").get()).toEqual({
    n: 0,
  })
})

test("what finished lately is read from its index alone, and the standing counts are not counted again", () => {
  using folder = temporaryFolder()
  const { client } = openDatabase(join(folder.path, "test.db"))
  const plan = (query: string): string[] =>
    client
      .query<{ detail: string }, []>(`EXPLAIN QUERY PLAN ${query}`)
      .all()
      .map(({ detail }) => detail)
  expect(
    plan(
      "SELECT outcome, min(completed_at - started_at) FROM queue_items INDEXED BY queue_items_finished WHERE completed_at >= 0 AND outcome IS NOT NULL AND deleted_at IS NULL GROUP BY outcome",
    )[0],
  ).toBe("SEARCH queue_items USING COVERING INDEX queue_items_finished (completed_at>?)")
  expect(client.query("SELECT count(*) AS n FROM queue_counts").get()).toEqual({ n: 7 })
  client.close()
})

test("every commit is written through to the disk, in a write-ahead log", () => {
  using folder = temporaryFolder()
  const { client, found } = openDatabase(join(folder.path, "a/b/test.db"))
  const setting = (name: string): unknown => Object.values(client.query(`PRAGMA ${name}`).get() ?? {})[0]
  expect([setting("journal_mode"), setting("synchronous")]).toEqual(["wal", 2])
  expect([setting("foreign_keys"), setting("busy_timeout")]).toEqual([1, 0])
  // A log that a reader made long does not stay long.
  expect(setting("journal_size_limit")).toBe(WAL_BYTES)
  expect(found.migrated).toBe(0)
  client.close()
})

test("a start after a clean stop makes one commit, its mark, which is not synced", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "test.db")
  await new SqliteStore(path).close()
  const { client, lock } = openDatabase(path)
  expect(commits(path)).toBe(1)
  client.close()
  lock[Symbol.dispose]()
})

test("a write waits while another program writes the database, and reads go on", async () => {
  await using opened = await openSqlite()
  const { store, path } = opened
  const id = await added(store)
  using other = new Database(path)
  other.run("BEGIN IMMEDIATE")
  let turns = 0
  const timer = setInterval(() => (turns += 1), 10)
  setTimeout(() => other.run("COMMIT"), 300)
  const writing = Promise.all([put(store, id, { message: "waited" }), added(store)])
  expect((await store.item(id)).message).toBe("Queue item created")
  await writing
  clearInterval(timer)
  expect((await store.item(id)).message).toBe("waited")
  // The wait used a timer: the event loop kept turning.
  expect(turns).toBeGreaterThan(5)
})

test("a database that stays locked for 5 s makes writes unavailable, and nothing is changed", async () => {
  await using opened = await openSqlite()
  const { store, path } = opened
  const id = await added(store)
  using other = new Database(path)
  other.run("BEGIN IMMEDIATE")
  const startedMs = performance.now()
  const results = await Promise.all([codeOf(put(store, id, { message: "lost" })), codeOf(added(store))])
  const tookMs = performance.now() - startedMs
  expect(results).toEqual(["unavailable", "unavailable"])
  expect(tookMs).toBeGreaterThan(4900)
  expect(tookMs).toBeLessThan(9000)
  other.run("ROLLBACK")
  expect(await store.head()).toBe(1)
  expect((await put(store, id, { message: "kept" })).message).toBe("kept")
  expect(await store.head()).toBe(2)
}, 180_000)

test("a completion that fails to commit leaves no run, and the item as it was", async () => {
  await using opened = await openSqlite()
  const { store, path } = opened
  const id = await added(store)
  await put(store, id, { status: "processing" })
  {
    using other = new Database(path)
    other.run("CREATE TABLE broken (id INTEGER REFERENCES queue_items DEFERRABLE INITIALLY DEFERRED)")
    other.run("CREATE TRIGGER broken AFTER INSERT ON runs BEGIN INSERT INTO broken VALUES (0); END")
  }
  const run = { kind: "song", look: "song", worker: "", queue_id: id, seconds: 1, steps: [] }
  const completing = store.change(id, ({ item, work }, { time }) => ({
    item: transition(item, { status: "completed" }, time),
    work,
    run,
  }))
  expect(await codeOf(completing)).toBe("unavailable")
  expect(await store.runs.kinds(9)).toEqual([])
  expect((await store.item(id)).status).toBe("processing")
})

test("what a failed commit would have made of an item is forgotten: the next change sees what is stored", async () => {
  // The clock stands still, so that the next change comes in the same millisecond.
  await using opened = await openSqlite(() => START_MS)
  const { store, path } = opened
  const id = await added(store)
  await put(store, id, { status: "processing", current_step: "stored" })
  {
    using other = new Database(path)
    other.run("CREATE TABLE broken (id INTEGER REFERENCES queue_items DEFERRABLE INITIALLY DEFERRED)")
    other.run(
      "CREATE TRIGGER broken AFTER INSERT ON updates WHEN NEW.data LIKE '%never%' BEGIN INSERT INTO broken VALUES (0); END",
    )
  }
  expect(await codeOf(put(store, id, { current_step: "never", progress: 99 }))).toBe("unavailable")
  expect(await put(store, id, { progress: 50 })).toMatchObject({ current_step: "stored", progress: 50 })
  expect(await store.item(id)).toMatchObject({ current_step: "stored", progress: 50 })
  const waiting = await added(store)
  const claiming = store.claim([], ({ item, work }, { time }) => ({
    item: transition(item, { status: "processing", current_step: "never" }, time),
    work,
  }))
  expect(await codeOf(claiming)).toBe("unavailable")
  expect(await put(store, waiting, { title: "next" })).toMatchObject({ status: "queued", title: "next" })
})

test("what another program has written is seen by the next change, and not written over", async () => {
  await using opened = await openSqlite()
  const { store, path } = opened
  const id = await added(store)
  await put(store, id, { status: "processing", current_step: "ours" })
  {
    using other = new Database(path)
    other.run("UPDATE queue_items SET title = 'theirs' WHERE id = ?", [id])
  }
  expect(await put(store, id, { progress: 50 })).toMatchObject({ title: "theirs", current_step: "ours" })
  expect(await store.item(id)).toMatchObject({ title: "theirs", current_step: "ours", progress: 50 })
})

test("closing waits for the writes under way; after it the one file holds everything", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "test.db")
  const store = new SqliteStore(path)
  const writing = Promise.all(Array.from({ length: 20 }, () => added(store)))
  await store.close()
  expect(await writing).toHaveLength(20)
  const copy = join(folder.path, "copy.db")
  copyFileSync(path, copy)
  const again = new SqliteStore(copy)
  expect(await again.head()).toBe(20)
  await again.close()
})

test("a reopened database keeps its name, its items and its count of event IDs", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "test.db")
  const store = new SqliteStore(path)
  const { historyId } = store
  expect(store.found).toEqual({ path, isNew: true, migrated: 0, canShrink: true })
  const id = await added(store, { title: "kept" })
  await put(store, id, { message: "last" })
  await store.close()
  {
    // Not even an emptied history gives an event ID a second time.
    using client = new Database(path)
    client.run("DELETE FROM updates")
    client.run("UPDATE history SET pruned_id = 2, pruned = 2")
  }
  const again = new SqliteStore(path)
  expect(again.found).toEqual({ path, isNew: false, migrated: 0, canShrink: true })
  expect(again.historyId).toBe(historyId)
  expect((await again.item(id)).title).toBe("kept")
  expect(await again.bounds()).toEqual({ oldest: 3, newest: 2, lost: [], stored: 0 })
  await put(again, id, {})
  expect(await again.head()).toBe(3)
  await again.close()
})

test("the trigger of the migrations is the one that the table of moves gives", () => {
  const migration = readFileSync(join(MIGRATIONS, "0001_moves.sql"), "utf8")
  expect(migration.split("--> statement-breakpoint")[0]).toBe(movesTrigger())
})

const PAIRS = STATUSES.flatMap((from) => STATUSES.map((to) => [from, to] as const))

test("the database itself refuses every illegal move and allows every legal one", async () => {
  await using opened = await openSqlite()
  await added(opened.store)
  using client = new Database(opened.path)
  const template = client.query<{ sql: string }, []>(
    "SELECT sql FROM sqlite_master WHERE name = 'queue_items_moves'",
  )
  const { sql } = template.get() ?? { sql: "" }
  for (const [from, to] of PAIRS) {
    client.run("DROP TRIGGER queue_items_moves")
    client.run("UPDATE queue_items SET status = ?", [from])
    client.run(sql)
    const move = (): unknown => client.run("UPDATE queue_items SET status = ?", [to])
    if (from === to || MOVES[from].includes(to)) move()
    else expect(move).toThrow("illegal move")
  }
})

test("the database itself refuses values outside the closed lists", async () => {
  await using opened = await openSqlite()
  await added(opened.store)
  using client = new Database(opened.path)
  const bad = [
    "status = 'done'",
    "outcome = 'won'",
    "flag = 'ugly'",
    "progress = 101",
    "progress = -1",
    "song_id = NULL",
  ]
  for (const change of bad) {
    expect(() => client.run(`UPDATE queue_items SET ${change}`)).toThrow(/constraint|illegal move/)
  }
})

test("the table has the keys of a queue item in the wire's order, and takes null where the wire has it", () => {
  const columns = Object.entries(getTableColumns(queueItems))
  const properties = Object.entries(QueueItem.properties)
  expect(columns.slice(0, properties.length).map(([key]) => key)).toEqual(properties.map(([key]) => key))
  for (const [i, [key, schema]] of properties.entries()) {
    const [, column] = columns[i] ?? []
    expect(`${key} ${column?.notNull}`).toBe(`${key} ${!Value.Check(schema, null)}`)
    expect(column?.name).toBe(key)
  }
  expect(Object.keys(getTableColumns(updates))).toEqual(["id", "queue_id", "song_id", "status", "data"])
})

test("the migrations make the columns of the schema", () => {
  using folder = temporaryFolder()
  const { client } = openDatabase(join(folder.path, "test.db"))
  for (const [table, columns] of [
    ["queue_items", getTableColumns(queueItems)],
    ["updates", getTableColumns(updates)],
  ] as const) {
    const made = client.query<{ name: string; notnull: number }, []>(`PRAGMA table_xinfo(${table})`).all()
    const wanted = Object.values(columns).map(({ name, notNull }) => ({ name, notnull: Number(notNull) }))
    const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1)
    expect(made.map(({ name, notnull }) => ({ name, notnull })).sort(byName)).toEqual(wanted.sort(byName))
  }
  client.close()
})

const journal: { entries: unknown[] } = JSON.parse(
  readFileSync(join(MIGRATIONS, "meta/_journal.json"), "utf8"),
)
const known = journal.entries.length

/** The reason why a database cannot be opened. */
function refusal(path: string): string {
  try {
    openDatabase(path).client.close()
    return "none"
  } catch (error) {
    if (error instanceof AppError && error.code === "unavailable") return error.message
    throw error
  }
}

test("a database of a newer version is refused with a clear message, and left as it is", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "test.db")
  await new SqliteStore(path).close()
  {
    using client = new Database(path)
    client.run("INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('x', 99999999999999)")
  }
  const before = readFileSync(path)
  expect(refusal(path)).toBe(
    `${path} was made by a newer version (schema ${known + 1}, this binary knows ${known}); start that version`,
  )
  expect(readFileSync(path)).toEqual(before)
})

test("a database of another program is refused, and left as it is", () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "other.db")
  {
    using client = new Database(path)
    client.run("CREATE TABLE songs (id INTEGER)")
  }
  const before = readFileSync(path)
  expect(refusal(path)).toContain("is a database of another program")
  expect(readFileSync(path)).toEqual(before)
  expect(readdirSync(folder.path)).toEqual(["other.db"])
})

test("a file that is no database, or cannot be made, is refused in one line that names it", () => {
  using folder = temporaryFolder()
  const file = join(folder.path, "notes.txt")
  writeFileSync(file, "not a database, but long enough to be taken for one".repeat(100))
  for (const path of [file, folder.path, join(file, "test.db")]) {
    const message = refusal(path)
    expect(message).toMatch(/^(the|cannot open the) database /)
    expect(message).toContain(path)
    expect(message).not.toContain("\n")
  }
})

test("a first start that was interrupted is begun again", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "test.db")
  {
    using client = new Database(path)
    client.run(
      "CREATE TABLE __drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric)",
    )
  }
  const store = new SqliteStore(path)
  expect(store.found.isNew).toBe(true)
  await added(store)
  await store.close()
})

test("a database named by a link is the one it leads to, with one lock", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "test.db")
  const link = join(folder.path, "link.db")
  const store = new SqliteStore(path)
  symlinkSync(path, link)
  expect(refusal(link)).toContain("is in use by another server")
  await store.close()
})
