import { Database } from "bun:sqlite"
import { expect, test } from "bun:test"
import { copyFileSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"

import { removed } from "../../../src/item/add-cancel-retry-delete.ts"
import { backupDatabase } from "../../../src/store/sqlite/backup.ts"
import { checkDatabase } from "../../../src/store/sqlite/check.ts"
import { added, put } from "../../contracts/store.contract.ts"
import { temporaryFolder } from "../../server.ts"
import { openSqlite } from "./open.ts"

test("a database of another program is refused as such", () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "other.db")
  {
    using other = new Database(path)
    other.run("CREATE TABLE updates (id INTEGER)")
  }
  expect(() => checkDatabase(path)).toThrow(`${path} is not a database of this program`)
})

/** The faults of a database with one finished item and one that waits, after this was done to it. */
async function faultsAfter(
  sql: string,
  find: (path: string) => readonly string[] = (path) => checkDatabase(path).faults,
): Promise<readonly string[]> {
  await using opened = await openSqlite()
  const { store, path } = opened
  const id = await added(store)
  await put(store, id, { status: "processing" })
  await put(store, id, { status: "completed" })
  await added(store)
  {
    using client = new Database(path)
    const triggers = client
      .query<{ name: string; sql: string }, []>("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
      .all()
    for (const { name } of triggers) client.run(`DROP TRIGGER ${name}`)
    client.run(sql)
    for (const trigger of triggers) client.run(trigger.sql)
  }
  return find(path)
}

test.each<[fault: string, sql: string]>([
  [
    "item 1: update 3 goes from queued to completed, which is no legal move",
    "DELETE FROM updates WHERE id = 2",
  ],
  ["item 2: its last update 4 is not kept", "DELETE FROM updates WHERE id = 4"],
  [
    "item 1 is failed, and its last update says completed",
    "UPDATE queue_items SET status = 'failed' WHERE id = 1",
  ],
  [
    "update 3 of item 1 comes after the last one of the item",
    "UPDATE queue_items SET last_update_id = 2, status = 'processing' WHERE id = 1",
  ],
  ["update 4 belongs to no item", "PRAGMA foreign_keys = OFF; DELETE FROM queue_items WHERE id = 2"],
  ["it has no runs.id", "DROP TABLE runs"],
  ["it has no index updates_item", "DROP INDEX updates_item"],
  ["the name of its history is missing", "DELETE FROM history"],
])("check finds: %s", async (fault, sql) => {
  expect(await faultsAfter(sql)).toEqual([fault])
})

test("check finds that a database has no trigger against moves that are not legal, or another one", async () => {
  await using opened = await openSqlite()
  const { path } = opened
  using client = new Database(path)
  client.run("CREATE TABLE _litestream_seq (id integer PRIMARY KEY, seq integer)")
  expect(checkDatabase(path).faults).toEqual([])
  client.run("DROP TRIGGER queue_items_moves")
  expect(checkDatabase(path).faults).toEqual(["it has no trigger queue_items_moves"])
  client.run("CREATE TRIGGER queue_items_moves BEFORE UPDATE OF status ON queue_items BEGIN SELECT 1; END")
  expect(checkDatabase(path).faults).toEqual(["its trigger queue_items_moves is not that of this version"])
})

test("check and backup leave a database whose server was killed, and its log, as they are, and read both", async () => {
  await using opened = await openSqlite()
  const { store, path } = opened
  await added(store)
  const killed = `${path}.killed`
  for (const part of ["", "-wal"]) copyFileSync(path + part, killed + part)
  const bytes = (): readonly Buffer[] => ["", "-wal"].map((part) => readFileSync(killed + part))
  const before = bytes()
  expect(checkDatabase(killed)).toEqual({ items: 1, updates: 1, faults: [] })
  expect(backupDatabase(killed, `${path}.backup`)).toEqual({ items: 1, updates: 1, faults: [] })
  expect(bytes()).toEqual(before)
})

test("check does not count items that were deleted", async () => {
  await using opened = await openSqlite()
  const { store, path } = opened
  await added(store)
  await store.change(await added(store), removed)
  expect(checkDatabase(path)).toEqual({ items: 1, updates: 3, faults: [] })
})

test("no backup of a database with a fault is made, and no part of one is left", async () => {
  const files = await faultsAfter("DELETE FROM updates WHERE id = 4", (path) => {
    expect(() => backupDatabase(path, `${path}.backup`)).toThrow("the copy is damaged or incomplete: item 2")
    return readdirSync(dirname(path)).filter((name) => name.includes("backup"))
  })
  expect(files).toEqual([])
})

test("check names at most twenty faults", async () => {
  await using opened = await openSqlite()
  const { store, path } = opened
  for (let i = 0; i < 30; i += 1) await added(store)
  {
    using client = new Database(path)
    client.run("DELETE FROM updates WHERE id > 15")
    client.run("UPDATE updates SET status = 'failed' WHERE id <= 15")
  }
  expect(checkDatabase(path).faults).toHaveLength(20)
})

test("check finds nothing in a database whose old updates and deleted items are being removed", async () => {
  let nowMs = Date.UTC(2026, 0, 2)
  await using opened = await openSqlite(() => nowMs)
  const { store, path } = opened
  const [thinned, deleted] = [await added(store), await added(store)]
  for (const id of [thinned, deleted]) {
    await put(store, id, { status: "processing" })
    for (let progress = 1; progress <= 5; progress += 1) await put(store, id, { progress })
    await put(store, id, { status: "completed" })
  }
  await store.change(deleted, removed)
  nowMs += 1000
  const ended = { fromMs: 0, toMs: nowMs, upTo: await store.head() }
  const thinning = { finished: [ended], perItem: 0, upTo: ended.upTo, keepCompleted: 0, limit: 3 }
  const kept = checkDatabase(path).updates
  expect(await store.upkeep.thin(thinning)).toBe(3)
  expect(checkDatabase(path).faults).toEqual([])
  for (let steps = 0; (await store.upkeep.purge([ended], 3)) > 0; steps += 1)
    expect(checkDatabase(path).faults).toEqual([])
  expect(checkDatabase(path)).toMatchObject({ items: 1, faults: [] })
  expect(checkDatabase(path).updates).toBeLessThan(kept - 8)
})

test("a database of a newer version is not checked, because its rules are not known", async () => {
  const newer = "INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('later', 9e15)"
  await faultsAfter(newer, (path) => {
    const refusal = `${path} was made by a newer version; use that one for it`
    expect(() => checkDatabase(path)).toThrow(refusal)
    // The copy, which is removed, is not named.
    expect(() => backupDatabase(path, `${path}.backup`)).toThrow(refusal)
    return []
  })
})
