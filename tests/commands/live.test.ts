import { expect, setDefaultTimeout, test } from "bun:test"

import { PROGRAM, run, start, temporaryFolder, type TestServer } from "../server.ts"
import { TestTerminal } from "../terminal.ts"

setDefaultTimeout(180_000)

const says = (text: string) => (lines: readonly string[]) => lines.some((line) => line.includes(text))
/** The same lines at whatever time they were printed. */
const timeless = (lines: readonly string[]): string[] =>
  lines.map((line) => line.replace(/\d\d:\d\d:\d\d/g, "TIME"))
const ESCAPE = "\u001b"
const BAR = /[━╸]+/

function watching(server: TestServer, args: readonly string[] = [], options: object = {}, env: object = {}) {
  return new TestTerminal(
    [...PROGRAM, "watch", ...args],
    { TRACK_STUDIO_SERVER: server.url, ...env },
    { ...options },
  )
}

/** Runs a command to its end in a terminal. */
async function shown(
  server: TestServer,
  args: readonly string[],
  env: Record<string, string> = {},
  columns = 80,
) {
  const terminal = new TestTerminal(
    [...PROGRAM, ...args],
    { TRACK_STUDIO_SERVER: server.url, ...env },
    { columns },
  )
  const code = await terminal.child.exited
  await terminal.drawn()
  const { lines, raw } = terminal
  await terminal[Symbol.asyncDispose]()
  return { code, lines, raw }
}

test("watch draws a bar for each running item, frame by frame in place, and leaves what has finished above", async () => {
  await using server = await start()
  await using terminal = watching(server)
  await terminal.until(says("● live"))
  const first = await server.add({ song_id: 7, title: "Northern Lights" })
  await server.put(first, { status: "processing", current_step: "Images", progress: 50 })
  const second = await server.add({ song_id: 8 })
  await terminal.until(says("1 running · 1 waiting"))
  await server.put(second, { status: "processing", message: "Loading the model" })
  await server.put(first, { progress: 75, current_step: "Rendering video" })
  await terminal.until(says("75%"))
  await server.put(first, { status: "completed" })
  await terminal.until(says("1 running · 0 waiting · 1 completed"))
  await server.put(second, { status: "failed", error_message: "frame 812\nout of\u2003disk" })
  await terminal.until(says("1 failed"))
  expect(await terminal.interrupt()).toBe(0)
  await terminal.drawn()
  const seen = terminal.frames.map((frame) => timeless(frame))
  for (const frame of [
    ["connecting"],
    ["Nothing is rendering.", "● live · 0 running · 0 waiting"],
    ["#1 Northern Lights  ━━━━━━━━━━━━━━━━━━━━  50%  Images", "● live · 1 running · 1 waiting"],
    [
      "#1 Northern Lights  ━━━━━━━━━━━━━━━━━━━━  75%  Rendering video",
      "#2 song 8           ━━━━━━━━━━━━━━━━━━━━   0%  Loading the model",
      "● live · 2 running · 0 waiting",
    ],
    [
      "TIME ✔ #1 Northern Lights completed",
      "#2 song 8  ━━━━━━━━━━━━━━━━━━━━   0%  Loading the model",
      "● live · 1 running · 0 waiting · 1 completed",
    ],
  ]) {
    expect(seen).toContainEqual(frame)
  }
  expect(timeless(terminal.lines)).toEqual([
    "TIME ✔ #1 Northern Lights completed",
    "TIME ✘ #2 song 8 failed: out of\u2003disk",
    "Nothing is rendering.",
    "● live · 0 running · 0 waiting · 1 completed · 1 failed",
  ])
  expect(terminal.raw).not.toContain("\u001b[?1049h")
  expect(terminal.raw).not.toContain("\u001b[2J")
})

