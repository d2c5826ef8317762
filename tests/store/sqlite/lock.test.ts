import { Database } from "bun:sqlite"
import { describe, expect, spyOn, test } from "bun:test"
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"

import { copyDatabase } from "../../../src/store/sqlite/backup.ts"
import { openDatabase } from "../../../src/store/sqlite/open.ts"
import { restoreDatabase } from "../../../src/store/sqlite/restore.ts"
import { setAside } from "../../../src/store/sqlite/set-aside-by-restore.ts"
import { SqliteStore } from "../../../src/store/sqlite/sqlite.ts"
import { added, codeOf } from "../../contracts/store.contract.ts"
import { start, temporaryFolder } from "../../server.ts"
import { Faults } from "./faults.ts"
import { openAndClose } from "./open-and-close.ts"

test.each([
  ["zeros", Buffer.alloc(8192)],
  ["garbage", Buffer.alloc(5000, "garbage ")],
  ["a first page alone", undefined],
])("a lock file of %s, as a power cut may leave it, keeps no server from starting", (_what, bytes) => {
  using folder = temporaryFolder()
  const [database, kept] = [join(folder.path, "queue.db"), join(folder.path, "kept.db")]
  openAndClose(database)
  const damaged = bytes ?? readFileSync(`${database}.lock`).fill(7, 4096)
  writeFileSync(`${database}.lock`, damaged)
  // It shows at least that there was a database.
  renameSync(database, kept)
  expect(() => openAndClose(database)).toThrow(`the database ${database} is gone`)
  renameSync(kept, database)
  openAndClose(database)
  rmSync(database)
  expect(() => openAndClose(database)).toThrow(`${database}.lock remembers it`)
  writeFileSync(`${database}.lock`, damaged)
  const { client, lock, found } = openDatabase(database, true)
  expect(found.isNew).toBeTrue()
  client.close()
  lock.close()
})

test("a first start that could not name the database, as on a full disk, keeps no later one from starting", () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "queue.db")
  openAndClose(database)
  rmSync(`${database}.lock`)
  using client = new Database(database)
  client.run("UPDATE history SET mark = NULL")
  client.run("CREATE TRIGGER full BEFORE UPDATE ON history BEGIN SELECT RAISE(ABORT, 'no room'); END")
  expect(() => openAndClose(database)).toThrow("no room")
  client.run("DROP TRIGGER full")
  openAndClose(database)
})

test("a database of two names is opened by either, while no log of the other one lies beside it", async () => {
  using folder = temporaryFolder()
  const [database, other] = [join(folder.path, "queue.db"), join(folder.path, "other.db")]
  await new SqliteStore(database).close()
  linkSync(database, other)
  await new SqliteStore(other).close()
  writeFileSync(`${other}-wal`, "log")
  expect(() => openAndClose(database)).toThrow(`is also ${other}, by a hard link`)
})

test("a database that was closed, and was copied away and back, is opened", async () => {
  using folder = temporaryFolder()
  const [database, copy] = [join(folder.path, "queue.db"), join(folder.path, "copy.db")]
  await new SqliteStore(database).close()
  renameSync(database, copy)
  copyFileSync(copy, database)
  await new SqliteStore(database).close()
})

test("what lies beside a database that is taken as it is, and belongs to another one, is set aside", () => {
  using folder = temporaryFolder()
  const [database, other] = [join(folder.path, "queue.db"), join(folder.path, "other.db")]
  openAndClose(database)
  openAndClose(other)
  renameSync(other, database)
  for (const part of ["-wal", "-shm"]) writeFileSync(`${database}${part}`, "of the former one")
  const { client, lock } = openDatabase(database, true)
  for (const part of ["-wal", "-shm"])
    expect(readFileSync(`${database}${part}.old`, "utf8")).toBe("of the former one")
  client.close()
  lock.close()
})

