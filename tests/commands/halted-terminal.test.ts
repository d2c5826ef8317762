import { afterAll, expect, setDefaultTimeout, test } from "bun:test"

import { PROGRAM, start, temporaryFolder } from "../server.ts"
import { TestTerminal } from "../terminal.ts"
import { attempt } from "../worker.ts"

setDefaultTimeout(180_000)

const [HALT, GO_ON] = ["\u0013", "\u0011"]
/** More than a terminal or a pipe takes while nobody reads it. */
const MANY = 3000

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())

const inTerminal = (args: readonly string[]): TestTerminal =>
  new TestTerminal([...PROGRAM, ...args], { TRACK_STUDIO_SERVER: server.url })

const says = (text: string) => (lines: readonly string[]) => lines.some((line) => line.includes(text))

test.each([
  ["drawn", []],
  ["in lines", ["--lines"]],
])(
  "watch, %s, in a terminal that was halted with Ctrl-S ends at a signal as it does without the halt",
  async (_how, flags) => {
    const id = await server.add({ song_id: 1 })
    await using terminal = inTerminal(["watch", ...flags])
    await terminal.until(says("live"))
    terminal.type(HALT)
    for (let i = 0; i < 50; i += 1) await server.put(id, { title: `Title ${i}`, message: `${i}` })
    terminal.child.kill("SIGTERM")
    expect(await terminal.child.exited).toBe(0)
  },
)

test("all that watch was sent while its terminal was halted comes in order once that goes on", async () => {
  const id = await server.add({ song_id: 1 })
  await using terminal = inTerminal(["watch", "--lines", String(id)])
  await terminal.until(says("# live"))
  terminal.type(HALT)
  for (let i = 0; i < MANY; i += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, at) => server.put(id, { message: `n${i + at}.` })))
  }
  await server.put(id, { status: "failed" })
  expect(says("n0.")(terminal.lines)).toBe(false)
  terminal.type(GO_ON)
  expect(await terminal.child.exited).toBe(0)
  await terminal.drawn()
  const sent = await Array.fromAsync(messagesOf(id))
  expect(sent).toHaveLength(MANY)
  expect([...terminal.raw.matchAll(/n\d+\./g)].map(([message]) => message)).toEqual(sent)
})

/** The messages of an item that this test wrote, in the order of the history. */
async function* messagesOf(id: number): AsyncGenerator<string> {
  for (let after = 0; ;) {
    const answer = await server.api("GET", `/queue/${id}/updates?limit=1000&after=${after}`)
    const { updates }: { updates: { id: number; message: string }[] } = await answer.json()
    for (const { message } of updates) if (/^n\d+\.$/.test(message)) yield message
    const last = updates.at(-1)
    if (!last) return
    after = last.id
  }
}

test("logs in a terminal that was halted with Ctrl-S ends at a signal", async () => {
  const work = await attempt(server)
  const print = (body: string): Promise<Response> =>
    fetch(`${server.url}/api/v1/queue/${work.id}/output`, {
      method: "POST",
      body,
      headers: { lease: work.lease.token },
    })
  await print("first\n")
  await using terminal = inTerminal(["logs", "-f", String(work.id)])
  await terminal.until(says("first"))
  terminal.type(HALT)
  for (let i = 0; i < 20; i += 1) await print(`${"x".repeat(5000)}\n`)
  terminal.child.kill("SIGTERM")
  expect(await terminal.child.exited).toBe(0)
})

test("a server whose terminal was halted with Ctrl-S ends at a signal", async () => {
  using folder = temporaryFolder()
  const args = ["serve", "--port", "0", "--database", `${folder.path}/queue.db`]
  await using terminal = new TestTerminal([...PROGRAM, ...args])
  await terminal.until(says("listening"))
  terminal.type(HALT)
  terminal.child.kill("SIGTERM")
  expect(await terminal.child.exited).toBe(0)
})

test("a server whose terminal is halted keeps no log without an end, and says how many lines it left out", async () => {
  using folder = temporaryFolder()
  const args = ["serve", "--port", "0", "--database", `${folder.path}/queue.db`, "--log-level", "debug"]
  await using terminal = new TestTerminal([...PROGRAM, ...args])
  await terminal.until(says("listening"))
  const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(terminal.raw) ?? []
  terminal.type(HALT)
  for (let i = 0; i < 10_000; i += 100) {
    await Promise.all(Array.from({ length: 100 }, async () => (await fetch(`${url}/api/v1/me`)).text()))
  }
  terminal.type(GO_ON)
  // The count comes with the first line after all that waited was taken.
  const asking = setInterval(() => void fetch(`${url}/health`).catch(() => undefined), 100)
  try {
    await terminal.until(() => /lines of the log were left out[^\n]*\n/.test(terminal.raw))
  } finally {
    clearInterval(asking)
  }
  const [, leftOut] =
    /lines of the log were left out: nobody read it.*?lines=\S*?(\d+)\b/.exec(Bun.stripANSI(terminal.raw)) ??
    []
  const shown = Bun.stripANSI(terminal.raw).split("nobody read it", 1)[0]?.split("GET /api/v1/me").length ?? 0
  expect(shown - 1 + Number(leftOut)).toBeGreaterThanOrEqual(10_000)
  expect(Number(leftOut)).toBeGreaterThan(1000)
  terminal.child.kill("SIGTERM")
  expect(await terminal.child.exited).toBe(0)
})
