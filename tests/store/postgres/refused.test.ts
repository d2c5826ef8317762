import { expect, setDefaultTimeout, test } from "bun:test"
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { SQL } from "bun"
import { sql } from "drizzle-orm"
import { drizzle } from "drizzle-orm/bun-sql"

import { stateOf } from "../../../src/store/postgres/faults.ts"
import { PostgresStore } from "../../../src/store/postgres/postgres.ts"
import { added, draft, put } from "../../contracts/store.contract.ts"
import { found, freePort } from "../../engines.ts"
import { emptyDatabase, openStore } from "./open.ts"
import { Proxy } from "./proxy.ts"
import { postgres, whyNoPostgres } from "./server.ts"
import { from1 } from "./several.ts"

setDefaultTimeout(180_000)

const FREE = `SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
  - (SELECT sum(numbackends) FROM pg_stat_database) AS free`
const withPostgres = test.skipIf(whyNoPostgres !== undefined)

/** The SQLSTATE with which a statement fails; undefined if it succeeds. */
const stateOfFailure = (asked: Promise<unknown>): Promise<string | undefined> =>
  asked.then(
    () => undefined,
    (error: unknown) => stateOf(error),
  )

withPostgres(
  "an error names neither a statement nor a parameter, nor what the server says about them",
  async () => {
    await using opened = await openStore()
    const token = { hash: "a-secret-hash", label: "", role: "viewer", item: null, expires_at: null } as const
    await opened.store.access.addToken(token)
    const error: unknown = await opened.store.access.addToken(token).catch((reason: unknown) => reason)
    const said = Bun.inspect(error)
    expect(said).toContain("23505")
    expect(said).toContain("tokens_hash")
    expect(said).not.toContain("a-secret-hash")
    expect(said).not.toContain("insert into")
    // The control: the messages of drizzle and the server for the same fault.
    await using client = new SQL({ url: opened.url, max: 1 })
    const insert = sql`insert into tokens (hash, label, role, created_at) values (${token.hash}, '', 'viewer', 0)`
    const failing = drizzle({ client }).execute(insert)
    const naked = Bun.inspect(await failing.catch((reason: unknown) => reason))
    expect(naked).toContain("a-secret-hash")
    expect(naked).toContain("insert into")
  },
)

withPostgres("a role with three connections writes and reads all the same", async () => {
  const { run } = await postgres()
  await using database = await emptyDatabase()
  await run("CREATE ROLE limited LOGIN SUPERUSER")
  await run("ALTER ROLE limited NOSUPERUSER CONNECTION LIMIT 3")
  await run("GRANT pg_read_all_data, pg_write_all_data TO limited")
  await using client = new SQL({ url: database.url, max: 1 })
  await client.unsafe("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO limited").simple()
  await client.unsafe("GRANT USAGE ON SCHEMA drizzle TO limited").simple()
  const limited = database.url.replace("fleet@", "limited@")
  // A user who lacks one right is refused at the start, and not at the first write.
  await run("REVOKE pg_write_all_data FROM limited")
  await client.unsafe("GRANT ALL ON ALL TABLES IN SCHEMA public TO limited").simple()
  await client.unsafe("REVOKE DELETE ON timers FROM limited")
  await expect(PostgresStore.open(limited)).rejects.toThrow("may not be changed by this user; make")
  await client.unsafe("GRANT DELETE ON timers TO limited")
  const store = await PostgresStore.open(limited)
  try {
    const id = await added(store)
    const reads = Array.from({ length: 20 }, () => store.item(id))
    const writes = Array.from({ length: 20 }, (_, i) => put(store, id, { message: `${i}` }))
    await Promise.all([...reads, ...writes])
    expect(await store.head()).toBe(21)
    // A right that is taken away later leaves the server unable to write until it is given back.
    await client.unsafe("REVOKE INSERT ON updates FROM limited")
    await expect(put(store, id, { message: "none" })).rejects.toThrow("nothing was changed")
    await expect(store.alive()).rejects.toThrow("nothing was changed")
    expect([store.faults(), store.failure]).toEqual([["database_unwritable"], "42501"])
    await client.unsafe("GRANT INSERT ON updates TO limited")
    await store.alive()
    expect(store.faults()).toEqual([])
    // A server that has no connection left for a while is waited for, like one that is away.
    await run("ALTER ROLE limited CONNECTION LIMIT 0")
    await client.unsafe("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'limited'")
    const waiting = put(store, id, { message: "there is a connection again" })
    const isRefused = waiting.then(
      () => false,
      () => true,
    )
    while (store.failure !== "53300") await Bun.sleep(5)
    await run("ALTER ROLE limited CONNECTION LIMIT 3")
    expect(await isRefused).toBeFalse()
    expect((await store.item(id)).message).toBe("there is a connection again")
    await store.close()
    const taken = async (): Promise<number> => {
      const rows: unknown[] = await client.unsafe("SELECT 1 FROM pg_stat_activity WHERE usename = 'limited'")
      return rows.length
    }
    // The server ends a session some time after its connection was closed.
    while ((await taken()) > 0);
    // The control: if the connections for reads come first, none is left for writes.
    await using readers = new SQL({ url: limited, max: 4 })
    await using writer = new SQL({ url: limited, max: 1, connectionTimeout: 2 })
    const reading = Promise.allSettled(from1(4).map(() => readers.unsafe("SELECT pg_sleep(1)")))
    while ((await taken()) < 3);
    expect(await stateOfFailure(writer.unsafe("SELECT 1"))).toBe("53300")
    await reading
  } finally {
    await store.close()
    await client.unsafe("REASSIGN OWNED BY limited TO fleet; DROP OWNED BY limited").simple()
    await run("DROP ROLE limited")
  }
})