test("one item's board shows its step, unit, worker and message", async () => {
  await using server = await start()
  await server.add({ song_id: 1, title: "Northern Lights" })
  const answer = await server.api("POST", "/queue/claim", { worker: "render-1" })
  const { lease }: { lease: { token: string } } = await answer.json()
  await server.api("POST", `/queue/1/progress?lease=${lease.token}`, {
    progress: 25,
    step: { index: 3, total: 5, name: "Render" },
    unit: { done: 300, total: 1200, name: "frames" },
    media: { out_time: 10, total: 40, fps: 24, speed: 1.5 },
    message: "two-pass",
  })
  await using terminal = watching(server, ["1"])
  await terminal.until(says("● live"))
  const [name, bar, ...rest] = terminal.lines
  expect(name).toBe("#1 Northern Lights  processing")
  expect(bar).toMatch(/^[━╸]{40,} {2}25%/)
  expect(rest).toEqual([
    "3/5 Render · 300 of 1200 frames · 0:10 of 0:40 · 24 fps · 1.5x · on render-1",
    "two-pass",
    "● live",
  ])
})

test("a terminal that changes its size leaves no line twice and none behind", async () => {
  await using server = await start()
  for (const [at, title] of ["A song with a long name", "Another one"].entries()) {
    const id = await server.add({ song_id: at + 1, title })
    await server.put(id, { status: "processing", progress: 40, current_step: "Rendering the video" })
  }
  await using terminal = watching(server, [], { columns: 100, rows: 24 })
  await terminal.until(says("● live"))
  for (const [columns, rows] of [
    [60, 20],
    [33, 20],
    [120, 30],
    [80, 24],
  ] as const) {
    terminal.resize(columns, rows)
    // A change that comes after the board was drawn for the new size.
    await terminal.until((lines) => lines.every((line) => Bun.stringWidth(line) < columns))
    const marker = `at ${columns}`
    await server.put(1, { current_step: marker, title: marker })
    await terminal.until(says(marker))
    await terminal.until((lines) => BAR.exec(lines[0] ?? "")?.[0].length === Math.max(10, columns / 4))
    expect(terminal.lines.map((line) => line.slice(0, 6))).toEqual([`#1 at `, "#2 Ano", "● live"])
  }
  expect(await terminal.interrupt()).toBe(0)
})

test("more items than the terminal has lines are counted, and nothing scrolls", async () => {
  await using server = await start()
  for (let song_id = 1; song_id <= 12; song_id += 1) {
    await server.put(await server.add({ song_id }), { status: "processing" })
  }
  await using terminal = watching(server, [], { columns: 80, rows: 8 })
  await terminal.until(says("12 running"))
  expect(terminal.lines.map((line) => line.split("  ")[0])).toEqual([
    "#1 song 1",
    "#2 song 2",
    "#3 song 3",
    "#4 song 4",
    "#5 song 5",
    "",
    "● live · 12 running · 0 waiting",
  ])
  expect(terminal.lines.at(-2)).toBe("  and 7 more")
})

test("a server that goes away is shown as offline, and when it is back the board goes on", async () => {
  using folder = temporaryFolder()
  const database = `${folder.path}/queue.db`
  const before = await start({ database })
  const { port } = new URL(before.url)
  const id = await before.add({ song_id: 1, title: "Through" })
  await before.put(id, { status: "processing", progress: 30 })
  await using terminal = watching(before)
  await terminal.until(says("● live · 1 running"))
  await before.end("SIGKILL")
  await terminal.until(says("○ offline since"))
  expect(timeless(terminal.lines).find((line) => line.startsWith("○"))).toMatch(
    /^○ offline since TIME, retrying( in \d+ s)?: (the connection was lost|no server answers at )/,
  )
  await using after = await start({ database, args: ["--port", port] })
  await after.put(id, { status: "completed" })
  await terminal.until(says("1 completed"))
  expect(await terminal.interrupt()).toBe(0)
  await terminal.drawn()
  expect(timeless(terminal.lines)).toEqual([
    "TIME ✔ #1 Through completed",
    "Nothing is rendering.",
    "● live · 0 running · 0 waiting · 1 completed",
  ])
  await before[Symbol.asyncDispose]()
}, 180_000)

