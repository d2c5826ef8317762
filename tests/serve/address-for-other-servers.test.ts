import { expect, test } from "bun:test"

import { reachedAt } from "../../src/serve/address-for-other-servers.ts"

test.each([
  ["http://10.0.0.7:8080/", "http://10.0.0.7:8080"],
  ["http://0.0.0.0:8080/", "http://box:8080"],
  ["http://[::]:8080/", "http://box:8080"],
  ["http://[::1]:8080/", "http://[::1]:8080"],
  [undefined, ""],
])("a server that listens at %s is reached at %p", (url, address) => {
  expect(reachedAt(url === undefined ? undefined : new URL(url), "box")).toBe(address)
})
