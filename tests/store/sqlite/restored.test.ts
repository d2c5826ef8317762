import { Database } from "bun:sqlite"
import { expect, spyOn, test } from "bun:test"
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"

import type { Store } from "../../../src/store/contract/store.ts"
import { backupDatabase, copyDatabase } from "../../../src/store/sqlite/backup.ts"
import { checkDatabase } from "../../../src/store/sqlite/check.ts"
import { restoreDatabase } from "../../../src/store/sqlite/restore.ts"
import { SqliteStore } from "../../../src/store/sqlite/sqlite.ts"
import { added, put } from "../../contracts/store.contract.ts"
import { temporaryFolder } from "../../server.ts"

test("after a restore the updates that are there are counted, not the numbers that were passed over, and no item has the number of one that is lost", async () => {
  using folder = temporaryFolder()
  const [path, backup] = [join(folder.path, "test.db"), join(folder.path, "backup.db")]
  const store = new SqliteStore(path)
  const id = await added(store)
  await put(store, id, { message: "kept" })
  copyDatabase(path, backup)
  for (const message of ["lost", "lost", "lost"]) await put(store, id, { message })
  const lost = await added(store)
  await store.close()
  await restoreDatabase(path, backup)
  const restored = new SqliteStore(path)
  await put(restored, id, { message: "new" })
  const head = await restored.head()
  expect(head).toBeGreaterThan(6)
  expect(await restored.count(0, head)).toBe(3)
  expect(await restored.count(1, head)).toBe(2)
  expect(await restored.count(head - 1, head)).toBe(1)
  expect((await restored.bounds()).stored).toBe(3)
  expect(await added(restored)).toBe(lost + 1)
  await restored.close()
})

test("a backup that is restored where no database was, or one with lower numbers, goes on with its own numbers", async () => {
  using folder = temporaryFolder()
  const at = (name: string): string => join(folder.path, name)
  const [path, backup, empty, younger] = [at("test.db"), at("backup.db"), at("empty.db"), at("younger.db")]
  const store = new SqliteStore(path)
  const id = await added(store)
  const last = await store.head()
  copyDatabase(path, backup)
  await store.close()
  expect(await restoreDatabase(empty, backup)).toMatchObject({ before: null, isKnown: true })
  const restored = new SqliteStore(empty)
  expect(await added(restored)).toBe(id + 1)
  expect(await restored.head()).toBe(last + 2)
  await restored.close()
  await new SqliteStore(younger).close()
  await restoreDatabase(younger, backup)
  const instead = new SqliteStore(younger)
  expect([await added(instead), await instead.head()]).toEqual([id + 1, last + 2])
  await instead.close()
})

const HOOK = "https://one.example/hook"

/** Fails an item, and notes the failure for the webhook. */
async function noticed(store: Store): Promise<number> {
  const id = await added(store)
  await put(store, id, { status: "failed" })
  const { update } = await store.latestOfItem(id)
  await store.deliveries.add([{ notice: "failed", update }], update.id)
  return id
}

/** Of each delivery the item, the status and the reason. */
const standing = async (store: Store): Promise<string[]> => {
  const { deliveries } = await store.deliveries.list({ limit: 100 })
  return deliveries.map(({ queue_id, status, error }) => `${queue_id} ${status} ${error}`.trim()).sort()
}

/** Makes the delivery for an item. */
async function deliver(store: Store, id: number): Promise<void> {
  const { deliveries } = await store.deliveries.list({ limit: 100 })
  const made = deliveries.find(({ queue_id }) => queue_id === id)?.id ?? 0
  await store.deliveries.settle(made, { status: "delivered", nextAttemptAt: null, answer: 200, error: "" })
}

/**
 * A database with a delivery that was made before its backup (1), one that is pending in the backup and is made later (2),
 * one that stays pending (3), and two that are not in the backup: a pending one (4), and one that was made (5).
 */
async function lived(path: string, backup: string): Promise<void> {
  const store = new SqliteStore(path)
  await store.deliveries.follow([HOOK])
  await deliver(store, await noticed(store))
  const second = await noticed(store)
  await noticed(store)
  copyDatabase(path, backup)
  await deliver(store, second)
  await noticed(store)
  await deliver(store, await noticed(store))
  await store.close()
}

