import { expect, setDefaultTimeout, test } from "bun:test"

import { EVERYBODY } from "../../src/access/authorize.ts"
import { boardFor } from "../../src/http/curl-board.ts"
import { StreamOwners } from "../../src/http/stream-owners.ts"
import type { StartForecasts } from "../../src/queue/start-forecasts.ts"
import type { Streams } from "../../src/stream/streams.ts"
import { PROGRAM, start, type TestServer, textOf } from "../server.ts"
import { TestTerminal } from "../terminal.ts"

// Programs are started, which takes its time on a busy machine.
setDefaultTimeout(180_000)

const ESCAPE = "\u001b"
/** The parts of a board beside its text: synchronized update, wrapping, cursor up, erase, colours. */
const OURS = new RegExp(`${ESCAPE}\\[(\\?2026[hl]|\\?7[hl]|\\d*A|2?[KJ]|[\\d;]*m)`, "g")
const HOSTILE = "a\u001b[2J\u001b]0;owned\u0007\u009b31m\r\n\u202eb\u0085c\u007f\u0008"

const says = (text: string) => (lines: readonly string[]) => lines.some((line) => line.includes(text))
const timeless = (lines: readonly string[]): string[] =>
  lines.map((line) => line.replace(/\d\d:\d\d:\d\d/g, "TIME"))

const curl = (server: TestServer, path = "/", ...args: readonly string[]): TestTerminal =>
  new TestTerminal(["curl", "-sN", ...args, `${server.url}${path}`])

test("curl draws the board that watch draws, frame by frame", async () => {
  await using server = await start()
  await using board = curl(server)
  await using watch = new TestTerminal([...PROGRAM, "watch"], { TRACK_STUDIO_SERVER: server.url })
  const both = (text: string): Promise<unknown> =>
    Promise.all([board.until(says(text)), watch.until(says(text))])
  await both("● live · 0 running")
  const first = await server.add({ song_id: 7, title: "Northern Lights" })
  await server.put(first, { status: "processing", current_step: "Images", progress: 25 })
  await both("25%  Images")
  const second = await server.add({ song_id: 8, title: "Midnight" })
  await both("1 waiting")
  await server.put(second, { status: "processing", progress: 60, message: "Loading" })
  await both("2 running")
  await server.put(first, { status: "completed" })
  await both("1 completed")
  await server.put(second, { status: "failed", error_message: "out of disk" })
  await both("1 failed")
  const drawn = timeless(board.lines)
  expect(drawn).toEqual(timeless(watch.lines))
  expect(drawn).toEqual([
    "TIME ✔ #1 Northern Lights completed",
    "TIME ✘ #2 Midnight failed: out of disk",
    "Nothing is rendering.",
    "● live · 0 running · 0 waiting · 1 completed · 1 failed",
  ])
  for (const frame of [
    ["#1 Northern Lights  ━━━━━━━━━━━━━━━━━━━━  25%  Images", "● live · 1 running · 0 waiting"],
    [
      "#1 Northern Lights  ━━━━━━━━━━━━━━━━━━━━  25%  Images",
      "#2 Midnight         ━━━━━━━━━━━━━━━━━━━━  60%  Loading",
      "● live · 2 running · 0 waiting",
    ],
  ]) {
    expect(board.frames).toContainEqual(frame)
    expect(watch.frames).toContainEqual(frame)
  }
  await board.interrupt()
  await watch.interrupt()
  await server.connectedClients(0)
})

test("columns, rows, colours and time zone of curl's board can be chosen", async () => {
  await using server = await start()
  for (let song_id = 1; song_id <= 6; song_id += 1) {
    await server.put(await server.add({ song_id, title: `A song with the number ${song_id}` }), {
      status: "processing",
      progress: 50,
    })
  }
  await using board = curl(server, "/?columns=40&rows=6&color=never")
  await board.until(says("6 running"))
  expect(board.lines).toEqual([
    "#1 A song with the n…  █████░░░░░  50%",
    "#2 A song with the n…  █████░░░░░  50%",
    "#3 A song with the n…  █████░░░░░  50%",
    "  and 3 more",
    "live · 6 running · 0 waiting",
  ])
  expect(board.raw).not.toContain("\u001b[3")
  const berlin = await fetch(`${server.url}/?tz=Europe/Berlin`, { headers: { "user-agent": "node" } })
  expect([berlin.status, await berlin.text()]).toEqual([200, expect.stringContaining("6 running")])
  const sized = async (query: string): Promise<string> =>
    (await fetch(`${server.url}/?${query}`, { headers: { "user-agent": "node" } })).text()
  expect(await sized("columns=3&rows=1")).toBe(await sized("columns=20&rows=4"))
  expect(await sized("columns=9999&rows=9999")).toBe(await sized("columns=1000&rows=1000"))
  const mars = await fetch(`${server.url}/?tz=Mars/Olympus`, { headers: { "user-agent": "curl/8" } })
  expect([mars.status, (await mars.json()).error]).toEqual([
    422,
    'tz must be the name of a time zone, such as Europe/Berlin, not "Mars/Olympus"',
  ])
  const answer = await fetch(`${server.url}/?colums=40`, { headers: { "user-agent": "curl/8" } })
  expect([answer.status, (await answer.json()).code]).toEqual([422, "invalid"])
})