test("--until finished ends with the item: exit 0 when it completed, 1 when it failed or was not waited for", async () => {
  await using server = await start()
  const ids = [await server.add(), await server.add(), await server.add()]
  for (const id of ids) await server.put(id, { status: "processing" })
  const [completed, failed, interrupted] = ids.map((id) =>
    watching(server, [String(id), "--until", "finished"]),
  )
  const piped = ids.map((id) =>
    run(["watch", String(id), "--until=finished"], { TRACK_STUDIO_SERVER: server.url }),
  )
  await server.connectedClients(6)
  expect(await interrupted?.interrupt()).toBe(1)
  const statuses = ["completed", "failed", "failed"] as const
  for (const [at, status] of statuses.entries()) await server.put(ids[at] ?? 0, { status, error_message: "" })
  expect(await completed?.child.exited).toBe(0)
  expect(await failed?.child.exited).toBe(1)
  const ran = await Promise.all(piped)
  expect(ran.map(({ code }) => code)).toEqual([0, 1, 1])
  expect(ran[0]?.stdout.trimEnd().split("\n").at(-1)).toBe("# completed")
  // A late viewer gets it at once.
  const late = await shown(server, ["watch", String(ids[0]), "--until=finished"])
  expect([late.code, late.lines[0]]).toEqual([0, "#1 song 1  completed"])
  for (const terminal of [completed, failed, interrupted]) await terminal?.[Symbol.asyncDispose]()
}, 180_000)

test("--until takes finished alone, and needs an item; an item that does not exist is exit 1", async () => {
  await using server = await start()
  const env = { TRACK_STUDIO_SERVER: server.url }
  expect(await run(["watch", "1", "--until", "dawn"], env)).toMatchObject({
    code: 2,
    stderr:
      'track-studio: --until accepts only "finished", not "dawn"\nusage: track-studio watch [ID] (more: track-studio watch --help)\n',
  })
  expect(await run(["watch", "--until", "finished"], env)).toMatchObject({
    code: 2,
    stderr:
      "track-studio: --until finished needs the ID of an item\nusage: track-studio watch [ID] (more: track-studio watch --help)\n",
  })
  expect(await run(["watch", "9", "--until", "finished"], env)).toMatchObject({
    code: 1,
    stderr: "track-studio: queue item 9 does not exist\n",
  })
})

test("run says on a terminal where its item can be watched", async () => {
  await using server = await start()
  const { code, lines } = await shown(server, ["run", "--song", "7", "--", "echo", "rendered"])
  expect([code, lines]).toEqual([0, [`track-studio: queue item 1: ${server.url}/items/1`, "rendered"]])
})

test("nothing that an item says reaches the terminal as anything but text", async () => {
  await using server = await start()
  const hostile = "a\u001b[2J\u001b]0;owned\u0007\u009b31m\r\n\u202eb\u0085c\u0008"
  const id = await server.add({ song_id: 1, title: hostile })
  await using terminal = watching(server)
  await terminal.until(says("● live"))
  await server.put(id, { status: "processing", current_step: hostile, message: hostile })
  await terminal.until(says("1 running"))
  await server.put(id, { status: "failed", error_message: hostile })
  await terminal.until(says("1 failed"))
  await terminal.interrupt()
  const listed = await shown(server, ["list"])
  // The sequences that we use: synchronized update, wrapping, cursor up, erase, colours.
  const ours = new RegExp(`${ESCAPE}\\[(\\?2026[hl]|\\?7[hl]|\\d*A|2?[KJ]|[\\d;]*m)`, "g")
  for (const raw of [terminal.raw, listed.raw]) {
    expect(raw.replace(ours, "").replace(/[\r\n]/g, "")).not.toMatch(/\p{Cc}|\p{Bidi_Control}/u)
    expect(raw).not.toContain("\u001b[2J")
  }
})

