import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"

import { Client, type WorkerSeen } from "../../src/client/client.ts"
import { version } from "../../src/version.ts"
import { PROGRAM, run, start, temporaryFolder, type TestServer, textOf } from "../server.ts"
import { TestTerminal } from "../terminal.ts"

setDefaultTimeout(180_000)

let server: TestServer
let client: Client
beforeAll(async () => {
  server = await start()
  client = new Client(server.url)
})
afterAll(() => server[Symbol.asyncDispose]())

const seen = async (name: string): Promise<WorkerSeen | undefined> =>
  (await client.workers()).find(({ worker }) => worker === name)

/** Resolves when the worker is known with these properties. */
async function until(name: string, fits: (worker: WorkerSeen) => boolean): Promise<WorkerSeen> {
  for (;;) {
    const worker = await seen(name)
    if (worker && fits(worker)) return worker
    await Bun.sleep(20)
  }
}

/** A claim of an item with only this tag. */
async function claim(worker: string, tag: string, more: object = {}): Promise<Response> {
  return server.api("POST", "/queue/claim", { worker, tags: [tag], ...more })
}

test("a worker is known by its claims: idle while one waits, rendering what it took, then idle again", async () => {
  const leaving = new AbortController()
  const waiting = client.claim(
    { worker: "box-1", wait: 30, tags: ["crew-1"], version: "1.2.3" },
    leaving.signal,
  )
  const idle = await until("box-1", ({ state }) => state === "idle")
  expect(idle).toMatchObject({ tags: ["crew-1"], version: "1.2.3", items: [], draining: false })
  expect(Date.parse(idle.idle_since ?? "")).toBeGreaterThan(Date.now() - 10_000)
  const { id } = await client.add({ song_id: 4, title: "Northern Lights", tags: ["crew-1"] })
  const claimed = await waiting
  if (claimed === null || claimed === "drain") throw new Error("nothing was claimed")
  const held = { id, token: claimed.lease.token }
  await client.report(held, { progress: 54 })
  expect(await seen("box-1")).toMatchObject({
    state: "rendering",
    items: [{ id, song_id: 4, title: "Northern Lights", progress: 54 }],
    idle_since: null,
  })
  await client.complete(held)
  const after = await until("box-1", ({ items }) => items.length === 0)
  expect(Date.parse(after.idle_since ?? "")).toBeGreaterThan(Date.parse(idle.idle_since ?? ""))
})

test("workers are listed by name, as people order names", async () => {
  for (const name of ["order-10", "order-2", "order-1"]) await claim(name, "order")
  // An item that nobody has claimed is nobody's.
  await server.put(await server.add({ song_id: 1, tags: ["order-alone"] }), { status: "processing" })
  const all = (await client.workers()).map(({ worker }) => worker)
  const names = all.filter((one) => one.startsWith("order"))
  expect(names).toEqual(["order-1", "order-2", "order-10"])
  expect(all).not.toContain("")
})

test("a worker whose connection ends is away; one that claims by number is there while it holds the item", async () => {
  const leaving = new AbortController()
  const waiting = client.claim({ worker: "box-2", wait: 30, tags: ["crew-2"] }, leaving.signal)
  await until("box-2", ({ state }) => state === "idle")
  leaving.abort()
  await waiting.catch(() => undefined)
  const { last_heard_at } = await until("box-2", ({ state }) => state !== "rendering")
  expect(Date.now() - Date.parse(last_heard_at ?? "")).toBeLessThan(10_000)

  const id = await server.add({ song_id: 1, tags: ["crew-2"] })
  const claimed = await client.take(id, { worker: "hand" })
  expect(await seen("hand")).toMatchObject({ state: "rendering", tags: [] })
  await client.complete({ id, token: claimed.lease.token })
  expect(await seen("hand")).toBeUndefined()
})

test("a drained worker is notified beside the directive, and soon gets 204 with a header, until it may take items again", async () => {
  const id = await server.add({ song_id: 1, tags: ["crew-3"] })
  const { lease }: { lease: { token: string } } = await (await claim("box-3", "crew-3")).json()
  const held = { id, token: lease.token }
  expect(await client.heartbeat(held)).not.toHaveProperty("drain")
  await client.drain("box-3")
  expect(await client.heartbeat(held)).toMatchObject({ directive: "continue", drain: true })
  expect(await client.complete(held)).toMatchObject({ drain: true, item: { status: "completed" } })
  const next = await server.add({ song_id: 1, tags: ["crew-3"] })
  const refused = await claim("box-3", "crew-3", { wait: 30 })
  expect([refused.status, refused.headers.get("drain")]).toEqual([204, "true"])
  expect(await seen("box-3")).toMatchObject({ draining: true })
  await client.undrain("box-3")
  const taken: { item: { id: number } } = await (await claim("box-3", "crew-3")).json()
  expect(taken.item.id).toBe(next)
})

