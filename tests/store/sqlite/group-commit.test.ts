import { Database } from "bun:sqlite"
import { expect, test } from "bun:test"
import { join } from "node:path"

import { AppError } from "../../../src/errors.ts"
import { GroupCommit } from "../../../src/store/sqlite/group-commit.ts"
import { SqliteStore } from "../../../src/store/sqlite/sqlite.ts"
import { answeredOnceStored } from "../../contracts/answered-once-stored.ts"
import { under } from "../../contracts/repeated-claims.contract.ts"
import { added, codeOf, put, START_MS } from "../../contracts/store.contract.ts"
import { taking } from "../../contracts/work.contract.ts"
import { temporaryFolder } from "../../server.ts"
import { Faults } from "./faults.ts"
import { openSqlite } from "./open.ts"

/** A database with one table, and the group commit. */
function open() {
  const folder = temporaryFolder()
  const client = new Database(join(folder.path, "test.db"), { create: true })
  client.run("PRAGMA journal_mode = WAL")
  client.run("PRAGMA foreign_keys = ON")
  client.run(
    "CREATE TABLE rows (id INTEGER PRIMARY KEY, parent REFERENCES rows (id) DEFERRABLE INITIALLY DEFERRED, text)",
  )
  const noted: string[] = []
  const failures: string[] = []
  const note =
    (name: string) =>
    (ms: number): void =>
      void noted.push(`${name} ${ms}`)
  let nowMs = 0
  const insert = client.query<unknown, [number, number | null, string]>("INSERT INTO rows VALUES (?, ?, ?)")
  return {
    client,
    /** What the group has reported about its transactions. Its clock counts how often it is read. */
    noted,
    /** Lets time pass. */
    pass: (ms: number): void => void (nowMs += ms),
    /** The codes of the failures that it has reported. */
    failures,
    group: new GroupCommit(client, {
      nowMs: () => (nowMs += 1),
      begun: note("begun"),
      ending: note("ending"),
      committed: note("committed"),
      failed: (sinceMs, code) => {
        note("failed")(sinceMs)
        failures.push(code)
      },
    }),
    add:
      (id: number, parent: number | null = null, text = "") =>
      () => {
        insert.run(id, parent, text)
        return id
      },
    ids: () =>
      client
        .query<{ id: number }, []>("SELECT id FROM rows ORDER BY id")
        .all()
        .map(({ id }) => id),
    [Symbol.dispose]() {
      client.close()
      folder[Symbol.dispose]()
    },
  }
}

test("a write resolves with what it returns, after its commit", async () => {
  using database = open()
  const { group, client, add, ids } = database
  expect(await group.run(add(1))).toBe(1)
  expect(client.inTransaction).toBe(false)
  expect(ids()).toEqual([1])
})

test("a write that a constraint refuses fails alone, with the constraint's error", async () => {
  using database = open()
  const { group, add, ids } = database
  const results = await Promise.allSettled([group.run(add(1)), group.run(add(1)), group.run(add(2))])
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"])
  expect(ids()).toEqual([1, 2])
})

test("a write that throws halfway is undone in whole", async () => {
  using database = open()
  const { group, add, ids } = database
  const half = group.run(() => {
    add(2)()
    throw new RangeError("halfway")
  })
  const results = await Promise.allSettled([group.run(add(1)), half, group.run(add(3))])
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"])
  await expect(half).rejects.toThrow("halfway")
  expect(ids()).toEqual([1, 3])
})

test("a commit that fails makes all its writes unavailable, keeps nothing, and the next one works", async () => {
  using database = open()
  const { group, add, ids } = database
  // The missing parent is noticed at the commit.
  const codes = await Promise.all([codeOf(group.run(add(1))), codeOf(group.run(add(2, 99)))])
  expect(codes).toEqual(["unavailable", "unavailable"])
  expect(ids()).toEqual([])
  expect(await group.run(add(3))).toBe(3)
  expect(ids()).toEqual([3])
})

test("an error that ends the transaction makes all its writes unavailable, is reported, and the next one works", async () => {
  using database = open()
  const { group, client, add, ids, failures } = database
  const fatal = () => {
    client.run("ROLLBACK")
    throw new RangeError("the transaction is gone")
  }
  const codes = await Promise.all([group.run(add(1)), group.run(fatal), group.run(add(2))].map(codeOf))
  expect(codes).toEqual(["unavailable", "unavailable", "unavailable"])
  expect(failures).toEqual(["RangeError"])
  expect(ids()).toEqual([])
  expect(await group.run(add(3))).toBe(3)
})

