import { Database } from "bun:sqlite"
import { expect, setDefaultTimeout, test } from "bun:test"
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { dirname, join } from "node:path"

import { clientOf } from "../../src/commands/command.ts"
import { run, start, temporaryFolder, type TestServer } from "../server.ts"

// These tests start programs or wait for the disk, and the machine may be busy.
setDefaultTimeout(180_000)

const TOKEN = /^tsk_[A-Za-z0-9_-]{43}\n$/

/** Resolves when the server refuses requests without a token. */
async function protects(server: TestServer): Promise<void> {
  while ((await server.api("GET", "/queue")).status !== 401);
}

const statusWith = async (server: TestServer, token: string): Promise<number> =>
  (await server.api("GET", "/queue", undefined, { authorization: `Bearer ${token}` })).status

test("a token is printed once, alone on standard output, and the database holds its hash", async () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "new/test.db")
  const made = await run([
    "token",
    "create",
    "--role",
    "viewer",
    "--label",
    "wall screen",
    "--database",
    database,
  ])
  expect(made.code).toBe(0)
  expect(made.stdout).toMatch(TOKEN)
  expect(made.stderr).toContain("every request needs a token")
  expect(readFileSync(database).includes(made.stdout.trim())).toBeFalse()
  const again = await run(["token", "create", "--role", "worker", "--expires", "30d", "--database", database])
  expect(again.stderr).not.toContain("every request needs")
  const listed = await run(["token", "list", "--database", database])
  expect(listed.stdout).toMatch(/1 +viewer +in force .*wall screen\n2 +worker +in force/)
  expect(listed.stdout).not.toContain("tsk_")
  using stored = new Database(database)
  stored.run("UPDATE tokens SET expires_at = ? WHERE id = 2", [new Date(Date.now() - 1000).toISOString()])
  const asJson = await run(["token", "list", "--json", "--database", database])
  const [first, second, ...more] = asJson.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
  expect(first).toEqual({
    id: 1,
    label: "wall screen",
    role: "viewer",
    item: null,
    created_at: expect.any(String),
    expires_at: null,
    revoked_at: null,
    last_used_at: null,
    state: "in force",
  })
  expect([second.role, second.state, more]).toEqual(["worker", "expired", []])
})

test("a running server knows a token that is created or revoked beside it", async () => {
  await using server = await start()
  const { stdout } = await run(["token", "create", "--role", "viewer", "--database", server.database])
  const token = stdout.trim()
  await protects(server)
  expect(await statusWith(server, token)).toBe(200)
  expect((await run(["token", "revoke", "1", "--database", server.database])).code).toBe(0)
  while ((await statusWith(server, token)) !== 401);
  // Revoking the last token gives access to nobody.
  expect((await server.api("GET", "/queue")).status).toBe(401)
  const again = await run(["token", "revoke", "1", "--database", server.database])
  expect([again.code, again.stderr]).toEqual([1, expect.stringContaining("no token 1 is valid")])
})

test.each([
  [["token"], "it must be create, list or revoke"],
  [["token", "make"], "it must be create, list or revoke"],
  [["token", "create"], "--role is missing"],
  [["token", "create", "guest"], "a label is given with --label"],
  [["token", "create", "--role", "boss"], "viewer, operator, worker, admin"],
  [["token", "create", "--role", "worker", "--item", "7"], "can only read"],
  [["token", "create", "--role", "viewer", "--expires", "soon"], "90m, 12h, 30d"],
  [["token", "create", "--role", "viewer", "--expires", "2001-01-01"], "90m, 12h, 30d"],
  [["token", "create", "--role", "viewer", "--expires", "2031-02-29"], "90m, 12h, 30d"],
  [["token", "create", "--role", "viewer", "--expires", "2031"], "90m, 12h, 30d"],
  [["token", "revoke"], "ID"],
])("%p is wrong usage and creates nothing", async (args, reason) => {
  using folder = temporaryFolder()
  const database = join(folder.path, "test.db")
  const { code, stderr, stdout } = await run([...args, "--database", database])
  expect([code, stdout]).toEqual([2, ""])
  expect(stderr).toContain(reason)
  if (existsSync(database))
    expect((await run(["token", "list", "--database", database])).stdout).toContain("no tokens")
})

test("a token for an item that does not exist is refused, and creates nothing", async () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "test.db")
  const args = ["token", "create", "--role", "viewer", "--item", "7", "--database", database]
  const { code, stderr, stdout } = await run(args)
  expect([code, stdout]).toEqual([1, ""])
  expect(stderr).toContain("queue item 7 does not exist")
  expect((await run(["token", "list", "--database", database])).stdout).toContain("no tokens")
})

