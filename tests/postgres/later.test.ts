import { setDefaultTimeout, test } from "bun:test"

import { storeAccess } from "../contracts/access.contract.ts"
import { storeDeliveries } from "../contracts/deliveries.contract.ts"
import { storeOutputs } from "../contracts/outputs.contract.ts"
import { storeRuns } from "../contracts/runs.contract.ts"
import { storeWrites } from "../contracts/store.contract.ts"
import { openLaterStore } from "./open.ts"
import { whyNoPostgres } from "./server.ts"

setDefaultTimeout(30_000)

// While a fleet is upgraded, the version before runs on the database of the next one.
if (whyNoPostgres === undefined) {
  for (const contract of [storeWrites, storeAccess, storeDeliveries, storeOutputs, storeRuns])
    contract("PostgresStore on the database of a later version", openLaterStore)
} else {
  test.skip(`PostgresStore on the database of a later version: ${whyNoPostgres}`, () => undefined)
}
