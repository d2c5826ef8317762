import { expect } from "bun:test"

import { claimed } from "../../src/item/lease.ts"
import type { Store } from "../../src/store/contract/store.ts"
import { added, put, START_MS } from "./store.contract.ts"

const URL = "https://one.example/hook"
const at = (ms: number): string => new Date(START_MS + ms).toISOString()
const REPORT = { name: "one", version: "1", address: "", since: at(0), streams: 0, crew: [] }
const RUN = { kind: "k", look: "k", worker: "w", queue_id: 1, seconds: 1, steps: [], ended_at: at(0) }

/** The writes of a store that return nothing of the item which they change, by name, in an order in which each can be made. */
async function writesOf(store: Store): Promise<readonly (readonly [string, () => Promise<unknown>])[]> {
  const { access, deliveries, runs, upkeep, instances } = store
  const id = await added(store)
  const by = { worker: "w", token: "lease", leaseMs: 60_000 }
  await store.change(id, (stored, moment) => claimed(stored, by, moment))
  const token = { hash: "aa", label: "", role: "worker", item: null, expires_at: null } as const
  const { id: holder } = await access.addToken(token)
  const ticket = { hash: "t", token_id: holder, method: "GET", path: "/", use_by: at(1), expires_at: at(1) }
  const settled = { status: "delivered", nextAttemptAt: null, answer: 200, error: "" } as const
  await deliveries.follow([URL])
  const failed = await added(store)
  await put(store, failed, { status: "failed" })
  const { update } = await store.latestOfItem(failed)
  await deliveries.add([{ notice: "failed", update }], update.id)
  const [delivery] = await deliveries.take(URL, 1, 60_000)
  const deliveryId = delivery?.id ?? 0
  return [
    ["pause", () => store.pause()],
    ["resume", () => store.resume()],
    ["deliveries.follow", () => deliveries.follow([URL, `${URL}/2`])],
    ["deliveries.add", () => deliveries.add([], update.id + 1)],
    ["deliveries.settle", () => deliveries.settle(deliveryId, settled)],
    ["access.useTokens", () => access.useTokens([holder])],
    ["access.addTicket", () => access.addTicket(ticket)],
    ["access.useTicket", () => access.useTicket("t")],
    ["access.endLeases", () => access.endLeases(holder)],
    ["access.revokeToken", () => access.revokeToken(holder)],
    ["runs.addLearned", () => runs.addLearned([RUN])],
    ["runs.forget", () => runs.forget("k")],
    ["upkeep.passMinutes", () => upkeep.passMinutes(60)],
    ["upkeep.beginsAt", () => upkeep.beginsAt(0)],
    ...(access.isShared ? ([["instances.write", () => instances.write(REPORT)]] as const) : []),
  ]
}

/**
 * Checks that no write of a store is answered before it is stored. `hold` keeps the database from storing anything, and
 * returns what resolves once the database has been asked for a write, and what lets it go on.
 */
export async function answeredOnceStored(
  store: Store,
  hold: () => Promise<{ readonly asked: () => Promise<void>; readonly letGo: () => Promise<void> }>,
): Promise<void> {
  for (const [name, write] of await writesOf(store)) {
    const { asked, letGo } = await hold()
    let isAnswered = false
    const answer = write().finally(() => (isAnswered = true))
    await asked()
    await new Promise(setImmediate)
    expect(isAnswered && name).toBe(false)
    await letGo()
    await answer
  }
}
