/**
 * Pictures of the page and the terminal for the README, made while workers render with ffmpeg:
 * `bun tests/dashboard/screenshots.ts` writes them to docs/images.
 */
import { mkdirSync, renameSync } from "node:fs"
import { join, resolve } from "node:path"

import { PROGRAM, start, temporaryFolder, type TestServer } from "../server.ts"
import { type Span, TestTerminal } from "../terminal.ts"
import { Browser, HOST, type TabOptions } from "./browser.ts"

const FOLDER = "docs/images"
/** Seconds of song and title; the last three are still running when the pictures are taken. */
const SONGS = [
  [24, "Hello, Stranger"],
  [30, "Ten Thousand Windows"],
  [27, "Slow Train"],
  [80, "Northern Lights"],
  [60, "Paper Boats"],
  [150, "Midnight at the Observatory"],
] as const
const WAITING = [
  "Glasshouse",
  "The Long Way Home",
  "Static Bloom",
  "Harbour Song",
  "Low Orbit",
  "Velvet Engine",
]

/** Renders a moving picture as long as the song, in real time. */
const RENDER = `#!/bin/sh
seconds=$(printf %s "$TRACK_STUDIO_ITEM" | sed 's/.*"seconds":\\([0-9]*\\).*/\\1/')
[ "$TRACK_STUDIO_SONG_ID" != 44 ] || { echo "av_interleaved_write_frame(): No space left on device" >&2; exit 65; }
exec track-studio run --total "$seconds" -- ffmpeg -nostdin -loglevel warning -re -f lavfi \\
  -i testsrc2=size=320x180:rate=25 -t "$seconds" -y "$(dirname "$0")/$TRACK_STUDIO_ITEM_ID.mp4"
`

const pictures: readonly (readonly [name: string, path: string, options: TabOptions])[] = [
  ["page", "/", { width: 1280, height: 940 }],
  ["page-item", "/items/7", { width: 1280, height: 980 }],
  ["page-dark", "/", { width: 1280, height: 940, dark: true }],
  ["page-phone", "/", { phone: true, dark: true }],
]

const COLOURS: Readonly<Record<number, string>> = { 1: "#ff7b72", 2: "#7ee787", 3: "#e3b341", 6: "#56d4dd" }

function spanHtml({ text, colour, bold, dim }: Span): string {
  const style = [
    colour === undefined ? "" : `color:${COLOURS[colour]}`,
    bold ? "font-weight:bold" : "",
    dim ? "opacity:.6" : "",
  ]
  return `<span style="${style.filter(Boolean).join(";")}">${Bun.escapeHTML(text)}</span>`
}

/** The content of a terminal, as a page that looks like a terminal. */
const terminalHtml = (lines: readonly (readonly Span[])[]): string =>
  `<meta charset="utf-8"><style>body{margin:0;background:#14161a;color:#d6d9de}` +
  `pre{margin:0;padding:20px 24px;font:15px/1.4 "DejaVu Sans Mono",monospace}</style>` +
  `<pre>${lines.map((line) => line.map(spanHtml).join("")).join("\n")}</pre>`

/** What a person sees who types these commands one after the other. The last command draws live bars. */
async function typed(server: TestServer, folder: string, commands: readonly string[]): Promise<string> {
  const env = { PS1: "$ ", PATH: `${folder}:${process.env["PATH"]}`, TRACK_STUDIO_SERVER: server.url }
  await using terminal = new TestTerminal(["bash", "--norc", "--noprofile"], env, { columns: 100, rows: 30 })
  for (const [at, command] of commands.entries()) {
    const isAsked = (lines: readonly string[]): boolean =>
      lines.at(-1)?.trim() === "$" && lines.filter((line) => line.startsWith("$")).length === at + 1
    await terminal.until(isAsked)
    terminal.type(`${command}\r`)
  }
  await terminal.until((lines) => lines.at(-1)?.includes("● live") === true)
  // The bars move.
  await Bun.sleep(3000)
  await terminal.drawn()
  return terminalHtml(terminal.painted)
}

/** Puts a script into the folder. */
async function script(name: string, text: string): Promise<string> {
  const file = join(folder.path, name)
  await Bun.write(file, text)
  Bun.spawnSync(["chmod", "+x", file])
  return file
}

/** Makes a picture smaller: a page has few colours. */
function shrink(file: string): void {
  const palette = "split[a][b];[a]palettegen=max_colors=255[p];[b][p]paletteuse=dither=none"
  Bun.spawnSync(["ffmpeg", "-loglevel", "error", "-y", "-i", file, "-vf", palette, `${file}.small.png`])
  renameSync(`${file}.small.png`, file)
}

/** Adds a song. Its length says how much work it is. */
const song = (title: string, seconds: number, more: object = {}): Promise<number> =>
  server.add({
    ...{ song_id: 10 + title.length * 3, title, kind: "song video", tags: ["gpu"] },
    ...{ totals: { seconds }, metadata: { seconds }, ...more },
  })

const folder = temporaryFolder()
const server = await start()
const browser = await Browser.start()
const workers: Bun.Subprocess[] = []
try {
  mkdirSync(FOLDER, { recursive: true })
  const program = PROGRAM.map((word) => (word.includes("/") ? resolve(word) : word)).join(" ")
  await script("track-studio", `#!/bin/sh\nexec ${program} "$@"\n`)
  const render = await script("render.sh", RENDER)
  const env = {
    ...process.env,
    PATH: `${folder.path}:${process.env["PATH"]}`,
    TRACK_STUDIO_SERVER: server.url,
    XDG_STATE_HOME: folder.path,
  }
  for (const [seconds, title] of SONGS.slice(0, 3)) await song(title, seconds)
  await song("Copper Sky", 5, { song_id: 44 })
  for (const name of ["gpu-box-1", "gpu-box-2", "gpu-box-3"]) {
    const command = ["track-studio", "work", "--worker", name, "--tags", "gpu", "--exec", render]
    workers.push(Bun.spawn(command, { env, stdout: "ignore", stderr: "ignore" }))
  }
  while ((await server.item(4)).status !== "failed" || (await server.item(3)).status !== "completed")
    await Bun.sleep(500)
  for (const [seconds, title] of SONGS.slice(3)) await song(title, seconds)
  while ((await server.item(7)).status !== "processing") await Bun.sleep(200)
  for (const [i, title] of WAITING.entries()) await song(title, 40 + i * 7, { priority: i === 0 ? 5 : 0 })
  await server.put(1, { flag: "lyrics_issue" })
  while ((await server.item(5)).progress < 40) await Bun.sleep(500)
  for (const [name, path, options] of pictures) {
    const tab = await browser.open(server.url.replace("127.0.0.1", HOST) + path, options)
    // Live, and not loading any more.
    await tab.until(`document.querySelector("#badge").innerText.startsWith("Live")`)
    // The bars have caught up, a tick has passed, and the workers and the next starts are known.
    await Bun.sleep(3000)
    await tab.screenshot(`${FOLDER}/${name}.png`)
    shrink(`${FOLDER}/${name}.png`)
    await tab.close()
  }
  const shown = await typed(server, folder.path, ["track-studio list --limit 9", "track-studio watch"])
  const tab = await browser.open(`data:text/html;base64,${Buffer.from(shown).toString("base64")}`, {
    width: 960,
    height: 420,
  })
  await tab.screenshot(`${FOLDER}/terminal.png`)
  shrink(`${FOLDER}/terminal.png`)
  await tab.close()
} finally {
  for (const child of workers) child.kill("SIGKILL")
  await Promise.all(workers.map(({ exited }) => exited))
  await browser.stop()
  await server[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
}
