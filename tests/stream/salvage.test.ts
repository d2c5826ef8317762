import { expect, test } from "bun:test"
import { readFileSync, writeFileSync } from "node:fs"

import { Reader } from "../reader.ts"
import { start } from "../server.ts"

const PAGE_BYTES = 4096

/** Overwrites the pages of a database in which this text stands, as a failing disk may. */
function damage(database: string, text: string): void {
  const bytes = readFileSync(database)
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) {
    const from = at - (at % PAGE_BYTES)
    bytes.fill(0xff, from, from + PAGE_BYTES)
  }
  writeFileSync(database, bytes)
}

test("a damaged page in the middle of the history is told as a gap, and all other updates are sent", async () => {
  await using whole = await start()
  const id = await whole.add()
  for (let update = 2; update <= 200; update += 1) {
    await whole.put(id, { message: `update ${update} ${".".repeat(300)}` })
  }
  await whole.end()
  damage(whole.database, "update 100 ")
  await using server = await start({ database: whole.database })
  for (const path of ["/progress/stream", "/progress/stream/1"]) {
    const reader = await Reader.open(`${server.url}/api/v1${path}?last_event_id=0`)
    await reader.first("live")
    const seen = reader.seen.filter(({ event }) => event !== "live")
    const at = seen.findIndex(({ event }) => event === "gap")
    const { reason, last_event_id, missed } = seen[at]?.data ?? {}
    const before = seen.slice(0, at).map(({ id }) => id)
    const after = seen.slice(at + 1).map(({ id }) => id)
    const lost = 200 - before.length - after.length
    expect([reason, last_event_id]).toEqual(["unreadable", before.at(-1)])
    expect(missed).toBe(path === "/progress/stream" ? lost : null)
    expect(lost).toBeWithin(1, 20)
    expect(before).toEqual(Array.from({ length: before.length }, (_, i) => i + 1))
    expect(after).toEqual(Array.from({ length: after.length }, (_, i) => before.length + lost + i + 1))
    expect(before.length + lost).toBeGreaterThanOrEqual(100)
    expect(before.length).toBeLessThan(100)
  }
  const health: object = await (await fetch(`${server.url}/health`)).json()
  expect(health).toMatchObject({ status: "degraded", reasons: ["history_unreadable"] })
}, 30_000)

test("an open item whose latest update cannot be read is told as a gap, and every other item is shown", async () => {
  await using whole = await start()
  for (let item = 1; item <= 80; item += 1) {
    await whole.add({ song_id: item, title: `item ${item} ${".".repeat(300)}` })
  }
  await whole.end()
  // As it stands in an update, and not in the row of the item.
  damage(whole.database, '"title":"item 40 ')
  await using server = await start({ database: whole.database })
  const reader = await Reader.open(`${server.url}/api/v1/progress/stream`)
  await reader.first("live")
  const [gap] = reader.seen.filter(({ event }) => event === "gap")
  expect(gap?.data).toMatchObject({ reason: "unreadable" })
  expect(reader.updates.length).toBeWithin(60, 80)
}, 30_000)