test("colours obey FORCE_COLOR and NO_COLOR, and need a terminal otherwise", async () => {
  await using server = await start()
  await server.put(await server.add({ song_id: 1, title: "Northern Lights" }), {
    status: "processing",
    progress: 54,
  })
  const isColoured = async (env: Record<string, string>): Promise<boolean> =>
    (await shown(server, ["list"], env)).raw.includes("\u001b[36m")
  expect(await isColoured({})).toBe(true)
  expect(await isColoured({ NO_COLOR: "1" })).toBe(false)
  expect(await isColoured({ NO_COLOR: "" })).toBe(true)
  expect(await isColoured({ FORCE_COLOR: "0" })).toBe(false)
  expect(await isColoured({ NO_COLOR: "1", FORCE_COLOR: "1" })).toBe(true)
  expect(await isColoured({ TERM: "dumb" })).toBe(false)
  const env = { TRACK_STUDIO_SERVER: server.url }
  expect((await run(["list"], env)).stdout).not.toContain("\u001b")
  expect((await run(["list"], { ...env, FORCE_COLOR: "1" })).stdout).toContain("\u001b[36mprocessing")
  const colourless = watching(server, [], {}, { NO_COLOR: "1" })
  await colourless.until(says("live · 1 running"))
  expect(colourless.lines).toEqual([
    "#1 Northern Lights  ██████████░░░░░░░░░░  54%",
    "live · 1 running · 0 waiting",
  ])
  expect(colourless.raw).not.toMatch(new RegExp(`${ESCAPE}\\[[\\d;]*m`))
  await colourless[Symbol.asyncDispose]()
})

