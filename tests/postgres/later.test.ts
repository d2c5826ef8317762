import { setDefaultTimeout, test } from "bun:test"

import { storeContracts } from "../contracts/stores.ts"
import { openLaterStore } from "./open.ts"
import { whyNoPostgres } from "./server.ts"

setDefaultTimeout(30_000)

// While a fleet is upgraded, the version before runs on the database of the next one.
if (whyNoPostgres === undefined) {
  storeContracts("PostgresStore on the database of a later version", openLaterStore, () =>
    openLaterStore(undefined, undefined, true),
  )
} else {
  test.skip(`PostgresStore on the database of a later version: ${whyNoPostgres}`, () => undefined)
}
