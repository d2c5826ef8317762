import { describe, expect, test } from "bun:test"

import { planned, uselessTotal, withoutKeys } from "../../src/runner/progress-arguments.ts"

const planOf = (line: string) => planned(line.split(" "))

describe("a renderer is found", () => {
  test.each([
    ["ffmpeg -i a.wav b.mp4", "ffmpeg"],
    ["/opt/ffmpeg-7.1/bin/ffmpeg -i a.wav b.mp4", "ffmpeg"],
    ["nice -n 5 ffmpeg -i a.wav b.mp4", "ffmpeg"],
    ["timeout 60 xvfb-run -a ffmpeg -i a.wav b.mp4", "ffmpeg"],
    ["/usr/bin/nice /opt/bin/ffmpeg -i a.wav b.mp4", "ffmpeg"],
    ["prime-run blender -b a.blend -a", "blender"],
    ["gamemoderun blender-4.2 -b a.blend -a", "blender"],
    ["xvfb-run --auto-servernum blender -b a.blend -a", "blender"],
    ["flatpak run org.blender.Blender -b a.blend -a", "blender"],
    ["flatpak run --command=sh org.blender.Blender -b a.blend -a", "blender"],
    ["docker run --rm -v /srv:/srv linuxserver/blender:4.2.1 -b /srv/a.blend -a", "blender"],
    ["podman run --rm blender@sha256:12ab -b a.blend -a", "blender"],
    ["echo ffmpeg", "lines"],
    ["./render.sh ffmpeg", "lines"],
    ["docker run --rm render:1 --all", "lines"],
    ["ffmpeg-normalize a.wav", "lines"],
    ["blender-launcher", "lines"],
  ])("%s is read as %s", (line, renderer) => {
    expect<string>(planOf(line).renderer).toBe(renderer)
  })
})

describe("ffmpeg", () => {
  test("gets a pipe for its progress where that can reach it", () => {
    expect(planOf("nice ffmpeg -i a.wav b.mp4")).toMatchObject({
      command: "nice ffmpeg -progress pipe:3 -i a.wav b.mp4".split(" "),
      outputs: [3],
      file: "b.mp4",
    })
  })

  test.each(["-progress", "--progress"])("that has a %s of its own keeps it, and is read there", (flag) => {
    for (const [to, outputs] of [
      ["-", [1]],
      ["pipe:", [1]],
      ["pipe:2", [2]],
      ["http://box/", []],
    ] as const) {
      const words = `ffmpeg ${flag} ${to} -i a.wav b.mp4`
      expect(planOf(words)).toMatchObject({ command: words.split(" "), outputs })
    }
  })

  test.each([
    "docker run --rm jrottenberg/ffmpeg:6.1",
    "sudo ffmpeg",
    "nice sudo ffmpeg",
    "flatpak run --command=ffmpeg x ffmpeg",
  ])("behind %s keeps its command, and is read by what it prints", (start) => {
    const plan = planned(`${start} -i a.wav b.mp4`.split(" "), { total: 60 })
    const command = `${start} -i a.wav b.mp4`.split(" ")
    expect(plan).toMatchObject({ command, renderer: "lines", total: 60, outputs: [1, 2], file: undefined })
    expect(withoutKeys(plan)).toBe(plan)
    expect(uselessTotal(plan)).toBeUndefined()
  })
})

test("the frames that Blender is asked for are counted behind a wrapper, too", () => {
  expect(planOf("flatpak run org.blender.Blender -b a.blend -s 1 -e 8 -a")).toMatchObject({
    total: 8,
    isTotalGuessed: true,
    mustShowFrames: true,
  })
})
