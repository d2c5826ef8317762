import { expect, test } from "bun:test"

import { Broadcaster } from "../../src/stream/broadcaster.ts"
import { Order } from "./orders.ts"

// The compiled binary is not used here, so the run against it need not repeat everything.
const most = process.env["TRACK_STUDIO_BINARY"] ? 10_000 : 100_000
const ORDERS = Number(process.env["ORDERS"] ?? (process.env["TRACK_STUDIO_PROVE"] ? 2_000_000 : most))
const FIRST_SEED = Number(process.env["SEED"] ?? 1)

/** The first seed whose order goes wrong, and the fault; undefined if none of this many does. */
function firstFailure(orders: number, Kind: typeof Broadcaster): string | undefined {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + orders; seed += 1) {
    try {
      new Order(seed, Kind).run()
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      return `SEED=${seed} ORDERS=1 goes wrong: ${text}`
    }
  }
  return undefined
}

/**
 * The mistake that once lost updates: a keepalive or a question in the middle of a fan-out skipped the batch.
 */
class Careless extends Broadcaster {
  override get examined(): number {
    return this.head
  }
}

test("in any order of writes, slices, keepalives, questions, full sockets and drains no stream loses or doubles an update", () => {
  const startedMs = performance.now()
  expect(firstFailure(ORDERS, Broadcaster)).toBeUndefined()
  const seconds = (performance.now() - startedMs) / 1000
  console.log(`${ORDERS} orders from seed ${FIRST_SEED} in ${seconds.toFixed(1)} s`)
}, 3_600_000)

test("the mistake of passing the head instead of what was examined is found within a few thousand orders", () => {
  const failure = firstFailure(5_000, Careless)
  expect(failure).toMatch(/^SEED=\d+ ORDERS=1 goes wrong: Error: \d+ (never came|came instead of)/)
  console.log(`the first order that finds it: ${failure?.split(" ")[0]}`)
})
