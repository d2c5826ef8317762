import { expect, test } from "bun:test"

import { ErrorLog, type LogFields, readableLine } from "../src/log.ts"
import { freePort } from "./engines.ts"
import { PROGRAM, start, temporaryFolder } from "./server.ts"

/** A log that counts over a short time, and its lines. */
function open() {
  const lines: { msg: string; fields: LogFields }[] = []
  let wake: () => void = () => undefined
  const errors = new ErrorLog((_level, msg, fields = {}) => {
    lines.push({ msg, fields })
    wake()
  }, 50)
  return {
    errors,
    lines,
    async until(count: number): Promise<void> {
      while (lines.length < count) await new Promise<void>((resolve) => (wake = resolve))
    },
  }
}

const full = (): Error => new Error("the database cannot be written", { cause: new Error("disk is full") })

test("the same error is logged once, and then counted", async () => {
  const { errors, lines, until } = open()
  const noted: string[] = []
  errors.onError = (error, msg) => void noted.push(`${msg}: ${error instanceof Error ? error.message : ""}`)
  errors.log("a request failed", full(), { request_id: "1" })
  for (let i = 0; i < 41; i += 1) errors.log("a request failed", full(), { request_id: `${i + 2}` })
  const cause = "the database cannot be written: disk is full"
  expect(lines).toEqual([
    {
      msg: "a request failed",
      fields: { request_id: "1", cause, error: expect.stringContaining("log.test.ts") },
    },
  ])
  await until(2)
  expect(lines[1]).toEqual({
    msg: "a request failed",
    fields: { cause, again: 41, seconds: expect.any(Number) },
  })
  // Only those since the last line are counted in the next.
  for (let i = 0; i < 3; i += 1) errors.log("a request failed", full())
  await until(3)
  expect(lines[2]?.fields).toMatchObject({ cause, again: 3 })
  // Each of them may say what is wrong with the server, whether it was logged or only counted.
  expect([noted.length, noted.at(-1)]).toEqual([45, expect.stringMatching(/^a request failed: the database/)])
})

test("another message or another cause makes another error, and one that stayed away for long is logged again", async () => {
  const { errors, lines } = open()
  errors.log("a request failed", full())
  errors.log("a timer failed", full())
  errors.log("a request failed", new Error("the database cannot be written", { cause: new Error("locked") }))
  expect(lines).toHaveLength(3)
  await Bun.sleep(120)
  errors.log("a request failed", full())
  expect(lines).toHaveLength(4)
  expect(lines[3]?.fields["request_id"]).toBeUndefined()
  expect(lines[3]?.fields["error"]).toBeString()
})

test("a warning is counted like an error, and stays a warning", async () => {
  const { errors, lines, until } = open()
  for (let i = 0; i < 3; i += 1) errors.warn("a delivery was given up", "it answered 500", { delivery: i })
  await until(2)
  expect(lines).toEqual([
    { msg: "a delivery was given up", fields: { delivery: 0, cause: "it answered 500" } },
    {
      msg: "a delivery was given up",
      fields: { cause: "it answered 500", again: 2, seconds: expect.any(Number) },
    },
  ])
})

test("what was counted and not yet logged is logged at the end, and once", async () => {
  const { errors, lines } = open()
  errors.log("a request failed", full())
  errors.log("a timer failed", full())
  for (let i = 0; i < 7; i += 1) errors.log("a request failed", full())
  errors.end()
  errors.end()
  await Bun.sleep(120)
  expect(lines.slice(2)).toEqual([
    {
      msg: "a request failed",
      fields: {
        cause: "the database cannot be written: disk is full",
        again: 7,
        seconds: expect.any(Number),
      },
    },
  ])
})

const TIME = new Date(2026, 0, 2, 3, 4, 5)

test("a terminal shows the time of day on this machine, words as they are, and a stack below", () => {
  const fields = { url: "http://a:1", found: "2 items", n: 3, error: "Error: no\n    at here (a.ts:1)" }
  expect(readableLine(TIME, "info", "listening", fields, false)).toBe(
    '03:04:05 listening url=http://a:1 found="2 items" n=3\n    Error: no\n    at here (a.ts:1)\n',
  )
  expect(readableLine(TIME, "warn", "slow", {}, false)).toBe("03:04:05 warn slow\n")
  expect(readableLine(TIME, "error", "broken", { a: 1 }, true)).toBe(
    "\x1b[2m03:04:05\x1b[0m \x1b[31merror broken\x1b[0m \x1b[2ma=\x1b[0m1\n",
  )
})