test("after a restore a webhook is called for what it has not heard of, and for nothing twice", async () => {
  using folder = temporaryFolder()
  const [path, backup] = [join(folder.path, "test.db"), join(folder.path, "backup.db")]
  await lived(path, backup)
  await restoreDatabase(path, backup)
  const restored = new SqliteStore(path)
  expect(await standing(restored)).toEqual([
    "1 delivered",
    "2 delivered",
    "3 pending",
    "4 failed a backup was restored that does not have this update",
    "5 delivered",
  ])
  const [due, ...others] = await restored.deliveries.take(HOOK, 9, 1000)
  expect([due?.queue_id, others]).toEqual([3, []])
  expect(await restored.deliveries.cursor()).toBeGreaterThan(6)
  await restored.close()
})

test("a backup that is put back twice is still of the same history: deliveries are made, and links stay", async () => {
  using folder = temporaryFolder()
  const [path, backup] = [join(folder.path, "test.db"), join(folder.path, "backup.db")]
  await lived(path, backup)
  const store = new SqliteStore(path)
  await store.access.addToken({ hash: "h", label: "", role: "viewer", item: 2, expires_at: null })
  await store.close()
  await restoreDatabase(path, backup)
  await restoreDatabase(path, backup)
  const restored = new SqliteStore(path)
  expect(await standing(restored)).toEqual([
    "1 delivered",
    "2 delivered",
    "3 pending",
    "4 failed a backup was restored that does not have this update",
    "5 delivered",
  ])
  expect((await restored.access.tokens())[0]?.history).toBe(restored.historyId)
  await restored.close()
})

test("what a webhook has not examined when a backup is put back is examined then", async () => {
  using folder = temporaryFolder()
  const [path, backup] = [join(folder.path, "test.db"), join(folder.path, "backup.db")]
  const store = new SqliteStore(path)
  await store.deliveries.follow([HOOK])
  const cursor = await store.deliveries.cursor()
  await put(store, await added(store), { status: "failed" })
  copyDatabase(path, backup)
  await store.close()
  await restoreDatabase(path, backup)
  const restored = new SqliteStore(path)
  expect(await restored.deliveries.cursor()).toBe(cursor)
  await restored.close()
})

test("where the database that was there is gone, a webhook is not called again", async () => {
  using folder = temporaryFolder()
  const [path, backup] = [join(folder.path, "test.db"), join(folder.path, "backup.db")]
  await lived(path, backup)
  const elsewhere = join(folder.path, "elsewhere.db")
  await restoreDatabase(elsewhere, backup)
  const restored = new SqliteStore(elsewhere)
  const why = "a backup was restored, and it is unknown whether this was delivered"
  expect(await standing(restored)).toEqual(["1 delivered", `2 failed ${why}`, `3 failed ${why}`])
  await restored.close()
})

test("after a database was lost no number means two things in the backup that takes its place", async () => {
  using folder = temporaryFolder()
  const [path, backup] = [join(folder.path, "test.db"), join(folder.path, "backup.db")]
  const store = new SqliteStore(path)
  const id = await added(store)
  copyDatabase(path, backup)
  const lost = await added(store)
  for (const message of ["lost", "lost", "lost"]) await put(store, id, { message })
  const seen = await store.head()
  await store.close()
  for (const part of ["", "-wal", "-shm"]) rmSync(`${path}${part}`, { force: true })
  const { before, isKnown } = await restoreDatabase(path, backup)
  expect([before, isKnown]).toEqual([null, false])
  const restored = new SqliteStore(path)
  expect(await added(restored)).toBeGreaterThan(lost)
  expect(await restored.head()).toBeGreaterThan(seen)
  await restored.close()
})

