import { expect, setDefaultTimeout, test } from "bun:test"

import { openAccessBeside } from "../../../src/store/sqlite/open-tokens.ts"
import { Reader } from "../../reader.ts"
import { run, start, type TestServer } from "../../server.ts"
import { WebSocketReader } from "../../websockets.ts"
import { bearer, known, tokenOf } from "../tokens.ts"

// Each test starts its own server, and the machine may be busy.
setDefaultTimeout(180_000)

async function ticketFor(server: TestServer, secret: string, path: string): Promise<string> {
  const answer = await server.api("POST", "/tickets", { path }, bearer(secret))
  expect(answer.status).toBe(201)
  const { ticket }: { ticket: string } = await answer.json()
  return ticket
}

test("a client that can send no header gets in with a ticket, only for its path and while its token is valid", async () => {
  await using server = await start()
  const id = await server.add()
  const [admin, worker] = [await tokenOf(server, "admin"), await tokenOf(server, "worker")]
  const secret = await tokenOf(server, "viewer")
  await known(server, secret)
  const path = `/api/v1/progress/stream/${id}`
  const ticket = await ticketFor(server, secret, path)
  const at = (route: string): Promise<Response> => fetch(`${server.url}${route}?ticket=${ticket}`)
  const stream = await Reader.open(`${server.url}${path}?ticket=${ticket}`)
  await stream.first("live")
  // When an EventSource reconnects, it also sends the last event ID.
  const again = await Reader.open(`${server.url}${path}?ticket=${ticket}`, { "last-event-id": "1" })
  await again.first("live")
  again.leave()
  expect((await at("/api/v1/progress/stream")).status).toBe(401)
  expect((await at(`/api/v1/queue/${id}`)).status).toBe(401)
  const socketPath = "/api/v1/progress/ws"
  const forSocket = await ticketFor(server, secret, socketPath)
  const socket = await WebSocketReader.open(server.url, `/progress/ws?ticket=${forSocket}`)
  await socket.until(() => socket.seen.some(({ event }) => event === "live"))
  // A role gets tickets only for what it may read, however the path is written.
  for (const [own, asked, status] of [
    [worker, path, 403],
    [worker, `${path}?format=text`, 403],
    [worker, "/api/v1/queue/counts", 403],
    [worker, `/api/v1/queue/${id}`, 201],
    [worker, `/api/v1/queue/${id}/ingest/ffmpeg`, 201],
    [secret, "/api/v1/queue/counts", 201],
    [secret, "/api/v1/webhooks/deliveries", 403],
  ] as const)
    expect([asked, (await server.api("POST", "/tickets", { path: asked }, bearer(own))).status]).toEqual([
      asked,
      status,
    ])
  // A socket can be asked for more items: a ticket for one item opens no other, and one for all opens each.
  const second = Number((await (await server.api("POST", "/queue", { song_id: 2 }, bearer(admin))).json()).id)
  for (const [asked, isMore] of [
    [`${socketPath}/${id}`, false],
    [`${socketPath}?ids=${id}`, false],
    [socketPath, true],
  ] as const) {
    const narrow = await ticketFor(server, secret, asked)
    const address = `${asked.slice("/api/v1".length)}${asked.includes("?") ? "&" : "?"}ticket=${narrow}`
    const viewer = await WebSocketReader.open(server.url, address)
    viewer.say({ subscribe: [id, second] })
    await viewer.control(isMore ? "watching" : "refused", 1)
    viewer.say({ subscribe: [id] })
    await viewer.control("watching", isMore ? 2 : 1)
    const shown = viewer.seen.some(({ queue_id }) => queue_id === second)
    expect([asked, shown]).toEqual([asked, isMore])
    viewer.leave()
  }
  const beside = openAccessBeside(server.database)
  await beside.access.revokeToken((await beside.access.tokens()).at(-1)?.id ?? 0)
  beside.close()
  await stream.ended
  await socket.closed
  expect((await at(path)).status).toBe(401)
})

test("no token, ticket or lease reaches a log, an error, a metric or the help", async () => {
  await using server = await start({ args: ["--log-level", "debug"] })
  const secret = await tokenOf(server, "admin")
  await known(server, secret)
  const id: number = (await (await server.api("POST", "/queue", { song_id: 1 }, bearer(secret))).json()).id
  const claim = await server.api("POST", "/queue/claim", { worker: "w", id }, bearer(secret))
  const { lease }: { lease: { token: string } } = await claim.json()
  const ticket = await ticketFor(server, secret, "/api/v1/queue")
  const secrets = [secret, ticket, lease.token]
  const said: string[] = []
  for (const given of secrets) {
    // Valid and invalid tickets, in every place where a ticket can stand.
    for (const query of [`ticket=${given}`, `lease=${given}`, `token=${given}`]) {
      for (const path of ["/queue", `/queue/${id}/heartbeat`, "/nope", "/progress/stream"]) {
        const method = path.endsWith("heartbeat") ? "POST" : "GET"
        const answer = await server.api(method, `${path}?${query}`, undefined, {
          authorization: `Bearer ${given}x`,
        })
        if (answer.status >= 400) said.push(await answer.text())
        else await answer.body?.cancel()
      }
    }
  }
  for (const given of [secret, ticket]) {
    for (const path of [`/queue?status=${given}`, `/nope/${given}`, `/queue/${given}`, `/queue?${given}=1`]) {
      const answer = await server.api("GET", path, undefined, bearer(secret))
      expect(answer.status).toBeGreaterThan(400)
      said.push(await answer.text())
    }
  }
  expect(said.length).toBeGreaterThan(20)
  said.push(await (await fetch(`${server.url}/metrics`, { headers: bearer(secret) })).text())
  said.push(await (await fetch(`${server.url}/health/ready`, { headers: bearer(secret) })).text())
  said.push((await run(["serve", "--help"], { TRACK_STUDIO_TOKEN: secret })).stdout)
  await server.end()
  for (const given of secrets) {
    expect(server.log).not.toContain(given)
    expect(said.join("\n")).not.toContain(given)
  }
})
