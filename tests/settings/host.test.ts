import { expect, test } from "bun:test"

import { serveSettings } from "../../src/settings/read-settings.ts"
import { start } from "../server.ts"

test.each([
  ["127.0.0.1", "127.0.0.1"],
  ["127.1", "127.0.0.1"],
  ["0", "0.0.0.0"],
  ["127.0.0.1.", "127.0.0.1"],
  ["LocalHost", "localhost"],
  ["Box.Studio.Example.", "box.studio.example"],
  ["::1", "::1"],
  ["[::1]", "::1"],
  ["[::]", "::"],
  ["0:0:0:0:0:0:0:1", "::1"],
  ["2001:DB8::1", "2001:db8::1"],
  ["FE80::1%eth0", "fe80::1%eth0"],
  ["[fe80::1%eth0]", "fe80::1%eth0"],
])("an address to listen on may be spelled %j, and is %j", (given, host) => {
  expect(serveSettings({ host: given }, {}).host).toBe(host)
})

test.each([
  " ",
  "*",
  "[::1]:8080",
  "127.0.0.1:8080",
  "http://127.0.0.1",
  "localhost/",
  "me@localhost",
  "[localhost]",
  "256.1.1.1",
  "[::1",
])("%j is no address to listen on", (given) => {
  expect(() => serveSettings({ host: given }, {})).toThrow(
    "must be an address or a host name, such as 127.0.0.1",
  )
})

test("a server on an address in brackets says where it listens as a URL", async () => {
  await using server = await start({ args: ["--host", "[::1]"] })
  expect(server.url).toMatch(/^http:\/\/\[::1\]:\d+$/)
  expect((await fetch(`${server.url}/health`)).status).toBe(200)
}, 180_000)
