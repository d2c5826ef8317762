import { describe, expect, test } from "bun:test"

import { Client, type Watched } from "../../src/client/client.ts"
import { reasonOf } from "../../src/errors.ts"
import { endless, impostor, json, notOurs } from "./impostor.ts"

const events = (text: string | undefined): Response =>
  new Response(text, { headers: { "content-type": "text/event-stream" } })

describe("an answer that is no stream", () => {
  const cases: Readonly<Record<string, string>> = {
    "an update of nothing": "id: 1\ndata: {}\n\n",
    "an update that is no JSON": "id: 1\ndata: hello\n\n",
    "an update without an ID": 'data: {"queue_id":1}\n\n',
    "a live of nothing": "event: live\nid: 4\ndata: {}\n\n",
    "a gap of nothing": "event: gap\ndata: null\n\n",
    "a shutdown that asks for text": 'event: shutdown\ndata: {"retry_ms":"soon"}\n\n',
  }
  test.each(Object.keys(cases))("%s ends it, but not after the server was found", async (name) => {
    const live = 'event: live\ndata: {"last_event_id":1,"history":"h"}\nretry: 1\n\n'
    const answers = [cases[name], live, cases[name]]
    await using other = impostor(() => events(answers.shift() ?? cases[name]))
    const client = new Client(other.url)
    expect(await client.watch().next().catch(reasonOf)).toContain(notOurs(other.url))
    const said: Watched[] = []
    for await (const one of client.watch()) {
      said.push(one)
      if (said.length === 4) break
    }
    expect(said).toMatchObject([
      { type: "control" },
      { type: "offline", reason: "the stream ended" },
      { type: "offline", reason: notOurs(other.url) },
      { type: "offline", reason: notOurs(other.url) },
    ])
  })

  test.each(["watch", "output", "songOutput"] as const)(
    "%s names the program that answers, and ends",
    async (method) => {
      const others: (() => Response)[] = [
        () => new Response("<h1>Log in to the Wi-Fi</h1>", { headers: { "content-type": "text/html" } }),
        () => json({ status: "ok" }),
        () => new Response(null, { status: 204 }),
        () => events("event: tick\ndata: 1\n\ndata: tick\n\n"),
      ]
      await using other = impostor(() => others[0]?.() ?? json({}))
      const client = new Client(other.url)
      for (; others.length > 0; others.shift()) {
        const stream: AsyncGenerator = method === "watch" ? client.watch() : client[method](7)
        expect(await stream.next().catch(reasonOf)).toContain(notOurs(other.url))
      }
    },
  )

  test("events and values that this client does not know yet pass", async () => {
    const frames = [
      'event: weather\ndata: "sunny"\n\n',
      'id: 3\ndata: {"queue_id":1,"status":"paused","colour":"red"}\n\n',
      'event: gap\ndata: {"reason":"restored","last_event_id":3,"missed":null}\n\n',
      'event: live\nid: 3\ndata: {"last_event_id":3,"history":"a","node":2}\n\n',
    ]
    await using newer = impostor(
      () => new Response(frames.join(""), { headers: { "content-type": "text/event-stream" } }),
    )
    const said: Watched[] = []
    for await (const one of new Client(newer.url).watch()) {
      if (one.type === "offline") break
      said.push(one)
    }
    expect(said).toEqual(
      JSON.parse(`[
        {"type":"update","id":3,"update":{"queue_id":1,"status":"paused","colour":"red"}},
        {"type":"control","control":{"event":"gap","reason":"restored","last_event_id":3,"missed":null}},
        {"type":"control","control":{"event":"live","last_event_id":3,"history":"a","node":2}}]`),
    )
  })

  test("one event without an end takes bounded memory", async () => {
    await using other = impostor(() =>
      endless("data: and on and on", { headers: { "content-type": "text/event-stream" } }),
    )
    expect(await new Client(other.url).watch().next().catch(reasonOf)).toContain(
      "an event of the stream is too long",
    )
  })
})

test("the state of another database is asked for unless its gap has brought it", async () => {
  const live = (history: string): string =>
    `event: live\nid: 9\ndata: {"last_event_id":9,"history":"${history}"}\nretry: 1\n\n`
  const gap = (reason: string): string =>
    `event: gap\ndata: {"reason":"${reason}","last_event_id":9,"missed":2}\n\n`
  for (const [reason, next] of [
    ["expired", "9"],
    ["slow", "another-history"],
    ["unreadable", "another-history"],
  ] as const) {
    const answers = [live("one"), gap(reason) + live("other")]
    const asked: (string | null)[] = []
    await using changed = impostor(({ url, headers }) => {
      asked.push(headers.get("last-event-id") ?? new URL(url).searchParams.get("last_event_id"))
      return events(answers.shift() ?? live("other"))
    })
    for await (const _ of new Client(changed.url).watch()) if (asked.length > 2) break
    expect([reason, ...asked.slice(0, 3)]).toEqual([reason, null, "9", next])
  }
})

test("a stream for which the server has no room says so in the server's words, and is opened again", async () => {
  const busy = 'retry: 1\nevent: busy\ndata: {"error":"the server has 5 streams open"}\n\n'
  const live = 'event: live\nid: 4\ndata: {"last_event_id":4,"history":"one"}\n\n'
  const answers = [busy, live]
  await using full = impostor(() => events(answers.shift() ?? live))
  const said: Watched[] = []
  for await (const one of new Client(full.url).watch()) if (said.push(one) === 2) break
  expect(said).toMatchObject([
    { type: "offline", reason: "the server has 5 streams open" },
    { type: "control", control: { event: "live" } },
  ])
})
