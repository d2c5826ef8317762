import { expect, setDefaultTimeout, test } from "bun:test"

import { SQL } from "bun"

import { LocalBus } from "../../../src/bus/bus.ts"
import { claimed, heartbeat } from "../../../src/item/lease.ts"
import { RescueAndStall } from "../../../src/queue/rescue-and-stall.ts"
import { PostgresStore } from "../../../src/store/postgres/postgres.ts"
import { added } from "../../contracts/store.contract.ts"
import { newDatabase, whyNoPostgres } from "./server.ts"

setDefaultTimeout(180_000)

/** Longer than a commit may take without being an outage. */
const COMMIT_S = 2.5
const LEASE_MS = 6000
/** A third of the time lies between commits, and a look is taken each 8 s. A busy machine has less of both. */
const MOST_MS = 120_000

/** Lets each commit of a sign of life or of a group take its time in the database. */
const SLOW = `CREATE FUNCTION slow_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_sleep(${COMMIT_S}); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON history DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW WHEN (NEW.alive_at IS DISTINCT FROM OLD.alive_at) EXECUTE FUNCTION slow_commit();
CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON groups DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION slow_commit()`

test.skipIf(whyNoPostgres !== undefined)(
  "while each commit takes 2.5 s, a silent worker loses its lease, and one that reports keeps it",
  async () => {
    const { url } = await newDatabase()
    const store = await PostgresStore.open(url)
    const onError = (error: unknown): void => expect(error).toBeUndefined()
    const rescue = new RescueAndStall(store, new LocalBus(), { stallAfterMs: 1e9, maxRescues: 5, onError })
    const leased = async (): Promise<number> => {
      const id = await added(store)
      const by = { worker: "w", token: "lease", leaseMs: LEASE_MS }
      await store.change(id, (stored, moment) => claimed(stored, by, moment))
      return id
    }
    const [silent, reporting] = [await leased(), await leased()]
    await using client = new SQL({ url, max: 1 })
    await client.unsafe(SLOW).simple()
    const fromMs = performance.now()
    const passedMs = (): number => performance.now() - fromMs
    await rescue.start()
    let silentMs: number | undefined
    try {
      while (silentMs === undefined && passedMs() < MOST_MS) {
        // It throws once the lease is lost.
        await store.change(reporting, (stored, moment) => heartbeat(stored, "lease", moment))
        await Bun.sleep(LEASE_MS / 2)
        if ((await store.item(silent)).status === "retrying") silentMs ??= passedMs()
      }
    } finally {
      await rescue.stop()
      await store.close()
    }
    expect(silentMs).toBeWithin(LEASE_MS, MOST_MS)
  },
)
