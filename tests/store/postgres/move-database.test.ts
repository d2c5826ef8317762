import { Database } from "bun:sqlite"
import { expect, setDefaultTimeout, test } from "bun:test"
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { SQL } from "bun"

import { shortLook } from "../../../src/item/estimate/look.ts"
import type { Store } from "../../../src/store/contract/store.ts"
import { moveDown, moveUp } from "../../../src/store/postgres/move-database.ts"
import { PostgresStore } from "../../../src/store/postgres/postgres.ts"
import { SqliteStore } from "../../../src/store/sqlite/sqlite.ts"
import { added, draft, put, uncommon } from "../../contracts/store.contract.ts"
import { PROGRAM, run, start, temporaryFolder } from "../../server.ts"
import { emptyDatabase } from "./open.ts"
import { Proxy } from "./proxy.ts"
import { newDatabase, postgres, whyNoPostgres } from "./server.ts"

setDefaultTimeout(180_000)

const HOOK = "https://one.example/hook"
const LATER = new Date(Date.now() + 1e11).toISOString()

/** Some of everything that a database can contain. */
async function filled(store: Store): Promise<void> {
  const ids: number[] = []
  for (let i = 0; i < 30; i += 1) {
    const given = draft({
      title: `Song ${i} "quoted" \\ é😀\n`,
      tags: i % 3 === 0 ? ["gpu", "4k"] : [],
      metadata: { i, deep: [null, { a: 1.5e-7 }] },
      priority: i % 5,
    })
    ids.push((await store.add(() => given, { key: `key ${i}`, digest: "d" })).item.id)
  }
  const [first = 0, second = 0, third = 0, fourth = 0, fifth = 0] = ids
  await store.deliveries.follow([HOOK])
  for (const id of [first, second, third]) {
    await put(store, id, { status: "processing" })
    for (let i = 1; i < 9; i += 1) await put(store, id, { progress: i * 10, message: `update ${i}` })
    await store.outputs.append(id, [{ from: 0, to: 5, text: "done\n" }], 1000, ({ item }) => item.attempt)
  }
  await put(store, first, { status: "completed" })
  await put(store, second, { status: "failed", error_message: "of itself" })
  await store.change(fourth, ({ item, work }) => ({ item, work, deleted: true }))
  await store.place(fifth, ids[10] ?? 0, ({ item, work }, before, ahead) => ({
    item: { ...item, priority: before.priority, turn: ((ahead ?? 0) + before.id) / 2 },
    work,
  }))
  await store.claim([], ({ item, work }) => ({
    item: { ...item, status: "processing", worker: "w" },
    work: { ...work, lease_token: "t", lease_ms: 60_000, lease_expires_at: Date.now() + 60_000, done: 1 / 3 },
  }))
  const { update } = await store.latestOfItem(second)
  await store.deliveries.add([{ notice: "failed", update }], update.id)
  const token = { hash: "aa", label: "wall", role: "viewer", item: null, expires_at: null } as const
  const { id: token_id } = await store.access.addToken(token)
  const times = { use_by: LATER, expires_at: LATER }
  await store.access.addTicket({ hash: "tt", token_id, method: "GET", path: "/p", ...times })
  const upTo = await store.head()
  const finished = [{ fromMs: 0, toMs: Date.parse(LATER), upTo }]
  const all = { finished, perItem: 0, upTo, keepCompleted: 0, limit: 3 }
  await store.upkeep.passMinutes(60)
  await store.upkeep.thin(all)
  const told = { kind: "song", look: "1 step", queue_id: first, worker: "w", seconds: 61.5, steps: [] }
  await store.runs.addLearned([{ ...told, ended_at: LATER }])
}

/** Everything that readers can see. */
async function seen(store: Store): Promise<unknown> {
  const items = (await store.list({ limit: 500 })).items
  return {
    history: store.historyId,
    items,
    updates: (await store.page({ after: 0, limit: 10_000 })).updates,
    bounds: [await store.bounds(), await store.bounds(1)],
    outputs: await Promise.all(items.map(({ id }) => store.outputs.read(id, 1, 0, 100))),
    standing: await store.figures.standing(),
    deliveries: await store.deliveries.list({ limit: 100 }),
    cursor: await store.deliveries.cursor(),
    tokens: await store.access.tokens(),
    tickets: await store.access.tickets(),
    runs: [
      await store.runs.kinds(9),
      await store.runs.alike("song", "1 step"),
      await store.runs.hasLearned(),
    ],
    next: [await store.nextWaiting(), await store.nextWaiting([]), await store.nextWaiting(["4k", "gpu"])],
  }
}

/** All rows of a SQLite file, except those that change at each start. */
function rowsOf(path: string): unknown {
  using client = new Database(path, { readonly: true })
  const tables = client
    .query<{ name: string }, []>(
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_\\_%' ESCAPE '\\' ORDER BY name",
    )
    .all()
  return tables.map(({ name }) => {
    const rows = client.query<Record<string, unknown>, []>(`SELECT * FROM ${name} ORDER BY 1, 2`).all()
    return [name, rows.map(({ mark: _mark, ...row }) => row)]
  })
}