test.skipIf(process.getuid?.() !== 0)(
  "files that root makes beside a service belong to the owner of the folder; only root can try",
  async () => {
    using folder = temporaryFolder()
    const database = join(folder.path, "queue.db")
    chownSync(folder.path, 4711, 4711)
    expect((await run(["token", "create", "--role", "admin", "--database", database])).code).toBe(0)
    for (const name of readdirSync(folder.path)) {
      const { uid, mode } = statSync(join(folder.path, name))
      expect([name, uid, mode & 0o777]).toEqual([name, 4711, 0o600])
    }
    expect(readdirSync(folder.path)).toContain("queue.db")
  },
)

test("on other addresses than loopback a server starts only with a token or --open, and its message names both", async () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "test.db")
  const refused = await run(["serve", "--host", "0.0.0.0", "--port", "8081", "--database", database])
  expect(refused.code).toBe(2)
  // Each is on a line of its own, so that it can be pasted.
  const lines = refused.stderr.split("\n").map((line) => line.trim())
  expect(lines).toContain(`track-studio token create --role admin --database ${database}`)
  expect(lines).toContain(`track-studio serve --host 0.0.0.0 --port 8081 --database ${database} --open`)
  {
    await using open = await start({ database, args: ["--host", "0.0.0.0", "--open"] })
    expect((await fetch(`http://127.0.0.1:${new URL(open.url).port}/api/v1/queue`)).status).toBe(200)
  }
  await run(["token", "create", "--role", "admin", "--database", database])
  await using closed = await start({ database, args: ["--host", "0.0.0.0"] })
  expect((await fetch(`http://127.0.0.1:${new URL(closed.url).port}/api/v1/queue`)).status).toBe(401)
})

test("a start that is refused for want of a token creates nothing, and its lines can be pasted whatever the path is called", async () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "the studio's", "test.db")
  const args = ["serve", "--host", "::", "--port", "0", "--database", database]
  const refused = await run(args)
  expect([refused.code, readdirSync(folder.path)]).toEqual([2, []])
  const pasted = `'${join(folder.path, "the studio'\\''s", "test.db")}'`
  expect(refused.stderr).toContain(`track-studio token create --role admin --database ${pasted}\n`)
  // What is left of a lost database is said first: a new token would not bring it back.
  mkdirSync(dirname(database))
  expect((await run(["token", "create", "--role", "admin", "--database", database])).code).toBe(0)
  rmSync(database)
  expect(await run(args)).toMatchObject({ code: 1, stderr: expect.stringContaining("is gone") })
})

test("the first start creates an admin token in the file that is named, and later ones leave it", async () => {
  using folder = temporaryFolder()
  const [database, file] = [join(folder.path, "test.db"), join(folder.path, "token")]
  const env = { TRACK_STUDIO_TOKEN_FILE: file }
  {
    await using first = await start({ database, env })
    expect(await statusWith(first, readFileSync(file, "utf8").trim())).toBe(200)
    expect(first.log).not.toContain("tsk_")
    expect(first.log).toContain(`"msg":"added the admin token that this file holds","file":"${file}"`)
  }
  expect(readFileSync(file, "utf8")).toMatch(TOKEN)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  await using second = await start({ database, env })
  expect(await statusWith(second, readFileSync(file, "utf8").trim())).toBe(200)
  expect((await run(["token", "list", "--database", database])).stdout.split("\n")).toHaveLength(3)
})

test("commands send the token of the environment or of a file, and programs that they start inherit neither", async () => {
  await using server = await start()
  using folder = temporaryFolder()
  const { stdout } = await run(["token", "create", "--role", "worker", "--database", server.database])
  const token = stdout.trim()
  await protects(server)
  const to = ["--server", server.url]
  const file = join(folder.path, "token")
  writeFileSync(file, `${token}\n`)
  const refused = await run(["add", "1", ...to])
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("needs a token")])
  // What to type, though the server does not know who asks.
  const unknown = await run(["add", "1", ...to], { TRACK_STUDIO_TOKEN: token.replace(/.$/, "_") })
  for (const { stderr } of [refused, unknown]) expect(stderr).toContain("TRACK_STUDIO_TOKEN or --token-file")
  expect((await run(["add", "1", ...to], { TRACK_STUDIO_TOKEN: token })).code).toBe(0)
  expect((await run(["add", "1", ...to, "--token-file", file])).code).toBe(0)
  const script = "echo seen:$TRACK_STUDIO_TOKEN:$TRACK_STUDIO_TOKEN_FILE:"
  const rendered = await run(["run", "--song", "1", ...to, "--", "sh", "-c", script], {
    TRACK_STUDIO_TOKEN: token,
  })
  expect(rendered.stdout).toContain("seen:::")
  expect(rendered.code).toBe(0)
})

test("the program that checks a finished video inherits no token either", async () => {
  await using server = await start()
  using folder = temporaryFolder()
  const [seen, video] = [join(folder.path, "seen"), join(folder.path, "a.mp4")]
  writeFileSync(join(folder.path, "ffprobe"), `#!/bin/sh\nenv >${seen}\necho '{}'\n`, { mode: 0o755 })
  const env = { TRACK_STUDIO_TOKEN: "tsk_secret", PATH: `${folder.path}:${process.env["PATH"]}` }
  const args = ["run", "--song", "1", "--server", server.url, "--output", video]
  await run([...args, "--", "sh", "-c", `echo video >${video}`], env)
  expect(readFileSync(seen, "utf8")).toContain("PATH=")
  expect(readFileSync(seen, "utf8")).not.toContain("tsk_secret")
})

