import { describe, expect, setDefaultTimeout, test } from "bun:test"

import { SQL } from "bun"

import { LocalBus } from "../../../src/bus/bus.ts"
import type { RolledBack } from "../../../src/store/contract/store.ts"
import { PostgresStore } from "../../../src/store/postgres/postgres.ts"
import { Broadcaster } from "../../../src/stream/broadcaster.ts"
import { isKept } from "../../../src/stream/gaps.ts"
import { ndjson } from "../../../src/stream/sse-ndjson-text.ts"
import { Streams } from "../../../src/stream/streams.ts"
import { Webhooks } from "../../../src/webhooks/webhooks.ts"
import { added, put } from "../../contracts/store.contract.ts"
import { Receiver } from "../../webhooks/scene.ts"
import { openStore } from "./open.ts"
import { whyNoPostgres } from "./server.ts"
import { withWrong } from "./several.ts"

setDefaultTimeout(180_000)

/**
 * The state of a database with one item and ten updates after a failover to a standby without the updates
 * after 7.
 */
const TAKE_BACK = `DELETE FROM updates WHERE id > 7; DELETE FROM groups;
  UPDATE queue_items SET version = version - 3, last_update_id = 7`

/** A database with one item and ten updates. The last three were taken back after `seenBy` had seen them. */
async function takenBack() {
  const opened = await openStore()
  const { store, url } = opened
  const reported: RolledBack[] = []
  const other = await PostgresStore.open(url, { onRolledBack: (back) => void reported.push(back) })
  const id = await added(store)
  for (let update = 2; update <= 10; update += 1) await put(store, id, { message: `before ${update}` })
  expect((await other.page({ after: 0, limit: 100 })).updates.length).toBe(10)
  const admin = new SQL({ url, max: 1 })
  return {
    store,
    other,
    url,
    id,
    reported,
    async takeBack(): Promise<void> {
      await admin.unsafe(TAKE_BACK).simple()
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([other.close(), admin.close({ timeout: 0 })])
      await opened[Symbol.asyncDispose]()
    },
  }
}

