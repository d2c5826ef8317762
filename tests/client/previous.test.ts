import { expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"

import { Value } from "@sinclair/typebox/value"

import { Client, type Watched } from "../../src/client/client.ts"
import { QueueItem } from "../../src/item/item.ts"
import { start } from "../server.ts"

setDefaultTimeout(180_000)

/** A request of the previous version's `work`, and what its server answered. */
interface Turn {
  readonly method: string
  readonly path: string
  readonly lease: boolean
  readonly body: object | null
  readonly status: number
  readonly answer: Readonly<Record<string, unknown>>
}

/** The requests and answers of the previous version, recorded from its binary. */
const previous: {
  readonly work: readonly Turn[]
  readonly answers: Readonly<Record<string, object>>
  readonly stream: string
} = await Bun.file(join(import.meta.dir, "../captures/previous-version.json")).json()

/** The keys of an answer, those of inner objects included. */
const keysOf = (value: unknown, path = ""): string[] =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.entries(value).flatMap(([key, inner]) => [`${path}${key}`, ...keysOf(inner, `${path}${key}.`)])
    : []

test("the previous version's `work` renders the items of this server", async () => {
  await using server = await start()
  await server.add({ song_id: 7, title: "Northern Lights", tags: ["gpu"], metadata: { album: "x" } })
  for (const song_id of [8, 9]) await server.add({ song_id })
  let token = ""
  for (const turn of previous.work) {
    const path = turn.path.replace("/api/v1", "")
    if (path.endsWith("heartbeat?wait=20")) await server.api("POST", "/queue/3/cancel")
    const headers = turn.lease ? { lease: token } : {}
    const answer = await server.api(turn.method, path, turn.body ?? undefined, headers)
    const now: { lease?: { token?: string }; directive?: unknown } = await answer.json()
    expect([path, answer.status, now.directive]).toEqual([path, turn.status, turn.answer["directive"]])
    expect(keysOf(now)).toEqual(expect.arrayContaining(keysOf(turn.answer)))
    token = now.lease?.token ?? token
  }
  expect([await server.item(1), await server.item(2), await server.item(3)]).toMatchObject([
    { outcome: "completed" },
    { outcome: "failed" },
    { outcome: "cancelled" },
  ])
})

test("this client understands what the previous version's server answers", async () => {
  const work = previous.work.values()
  await using server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: ({ method, url }) => {
      const path = new URL(url).pathname.replace("/api/v1", "")
      if (path.startsWith("/progress/stream"))
        return new Response(previous.stream, { headers: { "content-type": "text/event-stream" } })
      const known = previous.answers[`${method} ${path}`]
      return Response.json(known ?? work.next().value?.answer)
    },
  })
  const client = new Client(`http://127.0.0.1:${server.port}`)
  expect(await client.add({ song_id: 7 })).toMatchObject({ id: 1, status: "queued" })
  expect(await client.update(1, { progress: 40 })).toMatchObject({ progress: 40 })
  expect((await client.list({})).queue).toHaveLength(1)
  const item = await client.get(1)
  expect(item).toMatchObject({ title: "Northern Lights" })
  // Keys that the older server does not know are present, with the values of an item that has none of them.
  expect(Object.keys(item).sort()).toEqual(Object.keys(QueueItem.properties).sort())
  expect(Value.Errors(QueueItem, item).First()).toBeUndefined()
  expect((await client.history(1)).updates).toHaveLength(2)
  await client.flag(1, "image_issue")
  expect(await client.cancel(1)).toMatchObject({ outcome: "cancelled" })
  expect(await client.retry(1)).toMatchObject({ status: "queued" })
  expect(await client.stats()).toMatchObject({ updates: { newest_id: 5 } })
  expect(await client.health()).toMatchObject({ version: "0.1.0" })
  await client.remove(1)
  const said: Watched[] = []
  for await (const one of client.watch({ queueId: 1, untilFinished: true })) said.push(one)
  expect(said.map((one) => (one.type === "control" ? one.control.event : one.type))).toEqual([
    "update",
    "live",
    "end",
  ])

  const first = await client.claim({ worker: "box-1" })
  const held = { id: 1, token: first === "drain" || !first ? "" : first.lease.token }
  for (const _of of [1, 2, 3]) expect(await client.report(held, {})).toMatchObject({ directive: "continue" })
  const [second, third] = [
    { ...held, id: 2 },
    { ...held, id: 3 },
  ]
  expect(await client.complete(held)).toMatchObject({ item: { outcome: "completed" } })
  expect(await client.claim({ worker: "box-1" })).toMatchObject({ item: { id: 2 } })
  await client.report(second, {})
  expect(await client.fail(second, {})).toMatchObject({ item: { outcome: "failed" } })
  expect(await client.claim({ worker: "box-1" })).toMatchObject({ item: { id: 3 } })
  await client.report(third, {})
  expect(await client.heartbeat(third)).toMatchObject({ directive: "cancel" })
  expect(await client.fail(third, {})).toMatchObject({ item: { outcome: "cancelled" } })
})
