import { expect, setDefaultTimeout, test } from "bun:test"
import { existsSync, mkdirSync, readdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { SQL } from "bun"

import { refuseUnmounted } from "../../src/serve/refuse-unmounted.ts"
import { PROGRAM, run, start, temporaryFolder } from "../server.ts"
import { newDatabase, whyNoPostgres } from "../store/postgres/server.ts"

setDefaultTimeout(180_000)

test("a start that is refused because its port is in use leaves nothing where its database would be", async () => {
  using folder = temporaryFolder()
  const other = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } })
  try {
    const database = join(folder.path, "data", "queue.db")
    const ran = await run(["serve", "--port", `${other.port}`, "--database", database])
    expect([ran.code, ran.stderr]).toEqual([
      1,
      expect.stringContaining(`port ${other.port} on 127.0.0.1 is in use`),
    ])
    expect(readdirSync(folder.path)).toEqual([])
  } finally {
    other.stop(true)
  }
})

test("a start that is refused because its token file cannot be used leaves nothing where its database would be", async () => {
  using folder = temporaryFolder()
  const wrong = join(folder.path, "wrong")
  writeFileSync(wrong, "no token")
  const [link, inner] = [join(folder.path, "link"), join(folder.path, "inner")]
  symlinkSync(join("none", "token"), link)
  mkdirSync(inner)
  for (const [file, why] of [
    [join(folder.path, "none", "token"), "cannot be written"],
    [wrong, "does not hold a token"],
    [link, "cannot be written"],
    [inner, "is not a file"],
  ] as const) {
    const database = join(folder.path, "queue.db")
    const ran = await run(["serve", "--port", "0", "--database", database, "--token-file", file])
    expect([ran.code, ran.stderr]).toEqual([expect.any(Number), expect.stringContaining(`${file} ${why}`)])
    expect(ran.code).not.toBe(0)
    expect(readdirSync(folder.path).toSorted()).toEqual(["inner", "link", "wrong"])
  }
})

test("a token file may be in the folder that is made for the database", async () => {
  using folder = temporaryFolder()
  const token = join(folder.path, "data", "token")
  const database = join(folder.path, "data", "inner", "queue.db")
  await using server = await start({ database, args: ["--token-file", token] })
  expect(existsSync(token)).toBe(true)
  expect((await server.api("GET", "/queue")).status).toBe(401)
})

test("a start does not begin an empty queue in the folder of a disk that is not mounted, unless it may", async () => {
  using folder = temporaryFolder()
  const at = realpathSync(folder.path)
  const link = join(at, "link.db")
  symlinkSync(join(at, "disk", "queue.db"), link)
  const unmountedOf = async (path: string): Promise<string | undefined> =>
    path === join(at, "disk") ? path : undefined
  const refused = (database: string, newDatabase = false) =>
    refuseUnmounted({ database, newDatabase }, unmountedOf)
  for (const database of [join(at, "disk", "queue.db"), link])
    await expect(refused(database)).rejects.toThrow(`nothing is mounted at ${join(at, "disk")}, where`)
  await refused(link, true)
  await refused(join(at, "queue.db"))
})

test.skipIf(process.getuid?.() !== 0 || !existsSync("/etc/fstab"))(
  "a server says which disk is not mounted, and leaves nothing there; only root can try, where there is /etc/fstab",
  async () => {
    using folder = temporaryFolder()
    const disk = join(realpathSync(folder.path), "disk")
    mkdirSync(disk)
    const fstab = join(folder.path, "fstab")
    writeFileSync(fstab, `UUID=2 ${disk} ext4 defaults,nofail 0 2\n`)
    const serve = `exec ${PROGRAM.join(" ")} serve --port 0 --database ${disk}/data/queue.db`
    const script = `mount --bind ${fstab} /etc/fstab && ${serve}`
    const out = { stdout: "pipe", stderr: "pipe", timeout: 60_000 } as const
    const child = Bun.spawn(["unshare", "-m", "sh", "-c", script], out)
    const said = await new Response(child.stderr).text()
    expect([await child.exited, readdirSync(disk)]).toEqual([1, []])
    expect(said).toContain(`nothing is mounted at ${disk}, where /etc/fstab has a disk; mount it, or`)
  },
)

test.skipIf(whyNoPostgres !== undefined)(
  "a start that is refused leaves an empty PostgreSQL database empty, and the next one prepares it",
  async () => {
    using folder = temporaryFolder()
    const wrong = join(folder.path, "wrong")
    writeFileSync(wrong, "no token")
    const { url } = await newDatabase()
    await using client = new SQL({ url, max: 1 })
    await using other = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } })
    for (const [why, ...args] of [
      [`port ${other.port} on 127.0.0.1 is in use; choose another with --port`, "--port", `${other.port}`],
      ["no token exists", "--port", "0", "--host", "0.0.0.0"],
      ["cannot be written", "--port", "0", "--token-file", join(folder.path, "none", "token")],
      ["does not hold a token", "--port", "0", "--token-file", wrong],
    ] as const) {
      const ran = await run(["serve", "--database", url, ...args])
      expect([ran.code, ran.stderr]).toEqual([expect.any(Number), expect.stringContaining(why)])
      expect(ran.code).not.toBe(0)
      const tables = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'drizzle')"
      expect([...(await client.unsafe(tables))]).toEqual([])
    }
    await using server = await start({ database: url })
    expect((await server.api("GET", "/queue")).status).toBe(200)
  },
)