test.skipIf(whyNoPostgres !== undefined)(
  "everything moves from a file to PostgreSQL and back, byte for byte, and all numbers go on",
  async () => {
    using folder = temporaryFolder()
    await using database = await emptyDatabase()
    const [file, back] = [join(folder.path, "queue.db"), join(folder.path, "back.db")]
    const first = new SqliteStore(file)
    await filled(first)
    await first.close()
    // As if the newest updates had belonged to an item that was removed: their event IDs are used up.
    new Database(file).run("UPDATE sqlite_sequence SET seq = seq + 5 WHERE name = 'updates'")
    const before = new SqliteStore(file)
    const expected = await seen(before)
    const [{ newest }, items] = [await before.bounds(), await before.items()]
    await before.close()
    const rows = rowsOf(file)
    expect(await moveUp(file, database.url)).toEqual({ items: items + 1, updates: expect.any(Number) })
    const moved = await PostgresStore.open(database.url)
    expect(await seen(moved)).toEqual(expected)
    await moved.close()
    await moveDown(database.url, back)
    expect(rowsOf(back)).toEqual(rows)
    // The control: one changed byte is noticed.
    const spoilt = join(folder.path, "spoilt.db")
    writeFileSync(spoilt, readFileSync(back))
    new Database(spoilt).run("UPDATE updates SET data = replace(data, 'update 8', 'update 9') WHERE id = 39")
    expect(rowsOf(spoilt)).not.toEqual(rows)
    const again = await PostgresStore.open(database.url)
    const answer = await again.add(() => draft(), { key: "key 5", digest: "d" })
    expect(answer).toMatchObject({ added: false, item: { id: 6 } })
    expect(await added(again)).toBe(31)
    expect(await again.head()).toBe(newest + 1)
    await again.close()
    const home = new SqliteStore(back)
    expect([await added(home), await home.head()]).toEqual([31, newest + 1])
    await home.close()
  },
)

test.skipIf(whyNoPostgres !== undefined)(
  "a move whose last answer is lost says that its outcome is not known",
  async () => {
    using folder = temporaryFolder()
    await using database = await emptyDatabase()
    using proxy = new Proxy((await postgres()).port)
    const url = new URL(database.url)
    url.port = `${proxy.port}`
    const file = join(folder.path, "queue.db")
    const before = new SqliteStore(file)
    await added(before)
    await before.close()
    for (const [text, fate, said] of [
      ["setval", "cut", "nothing was changed"],
      ["COMMIT", "cut after", "not known whether everything or nothing was moved"],
    ] as const) {
      proxy.decide = (bytes) => (bytes.includes(text) ? fate : "pass")
      await expect(moveUp(file, url.href)).rejects.toThrow(said)
    }
    proxy.decide = () => "pass"
    await expect(moveUp(file, url.href)).rejects.toThrow("is not empty")
    const moved = await PostgresStore.open(database.url)
    // The numbers of a table that was empty begin with 1.
    const token = { hash: "aa", label: "wall", role: "viewer", item: null, expires_at: null } as const
    expect((await moved.access.addToken(token)).id).toBe(1)
    await moved.close()
  },
)

test.skipIf(whyNoPostgres !== undefined)(
  "a server that starts while a move is under way serves what was moved",
  async () => {
    using folder = temporaryFolder()
    await using database = await emptyDatabase()
    using proxy = new Proxy((await postgres()).port)
    const url = new URL(database.url)
    url.port = `${proxy.port}`
    const file = join(folder.path, "queue.db")
    const before = new SqliteStore(file)
    await added(before)
    // An earlier version kept names of steps that do not fit into an index of PostgreSQL.
    const look = uncommon("look", 4000)
    const run1 = { kind: look, look, queue_id: 1, worker: "w", seconds: 61.5, steps: [], ended_at: LATER }
    await before.runs.addLearned([run1])
    const { historyId } = before
    await before.close()
    const isHeld = Promise.withResolvers<void>()
    proxy.decide = (bytes) => {
      if (!bytes.includes("setval")) return "pass"
      isHeld.resolve()
      return "hold"
    }
    const moving = moveUp(file, url.href)
    await isHeld.promise
    // It may wait for the end of the move, or be refused and start again.
    const opening = PostgresStore.open(database.url).catch(() => undefined)
    await Promise.race([opening, Bun.sleep(500)])
    proxy.decide = () => "pass"
    proxy.release()
    await moving
    const store = (await opening) ?? (await PostgresStore.open(database.url))
    expect([store.historyId, await store.items()]).toEqual([historyId, 1])
    expect(await store.runs.kinds(9)).toMatchObject([{ kind: shortLook(look), look: shortLook(look) }])
    await store.close()
  },
)

