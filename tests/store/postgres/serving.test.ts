import { expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"

import { SQL } from "bun"

import { PostgresStore } from "../../../src/store/postgres/postgres.ts"
import { freePort } from "../../engines.ts"
import { Instance } from "../../fleet/fleet.ts"
import { run, start, temporaryFolder } from "../../server.ts"
import { emptyDatabase } from "./open.ts"
import { Proxy } from "./proxy.ts"
import { newDatabase, whyNoPostgres } from "./server.ts"
import { withWrong } from "./several.ts"

setDefaultTimeout(180_000)

const withPostgres = test.skipIf(whyNoPostgres !== undefined)

/** Prometheus gives up a scrape after this time, unless it is configured otherwise. */
const SCRAPE_MS = 10_000

/** How often a test asks again. An address has 100 refused requests per second. */
const LOOK_MS = 20

/** The same address with a password, which the test server does not require. */
const withPassword = (url: string): string => url.replace("fleet@", "fleet:secret-word@")

withPostgres("two servers on one database show the same queue, and tokens are made beside them", async () => {
  await using database = await emptyDatabase()
  const url = withPassword(database.url)
  await using one = await start({ database: url })
  await using two = await start({ database: url })
  const id = await one.add({ song_id: 7, title: "Song" })
  expect(await two.item(id)).toMatchObject({ id, title: "Song" })
  await two.put(id, { status: "processing", progress: 5 })
  expect(await one.item(id)).toMatchObject({ status: "processing", progress: 5 })
  const made = await run(["token", "create", "--role", "admin", "--database", url])
  expect(made.code).toBe(0)
  expect(made.stdout).toMatch(/^tsk_[A-Za-z0-9_-]{43}\n$/)
  for (const server of [one, two]) {
    while ((await server.api("GET", "/queue")).status !== 401);
    const headers = { authorization: `Bearer ${made.stdout.trim()}` }
    expect((await server.api("GET", "/queue", undefined, headers)).status).toBe(200)
  }
  // A ticket of one server opens a stream at the other one, at once and a second time.
  const path = "/progress/stream"
  const headers = { authorization: `Bearer ${made.stdout.trim()}` }
  const given = await one.api("POST", "/tickets", { path: `/api/v1${path}` }, headers)
  const { ticket }: { ticket: string } = await given.json()
  for (const server of [two, one, two]) {
    const stream = await server.api("GET", `${path}?ticket=${ticket}`)
    expect(stream.status).toBe(200)
    await stream.body?.cancel()
  }
  expect((await two.api("GET", `${path}?ticket=tst_${"A".repeat(43)}`)).status).toBe(401)
  expect((await run(["token", "list", "--database", url])).stdout).toContain("admin")
  expect((await run(["token", "revoke", "1", "--database", url])).stdout).toContain("Token 1 is revoked")
  for (const server of [one, two]) {
    expect(await server.end()).toBe(0)
    expect(server.log).toContain("postgres://fleet@127.0.0.1")
    expect(server.log).not.toContain("secret-word")
  }
})

withPostgres("a server ends once its database has the history of another one", async () => {
  await using database = await emptyDatabase()
  await using client = new SQL({ url: database.url, max: 1 })
  await using server = await start({ database: database.url })
  // As after the database was dropped, created again, and prepared by another server.
  await client.unsafe("UPDATE history SET id = 'another'")
  expect(await server.child.exited).toBe(1)
  expect(server.log).toContain("file_replaced")
})

withPostgres("a server whose statements fail says neither these nor what they carry", async () => {
  await using database = await emptyDatabase()
  await using client = new SQL({ url: database.url, max: 1 })
  await using server = await start({ database: withPassword(database.url) })
  const id = await server.add({ song_id: 7 })
  await withWrong(
    client,
    "ALTER TABLE queue_items RENAME TO renamed; ALTER TABLE updates RENAME TO renamed_too",
    "ALTER TABLE renamed RENAME TO queue_items; ALTER TABLE renamed_too RENAME TO updates",
    async () => {
      const answers = await Promise.all([
        server.api("PUT", `/queue/${id}`, { message: "hush" }),
        server.api("POST", "/queue", { song_id: 7, title: "hush" }),
        server.api("GET", "/queue?q=hush"),
        server.api("GET", "/progress/stream?ids=7"),
        server.api("GET", `/queue/${id}`),
      ])
      const texts = await Promise.all(answers.map((answer) => answer.text()))
      expect(answers.map(({ status }) => status).filter((status) => status < 500)).toEqual([])
      for (const said of [...texts, server.log])
        expect(said).not.toMatch(/hush|secret-word|\bselect\b|\binsert\b|\$1/i)
      expect(server.log).toContain("SQLSTATE 42P01")
    },
  )
  await server.put(id, { message: "as before" })
})

withPostgres(
  "the log says which updates a takeover has lost, or warns of one that has lost none",
  async () => {
    await using database = await emptyDatabase()
    await using client = new SQL({ url: database.url, max: 1 })
    await using server = await start({ database: database.url })
    const id = await server.add({ song_id: 7 })
    for (const message of ["2", "3", "4", "5"]) await server.put(id, { message })
    const takeBack = `DELETE FROM updates WHERE id > 3; DELETE FROM groups;
    UPDATE queue_items SET version = version - 2, last_update_id = 3`
    await client.unsafe(takeBack).simple()
    await server.put(id, { message: "after" })
    await client.unsafe("UPDATE history SET timeline = timeline + 1")
    await server.put(id, { message: "after" })
    while (!server.log.includes("another database server has taken over")) await Bun.sleep(20)
    const lines = server.log.split("\n").filter((line) => line.includes("ids_begin_above"))
    expect(lines).toEqual([
      expect.stringMatching(/"level":"error".*"first_lost_id":4,"last_lost_id":5,"ids_begin_above":1000005/),
      expect.stringMatching(/"level":"warn".*"ids_begin_above":2000007/),
    ])
  },
)

withPostgres("commands for files are refused for PostgreSQL, and the message names pg_dump", async () => {
  const database = "postgres://track:secret-word@127.0.0.1:1/none"
  // Wrong usage is named first, also if the port is in use.
  using taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } })
  const refused = [
    ["backup", "copy.db", "--database", database],
    ["restore", "copy.db", "--database", database],
    ["check", "--database", database],
    ["compact", "--database", database],
    ["serve", "--port", String(taken.port), "--database", database, "--backup-dir", "backups"],
  ]
  for (const args of refused) {
    const { code, stderr } = await run(args)
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining("pg_dump") })
    expect(stderr).not.toContain("secret-word")
  }
  const limited = await run(["serve", "--port", "0", "--database", database, "--max-database-mb", "9"])
  expect(limited).toMatchObject({ code: 2, stderr: expect.stringContaining("--retain-updates") })
})

