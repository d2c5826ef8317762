import { constants, Database } from "bun:sqlite"
import { expect, setDefaultTimeout, test } from "bun:test"
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs"
import { dirname, join } from "node:path"

import { AppError } from "../../src/errors.ts"
import { openDatabase } from "../../src/store/sqlite/open.ts"
import { PROGRAM, run, start, temporaryFolder, textOf } from "../server.ts"

// Each test starts its own servers, and the machine may be busy.
setDefaultTimeout(180_000)

/** Makes a database with an item, and ends its server: cleanly, or as a power failure does. */
async function used(database: string, signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
  await using server = await start({ database })
  await server.add()
  await server.end(signal)
}

const json = (body: string) => ({ body, headers: { "content-type": "application/json" } })

/** The message of a server that does not start on a database. */
async function refusal(database: string): Promise<string> {
  const { code, stdout, stderr } = await run(["serve", "--port", "0", "--database", database])
  expect([code, stdout]).toEqual([1, ""])
  expect(stderr).toContain("--new-database")
  return stderr
}

/** How many items a server finds. */
async function itemsOf(database: string, ...args: readonly string[]): Promise<number> {
  await using server = await start({ database, args })
  const { queue }: { queue: unknown[] } = await (await server.api("GET", "/queue")).json()
  await server.end()
  return queue.length
}

test("a missing database is noticed, and a new one is begun only if that is requested", async () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "queue.db")
  await used(database)
  rmSync(database)
  expect(await refusal(database)).toContain(
    `the database ${database} is gone, and ${database}.lock remembers it`,
  )
  expect(existsSync(database)).toBeFalse()
  expect(await itemsOf(database, "--new-database")).toBe(0)
  expect(await itemsOf(database)).toBe(0)
})

test("another database in the place of the former one is refused, and accepted only if that is requested", async () => {
  using folder = temporaryFolder()
  const [database, other] = [join(folder.path, "queue.db"), join(folder.path, "other.db")]
  await used(database)
  await used(other)
  await used(other)
  copyFileSync(other, database)
  expect(await refusal(database)).toContain(`${database} is not the database that the last server used`)
  expect(await itemsOf(database, "--new-database")).toBe(2)
  expect(await itemsOf(database)).toBe(2)
})

test.each(["SIGTERM", "SIGKILL"] as const)(
  "an older state of the same database is refused, after %s",
  async (signal) => {
    using folder = temporaryFolder()
    const [database, older] = [join(folder.path, "queue.db"), join(folder.path, "older.db")]
    await used(database)
    copyFileSync(database, older)
    {
      await using server = await start({ database })
      await server.add()
      // The mark of this start is on the disk within a second.
      while (!isKept(database, 2)) await Bun.sleep(20)
      await server.end(signal)
    }
    rmSync(`${database}-wal`, { force: true })
    // In its place: the very same file.
    writeFileSync(database, readFileSync(older))
    expect(await refusal(database)).toContain(`${database} is not the database that the last server used`)
    expect(await itemsOf(database, "--new-database")).toBe(1)
  },
)

/**
 * Whether the lock file relies on the mark of this start. Its server holds the lock, so only the file can be
 * read.
 */
function isKept(database: string, start: number): boolean {
  const flags = constants.SQLITE_OPEN_READONLY | constants.SQLITE_OPEN_URI
  using lock = new Database(`file:${database}.lock?immutable=1`, flags)
  return lock.query<{ starts: number }, []>("SELECT starts FROM mark").get()?.starts === start
}

test("a backup that was only copied into place is refused, and the message names the way out", async () => {
  using folder = temporaryFolder()
  const [database, copy] = [join(folder.path, "queue.db"), join(folder.path, "copy.db")]
  await used(database)
  expect((await run(["backup", copy, "--database", database])).code).toBe(0)
  // Over the file, in its place, and where no server ever was.
  for (const place of [database, database, join(folder.path, "new.db")]) {
    copyFileSync(copy, place)
    const said = await refusal(place)
    expect(said).toContain(`${place} is a backup`)
    expect(said).toContain("track-studio restore")
    rmSync(place)
  }
  expect((await run(["restore", copy, "--database", database])).code).toBe(0)
  expect(await itemsOf(database)).toBe(1)
})

test("a log that was left over by another file is never read into a database", async () => {
  using folder = temporaryFolder()
  const [database, kept] = [join(folder.path, "queue.db"), join(folder.path, "kept.db")]
  await used(database)
  copyFileSync(database, kept)
  await used(database, "SIGKILL")
  // The backup is put back while the log of the lost file is still there.
  rmSync(database)
  renameSync(kept, database)
  // The result depends on whether the lock file already relies on the latest start, which takes a second.
  expect(await refusal(database)).toMatch(
    /-wal belongs to another file|is not the database that the last server used/,
  )
  expect(await itemsOf(database, "--new-database")).toBe(1)
  expect(readdirSync(folder.path)).toContain("queue.db-wal.old")
  rmSync(database)
  rmSync(`${database}.lock`)
  renameSync(`${database}-wal.old`, `${database}-wal`)
  expect(await refusal(database)).toContain(`${database}-wal is left over from a database that is gone`)
})

