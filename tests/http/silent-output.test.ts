import { expect, setDefaultTimeout, test } from "bun:test"

import { start } from "../server.ts"
import { attempt } from "../worker.ts"
import { bearer, known, tokenOf } from "./tokens.ts"

setDefaultTimeout(180_000)

test("a client that follows a silent command gets the headers at once for events, and with the first line for text", async () => {
  await using server = await start()
  const { id, lease } = await attempt(server)
  const path = `/queue/${id}/output?follow=true`
  const events = await server.api("GET", `${path}&format=sse`)
  expect([events.status, events.headers.get("content-type")]).toEqual([200, "text/event-stream"])
  await events.body?.cancel()
  const text = server.api("GET", path)
  const headers = { lease: lease.token }
  await fetch(`${server.url}/api/v1/queue/${id}/output`, { method: "POST", body: "only this\n", headers })
  await server.api("POST", `/queue/${id}/complete`, {}, headers)
  expect(await (await text).text()).toBe("only this\n")
})

test("a client that has followed outputs to their ends may follow others", async () => {
  await using server = await start({ args: ["--held-per-client", "2"] })
  const { id, lease } = await attempt(server)
  await server.api("POST", `/queue/${id}/complete`, {}, { lease: lease.token })
  const secret = await tokenOf(server, "viewer")
  await known(server, secret)
  for (let times = 0; times < 4; times += 1) {
    const answer = await server.api("GET", `/queue/${id}/output?follow=true`, undefined, bearer(secret))
    expect([answer.status, await answer.text()]).toEqual([200, ""])
  }
})
