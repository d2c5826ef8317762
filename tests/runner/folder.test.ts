import { expect, setDefaultTimeout, test } from "bun:test"
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"

import type { QueueItem } from "../../src/item/item.ts"
import { PROGRAM, start, temporaryFolder } from "../server.ts"
import { faultsOf, ffmpegProgram, finished, historyOf, Program } from "./programs.ts"

setDefaultTimeout(180_000)

const document = readFileSync(join(import.meta.dir, "../../docs/folder-of-songs.md"), "utf8")
const [, script = ""] = /```sh\n(#!\/bin\/sh\n.*?)```/s.exec(document) ?? []

test.skipIf(ffmpegProgram() === null || Bun.which("jq") === null)(
  "the example of a folder of songs does what it says",
  async () => {
    await using server = await start()
    using folder = temporaryFolder()
    const path = (name: string): string => join(folder.path, name)
    for (const name of ["songs", "bin"]) mkdirSync(path(name))
    const words = PROGRAM.map((word) => (word.includes("/") ? resolve(word) : word)).join(" ")
    writeFileSync(path("bin/track-studio"), `#!/bin/sh\nexec ${words} "$@"\n`)
    writeFileSync(path("render.sh"), script)
    for (const file of ["bin/track-studio", "render.sh"]) chmodSync(path(file), 0o755)
    const songs = ["001 Northern Lights", "002 Midnight Boutique"]
    const sine = songs.map((name) => `ffmpeg -v error -f lavfi -i sine=duration=2 'songs/${name}.wav'`)
    const env = { PATH: `${path("bin")}:${process.env["PATH"]}` }
    const shell = (line: string): Program =>
      new Program(["sh", "-c", `cd ${folder.path} && ${line}`], server.url, { env })
    await using added = shell(`${sine.join(" && ")} && track-studio add songs/*.wav`)
    expect(await added.ends()).toBe(0)
    await using worker = shell("exec track-studio work --exec ./render.sh --concurrency 2")
    const items: QueueItem[] = await Promise.all([1, 2].map((id) => finished(server, id)))
    worker.kill("SIGTERM")
    expect(await worker.ends()).toBe(0)
    for (const [index, item] of items.entries()) {
      const video = path(`videos/${songs[index]}.mp4`)
      expect(item).toMatchObject({
        status: "completed",
        title: songs[index]?.slice(4),
        video_file_path: video,
        thumbnail_path: path(`videos/${songs[index]}.jpg`),
        steps: ["Image", "Render", "Thumbnail"],
      })
      expect(existsSync(video)).toBe(true)
      expect(faultsOf(await historyOf(server, item.id))).toEqual([])
    }
  },
)
