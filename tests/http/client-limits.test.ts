import { heapStats } from "bun:jsc"
import { expect, setDefaultTimeout, test } from "bun:test"

import { EVERYBODY } from "../../src/access/authorize.ts"
import { FleetRateLimit } from "../../src/access/fleet-rate-limit.ts"
import { AppError } from "../../src/errors.ts"
import { ClientLimits, type ClientLimitsOptions } from "../../src/http/client-limits.ts"
import { RendererOutput } from "../renderer-output.ts"
import { PROGRAM, start } from "../server.ts"
import { WebSocketReader } from "../websockets.ts"
import { bearer, known, tokenOf } from "./tokens.ts"

// These tests start programs or wait for the disk, and the machine may be busy.
setDefaultTimeout(180_000)

const OPTIONS = { perAddress: 10, perToken: 100, perLease: 2, held: 2 }

/** Limits with a clock that the test moves. */
function limited(more: Partial<ClientLimitsOptions> = {}) {
  const clock = { nowMs: 0 }
  return { clock, limits: new ClientLimits({ ...OPTIONS, steadyMs: () => clock.nowMs, ...more }) }
}

const visitor = { ...EVERYBODY, client: "10.0.0.1" }

const times = { created_at: "", expires_at: null, revoked_at: null, last_used_at: null }
const token = { id: 1, hash: "", label: "", role: "worker", item: null, history: "", ...times } as const
const worker = { ...EVERYBODY, client: "token 1", token }

/** How many of this many requests pass. */
function passing(count: number, ask: () => void): number {
  let passed = 0
  for (let i = 0; i < count; i += 1) {
    try {
      ask()
      passed += 1
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "too_many_requests") throw error
    }
  }
  return passed
}

test("an address may ask four seconds' worth at once, and then its rate", () => {
  const { limits, clock } = limited()
  expect(passing(100, () => limits.ask(visitor, ""))).toBe(40)
  clock.nowMs += 1000
  expect(passing(100, () => limits.ask(visitor, ""))).toBe(10)
  expect(passing(100, () => limits.ask({ ...visitor, client: "10.0.0.2" }, ""))).toBe(40)
})

test("made-up leases are told apart, and however long they are they take little memory", () => {
  const { limits } = limited({ perToken: 0 })
  const long = (end: number): string => `${"x".repeat(15_000)}${end}`
  for (const lease of [0, 1]) expect(passing(20, () => limits.ask(worker, long(lease)))).toBe(8)
  Bun.gc(true)
  const { heapSize } = heapStats()
  for (let i = 2; i < 5000; i += 1) limits.ask(worker, long(i))
  Bun.gc(true)
  expect(heapStats().heapSize - heapSize).toBeLessThan(20_000_000)
})

test("a request that changes many items costs as many requests, and one that changes one costs one", async () => {
  await using server = await start({ args: ["--requests-per-token", "1"] })
  const operator = bearer(await tokenOf(server, "operator"))
  await known(server, await tokenOf(server, "viewer"))
  const ids = Array.from({ length: 38 }, (_, i) => i + 1)
  const ask = async (many: readonly number[]): Promise<number> =>
    (await server.api("POST", "/queue/batch", { act: "cancel", ids: many }, operator)).status
  // Four may come at once.
  expect([await ask([1]), await ask([1]), await ask([1])]).toEqual([200, 200, 200])
  expect([await ask(ids), await ask([1])]).toEqual([200, 429])
})

test("each lease has a rate of its own; without a token the address pays for it, too", () => {
  const { limits } = limited()
  expect(passing(20, () => limits.ask(visitor, "one"))).toBe(8)
  expect(passing(20, () => limits.ask(visitor, "two"))).toBe(8)
  let lease = 0
  expect(passing(1000, () => limits.ask(visitor, `made up ${(lease += 1)}`))).toBeLessThanOrEqual(40)
})

test("with a token, requests by a lease count against the lease alone", () => {
  const { limits } = limited({ perToken: 1, perLease: 10 })
  expect(passing(20, () => limits.ask(worker, "one"))).toBe(20)
  expect(passing(20, () => limits.ask(worker, ""))).toBe(4)
})

test("a lease is a secret, so it is counted elsewhere by a name that does not show it", async () => {
  const names: string[] = []
  const take = async (client: string) => {
    names.push(client)
    return { units: 1, waitMs: 0 }
  }
  const buckets = { take, charge: async () => undefined }
  const allowances = new FleetRateLimit(
    buckets,
    () => 0,
    () => undefined,
  )
  await limited({ allowances }).limits.askAll(worker, "tsl_secret")
  expect(names).toHaveLength(1)
  expect(names.join(" ")).not.toContain("secret")
})

