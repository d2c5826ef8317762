import { setDefaultTimeout, test } from "bun:test"

import { storeContracts } from "../../contracts/stores.ts"
import { openStore } from "./open.ts"
import { whyNoPostgres } from "./server.ts"

setDefaultTimeout(180_000)

if (whyNoPostgres === undefined) {
  storeContracts("PostgresStore", openStore, () => openStore(undefined, undefined, true))
} else {
  test.skip(`PostgresStore: ${whyNoPostgres}`, () => undefined)
}
