import { expect, setDefaultTimeout, test } from "bun:test"

import { Client, type OutputPosition } from "../../src/client/client.ts"
import { start } from "../server.ts"
import { type Attempt, attempt, claim } from "../worker.ts"
import { impostor, notOurs } from "./impostor.ts"

setDefaultTimeout(180_000)

test("an output is resumed at a place, and read from its beginning after the item was retried", async () => {
  await using server = await start()
  const client = new Client(server.url)
  const print = ({ id, lease }: Attempt, text: string): Promise<unknown> =>
    client.print({ id, token: lease.token }, new TextEncoder().encode(text))
  const read = async (id: number, from?: OutputPosition) => {
    const said = await Array.fromAsync(client.output(id, { attempt: 1, from }))
    return said.filter(({ type }) => type !== "end")
  }
  const work = await attempt(server, { max_attempts: 1 })
  await print(work, "before\n")
  const [before] = await read(work.id)
  if (before?.type !== "piece") throw new Error("nothing was read")
  expect(await read(work.id, before)).toEqual([])
  await work.say("fail", { error_message: "broken" })
  await client.retry(work.id)
  const again = await claim(server, { id: work.id })
  if (!again) throw new Error("not claimed")
  for (const text of ["again\n", "and longer\n"]) await print(again, text)
  const [after, ...more] = await read(work.id, before)
  if (after?.type !== "piece") throw new Error("nothing was read")
  expect([after, ...more]).toMatchObject([{ text: "again\n" }, { text: "and longer\n" }])
  expect(after.begunMs).toBeGreaterThan(before.begunMs ?? Number.NaN)
})

test("the output of an older server, which does not say when an attempt began, is resumed all the same", async () => {
  const piece = { attempt: 1, from: 7, to: 10, missing: 0, text: "one" }
  const sent = `id: 1-10\ndata: ${JSON.stringify(piece)}\n\nevent: end\ndata: {"attempt":1,"status":"failed"}\n\n`
  const asked: (string | null)[] = []
  await using server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch({ headers }) {
      asked.push(headers.get("last-event-id"))
      return new Response(sent, { headers: { "content-type": "text/event-stream" } })
    },
  })
  const client = new Client(`http://127.0.0.1:${server.port}`)
  const [read] = await Array.fromAsync(client.output(7))
  if (read?.type !== "piece") throw new Error("nothing was read")
  expect(read).toEqual({ type: "piece", ...piece, begunMs: undefined })
  await Array.fromAsync(client.output(7, { from: read }))
  expect(asked).toEqual([null, "1-10"])
})

test("output that is sent again from its beginning is stored once", async () => {
  await using server = await start()
  const client = new Client(server.url)
  const { id, lease } = await attempt(server)
  const print = (offset: number) =>
    client.print({ id, token: lease.token }, new TextEncoder().encode("one\n"), offset)
  expect([(await print(0)).end, (await print(0)).end, (await print(4)).end]).toEqual([4, 4, 8])
})

test("an end that no server sends does not end an output", async () => {
  await using other = impostor(
    () => new Response("event: end\ndata: {}\n\n", { headers: { "content-type": "text/event-stream" } }),
  )
  await expect(new Client(other.url).output(7).next()).rejects.toThrow(notOurs(other.url))
})