test("without a token, a made-up lease gets the same answer for an item that exists, for a deleted one and for one that never existed", async () => {
  await using server = await start()
  const [id, deleted] = [await server.add(), await server.add()]
  await server.api("DELETE", `/queue/${deleted}`)
  await known(server, await tokenOf(server, "worker"))
  const ask = async (item: number, verb: string): Promise<unknown> => {
    const answer = await server.api("POST", `/queue/${item}/${verb}`, {}, { lease: "made up" })
    const said: { code: string; error: string } = await answer.json()
    return [answer.status, said.code, said.error.replaceAll(String(item), "N")]
  }
  const verbs = [
    "heartbeat",
    "progress",
    "complete",
    "fail",
    "release",
    "output",
    "ingest/ffmpeg",
    "steps/next",
  ]
  for (const verb of verbs) {
    const never = await ask(987_654, verb)
    expect([verb, await ask(id, verb), await ask(deleted, verb)]).toEqual([verb, never, never])
  }
})

test("with a token, requests with an invalid lease count against the token, and with a bad token against the address", async () => {
  await using server = await start({ args: ["--requests-per-token", "5", "--requests-per-address", "1"] })
  const id = await server.add()
  const secret = await tokenOf(server, "worker")
  await known(server, secret)
  let lease = 0
  const ask = async (): Promise<number> => {
    const headers = { ...bearer(secret), lease: `made up ${(lease += 1)}` }
    return (await server.api("POST", `/queue/${id}/heartbeat`, {}, headers)).status
  }
  const statuses: number[] = []
  for (let i = 0; i < 40; i += 1) statuses.push(await ask())
  expect(new Set(statuses)).toEqual(new Set([409, 429]))
  const asBad = async (): Promise<number> =>
    (await server.api("GET", "/queue", undefined, bearer("tsk_bad"))).status
  // Far fewer than the bad tokens that one address may send for being limited by their number alone.
  const refusals = await Promise.all(Array.from({ length: 20 }, asBad))
  expect(new Set(refusals)).toEqual(new Set([401, 429]))
})

test("a large answer delays the next request, and small ones do not", () => {
  const { limits, clock } = limited()
  for (let i = 0; i < 100; i += 1) limits.charge(visitor, 64 * 1024 - 1)
  expect(passing(100, () => limits.ask(visitor, ""))).toBe(40)
  clock.nowMs += 4000
  limits.charge(visitor, 100 * 64 * 1024)
  expect(passing(1, () => limits.ask(visitor, ""))).toBe(0)
  // The 60 missing units, and one for the request.
  clock.nowMs += 6099
  expect(passing(1, () => limits.ask(visitor, ""))).toBe(0)
  clock.nowMs += 1
  expect(passing(1, () => limits.ask(visitor, ""))).toBe(1)
})

test("no limit applies to this machine without tokens, and 0 turns one off", () => {
  const { limits } = limited()
  expect(passing(1000, () => limits.ask(EVERYBODY, ""))).toBe(1000)
  const off = limited({ perAddress: 0 }).limits
  expect(passing(1000, () => off.ask(visitor, ""))).toBe(1000)
})

test("the more requests of a client are refused, the longer their answers wait, up to a few seconds; those of others do not wait", () => {
  const { limits, clock } = limited()
  const rests = Array.from({ length: 1000 }, () => limits.restMs(visitor))
  expect(rests.slice(0, 12)).toEqual([...Array<number>(10).fill(100), 110, 120])
  expect(rests.at(-1)).toBe(5100)
  expect(limits.restMs({ ...visitor, client: "10.0.0.2" })).toBe(100)
  clock.nowMs += 5200
  expect(limits.restMs(visitor)).toBe(100)
})

test("a client may have a limited number of held answers, and another one after one is given; each refusal is counted", () => {
  let refused = 0
  const { limits } = limited({ onRefused: () => (refused += 1) })
  const first = limits.hold(visitor)
  expect(passing(5, () => limits.hold(visitor))).toBe(1)
  first[Symbol.dispose]()
  expect(passing(5, () => limits.hold(visitor))).toBe(1)
  expect(refused).toBe(8)
})

test("a place that a client holds is freed once, even if it leaves before its answer has begun", () => {
  const { limits } = limited()
  const gone = limits.hold(visitor, "answer", AbortSignal.abort())
  const leave = new AbortController()
  const leaving = limits.hold(visitor, "answer", leave.signal)
  using _stays = limits.hold(visitor)
  expect(passing(5, () => limits.hold(visitor))).toBe(0)
  leave.abort()
  for (const place of [gone, leaving]) place[Symbol.dispose]()
  expect(passing(5, () => limits.hold(visitor))).toBe(1)
})