test("a URL of anything but one PostgreSQL server is not taken for a file", async () => {
  using folder = temporaryFolder()
  const given = [
    ["serve", "--port", "0", "--database", "mysql://track:secret-word@db/track"],
    ["serve", "--port", "0", "--database", "postgres://track:secret-word@one:5432,two:5432/track"],
    ["serve", "--port", "0", "--database", "postgres://track:secret-word@one,two/track"],
    ["token", "list", "--database", "sqlite:///track.db"],
    ["serve", "--port", "0", "--database", "postgres://track:100%secret-word@db/track"],
    ["move", "--from", join(folder.path, "queue.db"), "--to", "http://track:secret-word@db/track"],
  ]
  for (const args of given) {
    const { code, stderr } = await run(args)
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining("must be a SQLite file, or a URL such as postgres://"),
    ])
    expect(stderr).not.toContain("secret-word")
  }
  const { stderr } = await run(["check", "--database", "POSTGRES://track:secret-word@db/track"])
  expect(stderr).toContain("for postgres://track@db/track use pg_dump")
})

withPostgres("a database that does not exist is reported in words, without the password", async () => {
  await using database = await emptyDatabase()
  const url = withPassword(database.url).replace(/\/[^/]+$/, "/nowhere")
  const { code, stderr } = await run(["token", "list", "--database", url])
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("does not exist") })
  expect(stderr).toContain("/nowhere")
  expect(stderr).not.toContain("secret-word")
})

test("a server whose database is away says in its log that it waits for it, and for how long", async () => {
  const instance = new Instance(["--database", `postgres://fleet:secret-word@127.0.0.1:${freePort()}/away`])
  instance.begin()
  while (!instance.log.includes("waiting for the database")) await Bun.sleep(20)
  expect(instance.log).toContain('"level":"warn"')
  expect(instance.log).toContain("postgres://fleet@127.0.0.1")
  expect(instance.log).toContain('"gives_up_after_seconds":30,"code":"ERR_POSTGRES_CONNECTION')
  expect(instance.log).not.toContain("secret-word")
  // A signal ends it in the meantime.
  await instance.end("SIGTERM")
})

