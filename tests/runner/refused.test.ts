import { afterAll, expect, setDefaultTimeout, test } from "bun:test"

import { start } from "../server.ts"
import { itemOf, latestOf, type Program, studio } from "./programs.ts"

setDefaultTimeout(180_000)

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())

const run = (...args: string[]): Program => studio(server, ["run", ...args])

test.each([
  [["--", "true"], "choose an item with --item ID, or add one with --song SONG_ID"],
  [["--song", "1"], "missing command; put it after --, for example: -- ffmpeg -i song.wav song.mp4"],
  [["--song", "1", "--item", "2", "--", "true"], "use either --item or --song, not both"],
  [
    ["--item", "2", "--title", "x", "--", "true"],
    "--title needs --song: it is the title of the item that --song adds",
  ],
  [["--song", "1", "--total", "0", "--", "true"], '--total must be a number above 0, such as 212.5, not "0"'],
  [["--song", "1", "--lease", "0", "--", "true"], "--lease must be a whole number from 1 to 3600, not 0"],
  [
    ["--song", "1", "--renderer", "x", "--", "true"],
    '--renderer must be one of ffmpeg, blender, lines, not "x"',
  ],
  [["--item", "0", "--", "true"], "--item must be a positive whole number, not 0"],
  [["--song", "0", "--", "true"], "--song must be a positive whole number, not 0"],
  [["--song=-5", "--", "true"], "--song must be a positive whole number, not -5"],
  [
    ["--song", "1", "--worker", "", "--", "true"],
    "--worker must be a name of 1 to 16384 bytes, and not . or ..",
  ],
  [
    ["--song", "1", "ffmpeg", "-i", "x"],
    "-i is no flag of run; if it belongs to ffmpeg, put -- before that: track-studio run ... -- ffmpeg -i ...",
  ],
  [
    ["--song", "1", "ffmpeg", "-v", "error"],
    "-v is no flag of run; if it belongs to ffmpeg, put -- before that: track-studio run ... -- ffmpeg -v ...",
  ],
  [
    ["--song", "1", "render.py", "--output", "song.mp4"],
    "--output comes after render.py; if it belongs to render.py, put -- before that: track-studio run ... -- render.py --output ...; if it belongs to run, put it before render.py",
  ],
  [
    ["--song", "1", "ffmpeg", "-h"],
    "-h comes after ffmpeg; if it belongs to ffmpeg, put -- before that: track-studio run ... -- ffmpeg -h ...; if it belongs to run, put it before ffmpeg",
  ],
  [
    ["--song", "1", "blender", "--version"],
    "--version is no flag of run; if it belongs to blender, put -- before that: track-studio run ... -- blender --version ...",
  ],
  [["--sonng", "1", "ffmpeg"], 'unknown flag --sonng; did you mean "--song"?'],
])("%j is wrong usage", async (args, message) => {
  await using render = run(...args)
  expect(await render.ends()).toBe(2)
  expect((await render.stderr).toString()).toStartWith(`track-studio: ${message}\nusage: track-studio run `)
})

test.each([
  [["add", "0"], "SONG_ID must be a whole number from 1 to 9007199254740991, not 0"],
  [["set", "0", "--progress", "5"], "ID must be a positive whole number, not 0"],
  [["watch", "0"], "ID must be a positive whole number, not 0"],
  [["list", "--song", "0"], "--song must be a positive whole number, not 0"],
])("%j is wrong usage, too", async (args, message) => {
  await using command = studio(server, args)
  expect(await command.ends()).toBe(2)
  expect((await command.stderr).toString()).toStartWith(`track-studio: ${message}\nusage: track-studio `)
})

test("a worker without a name adds nothing", async () => {
  await using render = run("--song", "27", "--worker", "", "--", "true")
  expect(await render.ends()).toBe(2)
  const { queue }: { queue: object[] } = await (await server.api("GET", "/queue?song_id=27")).json()
  expect(queue).toEqual([])
})

test("an item that is unknown or taken is refused before the command starts", async () => {
  const id = await server.add({ song_id: 24 })
  await server.api("POST", "/queue/claim", { worker: "other", id })
  for (const [item, message] of [
    [id, `queue item ${id} is processing by worker "other" and cannot be claimed`],
    [999_999, "queue item 999999 does not exist"],
  ] as const) {
    await using render = run("--item", String(item), "--", "echo", "started")
    expect(await render.ends()).toBe(1)
    expect(await render.stdout).toEqual(Buffer.from(""))
    expect((await render.stderr).toString()).toBe(`track-studio: ${message}\n`)
  }
})

test("a command that is not there adds nothing", async () => {
  await using render = run("--song", "25", "--", "no-such-renderer")
  expect(await render.ends()).toBe(127)
  const { queue }: { queue: object[] } = await (await server.api("GET", "/queue?song_id=25")).json()
  expect(queue).toEqual([])
})

test("no worker takes an item from under the command that it was added for", async () => {
  const claims = Array.from({ length: 4 }, () =>
    server.api("POST", "/queue/claim", { worker: "hungry", wait: 2 }),
  )
  await using render = run(
    "--song",
    "26",
    "--worker",
    "box",
    "--",
    "sh",
    "-c",
    "echo 49%; echo 50%; sleep 0.2",
  )
  expect(await render.ends()).toBe(0)
  expect((await Promise.all(claims)).map(({ status }) => status)).toEqual([204, 204, 204, 204])
  expect(await itemOf(server, await latestOf(server, 26))).toMatchObject({
    status: "completed",
    worker: "box",
    attempt: 1,
  })
})

test.each([301, 400, 403, 404])(
  "a program that answers %d in place of the server stops no render",
  async (status) => {
    using proxy = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("no", { status }) })
    const address = `http://127.0.0.1:${proxy.port}`
    await using render = studio(address, [
      "run",
      "--song",
      "1",
      "--report-within",
      "1",
      "--",
      "echo",
      "rendered",
    ])
    expect(await render.ends()).toBe(1)
    expect((await render.stdout).toString()).toBe("rendered\n")
    expect((await render.stderr).toString()).toContain(
      status === 301 ? "redirects to another address" : `the server answered ${status}`,
    )
  },
)

test("a server of an earlier version gets the reports that it understands", async () => {
  const known: Readonly<Record<string, readonly string[]>> = {
    progress: ["progress", "current_step", "message", "step", "unit", "media"],
    claim: ["worker", "wait", "lease", "tags", "id"],
  }
  const refusals: string[] = []
  using older = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 60,
    async fetch(request) {
      const { pathname, search } = new URL(request.url)
      const body = await request.text()
      const route = pathname.split("/").at(-1) ?? ""
      const keys = known[route]
      if (keys && Object.keys(JSON.parse(body)).some((key) => !keys.includes(key))) {
        refusals.push(route)
        return Response.json({ error: "unknown key", code: "invalid", request_id: "1" }, { status: 422 })
      }
      const { method, headers } = request
      return fetch(server.url + pathname + search, { method, headers, ...(body !== "" && { body }) })
    },
  })
  const script = "for i in 10 20 30; do echo $i%; sleep 0.4; done"
  await using render = studio(`http://127.0.0.1:${older.port}`, [
    "run",
    "--song",
    "41",
    "--kind",
    "clip",
    "--",
    "sh",
    "-c",
    script,
  ])
  expect(await render.ends()).toBe(0)
  const { updates }: { updates: { progress: number }[] } = await (
    await server.api("GET", `/queue/${await latestOf(server, 41)}/updates`)
  ).json()
  expect(updates.map(({ progress }) => progress)).toContain(20)
  expect(refusals).toEqual(["claim", "progress"])
})
