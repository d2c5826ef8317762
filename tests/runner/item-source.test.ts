import { expect, test } from "bun:test"

import { type Client, type Held, ServerError } from "../../src/client/client.ts"
import { blank } from "../../src/item/blank-item.ts"
import { claiming } from "../../src/runner/item-source.ts"

const ITEM = { id: 7, ...blank(1, "2026-01-02T03:04:05.678Z") }
const KEPT: Held = { id: 7, token: "kept" }
const known = { kind: "song", totals: { frames: 3 } }

/**
 * A source with a server that answers heartbeats and claims as the test decides, and the requests to that
 * server.
 */
function source(kept: Held | undefined, answers: Partial<Record<"heartbeat" | "take", () => object>>) {
  const asked: unknown[] = []
  const client: unknown = {
    heartbeat: async ({ token }: Held) => {
      asked.push(["heartbeat", token])
      return answers.heartbeat?.() ?? { item: { ...ITEM, message: "renewed" } }
    },
    take: async (id: number, request: object, former?: Held) => {
      asked.push(["take", id, request, former?.token])
      return answers.take?.() ?? { item: ITEM, lease: { token: "new" } }
    },
  }
  // Taking the lease removes it from where it was kept.
  const left = [kept]
  const find = async (): Promise<number> => {
    asked.push(["find"])
    return 7
  }
  const finding = { name: "--item 7", find, kept: () => left.shift() }
  return { asked, source: claiming(client as Client, { worker: "box", leaseS: 60, known }, finding) }
}

const refuse =
  (status: number, code: string, message = "refused") =>
  (): never => {
    throw new ServerError(status, message, { code })
  }

test("an item whose lease an earlier step kept goes on by that lease, and is not claimed", async () => {
  const { asked, source: one } = source(KEPT, {})
  expect(one.isContinued()).toBe(false)
  expect(await one.first()).toEqual(KEPT)
  expect([one.isContinued(), one.item()?.message]).toEqual([true, "renewed"])
  expect(asked).toEqual([["find"], ["heartbeat", "kept"]])
})

test("without a kept lease, or once it is lost, the item is claimed, and begins", async () => {
  const request = { worker: "box", lease: 60, ...known }
  const none = source(undefined, {})
  expect(none.source.item()).toBeUndefined()
  expect(await none.source.first()).toEqual({ id: 7, token: "new" })
  expect([none.source.isContinued(), none.source.item()]).toEqual([false, ITEM])
  expect(none.asked).toEqual([["find"], ["take", 7, request, undefined]])
  const lost = source(KEPT, { heartbeat: refuse(409, "lease_lost") })
  expect(await lost.source.first()).toEqual({ id: 7, token: "new" })
  expect([lost.source.isContinued(), lost.source.item()]).toEqual([false, ITEM])
  expect(lost.asked).toEqual([["find"], ["heartbeat", "kept"], ["take", 7, request, "kept"]])
})

test("while it is not known whether the kept lease holds, nothing is claimed, and it is asked again", async () => {
  let isAway = true
  const { asked, source: one } = source(KEPT, {
    heartbeat: () => (isAway ? refuse(0, "unreachable")() : { item: ITEM }),
  })
  await expect(one.first()).rejects.toThrow("refused")
  isAway = false
  expect(await one.first()).toEqual(KEPT)
  // To find it may mean to add it.
  expect(asked).toEqual([["find"], ["heartbeat", "kept"], ["heartbeat", "kept"]])
})

test("a server of an earlier version is sent no keys that it does not know", async () => {
  let requests = 0
  const { asked, source: one } = source(undefined, {
    take: () => {
      requests += 1
      if (requests === 1) refuse(422, "invalid", 'the body has the unknown key "kind"')()
      return { item: ITEM, lease: { token: "new" } }
    },
  })
  await one.first()
  expect(asked.at(-1)).toEqual(["take", 7, { worker: "box", lease: 60 }, undefined])
})
