import { Database } from "bun:sqlite"
import { expect, setDefaultTimeout, test } from "bun:test"
import { closeSync, mkdirSync, openSync, readdirSync, statSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"

import { PROGRAM, run, start, temporaryFolder, type TestServer } from "../server.ts"

/** The fields of the first line of a server's log. */
setDefaultTimeout(180_000)

const started = (server: TestServer): Record<string, unknown> => JSON.parse(server.log.split("\n")[0] ?? "")

/**
 * Expects that a server does not start: one clear line on standard error, nothing on standard output, exit
 * code 1.
 */
async function refusesToStart(args: readonly string[], said: RegExp): Promise<void> {
  const ran = await run(["serve", "--port", "0", ...args])
  expect([ran.code, ran.stdout]).toEqual([1, ""])
  expect(ran.stderr).toMatch(/^track-studio: .+\n$/)
  expect(ran.stderr.slice("track-studio: ".length, -1)).toMatch(said)
}

test("a server keeps working, and stops in time, if its log is not read", async () => {
  using folder = temporaryFolder()
  const log = join(folder.path, "log")
  expect(Bun.spawnSync(["mkfifo", log]).exitCode).toBe(0)
  const descriptor = openSync(log, "r+")
  const free = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } })
  const { port } = free
  free.stop(true)
  const args = ["--port", `${port}`, "--database", join(folder.path, "queue.db"), "--log-level", "debug"]
  const child = Bun.spawn([...PROGRAM, "serve", ...args], { stdout: descriptor, stderr: "ignore" })
  const ask = (): Promise<number> =>
    fetch(`http://127.0.0.1:${port}/api/v1/queue/next`).then(
      (answer) => answer.status,
      () => 0,
    )
  while ((await ask()) === 0) await Bun.sleep(20)
  // A pipe takes 64 KiB, which is less than all of these lines.
  for (let asked = 0; asked < 700; asked += 1) expect(await ask()).toBe(200)
  const startedMs = performance.now()
  child.kill("SIGTERM")
  expect(await child.exited).toBe(0)
  expect(performance.now() - startedMs).toBeLessThan(6000)
  closeSync(descriptor)
})

test("the server says at its start where it listens, its database, and what it found there", async () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "made", "on the way", "queue.db")
  const first = await start({ database })
  const { host, port } = new URL(first.url)
  expect(started(first)).toEqual({
    time: expect.stringMatching(/^\d{4}-.+Z$/),
    level: "info",
    msg: "listening",
    url: `http://${host}`,
    version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    commit: expect.stringMatching(/^\w+$/),
    database,
    found: "nothing; database created",
  })
  expect(Number(port)).toBeGreaterThan(0)
  const id = await first.add()
  await first.put(id, { progress: 5 })
  await (await first.api("DELETE", `/queue/${await first.add()}`)).arrayBuffer()
  expect(await first.end()).toBe(0)
  const lines = first.log.trim().split("\n")
  expect(lines.filter((line) => !line.startsWith('{"time":'))).toEqual([])

  await using again = await start({ database })
  expect(started(again)).toMatchObject({ database, found: "1 queue item, 4 updates" })
})

test("a path that is no file is refused as a database, and stays as it is", async () => {
  using folder = temporaryFolder()
  const pipe = join(folder.path, "pipe")
  Bun.spawnSync(["mkfifo", "--mode=644", pipe])
  for (const path of [pipe, folder.path]) {
    const { mode } = statSync(path)
    await refusesToStart(["--database", path], /is not a file; name one with --database$/)
    expect(statSync(path).mode).toBe(mode)
  }
})

test("the path of the database is logged whole, however it was given", async () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "queue.db")
  const given = `${folder.path}/./x/../queue.db`
  await using server = await start({ database: given })
  expect(started(server)).toMatchObject({ database })
})

test("without a command the server is started, and its settings come from the environment too", async () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "env.db")
  await using server = await start({
    command: [],
    database,
    env: { TRACK_STUDIO_DATABASE: "/nowhere/queue.db", TRACK_STUDIO_KEEPALIVE_MS: "20" },
  })
  expect(started(server)).toMatchObject({ msg: "listening", database })
  const answer = await server.api("GET", "/progress/stream?format=ndjson")
  const reader = answer.body?.getReader()
  let text = ""
  while (!text.includes('{"event":"keepalive"}\n'))
    text += Buffer.from((await reader?.read())?.value ?? "").toString()
  await reader?.cancel()
})

