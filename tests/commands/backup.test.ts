import { Database } from "bun:sqlite"
import { expect, setDefaultTimeout, test } from "bun:test"
import {
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs"
import { basename, join } from "node:path"

import { Reader } from "../reader.ts"
import { run, start, temporaryFolder, type TestServer } from "../server.ts"

// Each test starts the program several times.
setDefaultTimeout(180_000)

/** Reports on an item until the server has stored this many updates. */
async function upTo(server: TestServer, id: number, head: number): Promise<void> {
  while ((await server.head()) < head) await server.put(id, { message: `at ${await server.head()}` })
}

test("a backup of a running server is a whole database that only its owner can read, and viewers miss no update", async () => {
  await using server = await start()
  using folder = temporaryFolder()
  const file = join(folder.path, "copy.db")
  const id = await server.add()
  await upTo(server, id, 20)
  const made = await run(["backup", file, "--database", server.database])
  expect([made.code, made.stdout]).toEqual([0, `Backed up 1 item and 20 updates to ${file}.\n`])
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(readdirSync(folder.path)).toEqual(["copy.db"])
  await server.put(id, { message: "after" })
  expect((await run(["check", file])).stdout).toContain(" is whole: 1 item, 20 updates")
  expect((await run(["check", "--database", server.database])).stdout).toContain(
    " is whole: 1 item, 21 updates",
  )
  const again = await run(["backup", file, "--database", server.database])
  expect([again.code, again.stderr]).toEqual([1, expect.stringContaining("exists; name a new file")])
})

test("of several simultaneous backups into one file one is made, and the others say that it exists", async () => {
  await using server = await start()
  using folder = temporaryFolder()
  const at = (name: string): string => join(folder.path, name)
  // Each backup may have a name of its own, such as that of the day.
  const [file, killed] = [at("copy.db"), at(`earlier.db.${crypto.randomUUID()}.unfinished`)]
  const [other, mine] = [at(`copy.db.${crypto.randomUUID()}.unfinished`), at("mine.unfinished")]
  for (const left of [killed, `${killed}-journal`, other, mine]) writeFileSync(left, "")
  // It cannot be removed, as what another user's backup left.
  const foreign = at(`other.db.${crypto.randomUUID()}.unfinished`)
  mkdirSync(foreign)
  const minutesAgo = (minutes: number): Date => new Date(Date.now() - minutes * 60_000)
  for (const left of [killed, `${killed}-journal`, mine, foreign])
    utimesSync(left, minutesAgo(61), minutesAgo(61))
  utimesSync(other, minutesAgo(50), minutesAgo(50))
  const all = await Promise.all(
    Array.from({ length: 3 }, () => run(["backup", file, "--database", server.database])),
  )
  expect(all.map(({ code }) => code).sort()).toEqual([0, 1, 1])
  for (const { stderr } of all.filter(({ code }) => code === 1)) {
    expect(stderr).toContain(`${file} exists; name a new file for the backup`)
  }
  // What a killed backup left goes; what may still be written stays.
  expect(readdirSync(folder.path).sort()).toEqual(
    ["copy.db", basename(other), "mine.unfinished", basename(foreign)].sort(),
  )
  expect((await run(["check", file])).stdout).toContain(" is whole: ")
})

test("only its owner can read a backup, even while it is being written", async () => {
  await using server = await start()
  using folder = temporaryFolder()
  const file = join(folder.path, "copy.db")
  {
    using client = new Database(server.database)
    const rows = "WITH RECURSIVE rows(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM rows WHERE n < 30)"
    client.run(`CREATE TABLE filler AS ${rows} SELECT randomblob(1000000) FROM rows`)
  }
  let isMade = false
  const made = run(["backup", file, "--database", server.database]).finally(() => (isMade = true))
  const modes = new Set<number>()
  while (!isMade) {
    const [name] = readdirSync(folder.path).filter((one) => one.endsWith(".unfinished"))
    const unfinished = name !== undefined && statSync(join(folder.path, name), { throwIfNoEntry: false })
    if (unfinished) modes.add(unfinished.mode & 0o777)
    await Bun.sleep(1)
  }
  expect([(await made).stderr, [...modes]]).toEqual(["", [0o600]])
})

test.skipIf(process.getuid?.() !== 0)(
  "a database that root restores belongs to the owner of the folder",
  async () => {
    using folder = temporaryFolder()
    const [database, file] = [join(folder.path, "queue.db"), join(folder.path, "copy.db")]
    {
      await using server = await start({ database })
      await run(["backup", file, "--database", database])
      await server.end()
    }
    chownSync(folder.path, 65_534, 65_534)
    chownSync(database, 65_534, 65_534)
    await run(["restore", file, "--database", database])
    const { uid, gid, mode } = statSync(database)
    expect([uid, gid, mode & 0o777]).toEqual([65_534, 65_534, 0o600])
  },
)

test("a backup is put where a link leads to, and into a folder that is not there yet", async () => {
  using folder = temporaryFolder()
  const [real, link, file] = ["queue.db", "link.db", "copy.db"].map((name) => join(folder.path, name)) as [
    string,
    string,
    string,
  ]
  {
    await using server = await start({ database: real })
    await server.add()
    await run(["backup", file, "--database", real])
    symlinkSync(real, link)
    const inUse = await run(["restore", file, "--database", link])
    expect([inUse.code, inUse.stderr]).toEqual([1, expect.stringContaining("in use by another server")])
    await server.end()
  }
  expect((await run(["restore", file, "--database", link])).code).toBe(0)
  expect([lstatSync(link).isSymbolicLink(), lstatSync(real).isFile()]).toEqual([true, true])
  expect(readdirSync(folder.path).filter((name) => name.startsWith("queue.db.before-"))).toHaveLength(1)
  const elsewhere = join(folder.path, "new", "box", "queue.db")
  const made = await run(["restore", file, "--database", elsewhere])
  expect([made.code, made.stderr, existsSync(elsewhere)]).toEqual([0, "", true])
})

test("a backup is written where a link leads, and is refused for a pipe, for its own database and without a name", async () => {
  using folder = temporaryFolder()
  const [database, elsewhere, link, again] = ["queue.db", "elsewhere.db", "link.db", "again.db"].map((name) =>
    join(folder.path, name),
  ) as [string, string, string, string]
  await (await start({ database })).end()
  symlinkSync(elsewhere, link)
  expect((await run(["backup", link, "--database", database])).code).toBe(0)
  expect([lstatSync(link).isSymbolicLink(), lstatSync(elsewhere).isFile()]).toEqual([true, true])
  for (const name of ["-", ""]) {
    const refused = await run(["backup", name, "--database", database])
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("FILE")])
  }
  const nowhere = join(folder.path, "gone", "copy.db")
  const lost = await run(["backup", nowhere, "--database", database])
  expect([lost.code, lost.stderr]).toEqual([1, expect.stringContaining("no such file or directory")])
  expect(lost.stderr).toContain(`no backup of ${database} was made in ${nowhere}`)
  linkSync(database, again)
  const before = readdirSync(folder.path).toSorted()
  for (const file of [database, again]) {
    const refused = await run(["restore", file, "--database", database])
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("is the database itself")])
  }
  expect(readdirSync(folder.path).toSorted()).toEqual(before)
})

