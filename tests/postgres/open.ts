import { SQL } from "bun"

import { PostgresStore } from "../../src/store/postgres/postgres.ts"
import type { OpenStore } from "../contracts/store.contract.ts"
import { newDatabase } from "./server.ts"

/** Puts a database back to what its migrations made of it, which is quicker than making another one. */
const EMPTY = `DELETE FROM updates; DELETE FROM outputs; DELETE FROM queue_items; DELETE FROM idempotency_keys;
  DELETE FROM runs; DELETE FROM webhooks; DELETE FROM deliveries; DELETE FROM tickets; DELETE FROM tokens;
  DELETE FROM instances; DELETE FROM timers; DELETE FROM songs; UPDATE queue_counts SET items = 0;
  WITH old AS (DELETE FROM history) INSERT INTO history (id) VALUES (substr(md5(gen_random_uuid()::text), 1, 16));
  SELECT setval(name, 1, false) FROM unnest(ARRAY['queue_items_ids', 'runs_ids', 'deliveries_ids', 'tokens_ids']) name`

/** A database that is up to date and empty. */
interface Database {
  readonly url: string
  readonly client: SQL
}

const unused: Database[] = []

async function made(): Promise<Database> {
  const { url } = await newDatabase()
  const store = await PostgresStore.open(url)
  await store.close()
  return { url, client: new SQL({ url, max: 1, idleTimeout: 0 }) }
}

/** A database that is up to date and empty, to be given back at the end of the test. */
export async function emptyDatabase(): Promise<{ readonly url: string } & AsyncDisposable> {
  const database = unused.pop() ?? (await made())
  return {
    url: database.url,
    async [Symbol.asyncDispose]() {
      await database.client.unsafe(EMPTY).simple()
      unused.push(database)
    },
  }
}

/** A store on a database of its own. */
export async function openStore(
  now?: () => number,
  steadyMs = now,
  onePerSong = false,
): Promise<OpenStore & { readonly store: PostgresStore; readonly url: string }> {
  const database = await emptyDatabase()
  const clock = now && steadyMs && { now, steadyMs }
  const store = await PostgresStore.open(database.url, { clock, onePerSong })
  return {
    store,
    url: database.url,
    async [Symbol.asyncDispose]() {
      await store.close()
      await database[Symbol.asyncDispose]()
    },
  }
}
