import { Database } from "bun:sqlite"
import { afterAll, expect, setDefaultTimeout, test } from "bun:test"
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs"
import { join } from "node:path"

import { Lock } from "../../src/store/sqlite/lock.ts"
import { openDatabase } from "../../src/store/sqlite/open.ts"
import { PROGRAM, start, temporaryFolder } from "../server.ts"

// Each test starts its own servers, and the machine may be busy.
setDefaultTimeout(180_000)

const PAGE = 4096

/** Writes garbage over a part of a file. */
function overwrite(file: string, from: number, bytes: number): void {
  const fd = openSync(file, "r+")
  writeSync(fd, Buffer.from(Array.from({ length: bytes }, (_, i) => (i * 7919 + 13) % 251)), 0, bytes, from)
  closeSync(fd)
}

/** Changes a database as another program could. */
function change(file: string, ...statements: readonly string[]): void {
  using client = new Database(file)
  for (const statement of statements) client.run(statement)
}

/** Where the table or index of this name begins in the file. */
function rootOf(file: string, name: string): number {
  using client = new Database(file, { readonly: true })
  const row = client
    .query<{ rootpage: number }, [string]>("SELECT rootpage FROM sqlite_master WHERE name = ?")
    .get(name)
  return ((row?.rootpage ?? 1) - 1) * PAGE
}

interface Run {
  readonly code: number | null
  readonly said: string
  readonly log: string
  /** Milliseconds from the signal to the end; 0 if there was no signal. */
  readonly stopMs: number
}

/** Starts a server, sends it a request when it listens, and ends it. */
async function serve(database: string, ...flags: readonly string[]): Promise<Run> {
  const child = Bun.spawn([...PROGRAM, "serve", "--port", "0", "--database", database, ...flags], {
    stdout: "pipe",
    stderr: "pipe",
  })
  const said = new Response(child.stderr).text()
  let log = ""
  let endMs = 0
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    log += text
    const url = /"url":"([^"]+)"/.exec(log)?.[1]
    if (endMs === 0 && url && log.includes("\n")) {
      const answer = await fetch(`${url}/api/v1/queue`)
      expect(answer.status).toBe(200)
      endMs = performance.now()
      child.kill("SIGTERM")
    }
  }
  await child.exited
  const stopMs = endMs === 0 ? 0 : performance.now() - endMs
  return { code: child.exitCode, said: await said, log, stopMs }
}

const whole = temporaryFolder()
afterAll(() => whole[Symbol.dispose]())
const filled = join(whole.path, "queue.db")
{
  const { exitCode, stderr } = Bun.spawnSync([
    "bun",
    join(import.meta.dir, "../store/sqlite/fill.ts"),
    filled,
  ])
  if (exitCode !== 0) throw new Error(stderr.toString())
}
/** A database with items, as a server leaves it. Some of the items have leases that ended long ago. */
function prepare(folder: string): string {
  const database = join(folder, "queue.db")
  for (const part of ["", ".lock"]) copyFileSync(`${filled}${part}`, `${database}${part}`)
  return database
}

const damages: Readonly<Record<string, (file: string) => void>> = {
  "ends within its header": (file) => truncateSync(file, 50),
  "is garbage from end to end": (file) => writeFileSync(file, Buffer.alloc(100_000, "garbage ")),
  "begins with garbage": (file) => overwrite(file, 0, 100),
  "has a first page of garbage": (file) => overwrite(file, 100, PAGE - 100),
  "ends in the middle": (file) => truncateSync(file, Math.floor(statSync(file).size / 2 / PAGE) * PAGE),
  "ends after a few pages": (file) => truncateSync(file, 5 * PAGE),
  "has garbage for its items": (file) => overwrite(file, rootOf(file, "queue_items"), PAGE),
  "has garbage for its updates": (file) => overwrite(file, rootOf(file, "updates"), PAGE),
  "has garbage for the order of its items": (file) =>
    overwrite(file, rootOf(file, "queue_items_order"), PAGE),
  "has garbage for its name": (file) => overwrite(file, rootOf(file, "history"), PAGE),
  "has garbage for the order of its names": (file) =>
    overwrite(file, rootOf(file, "sqlite_autoindex_history_1"), PAGE),
  "lacks a table": (file) => change(file, "PRAGMA foreign_keys = OFF", "DROP TABLE updates"),
  "lacks a column": (file) => change(file, "ALTER TABLE queue_items DROP COLUMN worker"),
  "lacks its name": (file) => change(file, "DELETE FROM history"),
  "is another program's": (file) => {
    rmSync(file)
    rmSync(`${file}.lock`)
    change(file, "CREATE TABLE songs (id INTEGER)")
  },
  "is a folder": (file) => {
    rmSync(file)
    mkdirSync(file)
  },
  "has a log that ends in the middle of a page": (file) =>
    writeFileSync(`${file}-wal`, Buffer.alloc(5000, 7)),
}