describe("a database that was moved away by a restore, which was killed before the backup was in its place", () => {
  test.each([
    ["with its record", ".lock remembers it"],
    ["with a damaged record", "was kept for it"],
    ["without a record", "is gone"],
    ["whose log was not moved", "-wal is left over from a database that is gone"],
  ])("%s, is named, and no empty queue is begun", async (how, reason) => {
    using folder = temporaryFolder()
    const [database, backup] = [join(folder.path, "queue.db"), join(folder.path, "other.db")]
    openAndClose(database)
    openAndClose(backup)
    const record = readFileSync(`${database}.lock`)
    // This one is older.
    writeFileSync(`${database}.before-20200101T000000000Z`, "")
    const before = (await restoreDatabase(database, backup)).before ?? ""
    renameSync(database, `${database}.restoring`)
    if (how === "with its record") writeFileSync(`${database}.lock`, record)
    if (how === "with a damaged record") writeFileSync(`${database}.lock`, Buffer.alloc(8192, "garbage "))
    const isLogMoved = how !== "whose log was not moved"
    if (!isLogMoved) renameSync(`${before}-wal`, `${database}-wal`)
    const files = readdirSync(folder.path)
    const log = isLogMoved ? `, and ${before}-wal to ${database}-wal` : ""
    const way = `rename ${before} to ${database}${log}`
    expect(() => openAndClose(database)).toThrow(`${reason}; if a restore was killed, ${way}. Put back`)
    await expect(restoreDatabase(database, backup)).rejects.toThrow(
      `a restore was killed before the backup was in its place: ${way}, and restore again; to go on without that database, delete ${database}.restoring`,
    )
    expect(readdirSync(folder.path)).toEqual(files)
    renameSync(before, database)
    if (isLogMoved) renameSync(`${before}-wal`, `${database}-wal`)
    openAndClose(database)
  })

  test("keeps no new queue from being begun if that is requested, and no backup from its place once its copy is gone", async () => {
    using folder = temporaryFolder()
    const [database, backup] = [join(folder.path, "queue.db"), join(folder.path, "other.db")]
    openAndClose(backup)
    writeFileSync(`${database}.before-20200101T000000000Z`, "")
    expect(() => openAndClose(database)).toThrow("--new-database")
    const { client, lock, found } = openDatabase(database, true)
    expect(found.isNew).toBeTrue()
    client.close()
    lock.close()
    for (const part of ["", ".lock"]) rmSync(`${database}${part}`)
    expect(await restoreDatabase(database, backup)).toMatchObject({ before: null })
    openAndClose(database)
    // What a killed restore has left does not matter where a database is.
    writeFileSync(`${database}.restoring`, "")
    expect((await restoreDatabase(database, backup)).before).toStartWith(`${database}.before-`)
  })
})

test("a folder whose names cannot be read has no database that is known to be moved away", () => {
  using folder = temporaryFolder()
  // As one that may be written but not read, which root always may.
  expect(setAside(join(folder.path, "absent", "queue.db"))).toBeUndefined()
})

test("a lock file of a version that did not record whether it closed the database is no sign of a loss", () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "queue.db")
  openAndClose(database)
  {
    using record = new Database(`${database}.lock`)
    record.run("DROP TABLE open")
  }
  const { client, lock, found } = openDatabase(database)
  expect(found.warning).toBeUndefined()
  client.close()
  lock.close()
})

test("a damaged lock file that another server holds is left alone", () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "queue.db")
  openAndClose(database)
  using other = new Database(`${database}.lock`)
  other.run("BEGIN EXCLUSIVE")
  const garbage = Buffer.alloc(8192, "garbage ")
  writeFileSync(`${database}.garbage`, garbage)
  // In another process, because opening the file would take the lock from this one.
  Bun.spawnSync(["cp", `${database}.garbage`, `${database}.lock`])
  const { exitCode, stderr } = Bun.spawnSync([
    "bun",
    "-e",
    `(await import(${JSON.stringify(join(import.meta.dir, "../../../src/store/sqlite/open.ts"))})).openDatabase(${JSON.stringify(database)})`,
  ])
  expect([exitCode, stderr.toString()]).toEqual([1, expect.stringContaining("is in use by another server")])
  expect(readFileSync(`${database}.lock`).equals(garbage)).toBeTrue()
})

test.each([
  ["a copy of its folder", [".lock"]],
  ["a copy without its lock file", []],
])("%s keeps its write-ahead log, also where a new database is allowed", (_what, parts) => {
  using folder = temporaryFolder()
  const [database, copy] = [join(folder.path, "queue.db"), join(folder.path, "copy.db")]
  const { client, lock } = openDatabase(database)
  client.run("UPDATE history SET paused_at = 7")
  // As after a power failure: nothing was closed.
  for (const part of ["", "-wal", ...parts]) Bun.spawnSync(["cp", `${database}${part}`, `${copy}${part}`])
  client.close()
  lock.close()
  const again = openDatabase(copy, true)
  expect(again.client.query("SELECT paused_at FROM history").get()).toEqual({ paused_at: 7 })
  again.client.close()
  again.lock.close()
})

test("a server that died while somebody read an old state is started again, with all that was acknowledged", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "queue.db")
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "short.ts"), path], { stdout: "pipe" })
  await child.exited
  const store = new SqliteStore(path)
  expect(await store.items()).toBe(1)
  await store.close()
  // The file had no end of its own.
  expect(Number(await new Response(child.stdout).text())).toBeLessThan(statSync(path).size)
}, 180_000)