test("revoke also ends the renders that a token claimed, if that is asked for", async () => {
  await using server = await start()
  const { stdout } = await run(["token", "create", "--role", "worker", "--database", server.database])
  await protects(server)
  const authorization = `Bearer ${stdout.trim()}`
  const added: { id: number } = await (
    await server.api("POST", "/queue", { song_id: 1 }, { authorization })
  ).json()
  const claim = await server.api("POST", "/queue/claim", { worker: "w", lease: 3600 }, { authorization })
  const { lease }: { lease: { token: string } } = await claim.json()
  const revoked = await run(["token", "revoke", "1", "--and-leases", "--database", server.database])
  expect(revoked.stdout).toContain("1 lease that it claimed ended")
  const report = await server.api(
    "POST",
    `/queue/${added.id}/progress`,
    { progress: 5 },
    { lease: lease.token },
  )
  expect([report.status, await report.json()]).toEqual([
    410,
    expect.objectContaining({ code: "gone", directive: "cancel" }),
  ])
  // The new token may be known a moment later.
  const { stdout: viewer } = await run(["token", "create", "--role", "viewer", "--database", server.database])
  const read = async (): Promise<{ error_message?: string }> =>
    (
      await server.api("GET", `/queue/${added.id}`, undefined, { authorization: `Bearer ${viewer.trim()}` })
    ).json()
  let item = await read()
  while (!item.error_message) item = await read()
  expect(item.error_message).toContain("was revoked")
})

test("a token that was revoked before can lose its renders later, and one that still claims keeps none", async () => {
  await using server = await start()
  const make = async (role: string): Promise<string> => {
    const { stdout } = await run(["token", "create", "--role", role, "--database", server.database])
    return `Bearer ${stdout.trim()}`
  }
  await Promise.all(Array.from({ length: 250 }, () => server.add()))
  const [worker, viewer] = [await make("worker"), await make("viewer")]
  await protects(server)
  const claim = () =>
    server.api("POST", "/queue/claim", { worker: "w", lease: 3600 }, { authorization: worker })
  const running = async (): Promise<number> => {
    const list = await server.api("GET", "/queue?status=processing", undefined, { authorization: viewer })
    const { queue }: { queue: unknown[] } = await list.json()
    return queue.length
  }
  expect((await claim()).status).toBe(200)
  // It claims as long as the server accepts its claims.
  const claiming = (async () => {
    while ((await claim()).status === 200) await Bun.sleep(5)
  })()
  const both = await run(["token", "revoke", "1", "--and-leases", "--database", server.database])
  await claiming
  expect(both.stdout).toContain("Token 1 is revoked.")
  while ((await running()) > 0) await Bun.sleep(20)
  const later = await run(["token", "revoke", "1", "--and-leases", "--database", server.database])
  expect([later.code, later.stdout]).toEqual([
    0,
    expect.stringContaining("Token 1 was revoked before.\n0 leases"),
  ])
  const unknown = await run(["token", "revoke", "9", "--and-leases", "--database", server.database])
  expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining("no token 9 is valid")])
})

test("a mistyped path is not taken for a queue without tokens, and a path that cannot be written is named", async () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "mistyped.db")
  for (const words of [["list"], ["revoke", "1"]]) {
    const asked = await run(["token", ...words, "--database", database])
    expect([asked.code, asked.stderr]).toEqual([1, expect.stringContaining(`no database at ${database}`)])
  }
  expect(readdirSync(folder.path)).toEqual([])
  const made = await run(["token", "create", "--role", "admin", "--database", database])
  expect(made.stderr).toContain(`There was no database at ${database}; it was created.`)
  writeFileSync(database, "no database".repeat(100))
  const damaged = await run(["token", "list", "--database", database])
  expect([damaged.code, damaged.stderr]).toEqual([
    1,
    expect.stringContaining(`the database ${database} is not`),
  ])
})

test("a command that keeps running sends the token that its file holds now", async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, "token")
  const sent: (string | null)[] = []
  using server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: ({ headers }) => {
      sent.push(headers.get("authorization"))
      return Response.json({}, { status: 401 })
    },
  })
  const [before, after] = ["a", "b"].map((letter) => `tsk_${letter.repeat(43)}`)
  writeFileSync(file, `${before}\n`)
  const flags = { server: `http://127.0.0.1:${server.port}`, "token-file": file }
  const client = clientOf({ flags, words: [] })
  // A file that is only half written is not yet a token.
  for (const text of [before, "tsk_", after]) {
    writeFileSync(file, `${text}\n`)
    await expect(client.get(1)).rejects.toThrow()
  }
  expect(sent).toEqual([before, before, after].map((token) => `Bearer ${token}`))
})
