/** All contracts, to be compiled as the program is: `compiled.test.ts` does that, and runs them. */
import { setDefaultTimeout } from "bun:test"

import { LocalBus } from "../../src/bus/bus.ts"
import { postgresBell } from "../../src/bus/postgres.ts"
import { redisBell } from "../../src/bus/redis.ts"
import { ringing } from "../bus/bell.ts"
import { found, startRedis } from "../engines.ts"
import { openStore } from "../store/postgres/open.ts"
import { postgres, whyNoPostgres } from "../store/postgres/server.ts"
import { openSqlite } from "../store/sqlite/open.ts"
import { busContract } from "./bus.contract.ts"
import { storeContracts } from "./stores.ts"

setDefaultTimeout(180_000)

storeContracts("SqliteStore", openSqlite, () => openSqlite(undefined, undefined, true))
busContract("LocalBus", async () => ({ bus: new LocalBus(), [Symbol.asyncDispose]: async () => undefined }))

if (whyNoPostgres === undefined) {
  storeContracts("PostgresStore", openStore, () => openStore(undefined, undefined, true))
  busContract("RemoteBus on PostgreSQL", async () => {
    const { url } = await postgres()
    return ringing(() => postgresBell(url("postgres"), "track_studio_test"))
  })
}

const redis = found("redis-server")
if (redis !== null) {
  const engine = await startRedis(redis)
  busContract("RemoteBus on Redis", () => ringing(() => redisBell(engine.url, "track_studio_test")))
}
