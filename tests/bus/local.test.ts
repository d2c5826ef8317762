import { expect, test } from "bun:test"

import { LocalBus } from "../../src/bus/bus.ts"
import { busContract, type OpenBus } from "../contracts/bus.contract.ts"

const open = async (): Promise<OpenBus> => ({
  bus: new LocalBus(),
  [Symbol.asyncDispose]: async () => undefined,
})

busContract("LocalBus", open)

test("the local bus rings before notify returns", () => {
  const bus = new LocalBus()
  let rung = false
  bus.listen(() => (rung = true))
  bus.notify()
  expect(rung).toBe(true)
})