withPostgres("what the database is not able to do is answered as such, and nothing is changed", async () => {
  await using opened = await openStore()
  await using client = new SQL({ url: opened.url, max: 1 })
  const { store } = opened
  const id = await added(store)
  // No room on the disk, no right to a table, and a disk that cannot be written.
  for (const state of ["53100", "42501", "58030"]) {
    await client
      .unsafe(
        `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = '${state}'; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON updates EXECUTE FUNCTION refuse()`,
      )
      .simple()
    const error: unknown = await put(store, id, { message: "none" }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: "unavailable", message: expect.stringContaining("nothing was") })
    expect(stateOf(error)).toBe(state)
    expect([store.faults(), store.failure]).toEqual([["database_unwritable"], state])
    await client.unsafe("DROP FUNCTION refuse CASCADE").simple()
    expect((await put(store, id, { message: state })).message).toBe(state)
    expect(store.faults()).toEqual([])
  }
  expect(await store.head()).toBe(4)
  // No such table: the database was dropped and created again, and no server has prepared it yet.
  await client.unsafe("ALTER SCHEMA public RENAME TO gone").simple()
  await expect(store.item(id)).rejects.toMatchObject({ code: "unavailable" })
  await expect(put(store, id, { message: "none" })).rejects.toThrow("nothing was changed")
  expect(store.failure).toBe("42P01")
  await expect(PostgresStore.open(opened.url)).rejects.toThrow("has no schema public; make one")
  await client.unsafe("CREATE SCHEMA public").simple()
  await expect(PostgresStore.open(opened.url)).rejects.toThrow("has lost its tables; put a backup back")
  await client.unsafe("DROP SCHEMA public").simple()
  await client.unsafe("ALTER SCHEMA gone RENAME TO public").simple()
  expect((await put(store, id, { message: "again" })).message).toBe("again")
})

withPostgres("a server that lets nobody in for a while delays reads and writes, and loses none", async () => {
  const { run } = await postgres()
  await using opened = await openStore()
  const { store } = opened
  const id = await added(store)
  const ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1"
  const name = new URL(opened.url).pathname.slice(1)
  await run(`ALTER DATABASE "${name}" ALLOW_CONNECTIONS false`)
  try {
    await run(ended.replace("$1", `'${name}'`))
    const writing = put(store, id, { message: "stored in the end" })
    const waits = Promise.all([writing, store.pausedAt()])
    expect(await Promise.race([waits, Bun.sleep(500).then(() => "waits")])).toBe("waits")
    expect(store.faults()).toEqual(["database_unwritable"])
    // The first word of it is that the connection ended, the next why there is no other.
    while (store.failure !== "55000") await Bun.sleep(10)
    await run(`ALTER DATABASE "${name}" ALLOW_CONNECTIONS true`)
    expect((await writing).message).toBe("stored in the end")
    await waits
    expect(store.faults()).toEqual([])
  } finally {
    await run(`ALTER DATABASE "${name}" ALLOW_CONNECTIONS true`)
  }
})

