import { SQL } from "bun"

import { transition } from "../../../src/item/moves.ts"
import type { Decide } from "../../../src/store/contract/items.ts"
import { PostgresStore } from "../../../src/store/postgres/postgres.ts"
import { emptyDatabase } from "./open.ts"

/** 1, 2, 3 and so on. */
export const from1 = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)

/** The lease of `taking`. */
export const LEASE_MS = 60_000

/** Leases an item to a worker. */
export const taking =
  (worker: string): Decide =>
  ({ item, work }, { time, steadyMs }) => ({
    item: { ...transition(item, { status: "processing" }, time), worker },
    work: { ...work, lease_token: worker, lease_ms: LEASE_MS, lease_expires_at: steadyMs + LEASE_MS },
  })

/** Takes an item back from its worker. */
export const rescue: Decide = ({ item, work }, { time }) => ({
  item: transition(item, { status: "retrying" }, time),
  work: { ...work, lease_token: null, lease_expires_at: null },
})

/** Several stores on one database, and a client of it. */
export async function together(count: number, onePerSong = false) {
  const database = await emptyDatabase()
  const stores = await Promise.all(from1(count).map(() => PostgresStore.open(database.url, { onePerSong })))
  const [one, two = one, three = two] = stores
  if (!one || !two || !three) throw new Error("there is no store")
  const client = new SQL({ url: database.url, max: 1 })
  return {
    stores,
    one,
    two,
    three,
    client,
    url: database.url,
    async [Symbol.asyncDispose]() {
      await client.close({ timeout: 0 })
      for (const store of stores) await store.close()
      await database[Symbol.asyncDispose]()
    },
  }
}

/** The writers that wait for a lock, as SQL. */
export const WAITING = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
  AND application_name = 'track-studio'`

const HOLD = "SELECT pg_advisory_lock(1, 'updates'::regclass::oid::int)"
const LET_GO = "SELECT pg_advisory_unlock(1, 'updates'::regclass::oid::int)"

/** Holds the append lock of all writers while `meanwhile` runs; it is given how many writers wait for a lock. */
export async function withAppendLockHeld<T>(
  client: SQL,
  meanwhile: (waiting: () => Promise<number>) => Promise<T>,
): Promise<T> {
  await client.unsafe(HOLD)
  try {
    return await meanwhile(async () => (await client.unsafe(WAITING)).length)
  } finally {
    await client.unsafe(LET_GO)
  }
}

/**
 * Holds the append lock of all writers while `begin` starts some, until `count` of them wait. Returns their results.
 */
export async function atOnce<T>(client: SQL, count: number, begin: () => Promise<T>): Promise<T> {
  await client.unsafe(HOLD)
  const begun = begin()
  while ((await client.unsafe(WAITING)).length < count);
  await client.unsafe(LET_GO)
  return begun
}

/**
 * Ends the connections of writers that wait for the append lock, once for each writer that was started; see
 * `atOnce`.
 */
export async function killedOnce<T>(client: SQL, begin: () => Promise<T>): Promise<T> {
  await client.unsafe(HOLD)
  const begun = begin()
  while ((await client.unsafe(WAITING)).length < 1);
  await client.unsafe(`SELECT pg_terminate_backend(pid) FROM (${WAITING}) waiting`)
  await client.unsafe(LET_GO)
  return begun
}

/** Runs something on a database in which one part is wrong, and corrects that part afterwards. */
export async function withWrong(
  client: SQL,
  wrong: string,
  right: string,
  run: () => Promise<void>,
): Promise<void> {
  await client.unsafe(wrong).simple()
  try {
    await run()
  } finally {
    await client.unsafe(right).simple()
  }
}

/** Versions that never change, so that changes by another instance are not noticed. */
export const WITHOUT_VERSIONS = {
  wrong: `CREATE FUNCTION keep_version() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.version = OLD.version; RETURN NEW; END';
    CREATE TRIGGER keep_version BEFORE UPDATE ON queue_items FOR EACH ROW EXECUTE FUNCTION keep_version()`,
  right: "DROP TRIGGER keep_version ON queue_items; DROP FUNCTION keep_version()",
}
