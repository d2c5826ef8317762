import { expect, test } from "bun:test"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"

import { isRefusal } from "../../src/errors.ts"
import { protect, protectionOf, refuseUnprotectedStart } from "../../src/serve/first-token.ts"
import { serveSettings } from "../../src/settings/read-settings.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { isToken } from "../../src/token-format.ts"
import { temporaryFolder } from "../server.ts"

test("a token is made for a server that has none, and no other while there is one, wherever it is looked for", async () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "q.db")
  const store = new SqliteStore(database)
  const protectWith = async (file: string): Promise<boolean> => {
    const settings = serveSettings({ database, "token-file": file }, {})
    const access = protectionOf(settings, store)
    const isFirst = await protect(settings, store, access)
    await access.tokens.stop()
    return isFirst
  }
  const [file, other] = [join(folder.path, "token"), join(folder.path, "other")]
  expect(await protectWith(file)).toBe(true)
  expect(isToken(readFileSync(file, "utf8").trim())).toBe(true)
  expect([await protectWith(file), await protectWith(other)]).toEqual([false, false])
  expect([existsSync(other), (await store.access.tokens()).length]).toEqual([false, 1])
  await store.close()
})

test("a server knows the tickets that it gave out before its last start", async () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "q.db")
  const settings = serveSettings({ database, "token-file": join(folder.path, "token") }, {})
  const store = new SqliteStore(database)
  const started = async () => {
    const access = protectionOf(settings, store)
    await protect(settings, store, access)
    await access.tokens.stop()
    return access
  }
  const use = { method: "GET", path: "/api/v1/progress/stream" }
  const { tokens, tickets } = await started()
  const token = tokens.byId(1)
  if (!token) throw new Error("the server has made no token")
  const { ticket } = await tickets.create(token, use.path)
  expect((await started()).tickets.find(ticket, use)?.id).toBe(1)
  await store.close()
})

test("a start without a token is refused if other machines could reach the server, unless it makes a token or is to be open", () => {
  const starting = (given: Parameters<typeof serveSettings>[0]) => () =>
    refuseUnprotectedStart(serveSettings({ database: "q.db", ...given }, {}))
  expect(starting({ host: "0.0.0.0" })).toThrow()
  expect(starting({})).not.toThrow()
  expect(starting({ host: "0.0.0.0", open: true })).not.toThrow()
  expect(starting({ host: "0.0.0.0", "token-file": "token" })).not.toThrow()
})

test("a server on an existing database without tokens does not start if other machines could reach it", async () => {
  using folder = temporaryFolder()
  const database = join(folder.path, "q.db")
  const store = new SqliteStore(database)
  const starting = async (given: Parameters<typeof serveSettings>[0]): Promise<unknown> => {
    const settings = serveSettings({ database, ...given }, {})
    const access = protectionOf(settings, store)
    try {
      return await protect(settings, store, access)
    } catch (error) {
      return isRefusal(error, "invalid")
    } finally {
      await access.tokens.stop()
    }
  }
  expect(await starting({ host: "0.0.0.0" })).toBe(true)
  expect(await starting({ host: "0.0.0.0", open: true })).toBe(false)
  expect(await starting({})).toBe(false)
  await store.access.addToken({ hash: "h", label: "", role: "viewer", item: null, expires_at: null })
  // Now callers are asked for it.
  expect(await starting({ host: "0.0.0.0" })).toBe(false)
  await store.close()
})
