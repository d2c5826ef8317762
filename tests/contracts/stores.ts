import { storeAccess } from "./access.contract.ts"
import { storeDeliveries } from "./deliveries.contract.ts"
import { storeFigures } from "./figures.contract.ts"
import { storeReads } from "./history.contract.ts"
import { storeInstances } from "./instances.contract.ts"
import { storeOutages } from "./outages.contract.ts"
import { storeOutputs } from "./outputs.contract.ts"
import { storeRepeatedClaims } from "./repeated-claims.contract.ts"
import { storeRuns } from "./runs.contract.ts"
import { storeOnePerSong } from "./song.contract.ts"
import { type Open, type OpenStore, storeWrites } from "./store.contract.ts"
import { storeUpkeep } from "./upkeep.contract.ts"
import { storeWork } from "./work.contract.ts"

/** All contracts of a store. `openOnePerSong` opens a store that renders only one item per song at a time. */
export function storeContracts(name: string, open: Open, openOnePerSong: () => Promise<OpenStore>): void {
  for (const contract of [
    storeWrites,
    storeReads,
    storeWork,
    storeRepeatedClaims,
    storeOutages,
    storeDeliveries,
    storeAccess,
    storeUpkeep,
    storeRuns,
    storeFigures,
    storeOutputs,
    storeInstances,
  ])
    contract(name, open)
  storeOnePerSong(name, openOnePerSong)
}
