import { expect, test } from "bun:test"

import { type Sucrose, sucrose } from "elysia/sucrose"

import { type AppParts, createApp } from "../../src/http/app.ts"
import { jsonBody, optionalJsonBody } from "../../src/http/body.ts"
import { UNPROTECTED } from "./unprotected.ts"

/** An app without a queue: only its routes are looked at. */
function bareApp() {
  const parts: Partial<Record<keyof AppParts, unknown>> = {
    host: "127.0.0.1",
    corsOrigins: [],
    allowedHosts: [],
    version: "0",
    commit: "none",
    ...UNPROTECTED,
  }
  return createApp(parts as AppParts)
}

test("no hook and no route names the whole context, so no request pays for cookies or a copy of its headers", () => {
  const app = bareApp()
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

test("each route that takes a JSON body lets its caller in before it reads the body, and limits what it reads", () => {
  const taking = bareApp().routes.filter(({ hooks }) => hooks.body !== undefined)
  expect(taking).not.toBeEmpty()
  for (const { method, path, hooks } of taking) {
    const parsers: { fn: unknown }[] = hooks.parse ?? []
    const isOurs = parsers.some(({ fn }) => fn === jsonBody || fn === optionalJsonBody)
    expect([method, path, isOurs]).toEqual([method, path, true])
  }
})