test("nothing in a line can steer a terminal, or look like another line", () => {
  const evil = "\x1b[31mred\x07\n12:00:00 info\u009b2J\u202e"
  const line = readableLine(TIME, "error", evil, { a: evil, b: `x${evil}`, error: evil }, false)
  expect(line.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u202e]/u)
  // Only the stack may have several lines, and they are indented.
  expect(line.trimEnd().split("\n").slice(1)).toEqual([
    expect.stringMatching(/^ {4}/),
    expect.stringMatching(/^ {4}/),
  ])
})

interface Line {
  readonly time: string
  readonly level: string
  readonly msg: string
  readonly request_id?: string
  readonly route?: string
  readonly status?: number
}

test("with --log-level debug each request is a line, with the id that an error answer names and without the query", async () => {
  await using server = await start({ args: ["--log-level", "debug"] })
  const refused = await server.api("GET", "/queue/77?wait=finished&timeout=0")
  const { request_id: requestId }: { request_id: string } = await refused.json()
  await server.api("GET", "/queue?q=secret")
  const lines = (): Line[] =>
    server.log
      .trimEnd()
      .split("\n")
      .map((line): Line => JSON.parse(line))
  while (!lines().some(({ route }) => route === "GET /api/v1/queue")) await Bun.sleep(5)
  const requests = lines().filter(({ level }) => level === "debug")
  expect(requests).toEqual([
    {
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      level: "debug",
      msg: "a request was answered",
      request_id: requestId,
      route: "GET /api/v1/queue/:id",
      status: 404,
      ms: expect.any(Number),
    },
    expect.objectContaining({ route: "GET /api/v1/queue", status: 200, request_id: expect.any(String) }),
  ] as Line[])
  expect(server.log).not.toContain("secret")
  expect(server.log).not.toContain("left out")
}, 180_000)

test("with --log-level warn a server that starts and stops well writes nothing, and an unknown level is refused", async () => {
  using folder = temporaryFolder()
  const port = freePort()
  const serve = (level: string) =>
    Bun.spawn(
      [...PROGRAM, "serve", "--port", `${port}`, "--database", `${folder.path}/a.db`, "--log-level", level],
      { stdin: "ignore", stdout: "pipe", stderr: "pipe" },
    )
  const wrong = serve("loud")
  expect(await new Response(wrong.stderr).text()).toContain("one of debug, info, warn, error")
  expect(await wrong.exited).toBe(2)
  const quiet = serve("warn")
  // No line says when it listens.
  while (!(await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined))) await Bun.sleep(5)
  quiet.kill("SIGTERM")
  expect([await new Response(quiet.stdout).text(), await quiet.exited]).toEqual(["", 0])
}, 180_000)

test("on a terminal the log of the server is readable and coloured, with local time", async () => {
  using folder = temporaryFolder()
  let seen = ""
  const decoder = new TextDecoder()
  const child = Bun.spawn([...PROGRAM, "serve", "--port", "0", "--database", `${folder.path}/a.db`], {
    terminal: { cols: 500, rows: 24, data: (_terminal, bytes) => void (seen += decoder.decode(bytes)) },
    env: { ...process.env, TZ: "Asia/Kathmandu", TERM: "xterm-256color", FORCE_COLOR: "1" },
  })
  while (!seen.includes("listening")) await Bun.sleep(5)
  const kathmandu = new Date(Date.now() + (5 * 60 + 45) * 60_000).toISOString()
  // The hour may have changed in the meantime.
  const text = seen.replaceAll("\x1b", "ESC")
  const hour = text.match(/ESC\[2m(\d\d):\d\d:\d\dESC\[0m/)?.[1]
  expect([Number(kathmandu.slice(11, 13)), (Number(kathmandu.slice(11, 13)) + 23) % 24]).toContain(
    Number(hour),
  )
  expect(text).toMatch(/ESC\[0mlisteningESC\[0m ESC\[2murl=ESC\[0mhttp:\/\/127\.0\.0\.1:\d+ /)
  child.kill("SIGTERM")
  await child.exited
}, 180_000)
