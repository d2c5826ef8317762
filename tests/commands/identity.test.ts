import { constants, Database } from "bun:sqlite"
import { expect, setDefaultTimeout, test } from "bun:test"
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"

import { PROGRAM, run, start, temporaryFolder, textOf } from "../server.ts"

// Each starts servers of its own, on a machine that may be busy.
setDefaultTimeout(60_000)

/** Makes a database with an item, and ends its server: kindly, or as a power cut does. */
async function used(database: string, signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
  await using server = await start({ database })
  await server.add()
  await server.end(signal)
}

const json = (body: string) => ({ body, headers: { "content-type": "application/json" } })

/** What a server says that does not start on a database. */
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

test("a database that is gone is missed, and begun again only if that is wanted", async () => {
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

test("a database in the place of another is refused, and taken only if that is wanted", async () => {
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
      while (!isKept(database)) await Bun.sleep(20)
      await server.end(signal)
    }
    rmSync(`${database}-wal`, { force: true })
    // In its place: the very same file.
    writeFileSync(database, readFileSync(older))
    expect(await refusal(database)).toContain(`${database} is not the database that the last server used`)
    expect(await itemsOf(database, "--new-database")).toBe(1)
  },
)

/** Whether the lock file counts on the mark of the second start; its server holds it, so that only the file can be read. */
function isKept(database: string): boolean {
  const flags = constants.SQLITE_OPEN_READONLY | constants.SQLITE_OPEN_URI
  using lock = new Database(`file:${database}.lock?immutable=1`, flags)
  return lock.query<{ starts: number }, []>("SELECT starts FROM mark").get()?.starts === 2
}

test("a backup that is put in its place by a plain copy is refused, and the way out is named", async () => {
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
  // The backup comes back, and the log of the file that was lost lies there still.
  rmSync(database)
  renameSync(kept, database)
  // Which it is depends on whether the lock file counts on the latest start already, which takes a second.
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

test("what a power cut leaves is started again, where it is and as a copy of its folder", async () => {
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
    // After a power cut the lock file may lag behind the database.
    using lock = new Database(`${database}.lock`)
    lock.run("UPDATE mark SET starts = starts - 2")
  }
  expect(await itemsOf(database)).toBe(1)
})

test.each(["moved", "deleted", "replaced", "emptied", "copied over", "without its lock file"])(
  "a server whose database is %s refuses writes, says so, and ends",
  async (how) => {
    using folder = temporaryFolder()
    const database = join(folder.path, "queue.db")
    const child = Bun.spawn([...PROGRAM, "serve", "--port", "0", "--database", database], {
      stdout: "pipe",
      stderr: "pipe",
    })
    const said = textOf(child.stderr)
    const reader = child.stdout.getReader()
    let log = ""
    while (!log.includes('"listening"')) log += new TextDecoder().decode((await reader.read()).value)
    if (how === "moved") renameSync(database, join(folder.path, "moved.db"))
    if (how === "deleted") rmSync(database)
    if (how === "replaced") {
      copyFileSync(database, join(folder.path, "copy.db"))
      renameSync(join(folder.path, "copy.db"), database)
    }
    if (how === "emptied") truncateSync(database)
    if (how === "copied over") {
      const [, url = ""] = /"url":"([^"]+)"/.exec(log) ?? []
      expect((await run(["backup", join(folder.path, "copy.db"), "--database", database])).code).toBe(0)
      await fetch(`${url}/api/v1/queue`, { method: "POST", ...json('{"song_id":1}') })
      copyFileSync(join(folder.path, "copy.db"), database)
    }
    if (how === "without its lock file") rmSync(`${database}.lock`)
    expect(await child.exited).toBe(1)
    expect(await said).toContain(
      `the database ${database} was replaced, moved or deleted while the server ran`,
    )
    if (how !== "copied over") return
    // It was left as it was put there, and its log is not read into it.
    expect(readFileSync(database).equals(readFileSync(join(folder.path, "copy.db")))).toBeTrue()
    expect(await refusal(database)).toContain(`${database} is a backup`)
    expect(await itemsOf(database, "--new-database")).toBe(0)
  },
)

test("nobody but the owner can read what the server stores", async () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "queue.db")
  await using server = await start({ database })
  await server.add()
  for (const part of ["", "-wal", "-shm", ".lock"]) {
    expect(`${part} ${(statSync(`${database}${part}`).mode & 0o777).toString(8)}`).toBe(`${part} 600`)
  }
})
