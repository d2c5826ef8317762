import { heapStats } from "bun:jsc"
import { expect, test } from "bun:test"

import { Authorizer } from "../../src/access/authorize.ts"
import type { Tickets } from "../../src/access/tickets.ts"
import type { Tokens } from "../../src/access/tokens.ts"

test("a client that writes its header in another way each time takes no more and more memory", () => {
  const token = { id: 1, role: "viewer", item: null }
  const tokens: unknown = {
    existed: true,
    areKnown: true,
    listen: () => undefined,
    use: () => undefined,
    find: () => token,
  }
  const tickets: unknown = {}
  const authorizer = new Authorizer(tokens as Tokens, tickets as Tickets, {
    isOpen: false,
    steadyMs: () => 0,
  })
  const ask = (spaces: number): unknown =>
    authorizer.caller(
      {
        ...{ authorization: `Bearer ${" ".repeat(spaces)}secret`, ticket: undefined, hasLease: false },
        ...{ method: "GET", path: "/", from: () => ({ key: "10.0.0.1", isLocal: false }) },
      },
      "read",
    )
  const megabytes = (): number => {
    Bun.gc(true)
    return heapStats().heapSize / 2 ** 20
  }
  const before = megabytes()
  for (let spaces = 8000; spaces < 12_000; spaces += 1) ask(spaces)
  // The headers have 40 MB, and at most a thousand of them are remembered.
  expect(megabytes() - before).toBeLessThan(20)
})
