import { expect, setDefaultTimeout, test } from "bun:test"

import { PostgresConnections } from "../../../src/store/postgres/connections.ts"
import { DatabaseClock } from "../../../src/store/postgres/database-clock.ts"
import { DoubleWriteFence } from "../../../src/store/postgres/double-write-fence.ts"
import { pool } from "../../../src/store/postgres/pool-settings.ts"
import { RolledBackCheck } from "../../../src/store/postgres/rolled-back-database.ts"
import { postgres, whyNoPostgres } from "./server.ts"

setDefaultTimeout(180_000)

test.skipIf(whyNoPostgres !== undefined)(
  "a transaction begins again after a statement in it has failed, as after a lock that was not given",
  async () => {
    const { url } = await postgres()
    const link = new PostgresConnections({
      open: (onReopened) => pool(url("postgres"), 1, onReopened),
      onDoubt: () => undefined,
    })
    const ignore = (): void => undefined
    const fence = new DoubleWriteFence(link, new RolledBackCheck(0, ignore), new DatabaseClock(ignore))
    await fence.begin()
    await expect(link.ask("SELECT 1 / 0")).rejects.toThrow()
    // The control: PostgreSQL does nothing else in such a transaction.
    await expect(link.ask("BEGIN")).rejects.toThrow()
    await fence.begin()
    expect(await link.ask<{ n: number }>("SELECT 1 AS n")).toEqual([{ n: 1 }])
    await fence.rollBack()
    await link.close()
  },
)
