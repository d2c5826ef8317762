import { expect, setDefaultTimeout, test } from "bun:test"

import { LocalBus } from "../../../src/bus/bus.ts"
import { claimed } from "../../../src/item/lease.ts"
import { RescueAndStall } from "../../../src/queue/rescue-and-stall.ts"
import { PostgresStore } from "../../../src/store/postgres/postgres.ts"
import { added } from "../../contracts/store.contract.ts"
import { emptyDatabase } from "./open.ts"
import { Proxy } from "./proxy.ts"
import { postgres, whyNoPostgres } from "./server.ts"

setDefaultTimeout(60_000)

const LEASE_MS = 1000
const AWAY_MS = 2500

test.skipIf(whyNoPostgres !== undefined).each([true, false])(
  "a database that is away for longer than a lease takes no item from its worker: away %j",
  async (isAway) => {
    const { port } = await postgres()
    await using database = await emptyDatabase()
    using proxy = new Proxy(port)
    const url = new URL(database.url)
    url.port = `${proxy.port}`
    const store = await PostgresStore.open(url.href)
    const rescue = new RescueAndStall(store, new LocalBus(), {
      stallAfterMs: 1e9,
      maxRescues: 5,
      onError: () => undefined,
    })
    try {
      const id = await added(store)
      const by = { worker: "w", token: "lease", leaseMs: LEASE_MS }
      await store.change(id, (stored, moment) => claimed(stored, by, moment))
      proxy.isClosed = isAway
      if (isAway) proxy.cut()
      const turn = isAway ? rescue.turn() : undefined
      await Bun.sleep(AWAY_MS)
      proxy.isClosed = false
      await turn
      await rescue.turn()
      // The control: without an outage the lease has run out.
      expect((await store.item(id)).status).toBe(isAway ? "processing" : "retrying")
    } finally {
      await store.close()
    }
  },
)
