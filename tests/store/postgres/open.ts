import { SQL } from "bun"

import type { Clock } from "../../../src/item/moment.ts"
import { PostgresStore } from "../../../src/store/postgres/postgres.ts"
import type { OpenStore } from "../../contracts/store.contract.ts"
import { newDatabase } from "./server.ts"

/** Resets a database to the state after its migrations, which is quicker than making another one. */
const EMPTY = `DELETE FROM updates; DELETE FROM outputs; DELETE FROM queue_items; DELETE FROM idempotency_keys;
  DELETE FROM runs; DELETE FROM webhooks; DELETE FROM deliveries; DELETE FROM tickets; DELETE FROM tokens;
  DELETE FROM instances; DELETE FROM timers; DELETE FROM songs; DELETE FROM hours; DELETE FROM outages; UPDATE queue_counts SET items = 0;
  WITH old AS (DELETE FROM history) INSERT INTO history (id) VALUES (substr(md5(gen_random_uuid()::text), 1, 16));
  SELECT setval(name, 1, false) FROM unnest(ARRAY['queue_items_ids', 'runs_ids', 'deliveries_ids', 'tokens_ids']) name`

/** What a later version may add to each table, and to the whole database. */
const LATER = `DO $$
DECLARE
  name text;
BEGIN
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
    EXECUTE format('ALTER TABLE %I ADD COLUMN later_text text, ADD COLUMN later_number bigint NOT NULL DEFAULT 7', name);
    EXECUTE format('CREATE INDEX ON %I (later_number)', name);
  END LOOP;
END $$;
CREATE TABLE later (id bigint PRIMARY KEY);
INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('later', 9999999999999)`

/** An empty database that is up to date. */
interface Database {
  readonly url: string
  readonly client: SQL
}

/** Gives tests databases that are empty and up to date. `alter` is called with each new one. */
function supply(alter: (client: SQL) => Promise<unknown>) {
  const unused: Database[] = []
  const made = async (): Promise<Database> => {
    const { url } = await newDatabase()
    const store = await PostgresStore.open(url)
    await store.close()
    const client = new SQL({ url, max: 1, idleTimeout: 0 })
    await alter(client)
    return { url, client }
  }
  return async (): Promise<{ readonly url: string } & AsyncDisposable> => {
    const database = unused.pop() ?? (await made())
    return {
      url: database.url,
      async [Symbol.asyncDispose]() {
        await database.client.unsafe(EMPTY).simple()
        unused.push(database)
      },
    }
  }
}

/** An empty database that is up to date. The test gives it back at its end. */
export const emptyDatabase = supply(async () => undefined)

/** The same as a later version of this program may have left it: its migrations only add. */
const laterDatabase = supply((client) => client.unsafe(LATER).simple())

async function storeOn(
  database: { readonly url: string } & AsyncDisposable,
  clock: Clock | undefined,
  onePerSong: boolean,
): Promise<OpenStore & { readonly store: PostgresStore; readonly url: string }> {
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

/** A store on its own database. */
export const openStore = async (now?: () => number, steadyMs = now, onePerSong = false) =>
  storeOn(await emptyDatabase(), now && steadyMs && { now, steadyMs }, onePerSong)

/** A store on a database of a later version. */
export const openLaterStore = async (now?: () => number, steadyMs = now, onePerSong = false) =>
  storeOn(await laterDatabase(), now && steadyMs && { now, steadyMs }, onePerSong)
