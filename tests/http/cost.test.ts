import { expect, test } from "bun:test"

import { type AppParts, createApp } from "../../src/http/app.ts"

test("no hook names the whole context, so no request pays for cookies, a copy of its headers or a body", () => {
  const parts: unknown = {
    host: "127.0.0.1",
    corsOrigins: [],
    allowedHosts: [],
    version: "0",
    commit: "none",
  }
  const inference: unknown = Reflect.get(createApp(parts as AppParts), "inference")
  expect(inference).toMatchObject({ body: false, cookie: false, headers: false, path: false, url: false })
})