test("a full disk makes a write unavailable, and what fits is written again later", async () => {
  using database = open()
  const { group, client, add, ids } = database
  const { page_count } = client.query<{ page_count: number }, []>("PRAGMA page_count").get() ?? {
    page_count: 0,
  }
  client.run(`PRAGMA max_page_count = ${page_count + 2}`)
  expect(await codeOf(group.run(add(1, null, "x".repeat(100_000))))).toBe("unavailable")
  expect(ids()).toEqual([])
  expect(await group.run(add(2, null, "small"))).toBe(2)
  client.run("PRAGMA max_page_count = 1000000")
  expect(await group.run(add(3, null, "x".repeat(100_000)))).toBe(3)
  expect(ids()).toEqual([2, 3])
})

test("writes given while a group is being written come with the next one", async () => {
  using database = open()
  const { group, add, ids } = database
  let inner: Promise<number> | undefined
  await group.run(() => {
    inner = group.run(add(2))
    return add(1)()
  })
  expect(await inner).toBe(2)
  expect(ids()).toEqual([1, 2])
})

test("idle resolves once nothing waits to be written, also when writes keep coming for a while", async () => {
  using database = open()
  const { group, add, ids } = database
  await group.idle()
  const chain = (id: number): Promise<unknown> => group.run(add(id)).then(() => id < 5 && chain(id + 1))
  const writing = chain(1)
  await group.idle()
  expect(ids()).toEqual([1, 2, 3, 4, 5])
  await writing
})

test("a refused write in an otherwise empty group leaves no transaction open, and is no failure of the database", async () => {
  using database = open()
  const { group, client, failures } = database
  await expect(
    group.run(() => {
      throw new RangeError("no")
    }),
  ).rejects.toThrow("no")
  expect(client.inTransaction).toBe(false)
  expect(failures).toEqual([])
})

test("the result of a transaction is reported: when it began, and when it was first tried if it failed", async () => {
  using database = open()
  const { group, add, noted } = database
  await group.run(add(1))
  expect(noted).toEqual(["begun 2", "ending 2", "committed 2"])
  // The missing parent is noticed at the commit.
  await Promise.allSettled([group.run(add(2, 99))])
  expect(noted.slice(3)).toEqual(["begun 4", "ending 4", "failed 3"])
  await group.run(add(3))
  expect(noted.slice(6)).toEqual(["begun 6", "ending 6", "committed 6"])
})

test("a write that the database cannot do is an outage, although the others of its tick are committed", async () => {
  using database = open()
  const { client, group, add, ids, noted } = database
  const broken = () => client.run("INSERT INTO nowhere VALUES (1)")
  const codes = [group.run(add(1)), group.run(broken)].map(codeOf)
  expect(await Promise.all(codes)).toEqual(["none", "unavailable"])
  expect(ids()).toEqual([1])
  expect(noted).toEqual(["begun 2", "ending 2", "committed 2", "failed 2"])
})

test("when the disk does not confirm a commit, the answer says that it is not known whether it was stored", async () => {
  using database = open()
  const { client, add } = database
  const prepare = client.prepare.bind(client)
  let fails = true
  client.prepare = ((sql: string) => {
    const statement = prepare(sql)
    if (sql === "COMMIT") {
      const run = statement.run.bind(statement)
      statement.run = () => (fails ? unsynced() : run())
    }
    return statement
  }) as typeof client.prepare
  const group = new GroupCommit(client, {
    nowMs: () => 0,
    begun: quiet,
    ending: quiet,
    committed: quiet,
    failed: quiet,
  })
  const refused = group.run(add(1))
  await expect(refused).rejects.toThrow("it is not known whether it was stored")
  expect(await codeOf(refused)).toBe("unavailable")
  fails = false
  expect(await group.run(add(2))).toBe(2)
  // Before the commit nothing can have been stored.
  const undone = group.run(() => {
    client.run("ROLLBACK")
    unsynced()
  })
  await expect(undone).rejects.toThrow("nothing was changed")
})

const quiet = (): void => undefined

