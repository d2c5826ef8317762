import { Database } from "bun:sqlite"
import { expect, test } from "bun:test"

import { start, type TestServer } from "../server.ts"

/** A server whose database was damaged by another program. */
async function broken(): Promise<TestServer> {
  const server = await start()
  await server.add()
  const database = new Database(server.database)
  database.run("PRAGMA busy_timeout = 5000")
  database.run("ALTER TABLE queue_items RENAME TO gone")
  database.close()
  return server
}

const ENVELOPE = { error: expect.any(String), code: expect.any(String), request_id: expect.any(String) }
const INTERNALS = /sql|table|gone|queue_items|\.ts|\/|stack|Error:/i

test("a failure of the server is a 500 that shows nothing of its inside, with CORS", async () => {
  await using server = await broken()
  for (const path of ["/queue", "/queue/1", "/queue/next", "/queue/1/updates", "/progress/stream/1"]) {
    const answer = await server.api("GET", path)
    const body: Record<string, string> = await answer.json()
    expect([answer.status, body]).toEqual([500, { ...ENVELOPE, code: "internal" }])
    expect(body["error"]).not.toMatch(INTERNALS)
    expect(answer.headers.get("access-control-allow-origin")).toBe("*")
  }
})

test("a database that cannot be written is a 503 that says when to try again and nothing of its inside", async () => {
  await using server = await broken()
  for (const [method, path, body] of [
    ["POST", "/queue", { song_id: 1 }],
    ["PUT", "/queue/1", { progress: 1 }],
    ["DELETE", "/queue/1"],
  ] as const) {
    const answer = await server.api(method, path, body)
    const said: Record<string, string> = await answer.json()
    expect([answer.status, said]).toEqual([503, { ...ENVELOPE, code: "unavailable" }])
    expect(said["error"]).toBe("the database cannot be written now; nothing was changed")
    expect(answer.headers.get("retry-after")).toBe("1")
    // The next request may find another server behind the same address.
    expect(answer.headers.get("connection")).toBe("close")
    expect(answer.headers.get("access-control-allow-origin")).toBe("*")
  }
})

test("where the history cannot be written, the queue is neither paused nor resumed, and the answers say so", async () => {
  await using server = await start()
  expect((await server.api("POST", "/queue/pause")).status).toBe(200)
  using database = new Database(server.database)
  database.run("PRAGMA busy_timeout = 5000")
  database.run("ALTER TABLE history RENAME TO gone")
  for (const path of ["/queue/pause", "/queue/resume"]) {
    const answer = await server.api("POST", path)
    expect([path, answer.status, await answer.json()]).toMatchObject([path, 503, { code: "unavailable" }])
  }
})

test("an EventSource, which gives up at a refusal, gets an answer that makes it come back while the history cannot be read", async () => {
  await using server = await start()
  const database = new Database(server.database)
  database.run("PRAGMA busy_timeout = 5000")
  database.run("ALTER TABLE history RENAME TO gone")
  const ask = (accept: string): Promise<Response> =>
    server.api("GET", "/progress/stream", undefined, { accept })
  expect((await ask("application/x-ndjson")).status).toBe(503)
  const answer = await ask("text/event-stream")
  expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "text/event-stream"])
  expect(await answer.text()).toMatch(
    /^event: busy\nretry: 1\d{3}\ndata: \{"error":"the history cannot be read now; try again","retry_ms":1\d{3}\}\n\n$/,
  )
  database.run("ALTER TABLE gone RENAME TO history")
  database.close()
  const leave = new AbortController()
  const back = await fetch(`${server.url}/api/v1/progress/stream`, { signal: leave.signal })
  expect(back.status).toBe(200)
  leave.abort()
})

test("the reason of a failure is in the log under the request id that the client was given", async () => {
  for (const method of ["GET", "POST"]) {
    await using server = await broken()
    const answer = await server.api(method, "/queue", method === "POST" ? { song_id: 1 } : undefined)
    const { request_id }: { request_id: string } = await answer.json()
    while (!server.log.includes(request_id)) await new Promise(setImmediate)
    const line = server.log.split("\n").find((one) => one.includes(request_id)) ?? ""
    expect(JSON.parse(line)).toMatchObject({
      level: "error",
      msg: "a request failed",
      request_id,
      error: expect.stringContaining("no such table"),
    })
  }
})

test("the server answers on after a failure", async () => {
  await using server = await broken()
  await (await server.api("GET", "/queue")).arrayBuffer()
  expect((await fetch(`${server.url}/health`)).status).toBe(200)
  const database = new Database(server.database)
  database.run("PRAGMA busy_timeout = 5000")
  database.run("ALTER TABLE gone RENAME TO queue_items")
  database.close()
  expect(await server.item(1)).toMatchObject({ id: 1, status: "queued" })
  await server.put(1, { progress: 5 })
})
