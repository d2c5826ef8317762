import { setDefaultTimeout } from "bun:test"

import { storeContracts } from "../../contracts/stores.ts"
import { openSqlite } from "./open.ts"

setDefaultTimeout(180_000)

storeContracts("SqliteStore", openSqlite, () => openSqlite(undefined, undefined, true))
