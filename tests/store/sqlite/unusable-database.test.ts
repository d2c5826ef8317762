import { Database } from "bun:sqlite"
import { expect, spyOn, test } from "bun:test"
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs"
import { join } from "node:path"

import { DatabaseFileReader } from "../../../src/store/sqlite/database-file-reader.ts"
import { Lock } from "../../../src/store/sqlite/lock.ts"
import { SqliteStore } from "../../../src/store/sqlite/sqlite.ts"
import { added, codeOf, put } from "../../contracts/store.contract.ts"
import { temporaryFolder } from "../../server.ts"
import { Faults } from "./faults.ts"

test("a database that cannot be written is known as such from the first write that fails to the next that does not", async () => {
  using folder = temporaryFolder()
  using faults = new Faults()
  const store = new SqliteStore(join(folder.path, "test.db"))
  await added(store)
  expect(store.faults()).toEqual([])
  faults.break()
  expect(await codeOf(added(store))).toBe("unavailable")
  expect(store.faults()).toEqual(["database_unwritable"])
  faults.mend()
  await store.alive()
  expect(store.faults()).toEqual([])
  await store.close()
})

/** A database with an item, of which the table or index of this name is damaged. */
async function damaged(folder: string, name: string): Promise<string> {
  const path = join(folder, "test.db")
  const before = new SqliteStore(path)
  await added(before)
  await before.close()
  using other = new Database(path, { readonly: true })
  const sql = "SELECT rootpage AS page FROM sqlite_master WHERE name = ?"
  const { page } = other.query<{ page: number }, [string]>(sql).get(name) ?? { page: 0 }
  const file = openSync(path, "r+")
  writeSync(file, Buffer.alloc(4096, 7), 0, 4096, (page - 1) * 4096)
  closeSync(file)
  return path
}

test.each(["queue_items", "updates"])(
  "a database in which nothing could be stored, because the rows of %s cannot be read, is refused",
  async (table) => {
    using folder = temporaryFolder()
    const path = await damaged(folder.path, table)
    expect(() => new SqliteStore(path)).toThrow(`the database ${path} is damaged; put a backup in its place`)
  },
)

test("a database of which a part is damaged is known as such from the first write that met it, for good", async () => {
  using folder = temporaryFolder()
  const path = await damaged(folder.path, "queue_items_ready")
  using faults = new Faults()
  const store = new SqliteStore(path)
  expect(store.faults()).toEqual([])
  expect(await codeOf(added(store))).toBe("unavailable")
  // Nor does another fault take its place.
  faults.break()
  expect(await codeOf(store.alive())).toBe("unavailable")
  faults.mend()
  await store.alive()
  expect(store.faults()).toEqual(["database_damaged"])
  await store.close()
})

test.each([
  ["another database", "UPDATE history SET mark = 'another.1'"],
  ["an earlier state of itself", "UPDATE sqlite_sequence SET seq = seq - 1 WHERE name = 'updates'"],
])(
  "%s that SQLite itself has put in the place of a database is noticed, and takes no write",
  async (_, sql) => {
    using folder = temporaryFolder()
    const path = join(folder.path, "test.db")
    const store = new SqliteStore(path)
    const id = await added(store)
    expect(store.faults()).toEqual([])
    {
      using other = new Database(path)
      other.run(sql)
    }
    expect(store.faults()).toEqual(["file_replaced"])
    await expect(put(store, id, { title: "lost" })).rejects.toThrow("was replaced, moved or deleted")
    await store.close()
  },
)

test("the content of files that do not change is not read again, and whatever changes them is noticed", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "test.db")
  let nowMs = performance.now()
  using _clock = spyOn(performance, "now").mockImplementation(() => nowMs)
  using marks = spyOn(DatabaseFileReader.prototype, "isMarked")
  const store = new SqliteStore(path)
  const id = await added(store)
  const looks = (): string[] => {
    nowMs += 900
    marks.mockClear()
    return [...store.faults()]
  }
  // The first look also begins to write the mark of this start into the file.
  looks()
  await put(store, id, { title: "first" })
  for (const reads of [1, 1, 1, 1, 0, 0]) {
    expect(looks()).toEqual([])
    expect(marks).toHaveBeenCalledTimes(reads)
  }
  await put(store, id, { title: "second" })
  for (const reads of [1, 1, 1, 1, 0]) {
    expect(looks()).toEqual([])
    expect(marks).toHaveBeenCalledTimes(reads)
  }
  writeFileSync(path, Buffer.alloc(statSync(path).size, 7), { flag: "r+" })
  for (const _ of [1, 2, 3]) expect(looks()).toEqual(["file_replaced"])
  await store.close()
})