test("without a limit of what is held, a client may leave any number of large answers unread", () => {
  const { limits } = limited({ held: 0 })
  const never = new AbortController().signal
  expect(passing(3, () => limits.holdUnread(visitor, 4 * 1024 * 1024, never))).toBe(3)
  const limit = limited({ held: 2 }).limits
  expect(passing(3, () => limit.holdUnread(visitor, 256 * 1024, never))).toBe(2)
})

test("a client that has read all of its answers gets the next one, however large that is", () => {
  const { limits } = limited({ held: 1 })
  const never = new AbortController().signal
  expect(passing(2, () => limits.holdUnread(visitor, 4 * 1024 * 1024, never))).toBe(1)
})

test("what other clients keep open is known, also where it has no limit", () => {
  const { limits } = limited({ held: 0 })
  const other = { ...visitor, client: "10.0.0.2" }
  const own = limits.hold(visitor)
  expect(limits.haveOthers("10.0.0.1")).toBe(false)
  const answer = limits.hold(other)
  const output = limits.hold(other, "output")
  answer[Symbol.dispose]()
  expect(limits.haveOthers("10.0.0.1")).toBe(true)
  output[Symbol.dispose]()
  expect(limits.haveOthers("10.0.0.1")).toBe(false)
  expect(limits.haveOthers("10.0.0.3")).toBe(true)
  own[Symbol.dispose]()
})

test("a client may send a limited number of outputs at a time, beside the answers that it waits for", async () => {
  await using server = await start({ args: ["--held-per-client", "2"] })
  const ids = [await server.add(), await server.add(), await server.add()] as const
  const secret = await tokenOf(server, "worker")
  await known(server, secret)
  const headers = bearer(secret)
  const [one, two] = ids.map((id) => new RendererOutput(server.url, id, "ffmpeg?total=10", headers))
  // When an output has begun, its item shows it.
  for (const [at, output] of [one, two].entries()) {
    await output?.write("out_time_us=1000000\nprogress=continue\n")
    const progressOf = async (): Promise<number> =>
      (await (await server.api("GET", `/queue/${ids[at]}`, undefined, headers)).json()).progress
    while ((await progressOf()) < 10);
  }
  const claim = await server.api("POST", "/queue/claim", { worker: "w", id: ids[2] }, headers)
  const { lease }: { lease: { token: string } } = await claim.json()
  const byLease = { ...headers, lease: lease.token }
  for (const path of [`/queue/${ids[2]}/ingest/ffmpeg`, `/queue/${ids[2]}/output`]) {
    const refused = await server.api("POST", path, undefined, byLease)
    expect([path, refused.status, refused.headers.has("retry-after")]).toEqual([path, 429, true])
    expect(await refused.json()).toMatchObject({ error: expect.stringContaining("--held-per-client") })
  }
  // The answer to a HEAD is never read to its end, so it must not count as one that is open.
  for (let times = 0; times < 3; times += 1) {
    const head = await server.api("HEAD", `/queue/${ids[0]}/output?follow=true`, undefined, headers)
    expect(head.status).toBe(200)
  }
  const waited = await server.api("POST", "/queue/claim", { worker: "w", wait: 1 }, headers)
  expect(waited.status).toBe(204)
  expect(await one?.end()).toMatchObject({ status: 200 })
  expect((await server.api("POST", `/queue/${ids[2]}/output`, undefined, byLease)).status).toBe(200)
  two?.break()
})

test("a client that asks too much gets 429 with the time to wait, and others notice nothing", async () => {
  await using server = await start({ args: ["--requests-per-token", "5"] })
  const [one, two] = [await tokenOf(server, "viewer"), await tokenOf(server, "viewer")]
  await known(server, two)
  const ask = (secret: string): Promise<Response> => server.api("GET", "/queue", undefined, bearer(secret))
  const answers = await Promise.all(Array.from({ length: 60 }, () => ask(one)))
  const refused = answers.filter(({ status }) => status === 429)
  expect(refused.length).toBeGreaterThan(30)
  expect(Number(refused[0]?.headers.get("retry-after"))).toBeGreaterThan(0)
  expect(await refused[0]?.json()).toMatchObject({ code: "too_many_requests" })
  expect((await ask(two)).status).toBe(200)
})

test("however much one client asks for at once, another is answered in between", async () => {
  await using server = await start()
  for (let song = 1; song <= 200; song += 1) await server.add({ song_id: song, title: "x".repeat(1000) })
  const [greedy, other] = [await tokenOf(server, "operator"), await tokenOf(server, "viewer")]
  await known(server, other)
  for (const method of ["GET", "HEAD", "POST"]) {
    let answered = 0
    const lists = Array.from({ length: 60 }, async () => {
      const body = method === "POST" ? Array.from({ length: 9000 }, (_, key) => key) : undefined
      const answer = await server.api(method, "/queue?limit=200", body, bearer(greedy))
      answered += 1
      await answer.arrayBuffer()
    })
    for (let i = 0; i < 3; i += 1) {
      expect((await server.api("GET", "/queue/1", undefined, bearer(other))).status).toBe(200)
    }
    expect([method, answered < 40]).toEqual([method, true])
    await Promise.all(lists)
  }
})

