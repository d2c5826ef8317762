import { expect, test } from "bun:test"

import { shownDatabase, shownUrl } from "../../src/store/database-address.ts"

test.each([
  ["postgres://fleet:hush@db:5433/track?sslmode=require&password=hush", "postgres://fleet@db:5433/track"],
  ["postgresql://db/track#hush", "postgresql://db/track"],
  ["redis://:hush@[::1]:6380/3", "redis://[::1]:6380/3"],
  ["rediss://studio:h%40sh@bus.studio", "rediss://studio@bus.studio"],
  ["postgres://fleet:hush@one,two:x/track", "postgres://..."],
])("a server is shown without its password: %s", (url, shown) => {
  expect(shownUrl(url)).toBe(shown)
  expect(shownDatabase(url)).toBe(url.startsWith("postgres") ? shown : url)
})
