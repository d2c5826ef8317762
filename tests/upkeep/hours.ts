import type { Store } from "../../src/store/contract/store.ts"

/** Has servers run on a store for so many hours, as far as it knows. */
export async function pass({ upkeep }: Pick<Store, "upkeep">, hours: number): Promise<void> {
  for (let hour = 0; hour < hours; hour += 1) await upkeep.passMinutes(60)
}