test("a database can be started again after a power failure, in its place and as a copy of its folder", async () => {
  using folder = temporaryFolder()
  const [here, there] = [join(folder.path, "here"), join(folder.path, "there")]
  mkdirSync(here)
  await used(join(here, "queue.db"))
  await used(join(here, "queue.db"), "SIGKILL")
  expect(statSync(join(here, "queue.db-wal")).size).toBeGreaterThan(0)
  cpSync(here, there, { recursive: true })
  expect(await itemsOf(join(there, "queue.db"))).toBe(2)
  expect(await itemsOf(join(here, "queue.db"))).toBe(2)
})

test("a lock file that lags behind after a power cut keeps no server from starting", async () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "queue.db")
  await used(database)
  {
    // After a power failure the lock file may be older than the database.
    using lock = new Database(`${database}.lock`)
    lock.run("UPDATE mark SET starts = starts - 2")
  }
  expect(await itemsOf(database)).toBe(1)
})

/** Ways to replace a database, or a file that belongs to it, while its server runs. */
const WAYS: Readonly<Record<string, (database: string) => void | Promise<void>>> = {
  moved: (database) => renameSync(database, join(dirname(database), "moved.db")),
  deleted: (database) => rmSync(database),
  // The file as it is on the disk now. It lacks what is still in the write-ahead log.
  "replaced by a copy of itself": (database) => {
    copyFileSync(database, `${database}.copy`)
    renameSync(`${database}.copy`, database)
  },
  emptied: (database) => truncateSync(database),
  "cut off": (database) => truncateSync(database, statSync(database).size - 4096),
  "copied over": async (database) => {
    const copy = join(dirname(database), "copy.db")
    expect((await run(["backup", copy, "--database", database])).code).toBe(0)
    copyFileSync(copy, database)
  },
  "without its lock file": (database) => rmSync(`${database}.lock`),
  "without its write-ahead log": (database) => rmSync(`${database}-wal`),
  "without the index of its log": (database) => rmSync(`${database}-shm`),
  "in a folder that is moved": (database) => renameSync(dirname(database), `${dirname(database)}-moved`),
  "in a folder that is deleted": (database) => rmSync(dirname(database), { recursive: true }),
}

/** What a start finds at a path: this many items, or the reason why it is refused. */
function foundBy(database: string): string | number {
  try {
    const { client, lock } = openDatabase(database)
    const found = client.query<{ n: number }, []>("SELECT count(*) AS n FROM queue_items").get()?.n ?? 0
    client.close()
    lock.close()
    return found
  } catch (error) {
    return error instanceof AppError ? error.message : String(error)
  }
}

/** What the next start finds. */
const NEXT: Readonly<Record<string, string | number>> = {
  moved: "is gone",
  deleted: "is gone",
  "replaced by a copy of itself": "is not the database that the last server used",
  emptied: "is gone",
  "cut off": "is not the database that the last server used",
  "copied over": "is a backup",
  "without its lock file": 1,
  "without its write-ahead log": 1,
  "without the index of its log": 1,
  "in a folder that is moved": "is gone",
  "in a folder that is deleted": "is gone",
}

