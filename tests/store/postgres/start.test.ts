import { Database } from "bun:sqlite"
import { expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"

import { SQL } from "bun"

import { moveDown } from "../../../src/store/postgres/move-database.ts"
import { pool } from "../../../src/store/postgres/pool-settings.ts"
import { PostgresStore } from "../../../src/store/postgres/postgres.ts"
import { added } from "../../contracts/store.contract.ts"
import { temporaryFolder } from "../../server.ts"
import { emptyDatabase } from "./open.ts"
import { Proxy } from "./proxy.ts"
import { newDatabase, postgres, whyNoPostgres } from "./server.ts"

setDefaultTimeout(180_000)

const withPostgres = test.skipIf(whyNoPostgres !== undefined)

/** Settings that a database may have for other programs. Each of them would disturb this program. */
const FOR_OTHERS = {
  search_path: "elsewhere, public",
  statement_timeout: "1",
  lock_timeout: "1",
  idle_in_transaction_session_timeout: "1",
  idle_session_timeout: "100",
  default_transaction_isolation: "serializable",
  extra_float_digits: "-3",
  synchronous_commit: "off",
  array_nulls: "off",
}

/** The name of the database in a URL. */
const nameOf = (url: string): string => new URL(url).pathname.slice(1)

/** Resolves when no connection of this program to the client's database is left. */
async function noneConnected(client: SQL): Promise<void> {
  const asked = `SELECT 1 FROM pg_stat_activity WHERE application_name = 'track-studio' AND datname = current_database()`
  for (let rows: unknown[] = [1]; rows.length > 0;) rows = await client.unsafe(asked)
}

withPostgres("a stop stores what is under way first, and leaves neither notes nor connections", async () => {
  await using database = await emptyDatabase()
  await using client = new SQL({ url: database.url, max: 1 })
  const store = await PostgresStore.open(database.url)
  const adding = added(store)
  await store.close()
  expect(await adding).toBe(1)
  await noneConnected(client)
  expect([...(await client.unsafe("SELECT id FROM instances"))]).toEqual([])
})

withPostgres(
  "settings that a database has for other programs disturb neither a server nor a move",
  async () => {
    const { url } = await newDatabase()
    await using client = new SQL({ url, max: 1, idleTimeout: 0 })
    await client.unsafe("CREATE SCHEMA elsewhere")
    for (const [name, value] of Object.entries(FOR_OTHERS)) {
      await client.unsafe(`ALTER DATABASE ${nameOf(url)} SET ${name} = ${value}`)
    }
    // The control: other sessions have them.
    await using other = new SQL({ url, max: 1, idleTimeout: 0 })
    const failing = other.unsafe("SELECT pg_sleep(1)").catch((error: unknown) => Object(error).errno)
    expect(await failing).toBe("57014")

    // Without it a crash of the server would take back acknowledged writes, which no test can wait for.
    const own = pool(url, 1, () => undefined)
    const durable = async (sql: SQL): Promise<unknown> => [...(await sql.unsafe("SHOW synchronous_commit"))]
    expect(await durable(own)).toEqual([{ synchronous_commit: "on" }])
    await own.close()
    // The session of the control may have ended by its idle time.
    await using lax = new SQL({ url, max: 1, idleTimeout: 0 })
    expect(await durable(lax)).toEqual([{ synchronous_commit: "off" }])
    const store = await PostgresStore.open(url)
    const id = await added(store)
    await store.change(id, ({ item, work }) => ({ item, work: { ...work, done: 1 / 3 } }))
    const kept = async (): Promise<unknown> => [
      ...(await client.unsafe(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'track-studio' ORDER BY 1",
      )),
    ]
    const before = await kept()
    expect(before).not.toEqual([])
    await Bun.sleep(300)
    expect(await kept()).toEqual(before)
    expect(await store.head()).toBe(2)
    await store.close()
    using folder = temporaryFolder()
    const file = join(folder.path, "queue.db")
    expect(await moveDown(url, file)).toEqual({ items: 1, updates: 2 })
    using moved = new Database(file, { readonly: true })
    expect(moved.query("SELECT share FROM queue_items").get()).toEqual({ share: 1 / 3 })
  },
)

withPostgres("a database that cannot hold every text is refused, with how to make one that can", async () => {
  const { run, url } = await postgres()
  for (const encoding of ["LATIN1", "SQL_ASCII"]) {
    const name = `in_${encoding.toLowerCase()}`
    await run(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING '${encoding}' LOCALE 'C'`)
    const opening = PostgresStore.open(url(name))
    await expect(opening).rejects.toThrow(new RegExp(`encoded in ${encoding}.*createdb .*--encoding UTF8`))
  }
})

withPostgres("sessions in which no trigger runs are refused, with the setting to reset", async () => {
  const { url } = await newDatabase()
  await using client = new SQL({ url, max: 1 })
  await client.unsafe(`ALTER DATABASE ${nameOf(url)} SET session_replication_role = replica`)
  await expect(PostgresStore.open(url)).rejects.toThrow(/session_replication_role = replica.*; reset it for/)
  await noneConnected(client)
  await client.unsafe(`ALTER DATABASE ${nameOf(url)} SET session_replication_role = local`)
  await (await PostgresStore.open(url)).close()
})

withPostgres("a start waits for a server that takes writes: a standby may be about to", async () => {
  const { url } = await newDatabase()
  // Nothing is left to be written at the next start.
  await (await PostgresStore.open(url)).close()
  await using client = new SQL({ url, max: 1 })
  await client.unsafe(`ALTER DATABASE ${nameOf(url)} SET default_transaction_read_only = on`)
  const opening = PostgresStore.open(url)
  expect(await Promise.race([opening, Bun.sleep(700).then(() => "waits")])).toBe("waits")
  await client.unsafe(`ALTER DATABASE ${nameOf(url)} SET default_transaction_read_only = off`)
  const store = await opening
  expect(await added(store)).toBe(1)
  await store.close()
})

withPostgres("a start goes on if its connection is lost after the server has let it in", async () => {
  const { url } = await newDatabase()
  await (await PostgresStore.open(url)).close()
  const { port } = await postgres()
  for (const asked of ["__drizzle_migrations", "has_table_privilege", "alive_at"]) {
    using proxy = new Proxy(port)
    const address = new URL(url)
    address.port = String(proxy.port)
    let cut = 0
    proxy.decide = (bytes) => {
      if (cut > 0 || !bytes.includes(asked)) return "pass"
      cut += 1
      return "cut"
    }
    const store = await PostgresStore.open(address.href)
    expect([asked, cut]).toEqual([asked, 1])
    await store.close()
  }
})
