import { expect, setDefaultTimeout, test } from "bun:test"

import { SQL } from "bun"

import { PostgresStore } from "../../../src/store/postgres/postgres.ts"
import { added } from "../../contracts/store.contract.ts"
import { newDatabase, whyNoPostgres } from "./server.ts"
import { from1 } from "./several.ts"

setDefaultTimeout(180_000)

/** Lets PostgreSQL take 5 ms for each new item. */
const SLOW = `CREATE FUNCTION slow_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_sleep(0.005); RETURN NULL; END $$;
CREATE TRIGGER slow AFTER INSERT ON queue_items FOR EACH ROW EXECUTE FUNCTION slow_row()`

test.skipIf(whyNoPostgres !== undefined)(
  "more new items at once than PostgreSQL can store in the time of a statement are stored, in the order in which they came",
  async () => {
    const { url } = await newDatabase()
    const store = await PostgresStore.open(url)
    await using client = new SQL({ url, max: 1 })
    await client.unsafe(SLOW).simple()
    try {
      const songs = from1(1000)
      const ids = await Promise.all(songs.map((song_id) => added(store, { song_id })))
      expect(ids).toEqual(songs)
    } finally {
      await store.close()
    }
  },
)
