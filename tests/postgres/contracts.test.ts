import { setDefaultTimeout, test } from "bun:test"

import { storeAccess } from "../contracts/access.contract.ts"
import { storeDeliveries } from "../contracts/deliveries.contract.ts"
import { storeFigures } from "../contracts/figures.contract.ts"
import { storeReads } from "../contracts/history.contract.ts"
import { storeInstances } from "../contracts/instances.contract.ts"
import { storeOutputs } from "../contracts/outputs.contract.ts"
import { storeRuns } from "../contracts/runs.contract.ts"
import { storeOnePerSong } from "../contracts/song.contract.ts"
import { storeWrites } from "../contracts/store.contract.ts"
import { storeUpkeep } from "../contracts/upkeep.contract.ts"
import { storeWork } from "../contracts/work.contract.ts"
import { openStore } from "./open.ts"
import { whyNoPostgres } from "./server.ts"

setDefaultTimeout(30_000)

if (whyNoPostgres === undefined) {
  for (const contract of [
    storeWrites,
    storeReads,
    storeWork,
    storeDeliveries,
    storeAccess,
    storeUpkeep,
    storeRuns,
    storeFigures,
    storeOutputs,
    storeInstances,
  ])
    contract("PostgresStore", openStore)
  storeOnePerSong("PostgresStore", () => openStore(undefined, undefined, true))
} else {
  test.skip(`PostgresStore: ${whyNoPostgres}`, () => undefined)
}