withPostgres("a start that tries its database again and again says so once, and counts", async () => {
  const { url } = await newDatabase()
  await (await PostgresStore.open(url)).close()
  await using other = new SQL({ url, max: 1 })
  // What is undone does not take back the number of a sequence.
  await other
    .unsafe(
      `CREATE SEQUENCE tries;
    CREATE FUNCTION full() RETURNS trigger LANGUAGE plpgsql
      AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100'; END $$;
    CREATE FUNCTION full_and_counted() RETURNS trigger LANGUAGE plpgsql
      AS $$ BEGIN PERFORM nextval('tries'); RAISE EXCEPTION USING ERRCODE = '53100'; END $$;
    CREATE TRIGGER refused BEFORE UPDATE ON history FOR EACH STATEMENT EXECUTE FUNCTION full();
    CREATE TRIGGER refused BEFORE INSERT ON followers FOR EACH STATEMENT EXECUTE FUNCTION full_and_counted()`,
    )
    .simple()
  const instance = new Instance(["--database", url])
  instance.begin()
  const tries = async (): Promise<number> =>
    Number((await other.unsafe("SELECT last_value FROM tries"))[0].last_value)
  while ((await tries()) < 3) await Bun.sleep(LOOK_MS)
  await instance.end("SIGTERM")
  const lines = instance.log.split("\n").filter((line) => line.includes("waiting for the database"))
  expect(lines).toEqual([
    expect.stringMatching(/"database":"postgres:.*"cause":"53100"\}$/),
    expect.stringMatching(/"cause":"53100","again":[1-9]/),
  ])
})

withPostgres(
  "a start that finds a full disk at its database ends, and says so with the database",
  async () => {
    const database = await newDatabase()
    await (await PostgresStore.open(database.url)).close()
    await using other = new SQL({ url: database.url, max: 1 })
    await other.unsafe(`CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql
      AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100'; END $$;
    CREATE TRIGGER full_disk BEFORE INSERT ON followers FOR EACH STATEMENT EXECUTE FUNCTION full_disk()`)
    const { code, stderr } = await run(["serve", "--port", "0", "--database", database.url])
    expect(code).toBe(1)
    const name = new URL(database.url).pathname
    expect(stderr).toMatch(
      new RegExp(`^track-studio: the database postgres://.*${name} has no room left on its disk`),
    )
  },
)

withPostgres("a server whose start gets no answer from its database stops when it is asked to", async () => {
  await using database = await emptyDatabase()
  {
    await using _first = await start({ database: database.url })
  }
  const server = new Instance(["--database", database.url])
  await using other = new SQL({ url: database.url, max: 1 })
  await other.begin(async (holder) => {
    // The start reads it, after the server has learned to hear signals.
    await holder.unsafe("LOCK TABLE tokens IN ACCESS EXCLUSIVE MODE")
    server.begin()
    const waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'tokens'::regclass"
    while ((await holder.unsafe(waits)).length === 0) await Bun.sleep(LOOK_MS)
    await server.end("SIGTERM")
  })
  while (!/"msg":"stopped"|track-studio: /.test(server.log)) await Bun.sleep(LOOK_MS)
  expect(server.log).toContain('"msg":"draining","signal":"SIGTERM"')
})

withPostgres(
  "while PostgreSQL does not answer, the metrics come at once and say so, and later with all gauges",
  async () => {
    await using database = await emptyDatabase()
    const url = new URL(database.url)
    using proxy = new Proxy(Number(url.port))
    url.port = String(proxy.port)
    await using server = await start({ database: url.href })
    const scraped = async (): Promise<string> =>
      (await fetch(`${server.url}/metrics`, { signal: AbortSignal.timeout(SCRAPE_MS) })).text()
    expect(await scraped()).toContain('track_studio_queue_items{status="queued"} 0')
    proxy.isFrozen = true
    const refused = await server.api("POST", "/queue", { song_id: 1 })
    expect(refused.status).toBe(503)
    const during = await scraped()
    expect(during).toContain('track_studio_degraded{reason="database_unwritable"} 1')
    expect(during).toContain("track_studio_database_writable 0")
    expect(during).toMatch(/^process_open_fds \d+$/m)
    expect(during).not.toContain("track_studio_queue_items{")
    while (!server.log.includes('"msg":"a metric could not be read"')) await Bun.sleep(10)
    proxy.isFrozen = false
    while (!(await scraped()).includes("track_studio_queue_items{"));
  },
)

withPostgres(
  "a token that is revoked while its server is cut off changes nothing after some seconds",
  async () => {
    await using database = await emptyDatabase()
    const url = new URL(database.url)
    using proxy = new Proxy(Number(url.port))
    url.port = String(proxy.port)
    const made = await run(["token", "create", "--role", "admin", "--database", database.url])
    await using server = await start({ database: url.href })
    const headers = { authorization: `Bearer ${made.stdout.trim()}` }
    const me = async (): Promise<Response> => server.api("GET", "/me", undefined, headers)
    expect((await me()).status).toBe(200)
    proxy.isFrozen = true
    expect((await run(["token", "revoke", "1", "--database", database.url])).code).toBe(0)
    // This route reads nothing from the database.
    while ((await me()).status === 200) await Bun.sleep(LOOK_MS)
    const refused = await server.api("POST", "/queue", { song_id: 1 }, headers)
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"])
    expect(await refused.json()).toMatchObject({
      error: expect.stringContaining("whether the token was revoked"),
    })
    // Whoever keeps it running still sees what is wrong.
    while ((await fetch(`${server.url}/health/ready`, { headers })).status !== 503) await Bun.sleep(LOOK_MS)
    expect((await fetch(`${server.url}/metrics`, { headers })).status).toBe(200)
    proxy.isFrozen = false
    const statuses = new Set<number>()
    for (; !statuses.has(401); await Bun.sleep(LOOK_MS)) statuses.add((await me()).status)
    expect(statuses).not.toContain(200)
  },
)
