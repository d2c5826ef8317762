import { afterAll, expect, setDefaultTimeout, test } from "bun:test"
import { chmodSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import type { QueueItem } from "../../src/item/item.ts"
import { Reader } from "../reader.ts"
import { type Ran, run, start, temporaryFolder } from "../server.ts"

setDefaultTimeout(180_000)

const server = await start()
afterAll(() => server[Symbol.asyncDispose]())

const cli = (...args: readonly string[]): Promise<Ran> => run(args, { TRACK_STUDIO_SERVER: server.url })

/** Claims an item, and returns the token of its lease. */
async function claimed(id: number): Promise<string> {
  const answer = await server.api("POST", "/queue/claim", { worker: "render-1", id })
  const { lease }: { lease: { token: string } } = await answer.json()
  return lease.token
}

test("cancel ends a waiting item at once, and asks the worker of a running item to stop", async () => {
  const [waiting, rendering] = [await server.add(), await server.add()]
  await claimed(rendering)
  const ran = await cli("cancel", String(waiting), String(rendering), String(waiting))
  expect(ran).toEqual({
    code: 0,
    stderr: "",
    stdout: `queue item ${waiting}: cancelled\nqueue item ${rendering}: cancelling, render-1 was asked to stop\n`,
  })
  expect(await server.item(waiting)).toMatchObject({ status: "failed", outcome: "cancelled" })
  expect((await server.item(rendering)).cancel_requested_at).not.toBeNull()
})

test("a refusal for one item is printed, exits with 1, and does not keep the others from changing", async () => {
  const [first, last] = [await server.add(), await server.add()]
  const { code, stdout, stderr } = await cli("cancel", String(first), "999999", String(last))
  expect(code).toBe(1)
  expect(stdout).toBe(`queue item ${first}: cancelled\nqueue item ${last}: cancelled\n`)
  expect(stderr).toBe("track-studio: queue item 999999 does not exist\n")
})

test("if a server's message names a request, the command prints what to type instead", async () => {
  const id = await server.add()
  await cli("cancel", String(id))
  const { code, stderr } = await cli("run", "--item", String(id), "--", "true")
  expect(code).toBe(1)
  expect(stderr).toEndWith(`cannot become processing; retry it with "track-studio retry ${id}"\n`)
})

test("a command after its flags is named with its own usage", async () => {
  const { code, stderr } = await cli("--utc", "list")
  expect([code, stderr]).toEqual([
    2,
    "track-studio: the command comes first: track-studio list --utc ...\nusage: track-studio list (more: track-studio list --help)\n",
  ])
})

test("retry puts a finished item back into the queue", async () => {
  const id = await server.add()
  await server.put(id, { status: "failed" })
  expect((await cli("retry", String(id))).stdout).toBe(`queue item ${id}: queued\n`)
  expect(await server.item(id)).toMatchObject({ status: "queued", outcome: null, progress: 0 })
})

test("remove removes an item, but one that renders only with --force", async () => {
  const [waiting, rendering] = [await server.add(), await server.add()]
  await claimed(rendering)
  const careful = await cli("remove", String(waiting), String(rendering))
  expect(careful).toEqual({
    code: 1,
    stdout: `queue item ${waiting}: removed\n`,
    stderr: `track-studio: queue item ${rendering} is rendering; cancel it first, or add --force\n`,
  })
  expect((await server.item(rendering)).status).toBe("processing")
  expect((await cli("remove", "--force", String(rendering))).stdout).toBe(
    `queue item ${rendering}: removed\n`,
  )
  for (const id of [waiting, rendering]) expect((await server.api("GET", `/queue/${id}`)).status).toBe(404)
})

test("show prints the known values of an item and no others, with an error line by line", async () => {
  const id = await server.add({
    song_id: 12,
    title: "Northern Lights",
    priority: 4,
    tags: ["gpu", "4k"],
    metadata: { album: "One" },
  })
  const token = await claimed(id)
  const report = {
    progress: 49.5,
    step: { index: 3, total: 5, name: "Rendering video" },
    unit: { done: 300, total: 1200, name: "frames" },
    media: { out_time: 11.4, total: 240, fps: 49.229177447093356, speed: 1.9798414703665175 },
    message: "two-pass",
  }
  await server.api("POST", `/queue/${id}/progress?lease=${token}`, report)
  const shown = async (): Promise<string[]> =>
    (await cli("show", String(id), "--utc")).stdout
      .replace(/\d\d:\d\d UTC/g, "TIME")
      .replace(/took (\d+:\d\d|0\.\d s)/, "took LENGTH")
      .trimEnd()
      .split("\n")
      .map((line) => line.trim().replace(/ {2,}/, ": "))
  expect(await shown()).toEqual([
    `#${id} Northern Lights: processing`,
    "done: 49%",
    "step: 3/5 Rendering video",
    "unit: 300 of 1200 frames",
    "pace: 0:11 of 4:00, 49 fps, 2.0x",
    "message: two-pass",
    "worker: render-1",
    "attempt: 1 of 3",
    "queued: TIME",
    "started: TIME",
    "song: 12",
    "priority: 4",
    "tags: gpu, 4k",
    'metadata: {"album":"One"}',
    `page: ${server.url}/items/${id}`,
  ])
  await server.api("POST", `/queue/${id}/fail?lease=${token}`, {
    error_message: "code 1\nout of \u001b[31mdisk",
    retryable: false,
  })
  const failed = await shown()
  expect(failed[0]).toBe(`#${id} Northern Lights: failed`)
  expect(failed).toContain("error: code 1")
  expect(failed).toContain("out of \ufffd[31mdisk")
  expect(failed).toContain("finished: TIME, took LENGTH")
  const item: QueueItem = JSON.parse((await cli("show", String(id), "--json")).stdout)
  expect(item).toEqual(await server.item(id))
})

test("stats shows the open streams, the kept updates, the uptime and the caller's role", async () => {
  const { stdout } = await cli("stats")
  expect(stdout).toMatch(
    /\nstreams {4}0 of all items, 0 of one item\nupdates {4}\d+ kept, newest \d+\nuptime {5}\d+:\d\d\nyour role {2}admin\n$/,
  )
  expect(JSON.parse((await cli("stats", "--json")).stdout)).toMatchObject({ connected_clients: 0 })
})

test("stats --streams lists the open streams as a table, or one per line as JSON", async () => {
  expect((await cli("stats", "--streams")).stdout).toBe("No stream is open.\n")
  const stream = `${server.url}/api/v1/progress/stream`
  const id = await server.add()
  const one = await Reader.open(`${stream}/${id}`, {
    "user-agent": "curl/8.5.0",
    accept: "text/event-stream",
  })
  await one.first("live")
  const all = await Reader.open(`${stream}?format=ndjson`, { "user-agent": "Mozilla/5.0 (X11)" })
  await server.connectedClients(2)
  const head = String(await server.head())
  const { stdout } = await cli("stats", "--streams", "--utc")
  const cells = stdout.split("\n").map((line) => line.trim().split(/ {2,}/))
  const since = expect.stringMatching(/^\d\d:\d\d UTC$/)
  expect(cells).toEqual([
    ["SINCE", "SHOWS", "FORMAT", "LAST EVENT ID", "LAG", "CLIENT"],
    [since, `#${id}`, "sse", head, "0", "curl"],
    [since, "all items", "ndjson", head, "0", "browser"],
    [""],
  ])
  const lines = (await cli("stats", "--streams", "--json")).stdout.trim().split("\n")
  expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([
    { kind: "item", queue_id: id, format: "sse", client: "curl", lag: 0 },
    { kind: "global", queue_id: null, format: "ndjson", client: "browser", lag: 0 },
  ])
  one.leave()
  all.leave()
  await server.connectedClients(0)
})

test("open prints the address of the page, and gives it to what opens addresses here", async () => {
  using folder = temporaryFolder()
  const opener = join(folder.path, "xdg-open")
  writeFileSync(
    opener,
    `#!/bin/sh\necho "$1" > ${folder.path}/opened.part && mv ${folder.path}/opened.part ${folder.path}/opened\n`,
  )
  chmodSync(opener, 0o755)
  const env = { TRACK_STUDIO_SERVER: `${server.url}/`, PATH: `${folder.path}:${process.env["PATH"]}` }
  expect(await run(["open", "--print"], env)).toEqual({ code: 0, stdout: `${server.url}/\n`, stderr: "" })
  const id = await server.add()
  expect((await run(["open", String(id)], env)).stdout).toBe(`${server.url}/items/${id}\n`)
  const opened = Bun.file(join(folder.path, "opened"))
  while (!(await opened.exists())) await Bun.sleep(5)
  expect(readFileSync(join(folder.path, "opened"), "utf8")).toBe(`${server.url}/items/${id}\n`)
  const missing = await run(["open", "--print", "999999"], env)
  expect(missing).toMatchObject({ code: 1, stdout: "" })
  expect(missing.stderr).toContain("999999")
})

test("the completion for bash offers commands, and the flags of each", async () => {
  const { stdout } = await cli("completion", "bash")
  const offered = (...words: string[]): string[] => {
    const script = `compopt() { echo "no files"; }\n${stdout}\nCOMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}; _track_studio; printf '%s\\n' "\${COMPREPLY[@]}"`
    const { stdout: said, success } = Bun.spawnSync(["bash", "-c", script])
    expect(success).toBe(true)
    return said.toString().trim().split("\n")
  }
  expect(offered("track-studio", "ca")).toEqual(["cancel"])
  expect(offered("track-studio", "add", "--pr")).toEqual(["--priority"])
  expect(offered("track-studio", "--server", "list", "--st")).toEqual(["--status"])
  expect(offered("track-studio", "run", "--", "--pr")).toEqual([""])
  // The values of a flag, also after an equals sign, at which bash splits words; and the values of an
  // argument.
  expect(offered("track-studio", "list", "--status", "c")).toEqual(["completed", "cancelled"])
  expect(offered("track-studio", "list", "--status", "=", "la")).toEqual([""])
  expect(offered("track-studio", "list", "--status", "=", "lo")).toEqual(["lost"])
  expect(offered("track-studio", "list", "--status", "=")).toContain("queued")
  expect(offered("track-studio", "set", "7", "--flag", "t")).toEqual(["timing_issue"])
  expect(offered("track-studio", "serve", "--log-level", "d")).toEqual(["debug"])
  expect(offered("track-studio", "completion", "")).toEqual(["bash", "zsh"])
  expect(offered("track-studio", "token", "re")).toEqual(["revoke"])
  expect(offered("track-studio", "list", "")).toContain("--status")
  // Bash offers files where nothing else is offered: for an argument, for the value of a flag, and behind "--".
  expect(offered("track-studio", "add", "")).toEqual([""])
  expect(offered("track-studio", "list", "--token-file", "")).toEqual([""])
  expect(offered("track-studio", "run", "--item", "7", "--", "ls", "-")).toEqual([""])
  // Of a name, a number or a text nothing is offered, and no files either.
  for (const words of [["steps"], ["doctor"], ["work", "--worker"], ["list", "--limit"], ["add", "--title"]])
    expect(offered("track-studio", ...words, "")).toEqual(["no files"])
})

test.skipIf(Bun.which("zsh") === null)("the completion for zsh is a script that zsh takes", async () => {
  const { stdout } = await cli("completion", "zsh")
  const check = Bun.spawnSync(["zsh", "-n"], { stdin: Buffer.from(stdout) })
  expect([check.success, check.stderr.toString()]).toEqual([true, ""])
  // A value behind "=" is completed as one behind a space is.
  const stubs =
    "compdef() { }; compset() { print $2 }; compadd() { print -l -- ${@[2,-1]} }; _files() { print files }"
  const offered = (word: string): string[] => {
    const call = `words=(track-studio list ${word}); CURRENT=$#words; _track_studio`
    const ran = Bun.spawnSync(["zsh", "-c", [stubs, stdout, call].join("\n")])
    return ran.stdout.toString().trim().split("\n")
  }
  expect(offered("--status=f")).toEqual(["*=", ...offered("--status ''")])
  expect(offered("--status=f")).toContain("failed")
  expect(offered("--token-file=")).toEqual(["*=", "files"])
  expect(offered("--json=")).toEqual(["*="])
  expect(offered("--limit ''")).toEqual([""])
})

test("the completions offer the IDs of items where one is to be named", async () => {
  const ids = [await server.add({ song_id: 3, title: "Paper: Boats" }), await server.add({ song_id: 4 })]
  const failed = await server.add({ song_id: 5 })
  await server.put(failed, { status: "processing" })
  await server.put(failed, { status: "failed" })
  using folder = temporaryFolder()
  const program = join(folder.path, "track-studio")
  const [list, failedOnes, bashScript, zshScript] = await Promise.all([
    cli("list"),
    cli("list", "--status", "failed"),
    cli("completion", "bash"),
    cli("completion", "zsh"),
  ])
  await Bun.write(join(folder.path, "list"), list.stdout)
  await Bun.write(join(folder.path, "list --status failed"), failedOnes.stdout)
  writeFileSync(program, `#!/bin/sh\ncat ${folder.path}/"$*"\n`, { mode: 0o755 })
  /** What a shell prints at the end of the script and these lines. */
  const said = (shell: string, ...lines: string[]): string[] => {
    const ran = Bun.spawnSync([shell, "-c", lines.join("\n")])
    expect(ran.stderr.toString()).toBe("")
    return ran.stdout.toString().trim().split("\n")
  }
  const all = ids.map(String)
  for (const words of ["show ''", "move 1 --before ''", "run --item ''", "cancel 1 ''"]) {
    const line = `COMP_WORDS=(${program} ${words}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))`
    const bash = said("bash", bashScript.stdout, line, `_track_studio; printf '%s\\n' "\${COMPREPLY[@]}"`)
    expect(bash).toEqual(expect.arrayContaining(all))
    if (Bun.which("zsh") === null) continue
    const stubs = 'compdef() { }; compadd() { print -l -- "$@" "$lines[@]" "${(@P)argv[-1]}" }'
    const zsh = said(
      "zsh",
      stubs,
      zshScript.stdout,
      `words=(${program} ${words}); CURRENT=$#words; _track_studio`,
    )
    for (const id of all) expect(zsh.join("\n")).toMatch(new RegExp(`^ *${id} +\\d+ +queued`, "m"))
    // In the order of the list: in that of names, 10 comes before 9.
    expect(zsh.slice(0, 6).join(" ")).toBe("-l -V items -d lines -a")
    expect(zsh.filter((text) => all.includes(text))).toEqual(all)
  }
  // Only what failed is retried, and it is the last of the queue: a long one would hide it.
  const retried = `COMP_WORDS=(${program} retry ''); COMP_CWORD=2; _track_studio; printf '%s\\n' "\${COMPREPLY[@]}"`
  const isOffered = (offered: string[]) => [String(failed), ...all].map((id) => offered.includes(id))
  expect(isOffered(said("bash", bashScript.stdout, retried))).toEqual([true, false, false])
  if (Bun.which("zsh") === null) return
  const stubs = 'compdef() { }; compadd() { print -l -- "${(@P)argv[-1]}" }'
  const call = `words=(${program} retry ''); CURRENT=3; _track_studio`
  expect(isOffered(said("zsh", stubs, zshScript.stdout, call))).toEqual([true, false, false])
})

test("the completions offer the names of workers and of kinds where one is to be named", async () => {
  using folder = temporaryFolder()
  const program = join(folder.path, "track-studio")
  const worker = (name: string) => `{"worker":${JSON.stringify(name)},"state":"idle","tags":["gpu"]}\n`
  await Bun.write(join(folder.path, "workers"), ["gpu-1", "gpu box", 'a "b"'].map(worker).join(""))
  await Bun.write(join(folder.path, "kinds"), '{"kind":"song video","look":"seconds","runs":8}\n')
  writeFileSync(program, `#!/bin/sh\n[ "$2" = --json ] && cat ${folder.path}/"$1"\n`, { mode: 0o755 })
  const scripts = await Promise.all([cli("completion", "bash"), cli("completion", "zsh")])
  const [inBash, inZsh] = scripts.map(({ stdout }) => stdout)
  const said = (shell: string, ...lines: (string | undefined)[]): string[] => {
    const ran = Bun.spawnSync([shell, "-c", lines.join("\n")])
    expect(ran.stderr.toString()).toBe("")
    return ran.stdout.toString().trim().split("\n")
  }
  for (const [words, names] of [
    ["workers --drain ''", ["gpu-1", "gpu box"]],
    ["workers --undrain gpu-", ["gpu-1"]],
    ["kinds --forget ''", ["song video"]],
    ["add 7 --kind so", ["song video"]],
  ] as const) {
    const line = `compopt() { :; }; COMP_WORDS=(${program} ${words}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))`
    // Bash puts a word on the command line as it is, so it has to be quoted.
    const quoted = names.map((name) => name.replaceAll(" ", "\\ "))
    expect(said("bash", inBash, line, `_track_studio; printf '%s\\n' "\${COMPREPLY[@]}"`)).toEqual(quoted)
    if (Bun.which("zsh") === null || words.includes("gpu-")) continue
    // Zsh itself chooses those that fit the word, and quotes them.
    const stubs = 'compdef() { }; compadd() { print -l -- "${(@P)argv[-1]}" }'
    const call = `words=(${program} ${words}); CURRENT=$#words; _track_studio`
    expect(said("zsh", stubs, inZsh, call)).toEqual([...names])
  }
})

test("add takes files: the path as metadata, the leading digits as the song, the rest as the title", async () => {
  using folder = temporaryFolder()
  const names = ["012 - Northern Lights.wav", "13_evening.take2.flac", "14.wav"]
  const files = names.map((name) => join(folder.path, name))
  for (const file of files) writeFileSync(file, "")
  const flags = [
    "--tags",
    "gpu, 4k,gpu",
    "--attempts",
    "2",
    "--in",
    "2h",
    "--metadata",
    "album=A=B",
    "--priority",
    "-1",
  ]
  const { code, stdout } = await cli("add", "--json", ...flags, ...files)
  expect(code).toBe(0)
  const items: QueueItem[] = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
  expect(items.map(({ song_id, title }) => [song_id, title])).toEqual([
    [12, "Northern Lights"],
    [13, "evening.take2"],
    [14, "14"],
  ])
  for (const [at, item] of items.entries()) {
    expect(item).toMatchObject({ tags: ["gpu", "4k"], max_attempts: 2, priority: -1 })
    expect(item.metadata).toEqual({ path: files[at], album: "A=B" })
    expect(Date.parse(item.available_at ?? "") - Date.parse(item.queued_at)).toBe(7_200_000)
  }
})

test("a file without a number needs --song; if one of several is wrong, none is added", async () => {
  using folder = temporaryFolder()
  const files = ["21 One.wav", "Two.wav"].map((name) => join(folder.path, name))
  for (const file of files) writeFileSync(file, "")
  const head = await server.head()
  const wrong = await cli("add", ...files)
  expect(wrong.code).toBe(2)
  expect(wrong.stderr).toStartWith(
    `track-studio: "${files[1]}" does not begin with the song's number; give it with --song\n`,
  )
  expect(await server.head()).toBe(head)
  const { stdout } = await cli("add", "--json", "--song", "22", ...files)
  const items: QueueItem[] = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
  expect(items.map(({ song_id, title }) => [song_id, title])).toEqual([
    [22, "21 One"],
    [22, "Two"],
  ])
})