test("wget gets the board too; other programs get it once, as plain text; a client that takes no text gets the envelope", async () => {
  await using server = await start()
  await server.put(await server.add({ song_id: 1, title: "Hello" }), { status: "processing", progress: 50 })
  await using wget = new TestTerminal(["wget", "-qO-", `${server.url}/`])
  await wget.until(says("● live · 1 running"))
  const once = await fetch(server.url, { headers: { "user-agent": "python-requests/2" } })
  expect(once.headers.get("content-type")).toBe("text/plain; charset=utf-8")
  expect(once.headers.get("vary")).toBe("accept, user-agent")
  expect(await once.text()).toBe("#1 Hello  ██████████░░░░░░░░░░  50%\nlive · 1 running · 0 waiting\n")
  const json = await fetch(server.url, { headers: { accept: "application/json" } })
  expect([json.status, (await json.json()).code]).toEqual([404, "not_found"])
  const page = await fetch(`${server.url}/items/1`, { headers: { accept: "application/json" } })
  expect([page.status, page.headers.get("vary")]).toEqual([404, "accept"])
  const head = await fetch(server.url, { method: "HEAD", headers: { "user-agent": "curl/8" } })
  expect([head.status, await head.text()]).toEqual([200, ""])
  await wget.interrupt()
  await server.connectedClients(0)
})

test("curl sees when the server goes away, and ends in order", async () => {
  await using server = await start()
  await server.put(await server.add({ song_id: 1, title: "Hello" }), { status: "processing" })
  await using board = curl(server)
  await board.until(says("● live"))
  await server.end()
  expect(await board.child.exited).toBe(0)
  await board.drawn()
  expect(timeless(board.lines).at(-1)).toBe(
    "○ offline since TIME: the server is shutting down · 1 running · 0 waiting",
  )
})

test("a curl that stops reading for a while is then shown the current state", async () => {
  await using server = await start({ args: ["--max-lag", "100"] })
  const id = await server.add({ song_id: 1, title: "Hello" })
  await server.put(id, { status: "processing" })
  await using board = curl(server)
  await board.until(says("● live"))
  board.child.kill("SIGSTOP")
  for (let at = 0; at < 400; at += 1) await server.put(id, { message: "x".repeat(2000), title: `Turn ${at}` })
  await server.put(id, { progress: 77 })
  board.child.kill("SIGCONT")
  await board.until(says("#1 Turn 399  "))
  await board.until(says(" 77%"))
  await board.interrupt()
}, 180_000)

test("an idle board is drawn again with the keepalive, so that a client that has gone is noticed", async () => {
  await using server = await start({ args: ["--keepalive-ms", "100"] })
  await using board = curl(server)
  await board.until(says("● live"))
  await board.until(() => board.frames.length > 3)
  expect(new Set(board.frames.map((frame) => frame.join("\n"))).size).toBe(1)
})

test("nothing that an item says can steer a terminal, on any way that curl has to see it", async () => {
  await using server = await start({ args: ["--keepalive-ms", "100"] })
  const id = await server.add({ song_id: 1, title: HOSTILE })
  await using board = curl(server)
  await board.until(says("● live"))
  const said = { message: HOSTILE, current_step: HOSTILE, error_message: HOSTILE }
  await server.put(id, { status: "processing", ...said })
  await board.until(says("1 running"))
  await server.put(id, { status: "failed", ...said })
  await board.until(says("1 failed"))
  const seen = [board.raw.replace(OURS, "").replace(/[\r\n]/g, "")]
  for (const format of ["sse", "ndjson", "text"]) {
    const path = `/api/v1/progress/stream/${id}?until=finished&format=${format}&last_event_id=0`
    const child = Bun.spawn(["curl", "-sN", `${server.url}${path}`], { stdout: "pipe" })
    seen.push((await textOf(child.stdout)).replaceAll("\n", ""))
  }
  const gap = Bun.spawn(
    ["curl", "-sN", `${server.url}/api/v1/progress/stream/${id}?until=finished&last_event_id=%C2%9B31m`],
    { stdout: "pipe" },
  )
  seen.push((await textOf(gap.stdout)).replaceAll("\n", ""))
  expect(seen[4]).toContain(`"last_event_id":"\\u009b31m"`)
  for (const text of seen) {
    expect(text.length).toBeGreaterThan(200)
    expect(text).not.toMatch(/\p{Cc}|\p{Bidi_Control}/u)
  }
  // Characters that are escaped on the way are the same text.
  const answer = await server.api("GET", `/queue/${id}/updates`)
  const { updates }: { updates: { title: string }[] } = await answer.json()
  expect(updates[0]?.title).toBe(HOSTILE)
})