test("a claim that waits is answered the moment its worker is drained; another start of it takes items", async () => {
  const waiting = claim("box-4", "crew-4", { wait: 30, instance: "one" })
  await until("box-4", ({ state }) => state === "idle")
  await client.drain("box-4")
  expect((await waiting).headers.get("drain")).toBe("true")
  await server.add({ song_id: 1, tags: ["crew-4"] })
  expect((await claim("box-4", "crew-4", { instance: "one" })).status).toBe(204)
  expect((await claim("box-4", "crew-4", { instance: "two" })).status).toBe(200)
})

test("an unknown worker cannot be drained", async () => {
  const answer = await server.api("POST", "/workers/nobody%20here/drain")
  expect(answer.status).toBe(404)
  expect(await answer.json()).toMatchObject({
    error: 'no worker "nobody here" made a claim or a report within an hour',
  })
})

test("on a terminal each worker has one line, in which a long title gives way to the rest", async () => {
  await server.add({ song_id: 1, title: "A Title That Is Longer Than Any Narrow Terminal", tags: ["crew-7"] })
  await claim("box-7", "crew-7")
  await server.add({ song_id: 1, title: "Harbour at Dawn", tags: ["crew-8"] })
  await claim("box-8.render.farm.studio.example", "crew-8")
  const env = { TRACK_STUDIO_SERVER: server.url }
  await using terminal = new TestTerminal([...PROGRAM, "workers"], env, { columns: 64 })
  await terminal.child.exited
  await terminal.drawn()
  const shown = terminal.lines.filter((line) => line.includes("crew-7"))
  expect(shown).toHaveLength(1)
  expect(shown[0]).toMatch(/^box-7 +#\d+ A Title \S+.*… 0%; tags crew-7/)
  // A name that is longer than a third of the line is cut in its middle.
  expect(terminal.lines.join("\n")).toMatch(/^box-8\.rend…io\.example  #\d+ Harbour at /m)
  expect(terminal.lines.filter((line) => !/^(?:box|order)-/.test(line))).toEqual([])
})

test("track-studio work finishes its item when it is drained, and stops; track-studio workers lists and drains it", async () => {
  const env = { TRACK_STUDIO_SERVER: server.url }
  using folder = temporaryFolder()
  const ready = `${folder.path}/ready`
  const id = await server.add({ song_id: 1, title: "Paper Boats", tags: ["crew-5"] })
  await server.add({ song_id: 2, tags: ["crew-5"] })
  const command = `until [ -e ${ready} ]; do sleep 0.05; done`
  const child = Bun.spawn([...PROGRAM, "work", "--worker", "box-5", "--tags", "crew-5", "--exec", command], {
    env: { ...process.env, ...env, XDG_STATE_HOME: folder.path },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  })
  await until("box-5", ({ state }) => state === "rendering")
  expect((await run(["workers"], env)).stdout.replace(/ {2,}/g, "  ")).toContain(
    `box-5  #${id} Paper Boats 0%; tags crew-5; version ${version}\n`,
  )
  expect(await run(["workers", "--drain", "box-5"], env)).toMatchObject({
    code: 0,
    stdout: "box-5 takes no more items.\n",
  })
  expect((await run(["workers"], env)).stdout).toContain(`Paper Boats 0%; takes no more items; tags crew-5`)
  const other = await server.add({ song_id: 3, tags: ["crew-5", "8k"] })
  // Of all workers that are present, one lacks the fewest tags.
  expect((await run(["show", String(other)], env)).stdout).toContain("waits      no worker offers ")
  await Bun.write(ready, "")
  expect(await child.exited).toBe(0)
  const said = await textOf(child.stderr)
  expect(said).toContain("stopping\n")
  expect(said).toContain("drained: ")
  expect((await server.item(id)).status).toBe("completed")
  expect((await server.item(id + 1)).status).toBe("queued")
})

test("track-studio work takes items from a server of an earlier version, which refuses what it does not know", async () => {
  const refused: string[] = []
  const older = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      const { pathname, search } = new URL(request.url)
      const body = await request.text()
      if (pathname.endsWith("/claim") && "version" in JSON.parse(body)) {
        refused.push(pathname)
        return Response.json({ error: "the body has the unknown key", code: "invalid" }, { status: 422 })
      }
      return fetch(server.url + pathname + search, {
        method: request.method,
        headers: request.headers,
        signal: request.signal,
        ...(body !== "" && { body }),
      })
    },
  })
  using folder = temporaryFolder()
  const id = await server.add({ song_id: 1, tags: ["crew-6"] })
  const child = Bun.spawn([...PROGRAM, "work", "--worker", "box-6", "--tags", "crew-6", "--exec", "true"], {
    env: {
      ...process.env,
      TRACK_STUDIO_SERVER: `http://127.0.0.1:${older.port}`,
      XDG_STATE_HOME: folder.path,
    },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
  })
  expect((await client.finished(id, 20)).status).toBe("completed")
  child.kill("SIGTERM")
  expect(await child.exited).toBe(0)
  // Once is enough to know it.
  expect(refused).toHaveLength(1)
  await older.stop(true)
})