describe.skipIf(whyNoPostgres !== undefined)(
  `a database that has gone back (${whyNoPostgres ?? "real"})`,
  () => {
    test("gives no event ID twice: new ones begin above all that any instance has seen", async () => {
      await using opened = await takenBack()
      const { store, other, id } = opened
      await opened.takeBack()
      await put(store, id, { message: "after" })
      await put(other, id, { message: "after" })
      const { updates } = await other.page({ after: 0, limit: 100 })
      const [eighth = 0, ninth = 0] = updates.slice(7).map((update) => update.id)
      expect(updates.slice(0, 7).map((update) => update.id)).toEqual([1, 2, 3, 4, 5, 6, 7])
      expect(eighth).toBeGreaterThan(1_000_000)
      expect(ninth).toBe(eighth + 1)
      // Once, although it was the other one that noticed it.
      expect(opened.reported).toEqual([{ idsBeginAbove: eighth - 2, lost: { from: 8, to: 10 } }])
      expect((await store.item(id)).message).toBe("after")
      const lost = { after: 7, upTo: eighth - 2, reason: "rolled_back" }
      for (const one of [store, other]) {
        expect(await one.bounds()).toMatchObject({ oldest: 1, newest: ninth, lost: [lost], stored: 9 })
        // The event IDs that are left out are no updates.
        expect(await one.count(5, ninth)).toBe(4)
      }
    })

    test("is noticed by the first question for its bounds", async () => {
      await using opened = await takenBack()
      await opened.takeBack()
      const lost = [{ after: 7, upTo: 1_000_010, reason: "rolled_back" }]
      expect(await opened.other.bounds()).toMatchObject({ oldest: 1, newest: 1_000_011, lost, stored: 7 })
    })

    test("gives no item number twice, nor that of a token or a delivery, which is its name at the receiver", async () => {
      await using opened = await takenBack()
      const { store, url } = opened
      const token = { label: "", role: "viewer", item: null, expires_at: null } as const
      await opened.takeBack()
      // It knew none of the numbers that were given since.
      await using admin = new SQL({ url, max: 1 })
      await admin.unsafe("SELECT setval(name, 3) FROM unnest(ARRAY['queue_items_ids', 'tokens_ids']) name")
      expect(await added(store)).toBeGreaterThan(1_000_000)
      expect((await store.access.addToken({ ...token, hash: "h" })).id).toBeGreaterThan(1_000_000)
      const [row]: { is: number }[] = await admin.unsafe("SELECT nextval('deliveries_ids')::float8 AS is")
      expect(row?.is).toBeGreaterThan(1_000_000)
    })

    test("gives no number of a token or a delivery twice, although no item was written since", async () => {
      await using opened = await takenBack()
      const { store, other, url } = opened
      const token = { label: "", role: "viewer", item: null, expires_at: null } as const
      await store.deliveries.follow(["http://receiver"])
      await opened.takeBack()
      const ignorant = await PostgresStore.open(url)
      const first = await other.access.addToken({ ...token, hash: "1" })
      expect(first.id).toBeGreaterThan(1_000_000)
      await using admin = new SQL({ url, max: 1 })
      const takeOver = "UPDATE history SET timeline = timeline + 1"
      await admin.unsafe(takeOver)
      const second = await ignorant.access.addToken({ ...token, hash: "2" })
      expect(second.id).toBeGreaterThan(first.id + 1_000_000)
      await admin.unsafe(`${takeOver}; SELECT setval('deliveries_ids', 3)`).simple()
      const update = { id: 5_000_000, queue_id: 1, song_id: 1, status: "failed", data: "{}" } as const
      await ignorant.deliveries.add([{ notice: "failed", update }], update.id)
      const [delivery] = await ignorant.deliveries.take("http://receiver", 1, 1000)
      expect(delivery?.id).toBeGreaterThan(1_000_000)
      await ignorant.close()
    })

    test("is reported once, with what is lost, although it is a backup that knows nothing of an earlier takeover", async () => {
      await using opened = await takenBack()
      const { other, url, id, reported } = opened
      await using admin = new SQL({ url, max: 1 })
      await admin.unsafe("UPDATE history SET timeline = timeline + 1")
      await put(other, id, { message: "after a takeover" })
      const backup =
        "UPDATE history SET floor = 0, restored_id = NULL, resumed_id = 0, lost = '{}'; DELETE FROM updates WHERE id > 10"
      await admin.unsafe(`${backup}; ${TAKE_BACK}`).simple()
      await put(other, id, { message: "after a backup was put back" })
      expect(reported).toEqual([
        { idsBeginAbove: 1_000_010, lost: null },
        { idsBeginAbove: 2_000_012, lost: { from: 8, to: 1_000_012 } },
      ])
    })

    test("has other tokens than before, although it has as many", async () => {
      await using opened = await takenBack()
      const { store, url } = opened
      const { access } = store
      const token = { label: "", role: "viewer", item: null, expires_at: null } as const
      await using admin = new SQL({ url, max: 1 })
      const [kept, lost] = [
        await access.addToken({ ...token, hash: "0" }),
        await access.addToken({ ...token, hash: "1" }),
      ]
      const versions = [await access.version()]
      await admin.unsafe("DELETE FROM tokens WHERE id = $1", [lost.id])
      const other = await access.addToken({ ...token, hash: "2" })
      versions.push(await access.version())
      await access.revokeToken(kept.id)
      versions.push(await access.version())
      // Another token has ended, at the same time.
      const moved =
        "UPDATE tokens t SET revoked_at = (SELECT max(revoked_at) FROM tokens WHERE t.id = $1::int8)"
      await admin.unsafe(moved, [other.id])
      versions.push(await access.version())
      expect(new Set(versions).size).toBe(4)
    })

    test("calls webhooks for what it has kept, although it has lost their deliveries", async () => {
      await using opened = await takenBack()
      const { store, url, id } = opened
      using receiver = new Receiver()
      receiver.answer = () => new Response("no", { status: 503 })
      const bus = new LocalBus()
      const ignored = (): void => undefined
      const webhooks = new Webhooks(store, store.deliveries, bus, {
        ...{
          urls: [receiver.url],
          secret: undefined,
          userAgent: "test",
          now: store.clock.now,
          random: () => 0.5,
        },
        ...{ onError: ignored, onFailing: ignored, onRecovered: ignored, onGivenUp: ignored },
      })
      await webhooks.start()
      await put(store, id, { status: "failed" })
      bus.notify()
      await receiver.asked(1)
      await using admin = new SQL({ url, max: 1 })
      const lose =
        "DELETE FROM deliveries; UPDATE webhooks SET cursor = 10; UPDATE history SET timeline = timeline + 1"
      await admin.unsafe(lose).simple()
      await added(store)
      bus.notify()
      await receiver.asked(2)
      expect(receiver.ids).toEqual([expect.stringMatching(/^11-/), receiver.ids[0]])
      await webhooks.stop()
    })

    test("is decided on as it is now, although an item has the version that another server remembers", async () => {
      await using opened = await takenBack()
      const { store, other, id } = opened
      await opened.takeBack()
      for (const path of ["1", "2", "3"]) await put(other, id, { thumbnail_path: path })
      // Only by this it learns that the database has gone back.
      await added(store)
      await put(store, id, { title: "new" })
      expect(await other.item(id)).toMatchObject({ title: "new", thumbnail_path: "3" })
    })

    test("control: a server that has seen nothing gives the lost event IDs again", async () => {
      await using opened = await takenBack()
      const { url, id } = opened
      await opened.takeBack()
      const ignorant = await PostgresStore.open(url)
      await put(ignorant, id, { message: "after" })
      expect(await ignorant.head()).toBe(8)
      await ignorant.close()
    })

    test("gives no event ID twice after another server has taken over, although no instance is left that knew them", async () => {
      await using opened = await takenBack()
      const { store, other, url, id } = opened
      const reportedLate: RolledBack[] = []
      const cutOff = await PostgresStore.open(url, {
        onRolledBack: (back) => void reportedLate.push(back),
      })
      await cutOff.page({ after: 0, limit: 100 })
      await opened.takeBack()
      const reported: RolledBack[] = []
      const ignorant = await PostgresStore.open(url, {
        onRolledBack: (back) => void reported.push(back),
      })
      await put(ignorant, id, { message: "before" })
      await using admin = new SQL({ url, max: 1 })
      // A standby that takes over is on another timeline than the one that it has received.
      await admin.unsafe("UPDATE history SET timeline = timeline + 1")
      await put(ignorant, id, { message: "after" })
      expect(await ignorant.head()).toBe(1_000_010)
      expect(reported).toEqual([{ idsBeginAbove: 1_000_008, lost: null }])
      const lost = { after: 8, upTo: 1_000_008, reason: "rolled_back" }
      expect(await ignorant.bounds()).toMatchObject({ lost: [lost], stored: 9 })
      // Once. The one that has seen more than the one that noticed it knows what is lost.
      await put(other, id, { message: "later" })
      expect(await other.head()).toBe(1_000_011)
      expect(opened.reported).toEqual([{ idsBeginAbove: 1_000_008, lost: { from: 9, to: 10 } }])
      // After the next takeover what was given since the first one is kept: viewers of it resume.
      await admin.unsafe("UPDATE history SET timeline = timeline + 1")
      await Promise.all([put(ignorant, id, { message: "1" }), put(store, id, { message: "2" })])
      const bounds = await ignorant.bounds()
      const next = { after: 1_000_011, upTo: 2_000_011, reason: "rolled_back" }
      expect(bounds).toMatchObject({ newest: 2_000_014, lost: [lost, next], stored: 12 })
      const kept = [8, 9, 1_000_008, 1_000_009, 1_000_011, 1_000_012].filter((seen) => isKept(seen, bounds))
      expect(kept).toEqual([8, 1_000_009, 1_000_011])
      // One that was cut off all the while knows what the first one has lost.
      await put(cutOff, id, { message: "at last" })
      expect(reportedLate).toEqual([{ idsBeginAbove: 2_000_011, lost: { from: 9, to: 10 } }])
      await Promise.all([ignorant.close(), cutOff.close()])
    })

    test("is not suspected while the server does not say on which timeline it is", async () => {
      await using opened = await takenBack()
      const { store, url, id } = opened
      await using admin = new SQL({ url, max: 1 })
      const [row]: { is: string }[] = await admin.unsafe(
        "SELECT pg_get_functiondef('database_timeline'::regproc) AS is",
      )
      const silent =
        "CREATE OR REPLACE FUNCTION database_timeline() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT 0::int8'"
      await withWrong(admin, silent, row?.is ?? "", async () => {
        await put(store, id, { message: "after" })
        expect(await store.bounds()).toMatchObject({ newest: 11, lost: [] })
        await opened.takeBack()
        await put(store, id, { message: "after" })
      })
      await put(store, id, { message: "later" })
      const lost = [{ after: 7, upTo: 1_000_011, reason: "rolled_back" }]
      expect(await store.bounds()).toMatchObject({ newest: 1_000_014, lost })
    })

    test("may be informed of a backup that was put back, by the statement of the documentation", async () => {
      await using opened = await takenBack()
      const { store, url, id } = opened
      await opened.takeBack()
      const [, statement = ""] = /```sql\n(.*?)```/s.exec(await Bun.file("docs/fleet.md").text()) ?? []
      const admin = new SQL({ url, max: 1 })
      await admin.unsafe(statement)
      await admin.close()
      await put(store, id, { message: "after" })
      const lost = { after: 7, upTo: 1_000_007, reason: "rolled_back" } as const
      expect(await store.bounds()).toEqual({ oldest: 1, newest: 1_000_009, lost: [lost], stored: 8 })
    })

    test("is reported to open streams by a gap, before and after new updates, and to those that come back", async () => {
      await using opened = await takenBack()
      const { store, id } = opened
      const bus = new LocalBus()
      const fail = (error: unknown): void => expect(error).toBeUndefined()
      const broadcaster = new Broadcaster(store, bus, { keepaliveMs: 50_000, onError: fail })
      const streams = new Streams(store, broadcaster, { maxLag: 0, random: () => 0.5, onError: fail })
      const leave = new AbortController()
      const common = { snapshot: true, untilFinished: false, format: ndjson, signal: leave.signal }
      const stream = await streams.open({ ...common, lastEventId: "9" })
      const next = async (from = stream): Promise<string> => {
        const { value, done = true } = (await from?.next()) ?? {}
        return done || typeof value === "string" ? "over" : new TextDecoder().decode(value)
      }
      expect(await next()).toMatch(/^{"id":10,.*\n{"event":"live","last_event_id":10,/)
      await opened.takeBack()
      bus.notify()
      expect(await next()).toMatch(
        /^{"event":"gap","reason":"rolled_back","last_event_id":10,"missed":null}\n{"id":7,.*\n{"event":"live","last_event_id":1000011,/,
      )
      await put(store, id, { message: "after" })
      bus.notify()
      expect(await next()).toMatch(/^{"id":1000012,.*"after".*\n$/)
      const back = await streams.open({ ...common, lastEventId: "10" })
      expect(await next(back)).toMatch(
        /"gap","reason":"rolled_back","last_event_id":10,.*\n{"id":1000012,.*\n{"event":"live"/,
      )
      leave.abort()
      broadcaster.drain()
    })
  },
)
