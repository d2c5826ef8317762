import { Database } from "bun:sqlite"
import { expect, setDefaultTimeout, test } from "bun:test"
import { renameSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"

import { compactDatabase } from "../../src/store/sqlite/compact.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { Compaction, type CompactionOptions } from "../../src/upkeep/compaction.ts"
import { added, put } from "../contracts/store.contract.ts"
import { run, start, temporaryFolder } from "../server.ts"

// These tests start programs, and the machine may be busy.
setDefaultTimeout(180_000)

function fail(error: unknown): never {
  throw error
}

/** A compaction, and how often it has run. */
function counted(more: Partial<CompactionOptions>) {
  const done = { times: 0 }
  const compaction = new Compaction({
    isDone: false,
    bytes: async () => 1000,
    isAnyLeased: async () => true,
    compact: async () => void (done.times += 1),
    onError: fail,
    ...more,
  })
  return { compaction, done }
}

test("a small database is compacted once, although somebody renders, and one that can shrink is not", async () => {
  const { compaction, done } = counted({})
  await compaction.round()
  await compaction.round()
  expect(done.times).toBe(1)
  const other = counted({ isDone: true })
  await other.compaction.round()
  expect(other.done.times).toBe(0)
})

test("a large database waits until nobody renders, and a failed compaction is tried again", async () => {
  let [isLeased, isBroken] = [true, true]
  const { compaction, done } = counted({
    bytes: async () => 1e9,
    isAnyLeased: async () => isLeased,
    compact: async () => {
      done.times += 1
      if (isBroken) throw new Error("busy")
    },
  })
  await compaction.round()
  expect(done.times).toBe(0)
  isLeased = false
  await expect(compaction.round()).rejects.toThrow("busy")
  isBroken = false
  await compaction.round()
  await compaction.round()
  expect(done.times).toBe(2)
})

test("a stop ends what is under way", async () => {
  const begun = Promise.withResolvers<void>()
  const { compaction } = counted({
    compact(signal) {
      begun.resolve()
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("killed"))))
    },
  })
  const round = compaction.round()
  await begun.promise
  await compaction.stop()
  await round
})

test("a stop while the database is measured keeps the compaction from beginning", async () => {
  const bytes = Promise.withResolvers<number>()
  const { compaction, done } = counted({ bytes: () => bytes.promise })
  const round = compaction.round()
  const stopped = compaction.stop()
  bytes.resolve(1000)
  await Promise.all([round, stopped])
  expect(done.times).toBe(0)
})

/** A database as older versions made it: its file cannot shrink, and most of it is unused. */
async function older(path: string): Promise<void> {
  const store = new SqliteStore(path)
  const id = await added(store)
  await put(store, id, { status: "processing" })
  for (let i = 0; i < 300; i += 1) await put(store, id, { message: `${i}${"x".repeat(8000)}` })
  await store.close()
  const made = `${path}.older`
  {
    using client = new Database(path)
    client.run("PRAGMA auto_vacuum = NONE")
    client.query("VACUUM INTO ?").run(made)
  }
  for (const part of ["", "-wal", "-shm", ".lock"]) rmSync(`${path}${part}`, { force: true })
  renameSync(made, path)
  using client = new Database(path)
  client.run("DELETE FROM updates WHERE id BETWEEN 3 AND 290")
  client.run("UPDATE history SET pruned = 288, pruned_id = 290, retain_from = NULL")
}

test("a database of an older version starts as it is, and is compacted beside the running server", async () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "queue.db")
  await older(database)
  const before = statSync(database).size
  await using server = await start({ database })
  expect(statSync(database).size).toBe(before)
  const health: { status: string; retention_begins_at?: string } = await (
    await fetch(`${server.url}/health`)
  ).json()
  const beginsMs = Date.parse(health.retention_begins_at ?? "")
  expect(health.status).toBe("ok")
  expect(beginsMs - Date.now()).toBeWithin(23 * 3_600_000, 24 * 3_600_000 + 1)
  expect(server.log).toContain("retention_begins_at")
  const writes = Promise.all(Array.from({ length: 20 }, () => server.add()))
  const made = await run(["compact", "--database", database])
  expect([made.code, made.stderr]).toEqual([0, ""])
  expect(new Set(await writes).size).toBe(20)
  await server.add()
  expect((await run(["check", "--database", database])).stdout).toContain("whole")
  await server.end()
  expect(statSync(database).size).toBeLessThan(before / 2)
  const store = new SqliteStore(database)
  expect(store.found.canShrink).toBeTrue()
  await store.close()
})

test("a server knows its database again after it was compacted, wherever its parts are now", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "queue.db")
  await older(path)
  const store = new SqliteStore(path)
  // Its file cannot shrink yet: to try for ever would not help.
  expect(await store.upkeep.shrink(1_000_000)).toBe(0)
  expect(store.faults()).toEqual([])
  using reader = new Database(path)
  reader.run("BEGIN")
  reader.query("SELECT count(*) FROM updates").get()
  const compacted = run(["compact", "--database", path])
  for (let isDone = false; !isDone;) {
    isDone = await Promise.race([compacted.then(() => true), Bun.sleep(20).then(() => false)])
    expect(store.faults()).toEqual([])
    // The rewritten database is in the log, and cannot get into the file before the reader has finished.
    if (reader.inTransaction && statSync(`${path}-wal`).size > 50_000) reader.run("COMMIT")
  }
  expect((await compacted).stderr).toBe("")
  expect(store.faults()).toEqual([])
  await store.upkeep.checkpoint()
  for (let looks = 0; looks < 3; looks++) expect(store.faults()).toEqual([])
  await added(store)
  await store.close()
  expect((await run(["check", "--database", path])).stdout).toContain("2 items")
})

test("beside a server a compaction makes the file itself small, where nobody reads an old state", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "queue.db")
  const store = new SqliteStore(path)
  using other = new Database(path)
  other.run("CREATE TABLE large AS SELECT zeroblob(1000000) AS bytes")
  other.run("DROP TABLE large")
  await store.upkeep.checkpoint()
  const { before, after } = compactDatabase(path)
  expect(before).toBeGreaterThan(1_000_000)
  expect(after).toBeLessThan(500_000)
  expect(statSync(path).size).toBe(after)
  await store.close()
})

test("a database of another program is not compacted", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "other.db")
  expect((await run(["compact", "--database", path])).stderr).toContain("there is no database")
  using client = new Database(path)
  client.run("CREATE TABLE t (a)")
  expect((await run(["compact", "--database", path])).stderr).toContain("of another program")
})
