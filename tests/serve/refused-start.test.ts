import { expect, setDefaultTimeout, test } from "bun:test"
import { existsSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { run, start, temporaryFolder } from "../server.ts"

setDefaultTimeout(30_000)

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
  for (const [file, why] of [
    [join(folder.path, "none", "token"), "cannot be written"],
    [wrong, "does not hold a token"],
  ] as const) {
    const database = join(folder.path, "queue.db")
    const ran = await run(["serve", "--port", "0", "--database", database, "--token-file", file])
    expect([ran.code, ran.stderr]).toEqual([expect.any(Number), expect.stringContaining(`${file} ${why}`)])
    expect(ran.code).not.toBe(0)
    expect(readdirSync(folder.path)).toEqual(["wrong"])
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
