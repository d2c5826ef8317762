import { afterAll, expect, test } from "bun:test"

import { start } from "../server.ts"

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())
const ITEMS = 1003
await Promise.all(Array.from({ length: ITEMS }, (_none, at) => server.add({ song_id: (at % 3) + 1 })))

/** The target of the header `Link`, which leads to the next page. */
function nextOf(answer: Response): string | undefined {
  const [, target] = /^<([^>]+)>; rel="next"$/.exec(answer.headers.get("link") ?? "") ?? []
  return target === undefined ? undefined : new URL(target, answer.url).href
}

/** All pages that are reached from an address by their links. */
async function pages<T>(path: string): Promise<T[]> {
  const found: T[] = []
  for (let url: string | undefined = `${server.url}/api/v1${path}`; url !== undefined;) {
    const answer: Response = await fetch(url)
    found.push(await answer.json())
    url = nextOf(answer)
  }
  return found
}

interface QueuePage {
  readonly queue: readonly { readonly id: number; readonly song_id: number }[]
  readonly next: string | null
}

test("a list that is cut at 1,000 says so by next and by a Link that leads to the rest", async () => {
  for (const path of ["/queue", "/queue/", "/queue?limit=5000"]) {
    const [first, second, ...others] = await pages<QueuePage>(path)
    expect([first?.queue.length, second?.queue.length, others.length]).toEqual([1000, ITEMS - 1000, 0])
    expect(first?.next).toBeString()
    expect(second?.next).toBeNull()
    expect(new Set([first, second].flatMap((page) => page?.queue.map(({ id }) => id))).size).toBe(ITEMS)
  }
})

test("the Link keeps the rest of the query", async () => {
  const found = await pages<QueuePage>("/queue?song_id=2&limit=100&status=queued")
  expect(found.map(({ queue }) => queue.length)).toEqual([100, 100, 100, 34])
  expect(found.flatMap(({ queue }) => queue).every(({ song_id }) => song_id === 2)).toBeTrue()
})

test("a list that is whole has no Link", async () => {
  const answer = await server.api("GET", "/queue?song_id=1")
  expect([answer.headers.get("link"), ((await answer.json()) as QueuePage).next]).toEqual([null, null])
})

test("the pages of an item's updates have the same Link", async () => {
  const id = await server.add()
  for (let change = 0; change < 4; change += 1) await server.put(id, { priority: change })
  const found = await pages<{ updates: { id: number }[] }>(`/queue/${id}/updates?limit=2`)
  expect(found.map(({ updates }) => updates.length)).toEqual([2, 2, 1])
})

test("an item is added at /queue/ too, and an empty id there shows no stream of everything", async () => {
  const answer = await server.api("POST", "/queue/", { song_id: 5 })
  expect(answer.status).toBe(201)
  expect(await answer.json()).toMatchObject({ song_id: 5, status: "queued" })
  expect((await server.api("GET", "/progress/stream/")).status).toBe(404)
})

/** The bytes of an answer as they came, and the headers that say how to read them. */
async function asSent(path: string, encodings: string) {
  const answer = await fetch(`${server.url}/api/v1${path}`, {
    headers: { "accept-encoding": encodings, origin: "https://studio.example" },
    decompress: false,
  })
  const [encoding, vary] = ["content-encoding", "vary"].map((name) => answer.headers.get(name))
  return { answer, encoding, vary }
}

test("a long list is compressed for clients that accept gzip, and says that it depends on that", async () => {
  const plain = await asSent("/queue", "identity, gzip;q=0")
  expect([plain.encoding, plain.vary]).toEqual([null, expect.stringMatching(/\*|accept-encoding/)])
  const text = await plain.answer.text()
  const packed = await asSent("/queue", "gzip, deflate, br")
  expect([packed.encoding, packed.vary]).toEqual(["gzip", plain.vary])
  const bytes = await packed.answer.bytes()
  expect(bytes.byteLength).toBeLessThan(text.length / 10)
  expect(new TextDecoder().decode(Bun.gunzipSync(bytes))).toBe(text)
  expect(packed.answer.headers.get("content-type")).toBe("application/json")
  // A very long one, too, with the same headers.
  const title = "A very long title ".repeat(900)
  await Promise.all(Array.from({ length: 140 }, () => server.add({ song_id: 4242, title })))
  const whole = await asSent("/queue?song_id=4242", "identity")
  const long = await whole.answer.text()
  expect(long.length).toBeGreaterThan(2_000_000)
  const { answer, encoding, vary } = await asSent("/queue?song_id=4242", "gzip")
  expect(new TextDecoder().decode(Bun.gunzipSync(await answer.bytes()))).toBe(long)
  expect([encoding, vary]).toEqual(["gzip", packed.vary])
  for (const name of [
    "content-type",
    "cache-control",
    "access-control-allow-origin",
    "x-content-type-options",
  ])
    expect([name, answer.headers.get(name)]).toEqual([name, packed.answer.headers.get(name)])
})

test("short answers and streams are never compressed", async () => {
  for (const path of [
    "/queue?limit=1",
    "/queue/counts",
    "/progress/stream",
    "/progress/stream?format=ndjson",
  ]) {
    const { answer, encoding } = await asSent(path, "gzip")
    await answer.body?.cancel()
    expect([path, encoding]).toEqual([path, null])
  }
})
