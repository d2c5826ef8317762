import { expect, test } from "bun:test"

import { serverUrl } from "../../src/settings/values-from-text.ts"

test.each([
  ["http://127.0.0.1:8080", "http://127.0.0.1:8080"],
  ["http://127.0.0.1:8080/", "http://127.0.0.1:8080"],
  ["HTTP://Box:80", "http://box"],
  ["Box:8080", "http://box:8080"],
  ["https://box.lan:443/studio//", "https://box.lan/studio"],
])("the server %s is always spelled %s, so that a worker finds what was kept for it", (given, url) => {
  expect(serverUrl([given], "server", true)).toBe(url)
})

test.each(["ftp://box", "http://", "http://a b"])("the server %p is refused", (given) => {
  expect(() => serverUrl([given], "server", true)).toThrow("--server must be a URL such as http://box:8080")
})