test("a check names what is wrong, and exits with 1", async () => {
  await using server = await start()
  using folder = temporaryFolder()
  const file = join(folder.path, "copy.db")
  const id = await server.add()
  await server.put(id, { status: "processing" })
  await server.put(id, { status: "completed" })
  await run(["backup", file, "--database", server.database])
  {
    using client = new Database(file)
    client.run("DELETE FROM updates WHERE id = 2")
  }
  const checked = await run(["check", file])
  expect(checked.code).toBe(1)
  expect(checked.stdout).toContain(`item ${id}: update 3 goes from queued to completed`)
  const refused = await run(["restore", file, "--database", join(folder.path, "new.db")])
  expect([refused.code, existsSync(join(folder.path, "new.db"))]).toEqual([1, false])
  writeFileSync(file, "no database at all, but quite a long text so that it is read as one".repeat(20))
  expect((await run(["check", file])).code).toBe(1)
})

test("a restore is refused while a server runs", async () => {
  await using server = await start()
  using folder = temporaryFolder()
  const file = join(folder.path, "copy.db")
  await server.add()
  await run(["backup", file, "--database", server.database])
  const refused = await run(["restore", file, "--database", server.database])
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("in use by another server")])
  expect((await server.item(1)).id).toBe(1)
})

test("a restored backup continues above all numbers that were used, and each reader sees its state", async () => {
  using folder = temporaryFolder()
  const [database, file] = [join(folder.path, "queue.db"), join(folder.path, "copy.db")]
  {
    await using server = await start({ database })
    const id = await server.add({ song_id: 1 })
    await upTo(server, id, 10)
    await run(["backup", file, "--database", database])
    await server.add({ song_id: 2 })
    await upTo(server, id, 20)
    await server.end()
  }
  const restored = await run(["restore", file, "--database", database])
  expect([restored.stderr, restored.code]).toEqual(["", 0])
  expect(readdirSync(folder.path).filter((name) => name.startsWith("queue.db.before-"))).toHaveLength(1)
  await using server = await start({ database })
  const ids = async (last: string): Promise<(string | number)[]> => {
    const reader = await Reader.open(`${server.url}/api/v1/progress/stream`, { "last-event-id": last })
    await reader.first("live")
    const seen = reader.seen.map(({ event, id, data }) =>
      event === "gap" ? `gap ${String(data["reason"])}` : event === "live" ? `live ${id}` : Number(id),
    )
    reader.leave()
    return seen
  }
  expect(await ids("7")).toEqual([8, 9, 10, "live 21"])
  expect(await ids("10")).toEqual(["live 21"])
  expect(await ids("15")).toEqual(["gap restored", 10, "live 21"])
  expect(await ids("20")).toEqual(["gap restored", 10, "live 21"])
  expect(await ids("21")).toEqual(["live 21"])
  expect(await ids("99")).toEqual(["gap unknown", 10, "live 21"])
  const added = await server.add({ song_id: 3 })
  expect([added, await server.head()]).toEqual([3, 22])
  const stats: { updates: { stored: number } } = await (await server.api("GET", "/progress/stats")).json()
  expect(stats.updates.stored).toBe(11)
})

