import { SqliteStore } from "../../../src/store/sqlite/sqlite.ts"
import { added } from "../../contracts/store.contract.ts"

/** Makes a database with items, some of which are being worked on under leases that have run out. */
const store = new SqliteStore(process.argv[2] ?? "")
const ids = await Promise.all(
  Array.from({ length: 400 }, (_, i) => added(store, { title: `Song ${i} ${"x".repeat(200)}` })),
)
await Promise.all(
  ids.slice(0, 40).map((id) =>
    store.change(id, ({ item, work }) => ({
      item: { ...item, status: "processing", attempt: 1 },
      work: { ...work, lease_token: `token ${id}`, lease_ms: 1000, lease_expires_at: 1 },
    })),
  ),
)
await store.close()
