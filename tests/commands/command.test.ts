import { afterAll, expect, setDefaultTimeout, test } from "bun:test"

import packageFile from "../../package.json"
import type { QueueItem } from "../../src/item/item.ts"
import { PROGRAM, type Ran, run, start, textOf } from "../server.ts"

// Many programs are started, and each start takes its time on a busy machine.
setDefaultTimeout(180_000)

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())

const COMMANDS = [
  "serve",
  "add",
  "list",
  "show",
  "logs",
  "watch",
  "open",
  "set",
  "cancel",
  "retry",
  "remove",
  "run",
  "work",
  "stats",
  "completion",
]

const USAGE =
  /^track-studio: .+\n(usage: track-studio .+ \(more: track-studio (?:\w+ )?--help\)|commands: .+ \(more: track-studio --help\))\n$/

/** Runs a command that talks to the server. */
const cli = (...args: readonly string[]): Promise<Ran> => run(args, { TRACK_STUDIO_SERVER: server.url })

/** Runs a command that must succeed, and returns what it printed. */
async function printed(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await cli(...args)
  expect([code, stderr]).toEqual([0, ""])
  return stdout
}

/**
 * Expects that a run fails with a line on standard error and prints nothing else. After wrong usage the usage
 * follows.
 */
async function fails(args: readonly string[], code: 1 | 2, said: string | RegExp): Promise<void> {
  const ran = await cli(...args)
  expect([ran.code, ran.stdout]).toEqual([code, ""])
  expect(ran.stderr).toMatch(code === 2 ? USAGE : /^track-studio: .+\n$/)
  const line = (ran.stderr.split("\n")[0] ?? "").slice("track-studio: ".length)
  if (typeof said === "string") expect(line).toBe(said)
  else expect(line).toMatch(said)
}

test("--version and -v are the version and the commit, after every command", async () => {
  const version = new RegExp(`^track-studio ${packageFile.version.replaceAll(".", "\\.")} \\(\\w+\\)\n$`)
  for (const stdout of await Promise.all(
    [[], ...COMMANDS.map((name) => [name])].map((words, at) =>
      printed(...words, at % 2 === 0 ? "-v" : "--version"),
    ),
  )) {
    expect(stdout).toMatch(version)
  }
})