withPostgres(
  "a server learns at its start that the database has too few connections left for it",
  async () => {
    await using opened = await openStore()
    expect(opened.store.found.warning).toBeUndefined()
    const [row] = await opened.store.figures.standing().then(() => postgres().then(({ run }) => run(FREE)))
    const free = Number(Object.values(Object(row))[0])
    await using others = new SQL({ url: opened.url, max: free - 4 })
    await Promise.all(Array.from({ length: free - 4 }, () => others.unsafe("SELECT pg_sleep(1)")))
    const store = await PostgresStore.open(opened.url)
    expect(store.found.warning).toMatch(/^PostgreSQL has \d connections left, and a server takes up to 7/)
    await store.close()
  },
)

withPostgres(
  "a server that takes no writes for a while delays them, loses none, and is still read",
  async () => {
    const { run } = await postgres()
    await using opened = await openStore()
    const { store } = opened
    const id = await added(store)
    const setReadOnly = async (is: "on" | "off"): Promise<void> => {
      await run(`ALTER SYSTEM SET default_transaction_read_only = ${is}`)
      await run("SELECT pg_reload_conf()")
    }
    await setReadOnly("on")
    try {
      while (
        (await run("SHOW default_transaction_read_only").then(([row]) => JSON.stringify(row))).includes("off")
      );
      // The control: the client alone.
      await using client = new SQL({ url: opened.url, max: 1 })
      expect(await stateOfFailure(client.unsafe("UPDATE history SET pruned = 0"))).toBe("25006")
      const waits = put(store, id, { message: "stored in the end" })
      const pauses = store.pause()
      expect(await Promise.race([waits, pauses, Bun.sleep(1500).then(() => "waits")])).toBe("waits")
      expect(store.faults()).toEqual(["database_unwritable"])
      expect((await store.item(id)).message).toBe("Queue item created")
      await setReadOnly("off")
      expect((await waits).message).toBe("stored in the end")
      const pausedAt = await pauses
      expect(await store.pausedAt()).toBe(pausedAt)
      expect(store.faults()).toEqual([])
    } finally {
      await setReadOnly("off")
    }
  },
)

withPostgres(
  "when the address leads to another server than the one that takes no writes, nothing goes on at the former one",
  async () => {
    const { run } = await postgres()
    await using opened = await openStore()
    const { store } = opened
    const name = new URL(opened.url).pathname.slice(1)
    await store.list({ limit: 1 })
    const former = `SELECT pid FROM pg_stat_activity WHERE application_name = 'track-studio' AND datname = '${name}'`
    const pids = (await run(former)).map((row) => Number(Object.values(Object(row))[0]))
    // What is open takes no writes from now on; what is opened later does.
    await run(`ALTER DATABASE "${name}" SET default_transaction_read_only = off`)
    await using later = new SQL({ url: opened.url, max: 1 })
    await later.connect()
    await run("ALTER SYSTEM SET default_transaction_read_only = on")
    try {
      await run("SELECT pg_reload_conf()")
      const pausing = store.pause()
      expect((await store.add(() => draft())).item.id).toBeGreaterThan(0)
      expect(await pausing).not.toBe("")
      while ((await run(`${former} AND pid = ANY('{${pids.join(",")}}')`)).length > 0) await Bun.sleep(10)
    } finally {
      await later.unsafe(`ALTER DATABASE "${name}" RESET default_transaction_read_only`)
      await run("ALTER SYSTEM RESET default_transaction_read_only")
      await run("SELECT pg_reload_conf()")
      while (JSON.stringify(await run("SHOW default_transaction_read_only")).includes('on"'));
    }
  },
)

const bouncer = whyNoPostgres === undefined ? found("pgbouncer") : null

