import { Database } from "bun:sqlite"
import { expect, setDefaultTimeout, test } from "bun:test"

import { added, codeOf, put } from "../../contracts/store.contract.ts"
import { Faults } from "./faults.ts"
import { openSqlite } from "./open.ts"

setDefaultTimeout(180_000)

test("an item that was written lately is looked at without reading it again, and another one is read", async () => {
  await using opened = await openSqlite()
  const { store } = opened
  const id = await added(store)
  await put(store, id, { title: "first" })
  const first = await store.stored(id)
  expect(await store.stored(id)).toBe(first)
  await put(store, id, { title: "later" })
  expect(await store.stored(id)).not.toBe(first)
  expect((await store.stored(id)).item).toEqual(await store.item(id))
  expect(await codeOf(store.stored(id + 1))).toBe("not_found")
})

test("a look sees at once what another program has written", async () => {
  await using opened = await openSqlite()
  const { store, path } = opened
  const id = await added(store, { title: "ours" })
  await put(store, id, { message: "kept in memory" })
  using other = new Database(path)
  other.run("UPDATE queue_items SET title = 'theirs' WHERE id = ?", [id])
  expect((await store.stored(id)).item).toMatchObject({ title: "theirs", message: "kept in memory" })
})

test("a look never sees what was not stored, even at the moment at which its commit has failed", async () => {
  using faults = new Faults()
  await using opened = await openSqlite()
  const { store } = opened
  const id = await added(store, { title: "stored" })
  faults.break()
  // The writes share a commit, and the first of them is the first to learn that it failed.
  const looked = store.pause().then(
    () => undefined,
    () => store.stored(id),
  )
  expect(await codeOf(put(store, id, { title: "not stored" }))).toBe("unavailable")
  faults.mend()
  expect((await looked)?.item.title).toBe("stored")
})
