import type { Bus } from "../bus/bus.ts"
import type { Reasons } from "../degraded-reasons.ts"
import type { RefuseWhenFull } from "../queue/refuse-when-full.ts"
import type { ServeSettings } from "../settings/read-settings.ts"
import type { Store } from "../store/contract/store.ts"
import { Retention } from "../upkeep/retention.ts"
import { SizeLimit } from "../upkeep/size-limit.ts"
import { logged } from "./error-log.ts"

/** Removes what is older than the configuration says. */
export function retentionOf(
  { retainUpdates, retainPerItem, retainItems }: ServeSettings,
  store: Store,
  bus: Bus,
): Retention {
  return new Retention(store.upkeep, store, bus, {
    updatesMs: retainUpdates,
    perItem: retainPerItem,
    itemsMs: retainItems,
    now: store.clock.now,
    awayMs: () => store.outages.lastMs,
    sleep: Bun.sleep,
    onError: logged("old updates could not be removed"),
  })
}

/** Keeps the database below the size that the configuration says, and notes when it fills. */
export function sizeLimitOf(
  { maxDatabaseMb }: ServeSettings,
  store: Store,
  bus: Bus,
  { room, reasons }: { readonly room: RefuseWhenFull; readonly reasons: Reasons },
): SizeLimit {
  const limit = new SizeLimit(store.upkeep, store, bus, {
    mostBytes: maxDatabaseMb * 1e6,
    now: store.clock.now,
    sleep: Bun.sleep,
    onLook(fill) {
      room.isFarTooLarge = fill === "far too large"
      room.isFull = fill === "full" || room.isFarTooLarge
      reasons.set("database_filling", fill === "near")
      reasons.set("database_full", room.isFull)
    },
    onFilled() {
      room.isFull = true
    },
    onError: logged("the size of the database could not be checked"),
  })
  if (maxDatabaseMb > 0) room.onCommit = () => void limit.committed()
  return limit
}