test("a terminal that cannot be drawn over gets one line per update, and so does one that asks for it", async () => {
  await using server = await start()
  await server.add({ song_id: 1, title: "Plain" })
  for (const [args, env] of [
    [[], { TERM: "dumb" }],
    [["--lines"], {}],
  ] as const) {
    await using terminal = watching(server, args, {}, env)
    await terminal.until(says("# live"))
    expect(terminal.lines[0]).toMatch(/^\d\d:\d\d:\d\d #1 Plain {2}queued/)
    expect(terminal.raw).not.toContain("\u001b")
  }
})

test("list fits the terminal, draws bars where there is room, and colours the states", async () => {
  await using server = await start()
  await server.put(await server.add({ song_id: 40, title: "Northern Lights", priority: 10 }), {
    status: "processing",
    progress: 54,
    current_step: "Rendering a video that takes long",
  })
  await server.put(await server.add({ song_id: 41, title: "Midnight" }), { status: "processing" })
  await server.put(2, { status: "failed", error_message: "out of disk" })
  const seen = async (columns: number) => {
    const { lines, raw } = await shown(server, ["list", "--utc"], {}, columns)
    const untimed = (line: string): string =>
      line
        .replace(/\d\d:\d\d UTC/, "14:32 UTC")
        .replace(/ \d:\d\d /, " 0:00 ")
        .replace(/took 0\.\d/, "took 0.4")
    return { raw, lines: lines.map(untimed) }
  }
  const wide = await seen(160)
  expect(wide.lines).toEqual([
    "ID  SONG  STATUS                   DONE  PRIORITY  TITLE            WHEN       TIME        STEP                            WHY",
    " 1    40  processing  ━━━━━━━━━━━━  54%        10  Northern Lights  14:32 UTC  for 0:00    Rendering a video that takes …",
    " 2    41  failed                     0%         0  Midnight         14:32 UTC  took 0.4 s                                  out of disk",
  ])
  expect(wide.raw).toContain("\u001b[31mfailed    \u001b[0m")
  expect((await seen(80)).lines).toEqual([
    "ID  STATUS      DONE  TITLE            TIME        STEP, WHY",
    " 1  processing   54%  Northern Lights  for 0:00    Rendering a video that takes…",
    " 2  failed        0%  Midnight         took 0.4 s  out of disk",
  ])
})

test("list shows which worker rendered, when, for how long, and the one line that says why it failed", async () => {
  await using server = await start()
  const failed = await server.add({ song_id: 1, title: "Northern Lights" })
  const claim = await server.api("POST", "/queue/claim", { worker: "render-1" })
  const { lease }: { lease: { token: string } } = await claim.json()
  const error_message =
    "the command ended with code 1\n[libx264 @ 0x5] height not divisible by 2\nConversion failed!"
  await server.api("POST", `/queue/${failed}/fail?lease=${lease.token}`, { error_message, retryable: false })
  await server.put(await server.add({ song_id: 2 }), { status: "failed" })
  const { stdout } = await run(["list", "--utc", "--status", "failed"], { TRACK_STUDIO_SERVER: server.url })
  const [head = "", row = "", none] = stdout.split("\n")
  const cell = (name: string): string => row.slice(head.indexOf(name)).split(/ {2,}/)[0] ?? ""
  expect(cell("WHEN")).toMatch(/^\d\d:\d\d UTC$/)
  expect(cell("TIME")).toMatch(/^took 0\.\d s$/)
  expect(cell("WORKER")).toBe("render-1")
  expect(cell("WHY")).toBe("libx264: height not divisible by 2")
  // What was cancelled has not failed.
  expect(none).toBe("")
  const only = await run(["list", "--json", "--status", "cancelled"], { TRACK_STUDIO_SERVER: server.url })
  expect(
    only.stdout
      .trim()
      .split("\n")
      .map((text): number => JSON.parse(text).id),
  ).toEqual([2])
  expect((await run(["list", "--status", "lost"], { TRACK_STUDIO_SERVER: server.url })).stdout).toBe(
    "No such items.\n",
  )
})

test("list has items that no worker takes yet behind the others, with the reason, and show puts the cause in front", async () => {
  await using server = await start()
  await server.api("POST", "/queue/claim", { worker: "gpu-1", tags: ["gpu"] })
  await server.add({ song_id: 1, title: "Delayed", priority: 9, available_in: 3600 })
  await server.add({ song_id: 2, title: "Foreign", priority: 8, tags: ["gpu", "macos"] })
  await server.add({ song_id: 3, title: "Ready" })
  const failed = await server.add({ song_id: 4, title: "Broken" })
  await server.put(failed, { status: "processing" })
  const stack = Array.from({ length: 40 }, (_, i) => `  File "render.py", line ${i}`).join("\n")
  const error_message = `Traceback (most recent call last):\n${stack}\nMemoryError: no memory`
  await server.put(failed, { status: "failed", error_message })
  const env = { TRACK_STUDIO_SERVER: server.url }
  const [list, short, show, all] = await Promise.all([
    run(["list"], env),
    run(["list", "--limit", "2"], env),
    run(["show", String(failed)], env),
    run(["show", String(failed), "--all"], env),
  ])
  const lines = list.stdout.split("\n").slice(1, 5)
  expect(lines.map((line) => /Delayed|Foreign|Ready|Broken/.exec(line)?.[0])).toEqual([
    "Ready",
    "Delayed",
    "Foreign",
    "Broken",
  ])
  expect(lines[2]).toEndWith("no worker offers macos")
  // The first items in this order, not in the order of the server.
  expect(short.stdout).toMatch(/^.*\n.*Ready.*\n.*Delayed.*\n\.\.\. and more; see --limit\n$/)
  expect(show.stdout).toMatch(/^ {2}why {8}MemoryError: no memory$/m)
  expect(show.stdout).toContain("(--all shows all 42 lines)")
  expect(show.stdout).not.toContain("line 20\n")
  expect(all.stdout).toContain("line 20\n")
})

test("add names the item in the colours of the terminal, and where to watch it", async () => {
  await using server = await start()
  const { code, lines, raw } = await shown(server, ["add", "7", "--title", "Northern Lights"])
  expect([code, lines]).toEqual([0, [`queue item 1: Northern Lights, queued  ${server.url}/items/1`]])
  expect(raw).toContain("\u001b[1mNorthern Lights\u001b[0m")
  // No worker is there to take it.
  const list = await shown(server, ["list"], {}, 100)
  expect(list.lines.at(-1)).toBe(
    'No worker takes the waiting items; start one with "track-studio work --exec ./render.sh".',
  )
})
