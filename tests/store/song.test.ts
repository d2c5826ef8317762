import { join } from "node:path"

import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { storeOnePerSong } from "../contracts/song.contract.ts"
import { temporaryFolder } from "../server.ts"

storeOnePerSong("SqliteStore", async () => {
  const folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"), undefined, { onePerSong: true })
  return {
    store,
    async [Symbol.asyncDispose]() {
      await store.close()
      folder[Symbol.dispose]()
    },
  }
})