test.each(Object.entries(damages))(
  "a server whose database %s starts whole or not at all",
  async (_, damage) => {
    using folder = temporaryFolder()
    const database = prepare(folder.path)
    damage(database)
    const { code, said, log, stopMs } = await serve(database)
    expect(stopMs).toBeLessThan(6000)
    if (log.includes('"listening"')) {
      expect([code, said]).toEqual([0, ""])
      expect(log).toContain('"stopped"')
    } else {
      expect(code).toBe(1)
      expect(said).toMatch(/^track-studio: .+\n$/)
      expect(said).toContain(database)
    }
  },
)

test("a database that lacks an index or a trigger is refused, and one that has more than is needed is taken", () => {
  const opened = (...statements: string[]): void => {
    using folder = temporaryFolder()
    const database = prepare(folder.path)
    change(database, ...statements)
    const { client, lock } = openDatabase(database)
    client.close()
    lock[Symbol.dispose]()
  }
  opened("CREATE TABLE _litestream_seq (id integer PRIMARY KEY)", "CREATE INDEX mine ON queue_items (title)")
  for (const table of ["queue_items", "updates", "queue_counts"])
    opened(`ALTER TABLE ${table} RENAME TO away`, `ALTER TABLE away RENAME TO ${table}`)
  expect(() => opened("DROP INDEX updates_item")).toThrow("is damaged: it has no index updates_item; put")
  const moves = "its trigger queue_items_moves is not that of this version; put a backup in its place"
  expect(() =>
    opened(
      "DROP TRIGGER queue_items_moves",
      "CREATE TRIGGER queue_items_moves BEFORE UPDATE ON queue_items BEGIN SELECT 1; END",
    ),
  ).toThrow(moves)
})

test("a part of the database that only a reader meets makes the server degraded, too", async () => {
  using folder = temporaryFolder()
  const database = prepare(folder.path)
  overwrite(database, rootOf(database, "queue_items_song"), PAGE)
  await using server = await start({ database })
  const reasons = async (): Promise<string[]> => (await (await fetch(`${server.url}/health`)).json()).reasons
  expect(await reasons()).toEqual([])
  expect((await server.api("GET", "/queue?song_id=1")).status).toBe(500)
  while (!(await reasons()).includes("database_damaged")) await Bun.sleep(20)
})

test("whatever stands beside a database and is no file is named, and the command does not wait for it", () => {
  for (const part of ["-wal", "-shm", "-journal", ".lock", ".lock-journal"]) {
    using folder = temporaryFolder()
    const database = join(folder.path, "queue.db")
    copyFileSync(filled, database)
    expect(Bun.spawnSync(["mkfifo", `${database}${part}`]).exitCode).toBe(0)
    // A restore and a move lock what they write in the same way.
    const opens = [openDatabase, (path: string) => new Lock(path)]
    for (const open of opens) expect(() => open(database)).toThrow(`${database}${part} is not a file`)
    rmSync(`${database}${part}`)
    const other = join(folder.path, "other")
    writeFileSync(other, "of somebody else")
    symlinkSync(other, `${database}${part}`)
    for (const open of opens) expect(() => open(database)).toThrow(`${database}${part} is not a file`)
    expect(readFileSync(other, "utf8")).toBe("of somebody else")
  }
})

const isRoot = process.getuid?.() === 0

test.skipIf(!isRoot).each([
  ["and with leases due", "2m", ["", ".lock"]],
  ["even for its tables", "100k", []],
] as const)("without room on its disk, %s, it does not start; only root can try", async (_, size, copied) => {
  using folder = temporaryFolder()
  const database = join(folder.path, "queue.db")
  const steps = [
    `mount -t tmpfs -o size=${size} tmpfs ${folder.path}`,
    ...copied.map((part) => `cp ${filled}${part} ${database}${part}`),
    ...copied.slice(0, 1).map(() => `(head -c 4m /dev/zero > ${folder.path}/full || true) 2> /dev/null`),
    `exec ${PROGRAM.join(" ")} serve --port 0 --database ${database}`,
  ]
  const child = Bun.spawn(["unshare", "-m", "sh", "-c", steps.join(" && ")], {
    stdout: "pipe",
    stderr: "pipe",
  })
  const [said, log] = await Promise.all([
    new Response(child.stderr).text(),
    new Response(child.stdout).text(),
  ])
  expect([await child.exited, log]).toEqual([1, ""])
  expect(said).toMatch(/^track-studio: the database \/.+\/queue\.db .+ disk.+free some.+start again/)
})

