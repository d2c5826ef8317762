/**
 * Pictures of the page and the terminal for the README, made while real songs are rendered with ffmpeg:
 * `bun tests/dashboard/screenshots.ts` writes them to docs/images.
 */
import { mkdirSync } from "node:fs"
import { join, resolve } from "node:path"

import { PROGRAM, start, temporaryFolder, type TestServer } from "../server.ts"
import { type Span, TestTerminal } from "../terminal.ts"
import { Browser, HOST, type TabOptions } from "./browser.ts"

const FOLDER = "docs/images"
/** Seconds of song and title; the longer ones are still running when the pictures are taken. */
const SONGS = [
  [1, "Hello, Stranger"],
  [2, "Ten Thousand Windows"],
  [1, "Slow Train"],
  [24, "Northern Lights"],
  [14, "Paper Boats"],
  [40, "Midnight at the Observatory"],
] as const
const WAITING = [
  "Glasshouse",
  "The Long Way Home",
  "Static Bloom",
  "Harbour Song",
  "Low Orbit",
  "Velvet Engine",
]

/** Renders one song, and gives it its own title once it is in the queue. */
async function render(server: TestServer, folder: string, id: number, seconds: number, title: string) {
  const command = ["scripts/demo-render.sh", "--duration", String(seconds), "--output", `${folder}/${id}.mp4`]
  const env = { ...process.env, TRACK_STUDIO_SERVER: server.url }
  const child = Bun.spawn(["nice", ...command], { env, stdout: "ignore", stderr: "ignore" })
  while (!(await server.api("GET", `/queue/${id}`)).ok) await Bun.sleep(50)
  await server.put(id, { title, song_id: 10 + id * 3, priority: id % 3 })
  return child
}

const pictures: readonly (readonly [name: string, path: string, options: TabOptions])[] = [
  ["page", "/", { width: 1280, height: 860 }],
  ["page-dark", "/", { width: 1280, height: 860, dark: true }],
  ["page-item", "/items/4", { width: 1280, height: 980 }],
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

/** What is in a terminal, as a page that looks like one. */
const terminalHtml = (lines: readonly (readonly Span[])[]): string =>
  `<meta charset="utf-8"><style>body{margin:0;background:#14161a;color:#d6d9de}` +
  `pre{margin:0;padding:20px 24px;font:15px/1.4 "DejaVu Sans Mono",monospace}</style>` +
  `<pre>${lines.map((line) => line.map(spanHtml).join("")).join("\n")}</pre>`

/** What a person sees who types these commands, one after the other, the last of which draws live bars. */
async function typed(server: TestServer, folder: string, commands: readonly string[]): Promise<string> {
  const program = PROGRAM.map((word) => (word.includes("/") ? resolve(word) : word)).join(" ")
  await Bun.write(join(folder, "track-studio"), `#!/bin/sh\nexec ${program} "$@"\n`)
  Bun.spawnSync(["chmod", "+x", join(folder, "track-studio")])
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

const folder = temporaryFolder()
const server = await start()
const browser = await Browser.start()
const renders: Bun.Subprocess[] = []
try {
  mkdirSync(FOLDER, { recursive: true })
  for (const [i, [seconds, title]] of SONGS.entries()) {
    const child = await render(server, folder.path, i + 1, seconds, title)
    if (seconds < 10) await child.exited
    else renders.push(child)
  }
  const failed = await server.add({ song_id: 44, title: "Copper Sky" })
  await server.put(failed, { status: "processing", progress: 31, current_step: "Rendering video" })
  await server.put(failed, { status: "failed", error_message: "No space left on device" })
  for (const [i, title] of WAITING.entries())
    await server.add({ song_id: 60 + i * 7, title, priority: i === 0 ? 5 : 0 })
  while ((await server.item(4)).progress < 40) await Bun.sleep(500)
  for (const [name, path, options] of pictures) {
    const tab = await browser.open(server.url.replace("127.0.0.1", HOST) + path, options)
    await tab.until(`document.querySelector("#badge").dataset.state === "live"`)
    // The bars have caught up, and a tick has passed.
    await Bun.sleep(2000)
    await tab.screenshot(`${FOLDER}/${name}.png`)
    await tab.close()
  }
  const shown = await typed(server, folder.path, ["track-studio list --limit 9", "track-studio watch"])
  const tab = await browser.open(`data:text/html;base64,${Buffer.from(shown).toString("base64")}`, {
    width: 960,
    height: 420,
  })
  await tab.screenshot(`${FOLDER}/terminal.png`)
  await tab.close()
} finally {
  for (const child of renders) child.kill()
  await Promise.all(renders.map(({ exited }) => exited))
  await browser.stop()
  await server[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
}