test("a log of a killed server that is gone, empty or damaged is reported at the next start", async () => {
  using folder = temporaryFolder()
  const [home, copy] = [join(folder.path, "home"), join(folder.path, "copy")]
  using faults = new Faults()
  const store = new SqliteStore(join(home, "queue.db"))
  // With the first check that can write, the lock file learns of the start.
  faults.break()
  store.faults()
  expect(await codeOf(added(store))).toBe("unavailable")
  faults.mend()
  store.faults()
  await added(store)
  /** What a start says about the files as they are now, after this was done to the log. */
  const warning = (damage: (log: string) => void): string => {
    rmSync(copy, { recursive: true, force: true })
    // In another process, because opening the files would take the locks from this one.
    Bun.spawnSync(["cp", "-r", home, copy])
    damage(join(copy, "queue.db-wal"))
    const { client, lock, found } = openDatabase(join(copy, "queue.db"))
    client.close()
    lock.close()
    return found.warning ?? ""
  }
  expect(warning(() => undefined)).toBe("")
  const isLost = `${join(copy, "queue.db-wal")} is gone, empty or damaged`
  expect(warning((log) => rmSync(log))).toContain(isLost)
  expect(warning((log) => writeFileSync(log, "no log"))).toContain(isLost)
  expect(warning((log) => writeFileSync(log, ""))).toContain(isLost)
  // An older version has started and closed it since. It knows only the mark.
  const isOlder = warning((log) => {
    rmSync(log)
    using client = new Database(join(copy, "queue.db"))
    client.run("UPDATE history SET mark = replace(mark, '.1', '.2')")
    client.run("PRAGMA journal_mode = DELETE")
    using lock = new Database(join(copy, "queue.db.lock"))
    lock.run("UPDATE mark SET starts = starts + 1")
  })
  expect(isOlder).toBe("")
  rmSync(copy, { recursive: true })
  Bun.spawnSync(["cp", "-r", home, copy])
  rmSync(join(copy, "queue.db-wal"))
  await using server = await start({ database: join(copy, "queue.db") })
  expect(await server.end()).toBe(0)
  expect(server.log).toMatch(
    /"warn","msg":"the last server did not close the database, .* what it held is lost/,
  )
  await store.close()
  // What was closed needs no log: SQLite removes it, or a copy leaves it out.
  expect(warning((log) => rmSync(log, { force: true }))).toBe("")
})

test.each([0o640, 0o604, 0o660, 0o755])(
  "a database of the mode %o, as a copy may have it, is open to nobody else once a server has opened it",
  (mode) => {
    using folder = temporaryFolder()
    const database = join(folder.path, "queue.db")
    openAndClose(database)
    const files = [database, `${database}.lock`]
    for (const file of files) chmodSync(file, mode)
    openAndClose(database)
    expect(files.map((file) => statSync(file).mode & 0o777)).toEqual([0o600, 0o600])
  },
)

test("nobody else can open a new database at any moment, whatever the mask of the process is", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "queue.db")
  const script = `umask 0; exec ${process.execPath} ${join(import.meta.dir, "fill.ts")} ${path}`
  const child = Bun.spawn(["sh", "-c", script], { stdout: "ignore" })
  const modes = new Set<number>()
  const files = ["", "-wal", ".lock"].map((part) => `${path}${part}`)
  while (child.exitCode === null && !existsSync(`${path}-wal`)) {
    // In one tick of the event loop, because a file is open to others for less than a millisecond.
    for (let look = 0; look < 2000; look += 1) {
      for (const file of files) {
        const found = statSync(file, { throwIfNoEntry: false })
        if (found) modes.add(found.mode & 0o777)
      }
    }
    await Bun.sleep(0)
  }
  await child.exited
  expect([...modes]).toEqual([0o600])
}, 180_000)

test("what a deleted database held is rescued whole, although another server began a new one in its place", async () => {
  using folder = temporaryFolder()
  const data = join(folder.path, "data")
  const path = join(data, "queue.db")
  const store = new SqliteStore(path)
  store.faults()
  await added(store)
  await added(store)
  rmSync(data, { recursive: true })
  const another = new SqliteStore(path)
  await added(another)
  await store.close()
  await another.close()
  using rescued = new Database(`${path}.rescued`, { readonly: true })
  expect(rescued.query("SELECT count(*) AS items FROM queue_items").get()).toEqual({ items: 2 })
})

test("a server that ends leaves alone what another one, which has its database now, has written", async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, "queue.db")
  const store = new SqliteStore(path)
  expect(store.faults()).toEqual([])
  await added(store)
  rmSync(`${path}.lock`)
  const another = new SqliteStore(path)
  await added(another)
  await store.close()
  for (let looks = 0; looks < 2; looks += 1) expect(another.faults()).toEqual([])
  await added(another)
  await another.close()
  const next = new SqliteStore(path)
  expect([await next.items(), next.found.warning]).toEqual([3, undefined])
  await next.close()
})

test("a restore that cannot remove the lock file of the database before says that the backup is in its place", async () => {
  using folder = temporaryFolder()
  const [path, backup] = [join(folder.path, "test.db"), join(folder.path, "backup.db")]
  const store = new SqliteStore(path)
  await added(store)
  copyDatabase(path, backup)
  await added(store)
  await store.close()
  // It is called directly before the last step. A folder cannot be removed like a file.
  using _ = spyOn(SqliteStore.prototype, "sweep").mockImplementation(async () => {
    rmSync(`${path}.lock`)
    mkdirSync(`${path}.lock`)
    return 0
  })
  await expect(restoreDatabase(path, backup)).rejects.toThrow(
    `the backup was restored to ${path}, but ${path}.lock`,
  )
  rmdirSync(`${path}.lock`)
  const restored = new SqliteStore(path)
  expect(await restored.items()).toBe(1)
  await restored.close()
})