test("after a restore a worker takes its item by id at once, and others wait for a minute", async () => {
  using folder = temporaryFolder()
  const [database, file] = [join(folder.path, "queue.db"), join(folder.path, "copy.db")]
  let held = ""
  {
    await using server = await start({ database })
    await server.add()
    const claim = await server.api("POST", "/queue/claim", { worker: "w", lease: 3600 })
    held = (await claim.json()).lease.token
    await run(["backup", file, "--database", database])
    await server.end()
  }
  await run(["restore", file, "--database", database])
  await using server = await start({ database })
  expect(await server.item(1)).toMatchObject({ status: "retrying", retry_count: 0, worker: "" })
  expect((await server.api("POST", "/queue/claim", { worker: "other" })).status).toBe(204)
  const claim = (lease: string): Promise<Response> =>
    server.api("POST", "/queue/claim", { worker: "w", id: 1 }, { lease })
  for (const lease of ["", "another"]) {
    const refused = await claim(lease)
    expect([refused.status, await refused.json()]).toEqual([409, expect.objectContaining({ code: "leased" })])
  }
  expect((await claim(held)).status).toBe(200)
})

test("a render that goes on during a restore ends as its worker says", async () => {
  using folder = temporaryFolder()
  const [database, file] = [join(folder.path, "queue.db"), join(folder.path, "copy.db")]
  let url = ""
  let work: Promise<{ code: number; stderr: string }> | undefined
  {
    await using server = await start({ database })
    url = server.url
    const id = await server.add()
    work = run([
      "run",
      "--item",
      String(id),
      "--server",
      url,
      "--",
      "sh",
      "-c",
      `until [ -e ${folder.path}/go ]; do sleep 0.05; done`,
    ])
    while ((await server.item(id)).status !== "processing");
    await run(["backup", file, "--database", database])
    await server.end()
  }
  await run(["restore", file, "--database", database])
  await using server = await start({ database, args: ["--port", new URL(url).port] })
  while ((await server.item(1)).status !== "processing");
  expect((await server.item(1)).attempt).toBe(2)
  writeFileSync(join(folder.path, "go"), "")
  expect((await work).code).toBe(0)
  expect((await server.item(1)).status).toBe("completed")
})

test("a restore keeps the present tokens instead of those of the backup", async () => {
  using folder = temporaryFolder()
  const [database, file] = [join(folder.path, "queue.db"), join(folder.path, "copy.db")]
  const create = async (): Promise<string> =>
    (await run(["token", "create", "--role", "admin", "--database", database])).stdout.trim()
  const old = await create()
  await run(["backup", file, "--database", database])
  await run(["token", "revoke", "1", "--database", database])
  const present = await create()
  await run(["restore", file, "--database", database])
  await using server = await start({ database })
  const statusWith = async (token: string): Promise<number> =>
    (await server.api("GET", "/queue", undefined, { authorization: `Bearer ${token}` })).status
  expect([await statusWith(old), await statusWith(present)]).toEqual([401, 200])
})

test("a database that cannot be read any more is kept, and the backup takes its place", async () => {
  using folder = temporaryFolder()
  const [database, file] = [join(folder.path, "queue.db"), join(folder.path, "copy.db")]
  {
    await using server = await start({ database })
    await server.add()
    await run(["backup", file, "--database", database])
    await server.end()
  }
  writeFileSync(database, "broken".repeat(2000))
  const restored = await run(["restore", file, "--database", database])
  expect([restored.code, restored.stdout]).toEqual([0, expect.stringContaining("could not be read")])
  await using server = await start({ database })
  expect((await server.item(1)).id).toBe(1)
  expect(await server.add()).toBeGreaterThan(1_000_000)
})