test("a token for one item shows it after a restore, unless the backup is of another history", async () => {
  using folder = temporaryFolder()
  const [path, backup, other] = ["test.db", "backup.db", "other.db"].map((name) =>
    join(folder.path, name),
  ) as [string, string, string]
  const store = new SqliteStore(path)
  const item = await added(store)
  copyDatabase(path, backup)
  await store.access.addToken({ hash: "h", label: "", role: "viewer", item, expires_at: null })
  await store.close()
  const isOurs = async (at = path): Promise<boolean> => {
    const restored = new SqliteStore(at)
    const [token] = await restored.access.tokens()
    await restored.close()
    return token?.history === restored.historyId
  }
  const [copy, elsewhere] = [join(folder.path, "copy.db"), join(folder.path, "elsewhere.db")]
  copyDatabase(path, copy)
  await restoreDatabase(path, backup)
  expect(await isOurs()).toBe(true)
  // On another machine, where nothing was before, the tokens are those of the backup.
  await restoreDatabase(elsewhere, copy)
  expect(await isOurs(elsewhere)).toBe(true)
  const strange = new SqliteStore(other)
  await added(strange, { song_id: 2 })
  await strange.close()
  await restoreDatabase(path, other)
  expect(await isOurs()).toBe(false)
})

test("a ticket from before a restore opens nothing", async () => {
  using folder = temporaryFolder()
  const [path, backup] = [join(folder.path, "test.db"), join(folder.path, "backup.db")]
  const store = new SqliteStore(path)
  const { id } = await store.access.addToken({
    hash: "h",
    label: "",
    role: "viewer",
    item: null,
    expires_at: null,
  })
  const later = new Date(Date.now() + 3_600_000).toISOString()
  const ticket = {
    hash: "t",
    token_id: id,
    method: "GET",
    path: "/api/v1/queue",
    use_by: later,
    expires_at: later,
  } as const
  await store.access.addTicket(ticket)
  copyDatabase(path, backup)
  await store.close()
  await restoreDatabase(path, backup)
  const restored = new SqliteStore(path)
  expect(await restored.access.tokens()).toHaveLength(1)
  expect(await restored.access.tickets()).toEqual([])
  await restored.close()
  const elsewhere = join(folder.path, "elsewhere.db")
  await restoreDatabase(elsewhere, backup)
  const moved = new SqliteStore(elsewhere)
  expect(await moved.access.tickets()).toEqual([])
  await moved.close()
})

test("a write-ahead log that is left of a database which is gone gets into no backup that is put in its place", async () => {
  using folder = temporaryFolder()
  const [path, backup] = [join(folder.path, "test.db"), join(folder.path, "backup.db")]
  const store = new SqliteStore(path)
  await added(store)
  copyDatabase(path, backup)
  await added(store)
  const log = readFileSync(`${path}-wal`)
  await store.close()
  for (const name of readdirSync(folder.path)) if (name !== "backup.db") rmSync(join(folder.path, name))
  writeFileSync(`${path}-wal`, log)
  await restoreDatabase(path, backup)
  expect(readdirSync(folder.path).toSorted()).toEqual(["backup.db", "test.db"])
  const restored = new SqliteStore(path)
  expect(await restored.items()).toBe(1)
  await restored.close()
})

test("a database that cannot be read is kept beside the backup that takes its place, with its log", async () => {
  using folder = temporaryFolder()
  const [path, backup] = [join(folder.path, "test.db"), join(folder.path, "backup.db")]
  const store = new SqliteStore(path)
  await added(store)
  copyDatabase(path, backup)
  const log = readFileSync(`${path}-wal`)
  await store.close()
  writeFileSync(path, "no database")
  writeFileSync(`${path}-wal`, log)
  const { before } = await restoreDatabase(path, backup)
  expect(readFileSync(before ?? "", "utf8")).toBe("no database")
  expect(readFileSync(`${before}-wal`)).toEqual(log)
})

test("a restore that fails leaves everything as it was", async () => {
  using folder = temporaryFolder()
  const [path, backup] = [join(folder.path, "test.db"), join(folder.path, "backup.db")]
  const store = new SqliteStore(path)
  await added(store)
  copyDatabase(path, backup)
  await store.close()
  using client = new Database(path)
  client.run("INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('later', 9e15)")
  const files = (): string[] => readdirSync(folder.path).filter((name) => !/-(wal|shm)$/.test(name))
  const before = files()
  expect(before).toContain("test.db.lock")
  await expect(restoreDatabase(path, backup)).rejects.toThrow("made by a newer version")
  expect(files()).toEqual(before)
  rmSync(`${path}.lock`)
  await expect(restoreDatabase(path, backup)).rejects.toThrow("made by a newer version")
  expect(files()).toEqual(before.filter((name) => name !== "test.db.lock"))
})