test.skipIf(whyNoPostgres !== undefined)(
  "a move is refused while a server runs on the source or the target, and into what is not empty; viewers resume across it",
  async () => {
    using folder = temporaryFolder()
    await using database = await emptyDatabase()
    const file = join(folder.path, "queue.db")
    const move = (from: string, to: string) => run(["move", "--from", from, "--to", to])
    const resumed = async (url: string, after: number): Promise<string> => {
      const given = { headers: { "last-event-id": `${after}` }, signal: AbortSignal.timeout(20_000) }
      const { body } = await fetch(`${url}/api/v1/progress/stream`, given)
      let text = ""
      const decoder = new TextDecoder()
      for await (const chunk of body ?? []) {
        text += decoder.decode(chunk, { stream: true })
        if (text.includes("event: live")) break
      }
      return text
    }
    await using before = await start({ database: file })
    // The control: a history to which nothing was moved.
    expect(await resumed(before.url, 2)).toContain("event: gap")
    const id = await before.add({ song_id: 7 })
    await before.put(id, { title: "seen" })
    await expect(moveUp(file, database.url)).rejects.toThrow("in use")
    await before.put(id, { title: "missed" })
    await before.end()
    expect(await move(file, database.url)).toMatchObject({
      code: 0,
      stdout: "Moved 1 item and 3 updates. Start the server on the new database.\n",
    })
    await expect(moveUp(file, database.url)).rejects.toThrow("is not empty")
    await using after = await start({ database: database.url })
    await after.put(id, { title: "after the move" })
    const text = await resumed(after.url, 2)
    expect([...text.matchAll(/^id: (\d+)\ndata: \{"queue_id"/gm)].map(([, given]) => given)).toEqual([
      "3",
      "4",
    ])
    expect(text).not.toContain("gap")
    const back = join(folder.path, "back.db")
    await using dump = new SQL({ url: database.url, max: 1 })
    await dump.unsafe("BEGIN; LOCK TABLE updates IN ACCESS SHARE MODE").simple()
    const refused = move(database.url, back)
    // A move that waited for the dump would hold the server up.
    for (const waiting = new Set([refused]); waiting.size > 0; await Bun.sleep(20)) {
      void refused.then(() => waiting.clear())
      const [locks]: { n: number }[] = await dump.unsafe(
        "SELECT count(*)::int AS n FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted",
      )
      expect(locks?.n).toBe(0)
    }
    const words = expect.stringContaining("a server runs on postgres://")
    expect(await refused).toMatchObject({ code: 1, stderr: words })
    await after.end()
    await expect(moveDown(database.url, back)).rejects.toThrow(
      "another program, for example a backup, has used",
    )
    await dump.unsafe("ROLLBACK")
    expect(await move(database.url, back)).toMatchObject({ code: 0 })
    await expect(moveDown(database.url, back)).rejects.toThrow("is there already")
  },
)

test.skipIf(whyNoPostgres !== undefined)(
  "a move to a file that is interrupted leaves nothing that a server would take for its queue, and can be repeated",
  async () => {
    using folder = temporaryFolder()
    await using database = await emptyDatabase()
    using proxy = new Proxy((await postgres()).port)
    const url = new URL(database.url)
    url.port = `${proxy.port}`
    const store = await PostgresStore.open(database.url)
    await added(store)
    await store.close()
    const isHeld = Promise.withResolvers<void>()
    proxy.decide = (bytes) => {
      if (!bytes.includes("FETCH")) return "pass"
      isHeld.resolve()
      return "hold"
    }
    const file = join(folder.path, "queue.db")
    const moving = Bun.spawn([...PROGRAM, "move", "--from", url.href, "--to", file], {
      stdout: "ignore",
      stderr: "ignore",
    })
    await isHeld.promise
    expect((await run(["move", "--from", database.url, "--to", file])).stderr).toContain("in use")
    moving.kill("SIGINT")
    await moving.exited
    expect(existsSync(file)).toBeFalse()
    proxy[Symbol.dispose]()
    // What an old restore moved away keeps no whole database from its place.
    const former = "queue.db.before-20200101T000000000Z"
    writeFileSync(join(folder.path, former), "")
    expect(await moveDown(database.url, file)).toEqual({ items: 1, updates: 1 })
    expect(readdirSync(folder.path).toSorted()).toEqual(["queue.db", former])
  },
)

test.skipIf(whyNoPostgres !== undefined)(
  "a database in which no server has begun a queue is refused, and stays as it is",
  async () => {
    const { url } = await newDatabase()
    using folder = temporaryFolder()
    const file = join(folder.path, "queue.db")
    const says = "holds no queue; name the database that a server has used"
    await expect(moveDown(url, file)).rejects.toThrow(says)
    expect(readdirSync(folder.path)).toEqual([])
    await using client = new SQL({ url, max: 1 })
    expect(await client.unsafe("SELECT FROM pg_namespace WHERE nspname = 'drizzle'").values()).toEqual([])
    writeFileSync(file, "")
    await expect(moveUp(file, url)).rejects.toThrow(says)
    expect(statSync(file).size).toBe(0)
  },
)
