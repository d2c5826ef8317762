import { expect, setDefaultTimeout, test } from "bun:test"

import { SQL } from "bun"

import { added } from "../../contracts/store.contract.ts"
import { storeContracts } from "../../contracts/stores.ts"
import { PROVE } from "../../proof.ts"
import { openLaterStore } from "./open.ts"
import { whyNoPostgres } from "./server.ts"
import { withWrong } from "./several.ts"

setDefaultTimeout(180_000)

// While a fleet is upgraded, the former version runs on the database of the next one. The contracts take more than a
// minute, so they are part of the proof.
if (whyNoPostgres === undefined) {
  if (PROVE) {
    storeContracts("PostgresStore on the database of a later version", openLaterStore, () =>
      openLaterStore(undefined, undefined, true),
    )
  }
  test("control: a later version that does more than add would stop the version before", async () => {
    await using opened = await openLaterStore()
    await using client = new SQL({ url: opened.url, max: 1 })
    const wrong = "ALTER TABLE queue_items ADD COLUMN must_be_given text NOT NULL"
    await withWrong(client, wrong, "ALTER TABLE queue_items DROP COLUMN must_be_given", async () => {
      await expect(added(opened.store)).rejects.toThrow("23502")
    })
    expect(await added(opened.store)).toBeGreaterThan(0)
  })
} else {
  test.skip(`PostgresStore on the database of a later version: ${whyNoPostgres}`, () => undefined)
}
