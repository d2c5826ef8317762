import type { Store } from "../../src/store/contract/store.ts"

/** Lets servers run on a store for this many hours, as far as the store knows. */
export async function pass({ upkeep }: Pick<Store, "upkeep">, hours: number): Promise<void> {
  for (let hour = 0; hour < hours; hour += 1) await upkeep.passMinutes(60)
}
