import { Database, type SQLQueryBindings } from "bun:sqlite"
import { expect, test } from "bun:test"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { drizzle } from "drizzle-orm/bun-sqlite"
import { migrate } from "drizzle-orm/bun-sqlite/migrator"

import { checkDatabase } from "../../../src/store/sqlite/check.ts"
import { SqliteStore } from "../../../src/store/sqlite/sqlite.ts"
import { draft, put, START_MS } from "../../contracts/store.contract.ts"
import { temporaryFolder } from "../../server.ts"

const MIGRATIONS = join(import.meta.dir, "../../../src/store/sqlite/migrations")
const journal: { entries: { tag: string }[] } = JSON.parse(
  readFileSync(join(MIGRATIONS, "meta/_journal.json"), "utf8"),
)
const known = journal.entries.length

/** Makes a database as an earlier version did, with the first migrations only. */
function makeOlder(folder: string, path: string, count: number): void {
  const older = { ...journal, entries: journal.entries.slice(0, count) }
  const migrations = join(folder, "older")
  mkdirSync(join(migrations, "meta"), { recursive: true })
  writeFileSync(join(migrations, "meta/_journal.json"), JSON.stringify(older))
  for (const { tag } of older.entries)
    writeFileSync(join(migrations, `${tag}.sql`), readFileSync(join(MIGRATIONS, `${tag}.sql`)))
  using client = new Database(path)
  migrate(drizzle(client), { migrationsFolder: migrations })
  const first = client.query<{ name: string }, []>("PRAGMA table_info(queue_items)").all()
  const { steps: _steps, step: _step, unit: _unit, media: _media, totals: _totals, ...some } = draft()
  const row: Record<string, SQLQueryBindings> = {
    ...some,
    queued_at: 1,
    updated_at: 1,
    stalled: 0,
    available_at: START_MS,
    available_ms: START_MS,
    tags: '["b","ü","a"]',
    needs: Buffer.from("a\0b\0ü\0"),
    metadata: "{}",
    last_update_id: 1,
  }
  const keys = first.map(({ name }) => name).filter((name) => name in row)
  client
    .prepare(`INSERT INTO queue_items (${keys.join()}) VALUES (${keys.map(() => "?").join()})`)
    .run(...keys.map((key) => row[key] ?? null))
}

const counts = journal.entries.slice(1).map((_entry, at) => at + 1)

test.each(counts)("a database of %i migrations is brought up to date with its items", async (count) => {
  using folder = temporaryFolder()
  const path = join(folder.path, "test.db")
  makeOlder(folder.path, path, count)
  // It lacks an update, as each of its items has one, but no part of its own version.
  expect(checkDatabase(path).faults).toContain("item 1: its last update 1 is not kept")
  let now = START_MS - 1
  const store = new SqliteStore(path, () => ({ now: () => now, steadyMs: () => now }))
  expect(store.found).toEqual({ path, isNew: false, migrated: known - count, canShrink: false })
  expect(store.historyId).toMatch(/^[0-9a-f]{16}$/)
  // The last changes are older than a day, so they may be removed without a day of service, unless such days
  // were counted before.
  const isCounted = journal.entries.slice(0, count).some(({ tag }) => tag.endsWith("_hours"))
  expect(await store.upkeep.newestAgo(24)).toBe(isCounted ? 0 : 1)
  expect(await store.upkeep.newestAgo(25)).toBe(0)
  expect(await store.nextWaiting(["ü", "b", "a"])).toBeNull()
  now += 1
  expect(await store.nextWaiting(["a", "b", "c"])).toBeNull()
  expect((await store.nextWaiting(["ü", "b", "a"]))?.id).toBe(1)
  expect((await put(store, 1, { status: "processing" })).attempt).toBe(1)
  await store.close()
  expect(checkDatabase(path).faults).toEqual([])
})