test("a port or a database in use is reported in one line, and the server that uses it is not disturbed", async () => {
  using folder = temporaryFolder()
  await using first = await start()
  const { port } = new URL(first.url)
  const id = await first.add()
  for (const database of [first.database, `${first.database}-other`]) {
    await refusesToStart(
      ["--port", port, "--database", database],
      new RegExp(`^port ${port} on 127\\.0\\.0\\.1 is in use; choose another with --port$`),
    )
  }
  await refusesToStart(
    ["--port", "0", "--database", first.database],
    /is in use by another server; stop that one/,
  )
  // Whichever port it were, this server could not start.
  const elsewhere = ["--database", "postgres://127.0.0.1:1/queue", "--backup-dir", folder.path]
  const { code, stderr } = await run(["serve", "--port", port, ...elsewhere])
  expect(code).toBe(2)
  expect(stderr).toContain("--backup-dir copies a SQLite file; back up PostgreSQL by pg_dump")
  await first.put(id, { progress: 7 })
  expect(await first.item(id)).toMatchObject({ progress: 7 })
})

test("an address that is not this machine's is refused in one line that names it", async () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "queue.db")
  await refusesToStart(
    ["--host", "192.0.2.1", "--open", "--database", database],
    /^cannot listen on 192\.0\.2\.1:0: /,
  )
})

test("a folder that cannot be made or written is reported in one line that names the database", async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, "file")
  writeFileSync(file, "")
  const places = [
    join(file, "queue.db"),
    join(file, "deeper", "queue.db"),
    folder.path,
    "/proc/queue/queue.db",
  ]
  for (const database of places) {
    await refusesToStart(
      ["--database", database],
      new RegExp(`^(cannot open )?the database ${resolve(database)}[: ]`),
    )
  }
})

test.skipIf(process.getuid?.() === 0)(
  "a folder without the right to write is reported in one line",
  async () => {
    using folder = temporaryFolder()
    const locked = join(folder.path, "locked")
    mkdirSync(locked, { mode: 0o555 })
    await refusesToStart(["--database", join(locked, "queue.db")], /^(cannot open )?the database /)
  },
)

test("a file that is no database is refused in one line and stays as it is", async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, "notes.txt")
  const text = "These are notes, and no database. ".repeat(100)
  writeFileSync(file, text)
  await refusesToStart(
    ["--database", file],
    /notes\.txt is not a database, or its beginning was overwritten; .+ --database/,
  )
  expect(await Bun.file(file).text()).toBe(text)
})

test("the database of another program is refused in one line and stays as it is", async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, "other.db")
  const other = new Database(file)
  other.run("CREATE TABLE songs (name TEXT)")
  other.close()
  const before = await Bun.file(file).bytes()
  await refusesToStart(
    ["--database", file],
    /other\.db is a database of another program; name another file with --database$/,
  )
  expect(await Bun.file(file).bytes()).toEqual(before)
  expect(readdirSync(folder.path)).toEqual(["other.db"])
})

test("a database made by a newer version is refused in one line and stays as it is", async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, "newer.db")
  const server = await start({ database: file })
  await server.add()
  expect(await server.end()).toBe(0)
  const database = new Database(file)
  database.run("INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('of the future', 9999999999999)")
  database.run("PRAGMA wal_checkpoint(TRUNCATE)")
  database.close()
  const before = await Bun.file(file).bytes()
  await refusesToStart(
    ["--database", file],
    /newer\.db was made by a newer version \(schema \d+, this binary knows \d+\); start that version$/,
  )
  expect(await Bun.file(file).bytes()).toEqual(before)
})

test("a server runs on when the reader of its log has gone", async () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "queue.db")
  await using server = await start({ database, leaveLog: true })
  const id = await server.add()
  expect(await server.item(id)).toMatchObject({ status: "queued" })
  expect(await server.end()).toBe(0)
})

test.each(["studio.example", "https://studio.example/", "https://Studio.example", "*.example", ""])(
  "an origin that no browser sends is refused, rather than never matched: %j",
  async (origin) => {
    const ran = await run(["serve", "--port", "0", "--cors-origin", origin])
    expect(ran).toEqual({
      code: 2,
      stdout: "",
      stderr: `track-studio: --cors-origin must be * or an origin such as https://studio.example:3000, without a path, not "${origin}"\nusage: track-studio serve (more: track-studio serve --help)\n`,
    })
  },
)

test.each(["https://studio.example", "studio.example:8080", "studio.example/x", "a b.example", ""])(
  "a host name that no browser sends is refused: %j",
  async (name) => {
    const ran = await run(["serve", "--port", "0", "--allowed-host", name])
    expect(ran.code).toBe(2)
    expect(ran.stderr).toStartWith(
      "track-studio: --allowed-host must be a host name such as studio.example, ",
    )
  },
)