test("curl waits for an item with until=finished, and reads lines of text", async () => {
  await using server = await start()
  const id = await server.add({ song_id: 1, title: "Hello" })
  const url = `${server.url}/api/v1/progress/stream/${id}?until=finished&format=text`
  const child = Bun.spawn(["curl", "-sN", url], { stdout: "pipe" })
  await server.connectedClients(1)
  await server.put(id, { status: "processing", progress: 5, current_step: "Images" })
  await server.put(id, { status: "completed", message: "done" })
  expect(await child.exited).toBe(0)
  expect((await textOf(child.stdout)).replace(/\d\d:\d\d:\d\d/g, "TIME").split("\n")).toEqual([
    "TIME #1 Hello  queued       0%  Queue item created",
    "# live after update 1",
    "TIME #1 Hello  processing   5%  Images",
    "TIME #1 Hello  completed  100%  Images - done",
    "# completed",
    "",
  ])
})

test("a cancelled item is not called failed in lines of text, while it is watched and afterwards", async () => {
  await using server = await start()
  const id = await server.add({ song_id: 1 })
  const url = `${server.url}/api/v1/progress/stream/${id}?until=finished`
  const watching = Bun.spawn(["curl", "-sN", `${url}&format=text`], { stdout: "pipe" })
  await server.connectedClients(1)
  await server.api("POST", `/queue/${id}/cancel`)
  const later = Bun.spawn(["curl", "-sN", `${url}&format=text&last_event_id=0`], { stdout: "pipe" })
  for (const { stdout } of [watching, later]) {
    const lines = (await textOf(stdout)).trimEnd().split("\n")
    expect(
      lines.filter((line) => line.includes("cancelled")).map((line) => line.replace(/^\S+ #/, "#")),
    ).toEqual(["#1  cancelled    0%  Queue item cancelled", "# cancelled"])
  }
  const events = Bun.spawn(["curl", "-sN", `${url}&last_event_id=0`], { stdout: "pipe" })
  expect(await textOf(events.stdout)).toEndWith(
    'data: {"last_event_id":2,"status":"failed","outcome":"cancelled"}\n\n',
  )
})

test("the time at which all is done is not shown to a caller that may see only one item", async () => {
  let asked = 0
  const forecasts: unknown = { now: async () => ({ starts: [], doneIn: 60, workers: asked++ }) }
  const live = { type: "control", control: { event: "live", last_event_id: 1, history: "h" } }
  async function* frames(): AsyncGenerator<object[]> {
    yield [live]
  }
  const streams: unknown = { open: () => frames() }
  const parts = { streams: streams as Streams, forecasts: forecasts as StartForecasts, now: Date.now }
  const board = boardFor(parts, new StreamOwners(parts.streams))
  for (const [item, times] of [
    [7, 0],
    [undefined, 1],
  ] as const) {
    asked = 0
    const answer = await board(new Request("http://localhost/"), { ...EVERYBODY, role: "viewer", item })
    expect(await answer.text()).toContain("live")
    expect([item, asked]).toEqual([item, times])
  }
})

test("a board is drawn no larger than 1000 columns and rows, whatever its client asks for", async () => {
  const text = { current_step: "", message: "", progress: 50, title: "x".repeat(2000) }
  const updates = Array.from({ length: 1200 }, (_, i) => {
    const row = { id: i + 1, queue_id: i + 1, song_id: 1, status: "processing" }
    return { type: "update", update: { ...row, data: JSON.stringify({ ...row, ...text }) } }
  })
  const live = { type: "control", control: { event: "live", last_event_id: 1200, history: "h" } }
  async function* frames(): AsyncGenerator<object[]> {
    yield [...updates, live]
  }
  const streams: unknown = { open: () => frames() }
  const forecasts: unknown = { now: async () => ({ starts: [], doneIn: null }) }
  const parts = { streams: streams as Streams, forecasts: forecasts as StartForecasts, now: Date.now }
  const board = boardFor(parts, new StreamOwners(parts.streams))
  const request = new Request("http://localhost/?columns=99999&rows=99999")
  const lines = (await (await board(request, { ...EVERYBODY, role: "viewer" })).text())
    .split("\n")
    .slice(0, -1)
  expect(lines).toHaveLength(999)
  expect(Math.max(...lines.map(({ length }) => length))).toBeWithin(900, 1000)
})
