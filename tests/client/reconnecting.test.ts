import { expect, test } from "bun:test"

import { EventParser } from "../../src/client/event-parser.ts"
import { connected, newConnections, type Offline, type Understood } from "../../src/client/reconnecting.ts"
import { ServerError } from "../../src/client/requests.ts"

const streamOf = (text: string): Response =>
  new Response(text, { headers: { "content-type": "text/event-stream" } })

const OVER = new ServerError(410, "over", { code: "gone" })

/**
 * A stream whose connections get the answers of the test, one after the other. At the end a refusal ends it.
 */
async function played(
  answers: readonly (() => Response)[],
  read: (data: string) => Understood<string> = (data) => ({ said: data }),
) {
  const [said, offline, asked]: [string[], Offline[], (string | undefined)[]] = [[], [], []]
  const open = async (_: string, headers: Readonly<Record<string, string>>): Promise<Response> => {
    asked.push(headers["last-event-id"])
    const answer = answers[asked.length - 1]
    if (!answer) throw OVER
    return answer()
  }
  const connections = newConnections(undefined)
  const reading = { path: "/", read: ({ data }: { data: string }) => read(data) }
  try {
    for await (const one of connected(open, connections, {}, () => reading)) {
      if (typeof one === "string") said.push(one)
      else offline.push(one)
    }
  } catch (error) {
    if (error !== OVER) throw error
  }
  return { said, offline, asked, limitMs: connections.rhythm.limitMs }
}

test("each failure doubles the pause, and a connection that brings an event makes it short again", async () => {
  const event = (): Response => streamOf("retry: 2\n\ndata: one\n\n")
  const busy = (): Response => {
    throw new ServerError(503, "busy")
  }
  const { said, offline } = await played([event, busy, busy, busy, event, busy, event])
  expect(said).toEqual(["one", "one", "one"])
  const waits = offline.map(({ retryMs }) => retryMs)
  expect([waits[0], waits[4], waits[6]]).toEqual([2, 2, 2])
  expect(waits[1]).toBeWithin(3, 6)
  expect(waits[3]).toBeWithin(12, 21)
  expect(offline.map(({ status }) => status)).toEqual([0, 503, 503, 503, 0, 503, 0])
})

test("a server that asks for no wait is asked less and less often, too", async () => {
  const empty = (): Response => streamOf("retry: 0\n\n")
  const { offline } = await played(Array.from({ length: 7 }, () => empty))
  expect(offline.at(-1)?.retryMs).toBeGreaterThan(20)
})

test("a pause that the server asks for does not become shorter by a failure", async () => {
  const connections = { ...newConnections(undefined), retryMs: 20_000, failures: 1 }
  const busy = async (): Promise<Response> => {
    throw new ServerError(503, "busy")
  }
  const stream = connected<string>(busy, connections, {}, () => ({ path: "/", read: () => undefined }))
  const { value } = await stream.next()
  expect(typeof value === "object" ? value.retryMs : 0).toBeWithin(16_000, 24_001)
  await stream.return()
})

test("a connection goes on after the last event that was taken, and not after one that was dropped", async () => {
  const { said, asked } = await played(
    [
      () => streamOf("retry: 0\nid: 7\ndata: one\n\nid: 8\ndata: again\n\nid: 9\ndata: late\n\n"),
      () => streamOf("data: two\n\n"),
    ],
    (data) => (data === "again" ? { ending: "again" } : { said: data }),
  )
  expect(said).toEqual(["one", "two"])
  expect(asked).toEqual([undefined, "7", "7"])
})

test("when the network is back, the next connection is opened at once, and no error is reported", async () => {
  const asked: (string | undefined)[] = []
  const open = async (
    _: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Response> => {
    asked.push(headers["last-event-id"])
    if (asked.length === 2) return streamOf("data: two\n\n")
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        signal.addEventListener("abort", () => controller.error(new Error("aborted")))
        controller.enqueue(new TextEncoder().encode("id: 7\ndata: one\n\n"))
      },
    })
    return new Response(body, { headers: { "content-type": "text/event-stream" } })
  }
  const read = ({ data }: { readonly data: string }): Understood<string> => {
    if (data === "one") setTimeout(() => dispatchEvent(new Event("online")), 1)
    return { said: data, ending: data === "two" ? "over" : undefined }
  }
  const said = await Array.fromAsync(
    connected(open, newConnections(undefined), {}, () => ({ path: "/", read })),
  )
  expect([said, asked]).toEqual([
    ["one", "two"],
    [undefined, "7"],
  ])
})

test("an event has the ID that came with it, and no other one", () => {
  const bytes = new TextEncoder().encode("id: 7\ndata: one\n\ndata: two\n\n")
  expect([...new EventParser().feed(bytes)]).toEqual([
    { id: "7", event: "message", data: "one" },
    { event: "message", data: "two" },
  ])
})

test("what an event says of the end of its connection is the reason of that end", async () => {
  const answer = (): Response => streamOf("retry: 0\n\ndata: stops\n\ndata: one\n\n")
  const read = (data: string): Understood<string> => ({
    said: data,
    ...(data === "stops" && { reason: "the server is shutting down" }),
  })
  const { offline } = await played([answer], read)
  expect(offline.map(({ reason }) => reason)).toEqual(["the server is shutting down"])
})

test("an event may end the stream, and what comes after it is not read", async () => {
  const { said, asked } = await played([() => streamOf("id: 1\ndata: last\n\ndata: late\n\n")], (data) => ({
    said: data,
    ending: "over",
  }))
  expect([said, asked]).toEqual([["last"], [undefined]])
})

test("only a keepalive that comes alone shows how far apart keepalives are", async () => {
  const beside = await played([() => streamOf("retry: 0\n\n: keepalive\n\ndata: one\n\n")])
  expect(beside.limitMs).toBe(35_000)
  const alone = await played([() => streamOf(": keepalive\n\n"), () => streamOf("retry: 0\n\ndata: one\n\n")])
  expect(alone.limitMs).toBeLessThan(35_000)
})

test("a server that was found stays found after an event that is not known here", async () => {
  const proxied = (): Response => {
    throw new ServerError(404, "no such page")
  }
  const { said, offline } = await played(
    [
      () => streamOf("retry: 1\n\ndata: one\n\ndata: of a newer server\n\n"),
      proxied,
      () => streamOf("data: two\n\n"),
    ],
    (data) => (data.startsWith("of") ? {} : { said: data }),
  )
  expect([said, offline.map(({ status }) => status)]).toEqual([
    ["one", "two"],
    [0, 404, 0],
  ])
})