test.skipIf(!isRoot)("a backup for which there is no room leaves nothing; only root can try", async () => {
  using folder = temporaryFolder()
  using disk = temporaryFolder()
  const database = join(folder.path, "queue.db")
  copyFileSync(filled, database)
  // SQLite writes a journal only for a copy that does not fit into its memory.
  change(database, "CREATE TABLE filler AS SELECT zeroblob(8000000)")
  const backup = [...PROGRAM, "backup", join(disk.path, "copy.db"), "--database", database].join(" ")
  const steps = `mount -t tmpfs -o size=1m tmpfs ${disk.path} && ! ${backup} && ls -A ${disk.path}`
  const child = Bun.spawn(["unshare", "-m", "sh", "-c", steps], { stdout: "pipe", stderr: "pipe" })
  const [said, left] = await Promise.all([
    new Response(child.stderr).text(),
    new Response(child.stdout).text(),
  ])
  expect([said, left]).toEqual([expect.stringContaining("disk is full"), ""])
})

test("while another program holds the write lock the server stops in time, and so does one that cannot start", async () => {
  using folder = temporaryFolder()
  const database = prepare(folder.path)
  const server = Bun.spawn([...PROGRAM, "serve", "--port", "0", "--database", database], {
    stdout: "pipe",
    stderr: "pipe",
  })
  const reader = server.stdout.getReader()
  let log = ""
  while (!log.includes('"listening"')) log += new TextDecoder().decode((await reader.read()).value)
  const url = /"url":"([^"]+)"/.exec(log)?.[1] ?? ""
  using other = new Database(database)
  other.run("BEGIN IMMEDIATE")
  const adding = fetch(`${url}/api/v1/queue`, {
    method: "POST",
    body: '{"song_id":1}',
    headers: { "content-type": "application/json" },
  })
  await Bun.sleep(100)
  const startedMs = performance.now()
  server.kill("SIGTERM")
  expect(await server.exited).toBe(0)
  expect(performance.now() - startedMs).toBeLessThan(6000)
  expect((await adding).status).toBe(503)
  const { code, said } = await serve(database)
  expect([code, said]).toEqual([
    1,
    expect.stringContaining(`the database ${database} is being written by another program`),
  ])
})

/** Starts a server on a database that another program writes; resolves once it has opened the file. */
async function startBeside(database: string): Promise<Bun.Subprocess<"ignore", "pipe", "pipe">> {
  const server = Bun.spawn([...PROGRAM, "serve", "--port", "0", "--database", database], {
    stdout: "pipe",
    stderr: "pipe",
  })
  const isOpen = (): boolean => {
    const { stdout } = Bun.spawnSync(["ls", "-l", `/proc/${server.pid}/fd`])
    return stdout.toString().includes(`-> ${database}\n`)
  }
  while (server.exitCode === null && !isOpen()) await Bun.sleep(20)
  return server
}

test.skipIf(process.platform !== "linux")(
  "a start waits while another program writes the database, and a signal ends the wait (Linux only)",
  async () => {
    using folder = temporaryFolder()
    const database = prepare(folder.path)
    using other = new Database(database)
    other.run("BEGIN IMMEDIATE")
    const stopped = await startBeside(database)
    const startedMs = performance.now()
    stopped.kill("SIGTERM")
    await stopped.exited
    expect([stopped.signalCode, await new Response(stopped.stderr).text()]).toEqual(["SIGTERM", ""])
    expect(performance.now() - startedMs).toBeLessThan(6000)
    const server = await startBeside(database)
    other.run("ROLLBACK")
    let log = ""
    for await (const text of server.stdout.pipeThrough(new TextDecoderStream())) {
      log += text
      if (log.includes('"listening"')) server.kill("SIGTERM")
    }
    expect([await server.exited, await new Response(server.stderr).text()]).toEqual([0, ""])
  },
)