test("a database that is not at its path any more takes no write, and says why", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "test.db")
  const store = new SqliteStore(path)
  const id = await added(store)
  renameSync(path, join(folder.path, "moved.db"))
  expect(store.faults()).toEqual(["file_replaced"])
  await expect(put(store, id, { title: "lost" })).rejects.toThrow(
    `the database ${path} was replaced, moved or deleted while the server ran; nothing was changed`,
  )
  expect((await store.item(id)).title).toBe("")
  await store.close()
  // It is whole where it is now, so nothing must be rescued.
  expect(existsSync(`${path}.rescued`)).toBeFalse()
  using moved = new Database(join(folder.path, "moved.db"), { readonly: true })
  expect(moved.query("SELECT count(*) AS items FROM queue_items").get()).toEqual({ items: 1 })
})

test("a link that leads to another database by now is noticed, and the one behind it takes no write", async () => {
  using folder = temporaryFolder()
  const [link, first, second] = ["link.db", "first.db", "second.db"].map((name) => join(folder.path, name))
  if (!link || !first || !second) throw new Error("a path is missing")
  for (const path of [second, first]) await new SqliteStore(path).close()
  symlinkSync(first, link)
  const store = new SqliteStore(link)
  const id = await added(store)
  expect(store.faults()).toEqual([])
  unlinkSync(link)
  symlinkSync(second, link)
  expect(store.faults()).toEqual(["file_replaced"])
  await expect(put(store, id, { title: "lost" })).rejects.toThrow("was replaced, moved or deleted")
  await store.close()
})

test("a write-ahead log that another program pins is noticed, and made small once it lets go", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "test.db")
  const store = new SqliteStore(path)
  const id = await added(store)
  const other = new Database(path)
  other.run("BEGIN")
  other.query("SELECT count(*) FROM updates").get()
  const title = "x".repeat(16_000)
  const size = (): number => statSync(`${path}-wal`).size
  while (size() < 70 * 1024 * 1024)
    await Promise.all(Array.from({ length: 200 }, () => put(store, id, { title })))
  expect(store.faults()).toEqual(["wal_pinned"])
  other.run("COMMIT")
  other.close()
  expect(store.faults()).toEqual([])
  expect(size()).toBeLessThan(33 * 1024 * 1024)
  await store.close()
}, 180_000)

test("why a commit failed is known by SQLite's own code", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "test.db")
  const failures: string[] = []
  const store = new SqliteStore(path, undefined, { onFailure: (code) => failures.push(code) })
  await added(store)
  expect(store.failure).toBe("")
  const other = new Database(path)
  other.run("BEGIN IMMEDIATE")
  store.drain()
  expect(await codeOf(added(store))).toBe("unavailable")
  expect([store.faults(), store.failure]).toEqual([["database_unwritable"], "SQLITE_BUSY"])
  expect(failures).toEqual(["SQLITE_BUSY"])
  other.close()
  await added(store)
  expect([store.faults(), store.failure]).toEqual([[], ""])
  await store.close()
})

test("a file whose end is still in its log, because somebody reads an old state, is not taken for a cut one", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "test.db")
  const store = new SqliteStore(path)
  const id = await added(store)
  using writer = new Database(path)
  using reader = new Database(path)
  writer.run("PRAGMA wal_autocheckpoint = 0")
  const pages = (): number =>
    writer.query<{ page_count: number }, []>("PRAGMA page_count").get()?.page_count ?? 0
  // The last page is new in the state that is read, and changes once more after that.
  writer.run("CREATE TABLE end (row INTEGER PRIMARY KEY, said TEXT)")
  for (let row = 0; row < 5; row++) writer.run("INSERT INTO end VALUES (?, ?)", [row, "x".repeat(3000)])
  const before = pages()
  reader.run("BEGIN")
  reader.query("SELECT count(*) FROM end").get()
  writer.run("UPDATE end SET said = ? WHERE row = 4", ["y".repeat(3000)])
  writer.run("PRAGMA wal_checkpoint(PASSIVE)")
  expect(statSync(path).size).toBeLessThan(before * 4096)
  for (let looks = 0; looks < 3; looks++) expect(store.faults()).toEqual([])
  await put(store, id, { title: "kept" })
  reader.run("COMMIT")
  await store.close()
  using after = new Database(path)
  expect(after.query("SELECT title FROM queue_items").get()).toEqual({ title: "kept" })
})