/** A pgbouncer in front of the server that drops these startup parameters. */
async function pooler(
  ignored: string,
  mode = "transaction",
): Promise<{ url(database: string): string } & AsyncDisposable> {
  const { port: to } = await postgres()
  const port = freePort()
  const folder = mkdtempSync(join(tmpdir(), "track-studio-pooler-"))
  chmodSync(folder, 0o755)
  const [users, settings] = [join(folder, "users.txt"), join(folder, "pooler.ini")]
  writeFileSync(users, '"fleet" ""\n')
  writeFileSync(
    settings,
    `[databases]\n* = host=127.0.0.1 port=${to} user=fleet\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ${port}
unix_socket_dir =\nauth_type = any\nauth_file = ${users}\npool_mode = ${mode}\ndefault_pool_size = 4
ignore_startup_parameters = extra_float_digits${ignored}\n`,
  )
  const asOther = process.getuid?.() === 0 ? ["--reuid=postgres", "--regid=postgres", "--clear-groups"] : []
  const child = Bun.spawn(["setpriv", ...asOther, "--pdeathsig", "KILL", bouncer ?? "", settings], {
    stdout: "ignore",
    stderr: "ignore",
  })
  for (;;) {
    try {
      const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data: () => undefined } })
      socket.end()
      break
    } catch {
      if (child.exitCode !== null) throw new Error("the pooler did not start")
      await Bun.sleep(20)
    }
  }
  return {
    url: (database) => `postgres://fleet@127.0.0.1:${port}/${database}`,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL")
      await child.exited
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Every setting with which a session is opened. */
const SWALLOWED = [
  ...["application_name", "search_path", "extra_float_digits", "statement_timeout", "lock_timeout", "jit"],
  ...["idle_in_transaction_session_timeout", "client_connection_check_interval", "idle_session_timeout"],
  ...["synchronous_commit", "default_transaction_isolation", "array_nulls"],
]

test.skipIf(bouncer === null).each(["transaction", "session", "statement"])(
  "a pooler in front is refused in words, also one that swallows the settings of a session: in %s mode",
  async (mode) => {
    const { run } = await postgres()
    await using refusing = await pooler("", mode)
    await expect(PostgresStore.open(refusing.url("postgres"))).rejects.toThrow("connection pooler")
    const swallowing = async (): Promise<void> => {
      await using front = await pooler(`, ${SWALLOWED.join(", ")}`, mode)
      await expect(PostgresStore.open(front.url("postgres"))).rejects.toThrow("connection pooler")
    }
    await swallowing()
    // If a user already has a time limit, the server has one, but not ours.
    await run("ALTER ROLE fleet SET statement_timeout = '10s'")
    try {
      await swallowing()
    } finally {
      await run("ALTER ROLE fleet RESET statement_timeout")
    }
  },
)

/** The connections of a store: one for writes, four for reads. */
const OF_STORE = 5

/** Resolves when a store has opened all of its connections: what replaces one of them before is not asked who it is. */
async function allOpen(url: string, store: PostgresStore): Promise<void> {
  await using client = new SQL({ url, max: 1 })
  const idle = async (): Promise<number> => {
    const [row]: { count: number }[] = await client`SELECT count(*)::int AS count FROM pg_stat_activity
      WHERE datname = current_database() AND state = 'idle' AND pid <> pg_backend_pid()`
    return row?.count ?? 0
  }
  do await store.list({ limit: 9 })
  while ((await idle()) < OF_STORE)
  // The store has read what came before this answer.
  await store.list({ limit: 9 })
}

test.skipIf(bouncer === null).each([
  ["refuses the settings of a session", ""],
  ["swallows them", `, ${SWALLOWED.join(", ")}`],
])(
  "a server whose address leads to a pooler later takes no answer from it, and says why: one that %s",
  async (_what, ignored) => {
    const { port } = await postgres()
    await using database = await emptyDatabase()
    await using front = await pooler(ignored)
    using proxy = new Proxy(port)
    const url = new URL(database.url)
    url.port = `${proxy.port}`
    const store = await PostgresStore.open(url.href)
    try {
      const ids = [await added(store), await added(store)]
      await allOpen(database.url, store)
      proxy.to = Number(new URL(front.url("postgres")).port)
      proxy.cut()
      const ask = () => {
        const asked = ids.flatMap((id) => [store.item(id), put(store, id, { message: "through a pooler" })])
        return Promise.allSettled([...asked, store.list({ limit: 9 }), store.bounds()])
      }
      const said = await ask()
      const reasons = said.map((one) => (one.status === "rejected" ? String(one.reason) : "answered"))
      expect(reasons.filter((reason) => !reason.includes("connection pooler"))).toEqual([])
      expect([store.faults(), store.failure]).toEqual([["database_unwritable"], "connection pooler"])
      proxy.to = port
      proxy.cut()
      await put(store, ids[0] ?? 0, { message: "the server itself again" })
      expect((await store.item(ids[0] ?? 0)).message).toBe("the server itself again")
    } finally {
      await store.close()
    }
  },
)

test.skipIf(bouncer === null)("control: behind a pooler answers get mixed up", async () => {
  await using front = await pooler("")
  await using client = new SQL({ url: front.url("postgres"), max: 8 })
  const asked = Array.from({ length: 60 }, async (_, i) => {
    const [row]: Record<string, number>[] = await client.unsafe(
      `SELECT $1::int + ${i} AS is_${i % 7}`,
      [1000],
    )
    return row?.[`is_${i % 7}`] === 1000 + i
  })
  const results = await Promise.allSettled(asked)
  expect(results.every((result) => result.status === "fulfilled" && result.value)).toBeFalse()
})
