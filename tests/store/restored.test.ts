import { expect, test } from "bun:test"
import { join } from "node:path"

import { copyDatabase } from "../../src/store/sqlite/backup.ts"
import { restoreDatabase } from "../../src/store/sqlite/restore.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { added, put } from "../contracts/store.contract.ts"
import { temporaryFolder } from "../server.ts"

test("after a restore the updates that are there are counted, and not the numbers that were passed over", async () => {
  using folder = temporaryFolder()
  const [path, backup] = [join(folder.path, "test.db"), join(folder.path, "backup.db")]
  const store = new SqliteStore(path)
  const id = await added(store)
  await put(store, id, { message: "kept" })
  copyDatabase(path, backup)
  for (const message of ["lost", "lost", "lost"]) await put(store, id, { message })
  await store.close()
  await restoreDatabase(path, backup)
  const restored = new SqliteStore(path)
  await put(restored, id, { message: "new" })
  const head = await restored.head()
  expect(head).toBeGreaterThan(5)
  expect(await restored.count(0, head)).toBe(3)
  expect(await restored.count(1, head)).toBe(2)
  expect(await restored.count(head - 1, head)).toBe(1)
  await restored.close()
})
