import { join } from "node:path"

import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { storeOutputs } from "../contracts/outputs.contract.ts"
import { temporaryFolder } from "../server.ts"

storeOutputs("SqliteStore", async (now, steadyMs = now) => {
  const folder = temporaryFolder()
  const clock = now && steadyMs && (() => ({ now, steadyMs }))
  const store = new SqliteStore(join(folder.path, "test.db"), clock)
  return {
    store,
    async [Symbol.asyncDispose]() {
      await store.close()
      folder[Symbol.dispose]()
    },
  }
})