/** Throws the error of SQLite for a disk that does not confirm its writes. */
function unsynced(): never {
  throw Object.assign(new Error("disk I/O error"), { code: "SQLITE_IOERR_FSYNC" })
}

test("of writes that share a commit those that were refused are not counted", async () => {
  using folder = temporaryFolder()
  const commits: (readonly string[])[] = []
  const store = new SqliteStore(join(folder.path, "test.db"), undefined, {
    onCommit: ({ statuses }) => void commits.push([...statuses]),
  })
  const [one, other] = [await added(store), await added(store)]
  // The database itself refuses an illegal move, after the update of the move was written.
  const refused = store.change(one, (stored) => ({
    ...stored,
    item: { ...stored.item, status: "completed" },
  }))
  const [first, second] = await Promise.allSettled([refused, put(store, other, { message: "new" })])
  expect([first.status, second.status]).toEqual(["rejected", "fulfilled"])
  expect(commits.at(-1)).toEqual(["queued"])
  await store.close()
})

test("a write waits while another program holds the lock, but not once the server stops", async () => {
  using opened = open()
  const { client, group, add, ids, noted, pass } = opened
  using other = new Database(client.filename)
  const tried = async (): Promise<void> => {
    for (let tick = 0; tick < 5; tick += 1) await new Promise((resolve) => setImmediate(resolve))
  }
  other.run("BEGIN IMMEDIATE")
  const waiting = group.run(add(1))
  await tried()
  expect(ids()).toEqual([])
  other.run("ROLLBACK")
  expect(await waiting).toBe(1)
  other.run("BEGIN IMMEDIATE")
  const startedMs = performance.now()
  const cut = codeOf(group.run(add(2)))
  await tried()
  pass(1000)
  group.drain()
  expect([await cut, await codeOf(group.run(add(3)))]).toEqual(["unavailable", "unavailable"])
  expect(performance.now() - startedMs).toBeLessThan(4000)
  // The first of them has failed since before the wait.
  expect(noted.slice(3)).toEqual(["failed 3", "failed 1004"])
  other.run("ROLLBACK")
  expect(await group.run(add(4))).toBe(4)
  expect(ids()).toEqual([1, 4])
})

test("idle waits for a write that waits for another program's lock", async () => {
  using opened = open()
  const { client, group, add, ids } = opened
  using other = new Database(client.filename)
  other.run("BEGIN IMMEDIATE")
  const writing = group.run(add(1))
  for (let tick = 0; tick < 5; tick += 1) await new Promise((resolve) => setImmediate(resolve))
  const idle = group.idle()
  other.run("ROLLBACK")
  await idle
  expect(ids()).toEqual([1])
  await writing
})

test("a write that waits for another program's lock is refused as soon as every write is", async () => {
  using opened = open()
  const { client, group, add, ids } = opened
  using other = new Database(client.filename)
  other.run("BEGIN IMMEDIATE")
  const waiting = group.run(add(1))
  for (let tick = 0; tick < 5; tick += 1) await new Promise((resolve) => setImmediate(resolve))
  group.refuse(new AppError("unavailable", "the file was replaced"))
  other.run("ROLLBACK")
  await expect(waiting).rejects.toThrow("the file was replaced")
  expect(ids()).toEqual([])
})

test("what a failed commit would have made of the item of a repeated claim is forgotten", async () => {
  let nowMs = START_MS
  using faults = new Faults()
  await using opened = await openSqlite(() => nowMs)
  const { store } = opened
  const id = await added(store)
  await store.claim([], taking("a"), under("one"))
  // It stands still from here on, so that the next change comes in the same millisecond.
  nowMs += 1000
  faults.break()
  expect(await codeOf(store.claimedBefore(under("one")))).toBe("unavailable")
  faults.mend()
  const { work } = await store.change(id, (stored) => ({ ...stored, quiet: true }))
  expect(work.lease_expires_at).toBe(START_MS + 60_000)
})

test("no write is answered before the database has stored it", async () => {
  await using opened = await openSqlite()
  using other = new Database(opened.path)
  await answeredOnceStored(opened.store, async () => {
    other.run("BEGIN IMMEDIATE")
    return {
      asked: async () => {
        for (let ticks = 0; ticks < 4; ticks += 1) await new Promise(setImmediate)
      },
      letGo: async () => void other.run("ROLLBACK"),
    }
  })
})
