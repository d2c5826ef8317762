import { afterAll, describe, expect, test } from "bun:test"

import { compile, fanOut, Readers, type WriteLoad } from "./load.ts"
import { Target } from "./processes.ts"

const streams = new Set<ReadableStreamDefaultController<string>>()
const text = new Headers({ "content-type": "text/event-stream" })
const live = `event: live\nid: 7\ndata: {"last_event_id":7}\n\n`
let head = 7

type Fault = "none" | "hole" | "order" | "loss" | "short" | "gap"

function frames(body: string, fault: Fault): string {
  const frame = (id: number, data: string): string => `id: ${id}\ndata: ${data}\n\n`
  const id = ++head
  if (id !== 10) return frame(id, body)
  if (fault === "hole") return frame(++head, body)
  if (fault === "order") return frame(8, body)
  if (fault === "loss") return frame(id, body).replace("data", "dat")
  if (fault === "short") return frame(id, body.slice(0, 100))
  if (fault === "gap") return `event: gap\ndata: {}\n\n${frame(id, body)}`
  return frame(id, body)
}

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  async fetch(request) {
    if (request.method === "GET") {
      const start = (controller: ReadableStreamDefaultController<string>): void => {
        streams.add(controller)
        controller.enqueue(`retry: 2000\n\n${live}`)
      }
      return new Response(new ReadableStream<string>({ start }), { headers: text })
    }
    const fault = new URL(request.url).pathname.slice(1) as Fault
    const bytes = frames(await request.text(), fault)
    for (const controller of streams) controller.enqueue(bytes)
    return new Response(null, { status: 204 })
  },
})

async function faultsOf(fault: Fault): Promise<string[]> {
  streams.clear()
  head = 7
  const write = { method: "POST", path: `/${fault}`, body: `ts=%T${"x".repeat(231)}` } as const
  const target = new Target("fake", server.port ?? 0, { stream: { path: "/", live: true }, write }, [])
  const load: WriteLoad = { connections: 1, requests: 5 }
  const { faults, delivered } = await fanOut(target, { count: 3, quietMs: 100 }, load)
  if (fault === "none") expect(delivered.events).toBe(15)
  return faults
}

const complaint = Bun.which("gcc") && Bun.which("taskset") ? compile() : "no gcc or taskset"

describe.skipIf(complaint !== undefined)("the load client", () => {
  afterAll(() => server.stop(true))

  test("accepts a stream with every update once and in order", async () => {
    expect(await faultsOf("none")).toEqual([])
  })

  test.each([
    ["hole", "3 holes between IDs"],
    ["order", "3 updates out of order"],
    ["loss", "5 updates for each stream, 4 to 4 came"],
    ["short", "updates of only 100 bytes"],
    ["gap", "3 frames that are no updates"],
  ] as const)("finds the fault: %s", async (fault, expected) => {
    expect(await faultsOf(fault)).toContain(expected)
  })

  test("counts what comes before live", async () => {
    const target = new Target(
      "fake",
      server.port ?? 0,
      { stream: { path: "/", live: true }, write: { method: "POST", path: "/", body: "" } },
      [],
    )
    const readers = await Readers.open(target, { count: 2, quietMs: 100 })
    await readers.finish()
    expect(readers.connected).toMatchObject({ connected: 2, failed: 0, before_min: 0, disorder: 0 })
  })
})
