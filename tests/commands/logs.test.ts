import { afterAll, expect, setDefaultTimeout, test } from "bun:test"

import { studio } from "../runner/programs.ts"
import { type Ran, run, start, type TestServer } from "../server.ts"
import { type Attempt, attempt, claim } from "../worker.ts"

setDefaultTimeout(180_000)

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())

const logs = (...args: readonly string[]): Promise<Ran> =>
  run(["logs", ...args], { TRACK_STUDIO_SERVER: server.url })

async function print({ id, lease }: Attempt, text: string, query = ""): Promise<void> {
  const sent = await fetch(`${server.url}/api/v1/queue/${id}/output${query}`, {
    method: "POST",
    body: text,
    headers: { lease: lease.token },
  })
  expect(sent.status).toBe(200)
}

test("logs prints what the last attempt printed, another one, or that of a song, and ends its last line", async () => {
  const work = await attempt(server, { song_id: 77 })
  await print(work, "\u001b[31mone\u001b[0m\n\ttwo")
  const printed = { code: 0, stderr: "", stdout: "one\n\ttwo\n" }
  expect(await logs(String(work.id))).toEqual(printed)
  expect(await logs("--song", "77")).toEqual(printed)
  await work.say("fail", { error_message: "broken", retry_in: 0 })
  const again = await claim(server, { id: work.id })
  if (!again) throw new Error("not claimed")
  await print(again, "later\n", "?offset=1000")
  expect((await logs(String(work.id))).stdout).toBe("[1,000 bytes are not kept]\nlater\n")
  expect((await logs(String(work.id), "--attempt", "1")).stdout).toBe("one\n\ttwo\n")
})

test("logs -f prints each line as it comes, over a restart of the server, until the item is finished", async () => {
  await using own = await start()
  const work = await attempt(own, {}, { lease: 600 })
  await using following = studio(own, ["logs", "-f", String(work.id)])
  const say = async (to: TestServer, text: string): Promise<void> => {
    const url = `${to.url}/api/v1/queue/${work.id}/output`
    await fetch(url, { method: "POST", body: text, headers: { lease: work.lease.token } })
  }
  await say(own, "one\n")
  await following.prints("one\n")
  expect(await own.end()).toBe(0)
  await following.prints("# ")
  const port = new URL(own.url).port
  await using back = await start({ database: own.database, args: ["--port", port] })
  await say(back, "two\n")
  await following.prints("two\n")
  await back.api("POST", `/queue/${work.id}/complete`, {}, { lease: work.lease.token })
  expect(await following.ends()).toBe(0)
  expect((await following.stdout).toString()).toBe("one\ntwo\n")
})

test("nothing that a server sends can control the terminal", async () => {
  const data = JSON.stringify({ attempt: 1, from: 0, to: 9, missing: 0, text: "\u001b[2Jred\u202e\n\ttab\n" })
  using other = Bun.serve({
    port: 0,
    fetch: () =>
      new Response(`data: ${data}\n\nevent: end\ndata: {"attempt":1,"status":"completed"}\n\n`, {
        headers: { "content-type": "text/event-stream" },
      }),
  })
  const ran = await run(["logs", "1"], { TRACK_STUDIO_SERVER: other.url.href })
  expect(ran).toEqual({ code: 0, stderr: "", stdout: "\ufffd[2Jred\ufffd\n\ttab\n" })
})

test("output that cannot be printed is named, and the command does not wait for an unreachable server", async () => {
  const silent = await attempt(server)
  expect(await logs(String(silent.id))).toEqual({
    code: 0,
    stdout: "",
    stderr: "# no whole line was printed, or it is no longer kept\n",
  })
  expect(await logs("999999")).toMatchObject({
    code: 1,
    stderr: "track-studio: queue item 999999 does not exist\n",
  })
  const away = await run(["logs", "1"], { TRACK_STUDIO_SERVER: "http://127.0.0.1:9" })
  expect(away).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("no server answers at") })
  for (const [args, said] of [
    [[], "missing ID; or name a song with --song SONG_ID"],
    [["1", "--song", "2"], "use either an ID or --song, not both"],
    [["1", "--attempt", "0"], "--attempt must be a positive whole number, not 0"],
  ] as const) {
    const ran = await logs(...args)
    expect([ran.code, ran.stderr.split("\n")[0]]).toEqual([2, `track-studio: ${said}`])
  }
})
