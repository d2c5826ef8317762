import { Database } from "bun:sqlite"
import { expect, test } from "bun:test"
import { join } from "node:path"

import { claimed, rescued } from "../../../src/item/lease.ts"
import { copyDatabase } from "../../../src/store/sqlite/backup.ts"
import { restoreDatabase } from "../../../src/store/sqlite/restore.ts"
import { SqliteStore } from "../../../src/store/sqlite/sqlite.ts"
import { added } from "../../contracts/store.contract.ts"
import { temporaryFolder } from "../../server.ts"

test("a backup with tokens that is restored over a database that never had one keeps its tokens: nobody gets in without one", async () => {
  using folder = temporaryFolder()
  const [path, backup, before] = ["test.db", "backup.db", "before.db"].map((name) =>
    join(folder.path, name),
  ) as [string, string, string]
  const store = new SqliteStore(path)
  const item = await added(store)
  copyDatabase(path, before)
  const draft = { label: "", role: "viewer", expires_at: null } as const
  await store.access.addToken({ ...draft, hash: "a", item: null })
  await store.access.addToken({ ...draft, hash: "b", item })
  await store.access.revokeToken(1)
  copyDatabase(path, backup)
  await store.close()
  const fresh = join(folder.path, "fresh.db")
  await new SqliteStore(fresh).close()
  expect(await restoreDatabase(fresh, backup)).toMatchObject({ isKnown: true, tokensOf: "backup" })
  const restored = new SqliteStore(fresh)
  const [revoked, ofItem] = await restored.access.tokens()
  expect([revoked?.hash, revoked?.revoked_at === null, ofItem?.hash]).toEqual(["a", false, "b"])
  // The item came with the backup, so the link still shows it.
  expect(ofItem?.history).toBe(restored.historyId)
  await restored.close()
  // The backup is from before the first token.
  expect(await restoreDatabase(fresh, before)).toMatchObject({ tokensOf: "former" })
  const again = new SqliteStore(fresh)
  expect(await again.access.tokens()).toHaveLength(2)
  await again.close()
})

test("a restore says how many tokens of the backup are no longer in force, as on a machine that was set up again", async () => {
  using folder = temporaryFolder()
  const [path, backup] = [join(folder.path, "test.db"), join(folder.path, "backup.db")]
  const draft = { label: "", role: "worker", item: null, expires_at: null } as const
  const store = new SqliteStore(path)
  for (const hash of ["a", "b", "c"]) await store.access.addToken({ ...draft, hash })
  await store.access.revokeToken(1)
  for (const [hash, expires_at] of [
    ["d", "2026-01-02T03:04:05.678Z"],
    ["e", "2999-01-02T03:04:05.678Z"],
  ] as const)
    await store.access.addToken({ ...draft, hash, expires_at })
  copyDatabase(path, backup)
  await store.close()
  expect(await restoreDatabase(path, backup)).toMatchObject({ tokensOf: "former", droppedTokens: 0 })
  const fresh = join(folder.path, "fresh.db")
  const other = new SqliteStore(fresh)
  await other.access.addToken({ ...draft, hash: "first" })
  await other.close()
  expect(await restoreDatabase(fresh, backup)).toMatchObject({ tokensOf: "former", droppedTokens: 3 })
})

/** Lets a worker claim an item: with a lease of this token, and showing a former one. */
const take = (store: SqliteStore, id: number, token: string, former?: string) =>
  store.change(id, (stored, moment) =>
    claimed(stored, { worker: token, token, former, leaseMs: 60_000 }, moment),
  )