test("--help lists the commands", async () => {
  const said = await Promise.all([
    printed("--help"),
    printed("-h"),
    printed("help"),
    printed("help", "--help"),
  ])
  for (const stdout of said) {
    expect(stdout).toBe(said[0])
    expect(stdout).toContain("track-studio [COMMAND] [--help] [--version]")
    for (const name of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${name} +[a-z]`, "m"))
  }
})

test("--help of a command names its arguments, flags, variables and defaults", async () => {
  const serve = await printed("serve", "--help")
  expect(serve).toStartWith("track-studio serve\n\n")
  expect(serve).toContain("(TRACK_STUDIO_PORT; default 8080)")
  expect(serve).toContain("(TRACK_STUDIO_DATABASE; default ./data/track-studio.db)")
  expect(serve).toContain("(TRACK_STUDIO_CORS_ORIGIN; default *)")
  expect(serve).toContain("(TRACK_STUDIO_KEEPALIVE_MS; default 15000)")
  const others = COMMANDS.filter((name) => name !== "serve" && name !== "completion")
  const helps = await Promise.all(others.map((name) => printed(name, "--help")))
  for (const [at, text] of helps.entries()) {
    expect(text).toStartWith(`track-studio ${others[at]}`)
    expect(text).toContain("-h, --help")
    expect(text).toContain("(TRACK_STUDIO_SERVER; default http://127.0.0.1:8080)")
  }
  expect(await printed("add", "-h")).toBe(helps[0] ?? "")
  expect(await printed("help", "add")).toBe(helps[0] ?? "")
  expect(await printed("help", "add", "-h")).toBe(helps[0] ?? "")
})

const WRONG_USAGE: readonly (readonly [readonly string[], string | RegExp])[] = [
  [["frobnicate"], 'unknown command "frobnicate"'],
  [["wacth"], 'unknown command "wacth"; did you mean "watch"?'],
  [["stats1"], 'unknown command "stats1"; did you mean "stats"?'],
  [["rm", "1"], 'unknown command "rm"; did you mean "remove"?'],
  [["delete", "1"], 'unknown command "delete"; did you mean "remove"?'],
  [["serve", "--db", "x"], 'unknown flag --db; did you mean "--database"?'],
  [["help", "lsit"], 'unknown command "lsit"; did you mean "list"?'],
  [["version"], 'unknown command "version"; did you mean "--version"?'],
  [[""], 'unknown command ""'],
  [["toString"], 'unknown command "toString"'],
  [["a\nb\u001b[31m"], 'unknown command "a b\ufffd[31m"'],
  [["--nope"], "unknown flag --nope"],
  [["--prot", "80"], 'unknown flag --prot; did you mean "--port"?'],
  [["-x"], "unknown flag -x"],
  [["add", "1", "--nope=2"], "unknown flag --nope"],
  [["add", "1", "--titel", "x"], 'unknown flag --titel; did you mean "--title"?'],
  [["add"], "missing SONG_ID, as in: track-studio add 7"],
  [
    ["add", "--song", "7"],
    "--song is for files, and no file is named; to add the song alone: track-studio add 7",
  ],
  [["add", "song"], '"song" is neither a song\'s number nor a file'],
  [["add", "1.5"], '"1.5" is neither a song\'s number nor a file'],
  [["add", "-5"], "unknown flag -5"],
  [["add", "1", "--priority"], "--priority needs a value: --priority N"],
  [["add", "1", "--priority", "--json"], "--priority needs a value: --priority N"],
  [["add", "1", "--json=yes"], "--json takes no value"],
  [["add", "1", "--priority", "high"], '--priority must be a whole number, not "high"'],
  [["add", "0"], "SONG_ID must be a whole number from 1 to 9007199254740991, not 0"],
  [["add", "1", "--attempts", "0"], "--attempts must be a whole number from 1 to 100, not 0"],
  [["add", "1", "--in", "soon"], '--in must be a time such as 90s, 10m or 2h, not "soon"'],
  [["add", "1", "--in", "25h"], '--in must be 24h at most, not "25h"'],
  [["add", "1", "--kind", ".."], '--kind must be text of at most 64 characters, and not . or .., not ".."'],
  [["add", "1", "--metadata", "take"], '--metadata must be key=value, not "take"'],
  [["add", "1", "--song", "2"], '--song is for files; "1" is already a song'],
  [["add", "1", "--prio", "2"], 'unknown flag --prio; did you mean "--priority"?'],
  [["list", "1"], 'unexpected argument "1"'],
  [["list", "--search", "x".repeat(201)], "--search must be text of at most 200 characters, not 201"],
  [["list", "--limit", "ten"], '--limit must be a whole number, not "ten"'],
  [["list", "--limit", "0"], "--limit must be a positive whole number, not 0"],
  [
    ["list", "--status", "done"],
    '--status must be one of queued, processing, completed, failed, retrying, cancelled, lost, not "done"',
  ],
  [["set"], "missing ID"],
  [["set", "1"], "nothing to set; name at least one flag, such as --priority 5"],
  [["set", "9".repeat(20)], /^ID must be a whole number, not "9+"$/],
  [["set", "1", "--progress", "500"], "--progress must be a whole number from 0 to 100, not 500"],
  [
    ["set", "1", "--status", "done"],
    '--status must be queued, processing, completed, failed or retrying, not "done"',
  ],
  [
    ["set", "1", "--flag", "ugly"],
    '--flag must be image_issue, lyrics_issue, timing_issue or none, not "ugly"',
  ],
  [["show"], "missing ID"],
  [["cancel"], "missing ID"],
  [["retry", "1", "two"], 'ID must be a whole number, not "two"'],
  [["move", "7"], "missing --before ID, as in: track-studio move 12 --before 8"],
  [["move", "7", "--before", "7"], "queue item 7 cannot be moved before itself; name another waiting item"],
  [["remove", "0"], "ID must be a positive whole number, not 0"],
  [["completion"], "missing bash or zsh"],
  [["completion", "fish"], 'shell must be bash or zsh, not "fish"'],
  [["watch", "all"], 'ID must be a whole number, not "all"'],
  [["list", "--server", "ftp://box"], '--server must be a URL such as http://box:8080, not "ftp://box"'],
  [["list", "--server", ""], "--server is empty"],
  [["serve", "now"], 'unexpected argument "now"'],
  [["help", "add", "now"], 'unexpected argument "now"'],
  [
    ["serve", "--port", "80a"],
    /^--port \(or TRACK_STUDIO_PORT\) must be a whole number from 0 to 65535, not "80a"$/,
  ],
  [["--port", "9", "serve"], "the command comes first: track-studio serve --port ..."],
  [["--json", "list"], "the command comes first: track-studio list --json ..."],
  [["--port", "70000"], /^--port \(or TRACK_STUDIO_PORT\) must be a whole number from 0 to 65535/],
  [
    ["serve", "--keepalive-ms", "52001"],
    /^--keepalive-ms .+ must be a whole number from 10 to 52000, not "52001"$/,
  ],
  [["serve", "--database", ""], "--database is empty"],
  [["list", `tsk_${"a-B_3".repeat(9).slice(0, 43)}`], 'unexpected argument "tsk_..."'],
  [["show", `tsk_${"x".repeat(43)}`], 'ID must be a whole number, not "tsk_..."'],
  [
    ["serve", "--token-file", `tsk_${"x".repeat(43)}`],
    "--token-file must be a file that holds the token, not the token itself",
  ],
]
for (const [args, said] of WRONG_USAGE) {
  test(`wrong usage is one line, the usage and exit 2: ${JSON.stringify(args.join(" ")).slice(0, 60)}`, () =>
    fails(args, 2, said))
}

test("a value that is too long is wrong usage, and the sentence names only its beginning", () =>
  fails(
    ["add", "1", "--title", "x".repeat(20_000)],
    2,
    /^--title must be text of at most 16384 bytes, not "x{57}\.{3}"$/,
  ))

test("set without a flag stores nothing", async () => {
  const id = await server.add()
  const head = await server.head()
  await cli("set", String(id))
  expect(await server.head()).toBe(head)
})

test("wrong values from the environment are named and exit 2", async () => {
  const { code, stderr } = await run(["serve"], { TRACK_STUDIO_PORT: "http" })
  expect([code, stderr]).toEqual([
    2,
    'track-studio: --port (or TRACK_STUDIO_PORT) must be a whole number from 0 to 65535, not "http"\nusage: track-studio serve (more: track-studio serve --help)\n',
  ])
})

test("add adds a queue item and says which", async () => {
  expect(await printed("add", "41")).toMatch(
    /^queue item \d+: song 41, queued {2}http:\/\/127.0.0.1:\d+\/items\/\d+\n$/,
  )
  const said = await printed("add", "42", "--priority", "-3", "--title", "Evening\u001b[2J song")
  const [, id = ""] = /^queue item (\d+): Evening\ufffd\[2J song, queued {2}http/.exec(said) ?? []
  expect(await server.item(Number(id))).toMatchObject({
    song_id: 42,
    priority: -3,
    title: "Evening\u001b[2J song",
  })
})

test("add --json prints the item as the server has it, the same one for the same idempotency key", async () => {
  const args = ["add", "43", "--json", "--idempotency-key", "cli-1"]
  const first = await printed(...args)
  const item: QueueItem = JSON.parse(first)
  expect(await server.item(item.id)).toEqual(item)
  expect(await printed(...args)).toBe(first)
})

test("list prints a table in the order of the queue, with control characters replaced", async () => {
  const waiting = await server.add({ song_id: 50, title: "Wait\u0007ing\u202e", priority: 2 })
  const working = await server.add({ song_id: 50, title: "Working" })
  await server.put(working, { status: "processing", progress: 45, current_step: "Image\r\n3 of 5" })
  const failed = await server.add({ song_id: 50 })
  await server.put(failed, { status: "processing" })
  await server.put(failed, { status: "failed", error_message: "no \u001b[31mspace" })
  const rows = (await printed("list", "--song", "50", "--utc"))
    .replace(/\d\d:\d\d UTC/g, "TIME")
    .replace(/(?:\d+:\d\d|0\.\d s)(?= |$)/gm, "LENGTH")
    .split("\n")
    .map((row) => row.trim().split(/ {2,}/))
  expect(rows).toEqual([
    ["ID", "SONG", "STATUS", "DONE", "PRIORITY", "TITLE", "WHEN", "TIME", "WORKER", "STEP", "WHY"],
    [...[String(working), "50", "processing", "45%", "0", "Working", "TIME", "for LENGTH"], "Image 3 of 5"],
    [String(waiting), "50", "queued", "0%", "2", "Wait\ufffding\ufffd", "TIME", "waits LENGTH"],
    [...[String(failed), "50", "failed", "0%", "0", "song 50", "TIME", "took LENGTH"], "no \ufffd[31mspace"],
    [""],
  ])
})

test("list --json prints one item per line; status and limit narrow it", async () => {
  for (let i = 0; i < 3; i += 1) await server.add({ song_id: 51 })
  await server.put(await server.add({ song_id: 51 }), { status: "processing" })
  const items = async (...args: string[]): Promise<QueueItem[]> =>
    (await printed("list", "--json", "--song=51", ...args))
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line))
  const all = await items()
  const { queue }: { queue: QueueItem[] } = await (await server.api("GET", "/queue?song_id=51")).json()
  expect(all).toEqual(queue)
  expect(await items("--status", "queued")).toEqual(queue.slice(1))
  expect(await items("--limit", "2")).toEqual(queue.slice(0, 2))
  expect(await printed("list", "--song=51", "--limit=2")).toEndWith("\n... and more; see --limit\n")
})

test("list asks for further pages where one answer of the server ends", async () => {
  await using large = await start()
  await Promise.all(Array.from({ length: 1100 }, (_, i) => large.add({ song_id: i + 1 })))
  const listed = async (...args: string[]): Promise<string[]> => {
    const { stdout } = await run(["list", "--json", "--server", large.url, ...args])
    return stdout.trim().split("\n")
  }
  expect(await listed("--limit", "1050")).toHaveLength(1050)
  expect(new Set(await listed("--limit", "5000")).size).toBe(1100)
  expect(await listed()).toHaveLength(100)
})

test("list says that the queue is empty; with --json it prints nothing", async () => {
  await using empty = await start()
  expect((await run(["list", "--server", empty.url])).stdout).toBe(
    'The queue is empty; add a song with "track-studio add 7".\n',
  )
  expect(await printed("list", "--song", "999999")).toBe("No such items.\n")
  expect(await printed("list", "--song", "999999", "--json")).toBe("")
})

test("set changes only the keys that are named", async () => {
  const id = await server.add({ song_id: 60, priority: 4, title: "Before" })
  expect(
    await printed("set", String(id), "--status", "processing", "--step", "Testing", "--progress", "50"),
  ).toBe(`queue item ${id}: processing, 50%, Testing\n`)
  expect(await server.item(id)).toMatchObject({
    song_id: 60,
    priority: 4,
    title: "Before",
    status: "processing",
    current_step: "Testing",
    progress: 50,
    message: "Queue item updated",
  })
  const flags = {
    message: ["message", "half done"],
    error: ["error_message", "slow"],
    title: ["title", "After"],
    priority: ["priority", -1],
    flag: ["flag", "lyrics_issue"],
    "video-file": ["video_file_path", "/v.mp4"],
    thumbnail: ["thumbnail_path", "/t.jpg"],
  } as const
  const args = Object.entries(flags).map(([flag, [, value]]) => `--${flag}=${value}`)
  const item: QueueItem = JSON.parse(await printed("set", String(id), "--json", ...args))
  expect(item).toMatchObject(Object.fromEntries(Object.values(flags)))
  expect(await server.item(id)).toMatchObject(item)
  await printed("set", String(id), "--flag", "none")
  expect((await server.item(id)).flag).toBeNull()
})

test("a refusal by the server is printed as one line with its message, and is exit 1", async () => {
  const id = await server.add()
  const illegal = `queue item ${id} is queued and cannot become completed; it can become processing, failed`
  await fails(["set", String(id), "--status", "completed"], 1, illegal)
  await fails(["set", "999999", "--progress", "1"], 1, "queue item 999999 does not exist")
  await fails(["watch", "999999"], 1, "queue item 999999 does not exist")
})

test("a server that does not answer is one line with its address, and exit 1", async () => {
  const gone = await start()
  await gone[Symbol.asyncDispose]()
  for (const args of [["list"], ["add", "1"], ["set", "1", "--title", "x"], ["show", "1"]]) {
    await fails([...args, "--server", gone.url], 1, new RegExp(`no server answers at ${gone.url}`))
  }
})

test("an error of another program's server is printed as one line without control characters", async () => {
  using foreign = Bun.serve({
    port: 0,
    fetch: () => Response.json({ error: "a\u001b[2J\nb", code: "x", request_id: "y" }, { status: 418 }),
  })
  await fails(["list", "--server", foreign.url.origin], 1, "a\ufffd[2J b")
  using html = Bun.serve({ port: 0, fetch: () => new Response("<html>", { status: 502 }) })
  await fails(["list", "--server", html.url.origin], 1, "the server answered 502")
})

test("--server goes before TRACK_STUDIO_SERVER, with or without a scheme and a slash at its end", async () => {
  await using other = await start()
  await other.add({ song_id: 1, title: "Of the other server" })
  for (const url of [other.url, `${other.url}/`]) {
    const { stdout } = await cli("list", "--server", url)
    expect(stdout).toContain("Of the other server")
  }
  expect(await printed("list", "--server", other.url.replace("http://", ""))).toContain("Of the other server")
  expect(await printed("list")).not.toContain("Of the other server")
})

test("a command whose reader leaves early ends quietly", async () => {
  await Promise.all(Array.from({ length: 200 }, () => server.add({ song_id: 70, title: "x".repeat(1000) })))
  const list = Bun.spawn(
    [
      "sh",
      "-c",
      '{ "$@"; echo "exit $?" >&2; } | head -c 10',
      "sh",
      ...PROGRAM,
      "list",
      "--json",
      "--limit",
      "1000",
    ],
    {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      env: { ...process.env, TRACK_STUDIO_SERVER: server.url },
    },
  )
  expect((await textOf(list.stdout)).length).toBe(10)
  expect(await textOf(list.stderr)).toBe("exit 0\n")
})
