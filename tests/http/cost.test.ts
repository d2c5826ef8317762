import { expect, test } from "bun:test"

import { type Sucrose, sucrose } from "elysia/sucrose"

import { type AppParts, createApp } from "../../src/http/app.ts"
import { UNPROTECTED } from "./unprotected.ts"

test("no hook and no route names the whole context, so no request pays for cookies or a copy of its headers", () => {
  const parts: Partial<Record<keyof AppParts, unknown>> = {
    host: "127.0.0.1",
    corsOrigins: [],
    allowedHosts: [],
    version: "0",
    commit: "none",
    ...UNPROTECTED,
  }
  const app = createApp(parts as AppParts)
  const inference: unknown = Reflect.get(app, "inference")
  expect(inference).toMatchObject({
    body: false,
    cookie: false,
    headers: false,
    path: false,
    server: false,
    url: false,
  })
  for (const { method, path, handler, hooks } of app.routes) {
    // The preflights are answered by a plugin.
    if (method === "OPTIONS") continue
    const inferred = sucrose({ handler, ...hooks } as Sucrose.LifeCycle)
    expect([method, path, inferred.cookie, inferred.headers]).toEqual([method, path, false, false])
  }
})
