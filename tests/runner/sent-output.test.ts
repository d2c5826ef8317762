import { expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"

import fc from "fast-check"

import { type Client, ServerError } from "../../src/client/client.ts"
import { OutputSender } from "../../src/runner/output-sender.ts"
import { OutputSpool } from "../../src/runner/output-spool.ts"
import { Reader } from "../reader.ts"
import { PROGRAM, start, temporaryFolder, type TestServer } from "../server.ts"
import { studio, until } from "./programs.ts"

setDefaultTimeout(180_000)

const read = async (server: TestServer, id: number, query = ""): Promise<string> =>
  (await server.api("GET", `/queue/${id}/output${query}`)).text()

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

test("the output of run's command is visible within a second, on both outputs, without control sequences", async () => {
  await using server = await start()
  const id = await server.add()
  const reader = await Reader.open(`${server.url}/api/v1/queue/${id}/output?follow=true&format=sse`)
  const said = `printf '\\033[31mred\\033[0m\\n'; echo error >&2; printf ' 10%%\\r 20%%\\r'`
  const now = "for i in 1 2 3; do date +now=%s%3N; sleep 0.4; done"
  await using render = studio(server, [
    ...["run", "--item", String(id), "--", "bash", "-c"],
    `${said}; ${now}; printf 'no end'`,
  ])
  const seenMs: number[] = []
  await reader.until((seen) => {
    const printed = seen.map(({ data }) => data["text"]).join("")
    const times = [...printed.matchAll(/now=(\d+)/g)].map(([, time]) => Number(time))
    for (const time of times.slice(seenMs.length)) seenMs.push(Date.now() - time)
    return seen.some(({ event }) => event === "end")
  })
  expect(await render.ends()).toBe(0)
  expect(seenMs).toHaveLength(3)
  // Not of all of them: the machine may be busy with something else for a while.
  expect(Math.min(...seenMs)).toBeLessThan(1000)
  const text = await read(server, id)
  expect(text).toContain("red\n")
  expect(text).toContain("error\n")
  expect(text).not.toContain("\u001b")
  expect(text).not.toContain("10%")
  expect(text).toEndWith("no end")
  // What it prints is passed on unchanged.
  expect((await render.stdout).toString()).toStartWith("\u001b[31mred\u001b[0m\n 10%\r 20%\r")
})

test("work sends what its command prints, once, though another run is inside of it", async () => {
  await using server = await start()
  const id = await server.add()
  const inner = [...PROGRAM, "run"].join(" ")
  const script = `echo before; ${inner} -- sh -c 'echo inside; echo 5 of 5 images' </dev/null; echo after`
  await using worker = studio(server, ["work", "--exec", script])
  await until(server, id, ({ status }) => status === "completed")
  worker.kill("SIGTERM")
  expect(await worker.ends()).toBe(0)
  expect(await read(server, id)).toBe("before\ninside\n5 of 5 images\nafter\n")
})

test("steps that run one by one have one output, and a failed attempt keeps its own", async () => {
  await using server = await start()
  const id = await server.add()
  const run = (step: string, script: string) =>
    studio(server, ["run", "--item", String(id), "--step", step, "--", "sh", "-c", script])
  for (const [step, script, code] of [
    ["1/2", "echo one", 0],
    ["2/2", "echo two; exit 3", 3],
  ] as const) {
    await using render = run(step, script)
    expect(await render.ends()).toBe(code)
  }
  expect(await read(server, id)).toBe("one\ntwo\n")
})

test("output that an unreachable server missed is sent later; if it is too much, only the last part", async () => {
  const args = ["--keep-output-kb", "10000"]
  await using server = await start({ args })
  using folder = temporaryFolder()
  const id = await server.add()
  const go = join(folder.path, "go")
  const script = `echo first; while [ ! -e ${go} ]; do sleep 0.02; done; seq 1 100000; echo away; sleep 1; echo last`
  await using render = studio(server, ["run", "--item", String(id), "--", "bash", "-c", script])
  const path = `/api/v1/queue/${id}/output?follow=true&format=sse`
  await (await Reader.open(`${server.url}${path}`)).until((seen) => seen.length > 0)
  expect(await server.end()).toBe(0)
  await Bun.write(go, "")
  await render.prints("away")
  const port = new URL(server.url).port
  await using back = await start({ args: [...args, "--port", port], database: server.database })
  expect(await render.ends()).toBe(0)
  const text = await read(back, id)
  expect(text.slice(0, 60)).toMatch(/^first\n\[\d{3},\d{3} bytes are not kept\]\n/)
  expect(text.slice(-60)).toEndWith("99999\n100000\naway\nlast\n")
  expect(text.length).toBeGreaterThan(200_000)
})

/** A client that accepts output like a server. */
class Taking {
  readonly texts = new Map<string, string>()
  requests = 0
  failure: ServerError | undefined

  print({ token }: { token: string }, sent: Uint8Array, offset?: number): Promise<unknown> {
    this.requests += 1
    if (this.failure) return Promise.reject(this.failure)
    const before = this.texts.get(token) ?? ""
    const at = offset ?? before.length
    const text = `${before.padEnd(at, "?").slice(0, at)}${new TextDecoder().decode(sent)}`
    this.texts.set(token, text)
    return Promise.resolve({ attempt: 1, end: text.length })
  }
}

const senderFor = (taking: Taking): OutputSender =>
  new OutputSender(taking as unknown as Client, AbortSignal.abort(), () => false)

const held = (token: string) => ({ id: 1, token })

test("output that goes on by another lease begins there with what was not sent", async () => {
  const taking = new Taking()
  const sender = senderFor(taking)
  sender.push(bytes("one\n"), 1)
  await sender.finish(held("a"))
  sender.push(bytes("two\n"), 1)
  taking.failure = new ServerError(409, "lost", { code: "lease_lost" })
  await sender.finish(held("a"))
  taking.failure = new ServerError(0, "away", { code: "unreachable" })
  await expect(sender.finish(held("a"))).rejects.toThrow("away")
  taking.failure = undefined
  await sender.finish(held("b"))
  sender.push(bytes("three\n"), 1)
  await sender.finish(held("b"))
  expect([...taking.texts]).toEqual([
    ["a", "one\n"],
    ["b", "two\nthree\n"],
  ])
})

test("a server that takes no output is not asked again, and nothing fails", async () => {
  const taking = new Taking()
  taking.failure = new ServerError(404, "not found", { code: "not_found" })
  const sender = senderFor(taking)
  sender.push(bytes("one\n"), 1)
  await sender.finish(held("a"))
  sender.push(bytes("two\n"), 1)
  await sender.finish(held("a"))
  expect(taking.requests).toBe(1)
})

test("a server that has no room for output gets the verdict all the same", async () => {
  const taking = new Taking()
  taking.failure = new ServerError(503, "the database is as large as it may be", { code: "unavailable" })
  const sender = senderFor(taking)
  sender.push(bytes("one\n"), 1)
  await sender.finish(held("a"))
  taking.failure = undefined
  await sender.finish(held("a"))
  expect(taking.texts.get("a")).toBe("one\n")
})

test("of any output the spool gives the lines in order, each at its place, and never more than it may hold", () => {
  const line = fc.tuple(fc.constantFrom(1, 2), fc.nat({ max: 60_000 }))
  fc.assert(
    fc.property(fc.array(line, { maxLength: 30 }), fc.nat(29), (lines, taken) => {
      const spool = new OutputSpool()
      let given = ""
      const take = (): void => {
        for (let next = spool.next(); next; next = spool.next()) {
          given = given.padEnd(next.at, "?") + Buffer.from(next.bytes).toString()
          spool.stored(next.at + next.bytes.length)
        }
      }
      for (const [at, [output, length]] of lines.entries()) {
        spool.push(bytes(`${"x".repeat(length)}${at}\n`), output)
        if (at === taken) {
          spool.gather()
          take()
        }
      }
      spool.close()
      take()
      const all = lines.map(([, length], at) => `${"x".repeat(length)}${at}\n`).join("")
      expect(given.length).toBe(all.length)
      expect(given.replace(/\?+/g, (hole, at: number) => all.slice(at, at + hole.length))).toBe(all)
      expect(given.slice(-200_000)).toBe(all.slice(-200_000))
    }),
    { numRuns: 50 },
  )
})