test("a restore that fails at its last step puts the database back, with its log", async () => {
  using folder = temporaryFolder()
  const [path, backup] = [join(folder.path, "test.db"), join(folder.path, "backup.db")]
  const store = new SqliteStore(path)
  await added(store)
  copyDatabase(path, backup)
  await store.close()
  // The restore cannot read it, and so keeps both as they are.
  await Bun.write(path, "no database")
  await Bun.write(`${path}-wal`, "its log")
  rmSync(`${path}-shm`, { force: true })
  const files = readdirSync(folder.path).sort()
  // It is called directly before the last step, which cannot remove a folder.
  const swept = [100, 1, 0]
  using _ = spyOn(SqliteStore.prototype, "sweep").mockImplementation(async () => {
    mkdirSync(`${path}-shm`, { recursive: true })
    return swept.shift() ?? 0
  })
  await expect(restoreDatabase(path, backup)).rejects.toThrow(`${backup} was not restored to ${path}: `)
  expect(swept).toEqual([])
  rmdirSync(`${path}-shm`)
  expect(readdirSync(folder.path).sort()).toEqual(files)
  expect(await Bun.file(path).text()).toBe("no database")
  expect(await Bun.file(`${path}-wal`).text()).toBe("its log")
})

test("to go back to this version, a backup takes the place of a newer database once that was moved away", async () => {
  using folder = temporaryFolder()
  const at = (name: string): string => join(folder.path, name)
  const store = new SqliteStore(at("test.db"))
  await added(store)
  copyDatabase(at("test.db"), at("backup.db"))
  await added(store)
  await store.close()
  {
    using client = new Database(at("test.db"))
    client.run("INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('later', 9e15)")
  }
  await expect(restoreDatabase(at("test.db"), at("backup.db"))).rejects.toThrow("move that file away first")
  renameSync(at("test.db"), at("newer.db"))
  expect(await restoreDatabase(at("test.db"), at("backup.db"))).toMatchObject({ items: 1, isKnown: false })
  const restored = new SqliteStore(at("test.db"))
  expect(await restored.items()).toBe(1)
  // No number of the newer database is given again.
  expect((await added(restored)) > 10_000_000).toBeTrue()
  await restored.close()
})

test("where a link leads to a database that is gone, the backup takes its place", async () => {
  using folder = temporaryFolder()
  const at = (name: string): string => join(folder.path, name)
  const store = new SqliteStore(at("other.db"))
  await added(store)
  copyDatabase(at("other.db"), at("backup.db"))
  await store.close()
  symlinkSync("lost.db", at("nearer.db"))
  symlinkSync(at("nearer.db"), at("test.db"))
  await restoreDatabase(at("test.db"), at("backup.db"))
  expect(lstatSync(at("test.db")).isSymbolicLink()).toBeTrue()
  expect(realpathSync(at("test.db"))).toBe(realpathSync(at("lost.db")))
})

const IS_ROOT = process.getuid?.() === 0 && Bun.which("mount") !== null
test.skipIf(!IS_ROOT)(
  "a database on a disk that takes no writes can be checked, copied and put back elsewhere",
  async () => {
    using folder = temporaryFolder()
    const at = (name: string): string => join(folder.path, name)
    mkdirSync(at("disk"))
    const store = new SqliteStore(at("disk/test.db"))
    await added(store)
    await store.close()
    const remount = (options: string): number =>
      Bun.spawnSync(["mount", "-o", options, at("disk"), at("disk")]).exitCode
    expect([remount("bind"), remount("remount,bind,ro")]).toEqual([0, 0])
    try {
      expect(checkDatabase(at("disk/test.db"))).toEqual({ items: 1, updates: 1, faults: [] })
      expect(backupDatabase(at("disk/test.db"), at("backup.db")).items).toBe(1)
      expect((await restoreDatabase(at("new.db"), at("disk/test.db"))).items).toBe(1)
      await expect(restoreDatabase(at("disk/test.db"), at("backup.db"))).rejects.toThrow(
        `${at("backup.db")} was not restored to ${at("disk/test.db")}: EROFS`,
      )
    } finally {
      Bun.spawnSync(["umount", "--lazy", at("disk")])
    }
  },
  180_000,
)