test("a database that was rewritten is known again while that is only in its log, and once it is in the file", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "test.db")
  await new SqliteStore(path).close()
  using other = new Database(path)
  const rewritten = (vacuum: "NONE" | "INCREMENTAL"): number => {
    other.run(`PRAGMA auto_vacuum = ${vacuum}`)
    other.run("VACUUM")
    const sql = "SELECT rootpage AS page FROM sqlite_master WHERE name = 'history'"
    return other.query<{ page: number }, []>(sql).get()?.page ?? 0
  }
  const before = rewritten("NONE")
  const store = new SqliteStore(path)
  expect(store.faults()).toEqual([])
  await added(store)
  expect(rewritten("INCREMENTAL")).not.toBe(before)
  expect(store.faults()).toEqual([])
  // Who writes the log into the file has written this page, and not yet the one that has the mark now.
  const file = openSync(path, "r+")
  writeSync(file, Buffer.alloc(4096), 0, 4096, (before - 1) * 4096)
  closeSync(file)
  for (let looks = 0; looks < 3; looks++) expect(store.faults()).toEqual([])
  await store.upkeep.checkpoint()
  for (let looks = 0; looks < 3; looks++) expect(store.faults()).toEqual([])
  writeFileSync(path, Buffer.alloc(statSync(path).size, 7), { flag: "r+" })
  expect(store.faults()).toEqual(["file_replaced"])
  await store.close()
})

test("a file that has lost its end is noticed, although a log that somebody reads shows what that was", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "test.db")
  const store = new SqliteStore(path)
  expect(store.faults()).toEqual([])
  const id = await added(store)
  using writer = new Database(path)
  using reader = new Database(path)
  writer.run("CREATE TABLE end (said TEXT)")
  writer.run("INSERT INTO end VALUES (?)", ["x".repeat(3000)])
  reader.run("BEGIN")
  reader.query("SELECT count(*) FROM end").get()
  // Everything up to here is in the file, and stays in the log as long as the reader is there.
  writer.run("PRAGMA wal_checkpoint(PASSIVE)")
  await put(store, id, { title: "later" })
  expect(store.faults()).toEqual([])
  truncateSync(path, statSync(path).size - 4096)
  expect(store.faults()).toEqual([])
  expect(store.faults()).toEqual(["file_replaced"])
  await store.close()
})

test.each([0, 4152])(
  "a write-ahead log that another program cuts off at %d bytes takes no more writes, and the next start says so",
  async (size) => {
    using folder = temporaryFolder()
    const path = join(folder.path, "test.db")
    const store = new SqliteStore(path)
    await added(store)
    // The first look has the mark of this start written, and the log into the file.
    expect(store.faults()).toEqual([])
    for (let item = 0; item < 3; item += 1) await added(store)
    truncateSync(`${path}-wal`, size)
    // SQLite writes on at its own place.
    if (size === 0) await added(store)
    expect(store.faults()).toEqual([])
    expect(store.faults()).toEqual(["file_replaced"])
    expect(await codeOf(added(store))).toBe("unavailable")
    await store.close()
    using next = new Lock(path)
    expect(next.loss).toContain(`${path}-wal is gone, empty or damaged`)
  },
)

test("a write-ahead log may be emptied once all of it is in the file", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "test.db")
  const store = new SqliteStore(path)
  await added(store)
  expect(store.faults()).toEqual([])
  await added(store)
  {
    using other = new Database(path)
    other.run("PRAGMA wal_checkpoint(FULL)")
  }
  truncateSync(`${path}-wal`)
  for (let look = 0; look < 3; look += 1) expect(store.faults()).toEqual([])
  await added(store)
  for (let look = 0; look < 3; look += 1) expect(store.faults()).toEqual([])
  await store.close()
  {
    using next = new Lock(path)
    expect(next.loss).toBeUndefined()
  }
  using after = new Database(path)
  expect(after.query("SELECT count(*) AS n FROM queue_items").get()).toEqual({ n: 3 })
})

test("a file is taken for cut off only if it is too short at two looks in a row", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "test.db")
  const before = new SqliteStore(path)
  await added(before)
  await before.close()
  const store = new SqliteStore(path)
  const { size } = statSync(path)
  const whole = readFileSync(path)
  // Another program, which is about to make the file longer.
  truncateSync(path, size - 4096)
  expect(store.faults()).toEqual([])
  writeFileSync(path, whole)
  expect(store.faults()).toEqual([])
  truncateSync(path, size - 4096)
  expect(store.faults()).toEqual([])
  expect(store.faults()).toEqual(["file_replaced"])
  writeFileSync(path, whole)
  await store.close()
})
