import { expect, setDefaultTimeout, test } from "bun:test"

import { PostgresStore } from "../../../src/store/postgres/postgres.ts"
import { under } from "../../contracts/repeated-claims.contract.ts"
import { added } from "../../contracts/store.contract.ts"
import { whyNoPostgres } from "./server.ts"
import { atOnce, rescue, taking, together } from "./several.ts"

setDefaultTimeout(180_000)

const withPostgres = test.skipIf(whyNoPostgres !== undefined)

withPostgres("a claim that is repeated at another instance gets the same item and lease", async () => {
  await using opened = await together(2)
  const { one, two, url } = opened
  const [first, second] = [await added(one), await added(one)]
  await one.claim([], taking("a"), under("one"))
  const again = await two.claim([], taking("b"), under("one"))
  expect([again?.item.id, again?.work.lease_token]).toEqual([first, "a"])
  const third = await PostgresStore.open(url)
  expect((await third.claim([], taking("c"), under("one")))?.work.lease_token).toBe("a")
  await third.close()
  await one.change(first, rescue)
  await two.change(first, taking("other"))
  expect((await two.claim([], taking("d"), under("one")))?.item.id).toBe(second)
  expect((await one.claim([], taking("e"), under("one")))?.work.lease_token).toBe("d")
})

withPostgres("claims of one key that are stored at once by two instances take one item", async () => {
  await using opened = await together(2)
  const { one, two, client } = opened
  const first = await added(one, { priority: 1 })
  // The two instances find different items, so that neither item keeps the other claim out.
  const other = await added(one, { tags: ["two"], priority: 9 })
  const claims = await atOnce(client, 2, () =>
    Promise.all([one.claim([], taking("a"), under("one")), two.claim(["two"], taking("b"), under("one"))]),
  )
  const [id, same] = claims.map((change) => change?.item.id)
  expect(same).toBe(id)
  expect(claims[0]?.work.lease_token).toBe(claims[1]?.work.lease_token ?? "")
  const left = id === first ? other : first
  expect((await one.item(left)).status).toBe("queued")
})
