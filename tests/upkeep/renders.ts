import { created } from "../../src/item/add-cancel-retry-delete.ts"
import type { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { put } from "../contracts/store.contract.ts"

/** How many songs a busy machine renders per day. */
export const RENDERS_A_DAY = 20

/** The renders of one day with this many reports each, all at once, so that they share their commits. */
export async function renderDay(store: SqliteStore, reports: number): Promise<void> {
  await Promise.all(
    Array.from({ length: RENDERS_A_DAY }, async (_, song) => {
      const { item } = await store.add((moment) => created({ song_id: song + 1, title: "A song" }, moment))
      await put(store, item.id, { status: "processing" })
      for (let i = 1; i <= reports; i += 1) await put(store, item.id, { message: `frame ${i} of ${reports}` })
      await put(store, item.id, { status: "completed" })
    }),
  )
}