// Each waits until its server looks at its files, and they wait at the same time.
test.concurrent.each(Object.entries(WAYS))(
  "a server whose database is %s refuses writes, says so, and ends, and the next start loses nothing",
  async (how, replace) => {
    using folder = temporaryFolder()
    const database = join(folder.path, "data", "queue.db")
    mkdirSync(dirname(database))
    writeFileSync(`${database}.rescued`, "older")
    for (const number of [1, 2]) writeFileSync(`${database}.rescued.${number}`, "oldest")
    const anHourAgo = Date.now() / 1000 - 3600
    utimesSync(`${database}.rescued`, anHourAgo, anHourAgo)
    const child = Bun.spawn([...PROGRAM, "serve", "--port", "0", "--database", database], {
      stdout: "pipe",
      stderr: "pipe",
    })
    const said = textOf(child.stderr)
    const reader = child.stdout.getReader()
    let log = ""
    while (!log.includes('"listening"')) log += new TextDecoder().decode((await reader.read()).value)
    const [, url = ""] = /"url":"([^"]+)"/.exec(log) ?? []
    expect((await fetch(`${url}/api/v1/queue`, { method: "POST", ...json('{"song_id":1}') })).status).toBe(
      201,
    )
    while (!isKept(database, 1)) await Bun.sleep(20)
    // Somebody lets others read it.
    chmodSync(database, 0o644)
    await replace(database)
    const left = how === "copied over" ? readFileSync(database) : undefined
    expect(await child.exited).toBe(1)
    expect(await said).toContain(
      `the database ${database} was replaced, moved or deleted while the server ran`,
    )
    // What was put there stays as it is, and the log is not applied to it.
    if (left) expect(readFileSync(database).equals(left)).toBeTrue()
    const next = NEXT[how] ?? ""
    expect(foundBy(database)).toEqual(typeof next === "number" ? next : expect.stringContaining(next))
    // The files without a name were rescued, with everything that was acknowledged.
    const isRescued = /deleted|replaced/.test(how)
    expect((await said).includes(`what it held is in ${database}.rescued`)).toBe(isRescued)
    if (!how.includes("folder")) {
      expect(readFileSync(`${database}.rescued${isRescued ? ".3" : ""}`, "utf8")).toBe("older")
      for (const number of [1, 2])
        expect(readFileSync(`${database}.rescued.${number}`, "utf8")).toBe("oldest")
    }
    if (!isRescued) return
    expect(statSync(`${database}.rescued`).mode & 0o777).toBe(0o600)
    // A supervisor starts the server again at once, so that this refusal is what is seen last.
    if (how === "deleted") expect(foundBy(database)).toContain(`is in ${database}.rescued`)
    renameSync(`${database}.rescued`, database)
    expect(foundBy(database)).toBe(1)
  },
)

test.skipIf(process.getuid?.() !== 0)(
  "a server whose folder is covered by a mount refuses writes, says so, and ends; only root can try",
  async () => {
    using folder = temporaryFolder()
    const data = join(folder.path, "data")
    mkdirSync(data)
    const program = ["unshare", "-m", "sh", "-c", `exec ${PROGRAM.join(" ")} "$@"`, "sh"]
    await using server = await start({ program, database: join(data, "queue.db") })
    const id = await server.add()
    const inside = ["nsenter", `--target=${server.child.pid}`, "--mount"]
    expect(Bun.spawnSync([...inside, "mount", "-t", "tmpfs", "tmpfs", data]).success).toBeTrue()
    // A write that came before the server has noticed is in the database below the mount.
    await server.put(id, { title: "below" }).catch(() => undefined)
    expect(await server.child.exited).toBe(1)
    expect(foundBy(join(data, "queue.db"))).toBe(1)
  },
)

test("a server whose database was moved takes it up again once it is back", async () => {
  using folder = temporaryFolder()
  const [database, away] = [join(folder.path, "queue.db"), join(folder.path, "away.db")]
  await using server = await start({ database })
  await server.add()
  renameSync(database, away)
  expect(await server.child.exited).toBe(1)
  renameSync(away, database)
  expect(await itemsOf(database)).toBe(1)
})

test("a link that leads elsewhere ends the server, and begins no empty queue there", async () => {
  using folder = temporaryFolder()
  const [link, database] = [join(folder.path, "link"), join(folder.path, "link/queue.db")]
  for (const name of ["here", "there"]) mkdirSync(join(folder.path, name))
  symlinkSync("here", link)
  await used(database)
  await using server = await start({ database })
  rmSync(link)
  symlinkSync("there", link)
  expect(await server.child.exited).toBe(1)
  expect(await refusal(database)).toContain("is gone")
  rmSync(link)
  symlinkSync("here", link)
  expect(await itemsOf(database)).toBe(1)
})

test("a database that another server uses is refused under another name, too, and accepted once that server has ended", async () => {
  using folder = temporaryFolder()
  const [database, other] = [join(folder.path, "queue.db"), join(folder.path, "other.db")]
  await using server = await start({ database })
  await server.add()
  linkSync(database, other)
  expect(foundBy(other)).toBe(
    `the database ${other} is in use under another name, a hard link; use one name for it`,
  )
  await server.end()
  expect(foundBy(other)).toBe(1)
})

test("a hard link to a database whose server was killed is refused, because the newest items are in the other name's log", async () => {
  using folder = temporaryFolder()
  const [database, other] = [join(folder.path, "queue.db"), join(folder.path, "other.db")]
  {
    await using server = await start({ database })
    await server.add()
    server.child.kill("SIGKILL")
    await server.child.exited
  }
  linkSync(database, other)
  expect(foundBy(other)).toBe(
    `the database ${other} is also ${database}, by a hard link, and its newest updates are in ${database}-wal; name ${database} instead`,
  )
  expect(foundBy(database)).toBe(1)
  expect(foundBy(other)).toBe(1)
})

test("nobody but the owner can read what the server stores", async () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "queue.db")
  await using server = await start({ database })
  await server.add()
  for (const part of ["", "-wal", "-shm", ".lock"]) {
    expect(`${part} ${(statSync(`${database}${part}`).mode & 0o777).toString(8)}`).toBe(`${part} 600`)
  }
})