test("a render that was claimed after the backup goes on after the restore, and no other worker gets its item meanwhile", async () => {
  using folder = temporaryFolder()
  const [path, backup] = [join(folder.path, "test.db"), join(folder.path, "backup.db")]
  const store = new SqliteStore(path)
  const [waiting, again, free] = [await added(store), await added(store), await added(store)]
  await take(store, again, "lost")
  copyDatabase(path, backup)
  await store.sweep({ due: "lease", by: Number.MAX_SAFE_INTEGER }, (stored, moment) =>
    rescued(stored, 5, moment),
  )
  await take(store, again, "second")
  const { item } = await take(store, waiting, "later")
  const gone = await added(store)
  await take(store, gone, "gone")
  await store.close()
  await restoreDatabase(path, backup)
  const restored = new SqliteStore(path)
  const other = await restored.claim([], (stored, moment) =>
    claimed(stored, { worker: "other", token: "other", leaseMs: 60_000 }, moment),
  )
  expect(other?.item.id).toBe(free)
  await expect(take(restored, again, "third", "lost")).rejects.toThrow("waits for the worker")
  await expect(take(restored, waiting, "third")).rejects.toThrow("waits for the worker")
  expect((await take(restored, waiting, "new", "later")).item.started_at).toBe(item.started_at)
  expect((await take(restored, again, "newer", "second")).item.status).toBe("processing")
  await restored.close()
})

test("a second restore, too, lets items wait for the workers that had them before the first, but not for one whose lease was revoked", async () => {
  using folder = temporaryFolder()
  const [path, backup] = [join(folder.path, "test.db"), join(folder.path, "backup.db")]
  const store = new SqliteStore(path)
  const [waiting, retrying, revoked] = [await added(store), await added(store), await added(store)]
  await take(store, retrying, "first")
  await store.change(retrying, (stored, moment) => rescued(stored, 5, moment))
  copyDatabase(path, backup)
  for (const id of [waiting, retrying]) await take(store, id, "later")
  await store.access.addToken({ label: "", role: "worker", item: null, expires_at: null, hash: "a" })
  await store.change(revoked, (stored, moment) =>
    claimed(stored, { worker: "a", token: "ended", holder: 1, leaseMs: 60_000 }, moment),
  )
  expect(await store.access.endLeases(1)).toBe(1)
  await store.close()
  await restoreDatabase(path, backup)
  await restoreDatabase(path, backup)
  const restored = new SqliteStore(path)
  for (const id of [waiting, retrying]) {
    await expect(take(restored, id, "other")).rejects.toThrow("waits for the worker")
    expect((await take(restored, id, "new", "later")).item.status).toBe("processing")
  }
  expect((await restored.item(revoked)).available_at).toBeNull()
  await restored.close()
})

test("a restore over a database of an older version, which had no tokens yet, goes on with its numbers", async () => {
  using folder = temporaryFolder()
  const [path, backup] = [join(folder.path, "test.db"), join(folder.path, "backup.db")]
  const store = new SqliteStore(path)
  await added(store)
  copyDatabase(path, backup)
  const lost = await added(store)
  await store.close()
  {
    using client = new Database(path)
    for (const table of ["tickets", "tokens", "deliveries", "webhooks"]) client.run(`DROP TABLE ${table}`)
  }
  expect(await restoreDatabase(path, backup)).toMatchObject({ isKnown: true, tokensOf: "neither" })
  const restored = new SqliteStore(path)
  expect(await added(restored)).toBe(lost + 1)
  await restored.close()
})

test("a database whose items cannot be read keeps its tokens in a restore", async () => {
  using folder = temporaryFolder()
  const [path, backup] = [join(folder.path, "test.db"), join(folder.path, "backup.db")]
  const store = new SqliteStore(path)
  await added(store)
  await store.access.addToken({ label: "", role: "admin", item: null, expires_at: null, hash: "a" })
  copyDatabase(path, backup)
  await store.access.revokeToken(1)
  await store.close()
  {
    using client = new Database(path)
    client.run("ALTER TABLE queue_items RENAME TO unreadable")
  }
  expect(await restoreDatabase(path, backup)).toMatchObject({ isKnown: true, tokensOf: "former" })
  const restored = new SqliteStore(path)
  expect((await restored.access.tokens())[0]?.revoked_at).not.toBeNull()
  await restored.close()
})