test("requests over a socket are counted like other requests", async () => {
  await using server = await start({ args: ["--requests-per-token", "10"] })
  const id = await server.add()
  const secret = await tokenOf(server, "viewer")
  await known(server, secret)
  const socket = await WebSocketReader.open(server.url, "/progress/ws", bearer(secret))
  // One answer after the other, so that few are missing at any time.
  const asking = async (): Promise<void> => {
    for (let asked = 1; ; asked += 1) {
      socket.say({ subscribe: [id] })
      await socket.control("watching", asked)
    }
  }
  await expect(asking()).rejects.toThrow("closed")
  expect(await socket.closed).toMatchObject({
    code: 1008,
    reason: expect.stringContaining("too many requests"),
  })
})

test("a message that asks for very many items costs as much as they take", async () => {
  await using server = await start({ args: ["--requests-per-token", "10"] })
  const secret = await tokenOf(server, "viewer")
  await known(server, secret)
  const socket = await WebSocketReader.open(server.url, "/progress/ws", bearer(secret))
  const subscribe = Array.from({ length: 256 }, (_, at) => 1000 + at)
  let asked = 0
  const asking = async (): Promise<void> => {
    for (;;) {
      socket.say({ subscribe })
      await socket.control("refused", asked + 1)
      asked += 1
    }
  }
  await expect(asking()).rejects.toThrow("closed")
  // Each costs five of forty units, and ten units come back per second.
  expect(asked).toBeWithin(5, 20)
})

test("an EventSource for which there is no room gets the time at which to come back", async () => {
  await using server = await start({ args: ["--streams-per-client", "1"] })
  const secret = await tokenOf(server, "viewer")
  await known(server, secret)
  const stop = new AbortController()
  const open = (accept: string): Promise<Response> =>
    fetch(`${server.url}/api/v1/progress/stream`, {
      headers: { ...bearer(secret), accept },
      signal: stop.signal,
    })
  const first = await open("text/event-stream")
  expect(first.status).toBe(200)
  const second = await open("text/event-stream")
  expect([second.status, second.headers.get("content-type")]).toEqual([200, "text/event-stream"])
  expect(await second.text()).toMatch(
    /^event: busy\nretry: \d+\ndata: \{"error":"[^"]+","retry_ms":\d+\}\n\n$/,
  )
  const third = await open("application/x-ndjson")
  expect(third.status).toBe(429)
  expect(Number(third.headers.get("retry-after"))).toBeGreaterThan(0)
  // A stream that is no longer referenced would be closed in the meantime.
  expect(first.bodyUsed).toBe(false)
  stop.abort()
})

test("streams take at most four in five of the descriptors, however many they may be", async () => {
  const script = `ulimit -n 300 && exec ${PROGRAM.join(" ")} "$@"`
  await using server = await start({ program: ["sh", "-c", script, "sh"] })
  const stop = new AbortController()
  // A stream whose answer is no longer referenced would be closed.
  const answers: Response[] = []
  for (let i = 0; i < 241; i += 1) {
    answers.push(await fetch(`${server.url}/api/v1/progress/stream`, { signal: stop.signal }))
  }
  const statuses = answers.map(({ status }) => status)
  expect([statuses.filter((status) => status === 200).length, statuses.at(-1)]).toEqual([240, 503])
  // The rest is enough for everything else.
  expect((await server.api("POST", "/queue", { song_id: 1 })).status).toBe(201)
  stop.abort()
})

test("the server opens no more streams than it may, for any client", async () => {
  await using server = await start({ args: ["--max-streams", "2"] })
  const stop = new AbortController()
  const open = (): Promise<Response> =>
    fetch(`${server.url}/api/v1/progress/stream`, { signal: stop.signal, headers: { accept: "*/*" } })
  // A stream whose answer nobody keeps is closed some time.
  const held = [await open(), await open()]
  expect(held.map(({ status }) => status)).toEqual([200, 200])
  const refused = await open()
  expect([refused.status, refused.headers.has("retry-after")]).toEqual([503, true])
  stop.abort()
  for (const { body } of held) await body?.cancel().catch(() => undefined)
  await server.connectedClients(0)
  // A stream whose body nobody will read takes no place.
  for (let head = 0; head < 3; head += 1) {
    expect((await fetch(`${server.url}/api/v1/progress/stream`, { method: "HEAD" })).status).toBe(200)
  }
})
