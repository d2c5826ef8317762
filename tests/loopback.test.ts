import { expect, test } from "bun:test"

import { isLoopback } from "../src/loopback.ts"

test("an address that no other machine reaches counts as loopback", () => {
  const local = ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost", "LOCALHOST", "a.b.localhost"]
  expect(local.filter((host) => !isLoopback(host))).toEqual([])
  const others = [
    "0.0.0.0",
    "::",
    "192.168.0.1",
    "box",
    "localhost.example",
    "127.0.0.1.example",
    "1127.0.0.1",
  ]
  expect(others.filter(isLoopback)).toEqual([])
})
