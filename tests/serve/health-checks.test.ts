import { expect, test } from "bun:test"

import { Reasons } from "../../src/degraded-reasons.ts"
import { holdingFor } from "../../src/serve/health-checks.ts"

test("a reason that was only seen ends by itself, a while after it was seen for the last time", async () => {
  let over = Promise.withResolvers<number>()
  const told: boolean[] = []
  const reasons = new Reasons((_, holds, forMs) => {
    told.push(holds)
    if (!holds) over.resolve(forMs)
  })
  const see = holdingFor(reasons, "proxy_untrusted", 50)
  see()
  Bun.sleepSync(30)
  see()
  expect(reasons.current).toEqual(["proxy_untrusted"])
  expect(await over.promise).toBeGreaterThanOrEqual(79)
  expect([told, reasons.current]).toEqual([[true, false], []])
  // It can begin again, and end again.
  over = Promise.withResolvers()
  see()
  expect(reasons.current).toEqual(["proxy_untrusted"])
  await over.promise
  expect([told, reasons.current]).toEqual([[true, false, true, false], []])
})
