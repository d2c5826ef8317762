import { join } from "node:path"

import { SqliteStore } from "../../../src/store/sqlite/sqlite.ts"
import type { OpenStore } from "../../contracts/store.contract.ts"
import { temporaryFolder } from "../../server.ts"

/** A store on a new file, with the path of that file. */
export async function openSqlite(
  now?: () => number,
  steadyMs = now,
  onePerSong = false,
): Promise<OpenStore & { store: SqliteStore; path: string }> {
  const folder = temporaryFolder()
  const path = join(folder.path, "test.db")
  const store = new SqliteStore(path, now && steadyMs && (() => ({ now, steadyMs })), { onePerSong })
  return {
    store,
    path,
    async [Symbol.asyncDispose]() {
      await store.close()
      folder[Symbol.dispose]()
    },
  }
}
