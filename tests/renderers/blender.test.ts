import { describe, expect, test } from "bun:test"

import { framesAsked, mustShowFrames } from "../../src/renderers/blender-command-line.ts"
import { ascends, capture, listen } from "./captures.ts"

describe("the real output of Blender 3.4", () => {
  test("an animation goes frame by frame, and sample by sample within a frame", async () => {
    const { messages, progress, reports, last, hasEnded, reached } = listen(
      "blender",
      3,
      await capture("blender-animation"),
    )
    expect(messages.slice(0, 6)).toEqual([
      "frame 1 of 3",
      "frame 1 of 3, sample 0 of 16",
      "frame 1 of 3, sample 1 of 16",
      "frame 1 of 3, sample 16 of 16",
      "1 of 3 frames",
      "frame 2 of 3",
    ])
    expect(ascends(progress)).toBe(true)
    expect(progress[2]).toBeCloseTo(100 / 16 / 3, 9)
    expect(new Set(reports.map(({ unit }) => `${unit?.done}/${unit?.total} ${unit?.name}`))).toEqual(
      new Set(["0/3 frames", "1/3 frames", "2/3 frames", "3/3 frames"]),
    )
    expect(last.progress).toBe(100)
    expect([hasEnded, reached]).toEqual([true, 1])
  })

  test("without a total there is no progress, but the frame's number and its samples", async () => {
    const { reports, progress, messages, reached } = listen(
      "blender",
      undefined,
      await capture("blender-still"),
    )
    expect(progress.every((value) => value === undefined)).toBe(true)
    expect(reports[2]).toEqual({
      unit: { done: 1, total: 4096, name: "samples" },
      message: "frame 7, sample 1 of 4096",
    })
    expect(messages.at(-1)).toBe("frames saved: 1")
    expect(reached).toBeNull()
  })

  test("with adaptive sampling a frame is done long before its last sample", async () => {
    const text = await capture("blender-still")
    expect(text).toMatch(/Sample 48\/4096\n.*Sample 0\/4096\n.*Finished/)
    const { progress, messages, reached } = listen("blender", 1, text)
    expect(ascends(progress)).toBe(true)
    expect(progress.at(-3)).toBe(100)
    expect(messages.filter((message) => message?.includes("sample 0"))).toHaveLength(1)
    expect(reached).toBe(1)
  })

  test("tiles follow one another within a frame", async () => {
    const { progress, messages } = listen("blender", 1, await capture("blender-tiles"))
    expect(ascends(progress)).toBe(true)
    for (const tile of [1, 2, 3, 4]) {
      expect(messages).toContain(`frame 1 of 1, tile ${tile} of 4, sample 1 of 64`)
      expect(progress).toContain(((tile - 1 + 1 / 64) / 4) * 100)
    }
  })

  test("layers share their frame as soon as they are known", async () => {
    const { progress, reports } = listen("blender", 2, await capture("blender-layers"))
    const second = progress.filter((_, index) => reports[index]?.unit?.done === 1)
    expect(ascends(second)).toBe(true)
    expect(second).toEqual(expect.arrayContaining([50, 50 + 100 / 64, 75, 75 + 100 / 64, 100]))
  })

  test("a still is not done after its first layer, and goes back once when a second one begins", () => {
    const layer = (name: string, said: string): string =>
      `Fra:1 Mem:9M (Peak 9M) | Time:00:01.12 | Scene, ${name} | ${said}\n`
    const first = [layer("ViewLayer", "Sample 32/64"), layer("ViewLayer", "Sample 64/64")]
    const ended = listen("blender", 1, ...first, layer("ViewLayer", "Finished"))
    expect(ended.reports[0]).toMatchObject({ progress: 50, basis: "declared" })
    expect(ended.last).toMatchObject({ progress: 100, basis: "guess" })
    const second = [
      layer("ViewLayer", "Finished"),
      layer("Fog", "Sample 32/64"),
      layer("Fog", "Sample 64/64"),
    ]
    const fog = listen("blender", 1, ...first, ...second, "Saved: '/o/1.png'\n")
    expect(fog.progress).toEqual([50, 100, 50, expect.closeTo(200 / 3, 9), 100])
  })

  test("frames that are appended to a movie count, whatever their numbers", async () => {
    const text = await capture("blender-movie")
    expect(text).toContain("Append frame 5")
    const { messages, reached } = listen("blender", 3, text)
    expect(messages).toContain("frame 3 of 3, sample 16 of 16")
    expect(reached).toBe(1)
  })

  test("a frame that is there already is done", async () => {
    const { messages, reached } = listen("blender", 3, await capture("blender-skipped"))
    expect(messages.slice(0, 3)).toEqual(["1 of 3 frames", "2 of 3 frames", "frame 3 of 3"])
    expect(reached).toBe(1)
  })

  test("a frame that could not be saved is not done, though its time is printed", async () => {
    const text = await capture("blender-unsaved")
    expect(text).toMatch(/^ Time: .*Saving/m)
    const { last, hasEnded, reached } = listen("blender", 3, text)
    expect(last).toMatchObject({ unit: { done: 0, total: 3 }, message: "0 of 3 frames" })
    expect([hasEnded, reached]).toEqual([true, 0])
  })

  test("the sequencer reports only saved frames", async () => {
    const { messages, reached } = listen("blender", 3, await capture("blender-sequencer"))
    expect(messages).toEqual(["1 of 3 frames", "2 of 3 frames", "3 of 3 frames", "3 of 3 frames"])
    expect(reached).toBe(1)
  })
})

describe("the output of other versions", () => {
  const five = (...lines: string[]): string =>
    lines.map((line) => `00:01.547  render           | ${line}\n`).join("")

  const rendered = (frame: number): string =>
    five(
      `Rendering frame ${frame}`,
      `Fra: ${frame} | Mem: 360M | Sample 0/16`,
      `Fra: ${frame} | Remaining: 00:00.09 | Mem: 360M | Sample 4/16`,
      `Fra: ${frame} | Mem: 360M | Finished`,
      `Saved: 'f_000${frame}.png'`,
      "Time: 00:00.75 (Saving: 00:00.06)",
    )

  test("tiles count without samples in them, as versions 2.7 and 2.8 draw on a graphics card", () => {
    const frame = (tiles: string): string =>
      `Fra:1 Mem:45.12M (0.00M, Peak 60.10M) | Time:00:01.12 | Scene | ${tiles}\n`
    for (const tile of [
      (n: number) => frame(`Path Tracing Tile ${n}/64`),
      (n: number) => frame(`Rendered ${n}/64 Tiles`),
    ]) {
      const { progress, last } = listen("blender", 2, tile(0), tile(16), tile(48))
      expect(progress).toEqual([0, 12.5, 37.5])
      expect(last).toMatchObject({ message: "frame 1 of 2, tile 49 of 64" })
    }
  })

  test("Blender 5 puts a time and a category first, and tells the range", () => {
    const text = `00:00.001  blend            | Read blend: "x.blend"\n${five("Rendering animation (frames 101..104)")}`
    const { messages, progress, reports, reached } = listen(
      "blender",
      undefined,
      text + rendered(101) + rendered(102),
    )
    expect(messages.slice(0, 5)).toEqual([
      "0 of 4 frames",
      "frame 1 of 4",
      "frame 1 of 4, sample 0 of 16",
      "frame 1 of 4, sample 4 of 16",
      "frame 1 of 4, sample 4 of 16",
    ])
    expect(progress.slice(3, 6)).toEqual([6.25, 25, 25])
    expect(new Set(reports.map(({ basis }) => basis))).toEqual(new Set(["counted"]))
    expect(reached).toBeNull()
  })

  test("the step between frames is learned from the second frame", () => {
    const range = five("Rendering animation (frames 1..6)")
    const { messages, progress, seen } = listen(
      "blender",
      undefined,
      range,
      rendered(1),
      rendered(3),
      rendered(5),
    )
    expect(messages).toContain("1 of 6 frames")
    expect(messages).toContain("frame 2 of 3")
    expect(progress.at(-1)).toBe(100)
    expect(seen).toBeUndefined()
    // The last step may end at the last frame.
    const to7 = five("Rendering animation (frames 1..7)")
    const told = listen("blender", undefined, to7, rendered(1), rendered(3), rendered(5))
    expect([told.messages.at(-1), told.progress.at(-1), told.seen]).toEqual([
      "3 of 4 frames",
      75,
      "3 of 4 frames seen",
    ])
  })

  test("a skipped frame does not pass for a step", () => {
    const range = five("Rendering animation (frames 1..4)")
    const skip = five('Skipping existing frame "f_0002.png"')
    const { messages, progress, seen } = listen("blender", undefined, range, rendered(1), skip, rendered(3))
    expect(messages.at(-1)).toBe("3 of 4 frames")
    expect(progress.at(-1)).toBe(75)
    expect(seen).toBe("3 of 4 frames seen")
  })

  test("a second range sets the progress back once, to what is proven", () => {
    const first = five("Rendering animation (frames 1..2)") + rendered(1) + rendered(2)
    const second = five("Rendering animation (frames 8..9)") + rendered(8)
    const { progress, reports, last } = listen("blender", undefined, first + second)
    const highest = progress.indexOf(100)
    expect(reports[highest]).toMatchObject({ basis: "guess" })
    expect(progress[progress.lastIndexOf(100) + 1]).toBeCloseTo(100 / 3, 9)
    expect(last).toMatchObject({ progress: 50, basis: "guess", eta_seconds: null, message: "1 of 2 frames" })
  })

  test("a single frame may be one of a list, so it tells no total", () => {
    const { reached } = listen("blender", undefined, five("Rendering single frame (frame 1)"), rendered(1))
    expect(reached).toBeNull()
  })

  test("a total that was given wins over the range", () => {
    expect(listen("blender", 2, five("Rendering animation (frames 1..9)"), rendered(1)).reached).toBe(0.5)
  })

  test("more frames than the total are never more than all", () => {
    const { last, reached } = listen("blender", 2, rendered(1), rendered(2), rendered(3), rendered(4))
    expect(last).toEqual({
      progress: 100,
      basis: "declared",
      unit: { done: 2, total: 2, name: "frames" },
      message: "2 of 2 frames",
    })
    expect(reached).toBe(1)
  })

  test("several images of one frame are one frame", () => {
    const text = "Fra:1 Mem:1M | Time:00:00.1 | Sample 1/2\nSaved: 'l.png'\nSaved: 'r.png'\n Time: 00:01.00\n"
    expect(listen("blender", 4, text + text).reached).toBe(0.5)
  })

  test("Eevee counts its samples in words", () => {
    const { last } = listen(
      "blender",
      1,
      "Fra:1 Mem:42M (Peak 43M) | Time:00:08.82 | Rendering 26 / 64 samples\n",
    )
    expect(last).toMatchObject({ progress: (26 / 64) * 100, message: "frame 1 of 1, sample 26 of 64" })
  })

  test("the name of an object is no sample, and samples beyond their total are none", () => {
    const text = [
      "Fra:1 Mem:1M | Time:00:00.1 | Mem:0M, Peak:0M | Scene, ViewLayer | Synchronizing object | 3/4",
      "Fra:1 Mem:1M | Time:00:00.1 | Mem:0M, Peak:0M | Scene, ViewLayer | Sample 9/4",
      "Fra:1 Mem:1M | Time:00:00.1 | Mem:0M, Peak:0M | Scene, ViewLayer | Sample 0/0",
    ].join("\n")
    expect(listen("blender", 1, `${text}\n`).messages).toEqual(["frame 1 of 1"])
  })
})

describe("several runs of Blender, one after another", () => {
  const frame = (number: number): string =>
    `Fra:${number} Mem:9M (Peak 9M) | Time:00:00.10 | Mem:0M, Peak:0M | Scene | Sample 4/4\nSaved: '/o/${number}.png'\n`
  const run = `${frame(1)}${frame(2)}\nBlender quit\n`

  test("add up to the total that the user gave", () => {
    expect(listen("blender", 4, run, run)).toMatchObject({ reached: 1, last: { progress: 100 } })
  })

  test("prove the whole only if all bars that were declared were full", () => {
    const known = { total: 2, bars: 2 }
    expect(listen("blender", known, run).reached).toBe(0.5)
    expect(listen("blender", known, run, run).reached).toBe(1)
  })

  test("set the progress back once when the first had rendered all that the user expected", () => {
    const { progress, last, reached } = listen("blender", 2, run, frame(1))
    expect(progress).toContain(100)
    expect(last).toMatchObject({ progress: 50, basis: "guess", eta_seconds: null })
    expect(reached).toBe(1)
  })
})

describe("Blender's error messages", () => {
  const TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "/srv/render.py", line 2, in <module>',
    "    raise RuntimeError('texture missing')",
    "RuntimeError: texture missing",
  ].join("\n")
  const SAVED =
    "Fra:1 Mem:9M (Peak 9M) | Scene | Sample 4/4\nSaved: '/o/1.png'\n Time: 00:00.19 (Saving: 00:00.12)\n"

  test("a traceback fails a render without frames, by the line of the exception", () => {
    expect(listen("blender", 1, `${TRACEBACK}\n\nBlender quit\n`).failure).toBe(
      "RuntimeError: texture missing",
    )
    const again = "\nDuring handling of the above exception, another exception occurred:\n\n"
    const other = TRACEBACK.replace("RuntimeError: texture", "KeyError: light")
    expect(listen("blender", 1, `${other}\n${again}${TRACEBACK}\n`).failure).toBe(
      "RuntimeError: texture missing",
    )
  })

  test("a traceback after Blender's own words, as version 3.4 prints it, counts as well", () => {
    const said = `Error: Python: ${TRACEBACK}\n\nBlender quit\n`
    expect(listen("blender", 1, said).failure).toBe("RuntimeError: texture missing")
  })

  test("a traceback beside a frame that was saved, appended or skipped fails nothing", () => {
    for (const frame of [SAVED, "Append frame 1\n", 'skipping existing frame "f.png"\n']) {
      expect(listen("blender", 1, `${TRACEBACK}\n`, frame).failure).toBeUndefined()
      expect(listen("blender", 1, frame, `${TRACEBACK}\n`).failure).toBeUndefined()
    }
  })

  test("so does a missing camera", () => {
    expect(listen("blender", 1, "Error: Cannot render, no camera\n").failure).toBe(
      "Error: Cannot render, no camera",
    )
    expect(listen("blender", 1, "Error: Cannot render, no camera\n", SAVED).failure).toBeUndefined()
  })

  test.each([
    "Error: System is out of GPU memory",
    "Error: System is out of GPU and shared host memory",
    "Error: Out of memory in CUDA queue enqueue (integrator_init_from_camera)",
    "CUDA error: Out of memory in cuMemAlloc(&device_pointer, size)",
    "00:01.547  render           | Error: Out of memory in OptiX queue copy_to_device",
    "HIP Error: hipErrorOutOfMemory in hipMalloc(&device_pointer, size) (device_impl.cpp:412)",
  ])("memory that is gone always fails: %s", (line) => {
    expect(listen("blender", 1, `${line}\n`, SAVED).failure).toBe(line.replace(/^.*\| /, ""))
  })

  test("a frame that could not be saved always fails, and so does one of many that is missing", () => {
    const unsaved = "Error: Render error (No space left on device) cannot save: '/o/2.png'"
    expect(listen("blender", {}, SAVED, `${unsaved}\n`, SAVED).failure).toBe(unsaved)
    const frames = Array.from({ length: 99 }, () => SAVED)
    expect(listen("blender", 100, ...frames)).toMatchObject({
      failure: "only 99 of 100 frames were rendered",
    })
    expect(listen("blender", 99, ...frames)).toMatchObject({ failure: undefined, reached: 1 })
    expect(listen("blender", { total: 100, isTotalGuessed: true }, ...frames).failure).toBeUndefined()
  })

  test("the files that it says it saved are reported, of very many the last", () => {
    const saved = (n: number): string =>
      `Fra:${n} Mem:9M (Peak 9M)\nSaved: '/o/it's ${n}.png'\n Time: 00:01.00\n`
    expect(listen("blender", {}, saved(1), "Saved: /o/old.png Time: 00:00.38\n").saved).toEqual([
      "/o/it's 1.png",
    ])
    const all = listen("blender", {}, ...Array.from({ length: 5000 }, (_, i) => saved(i))).saved
    expect([all.length <= 2000, all.at(-1)]).toEqual([true, "/o/it's 4999.png"])
  })

  test("no frame at all fails a command that had to show frames, unless Blender was silent", () => {
    const known = { mustShowFrames: true }
    const lines = "Blender 4.2.0\nRead blend: /srv/song.blend\n\nBlender quit\n"
    expect(listen("blender", known, lines).failure).toBe("no frame was rendered")
    expect(listen("blender", known, lines, SAVED).failure).toBeUndefined()
    expect(listen("blender", known, "an addon speaks\n").failure).toBeUndefined()
    expect(listen("blender", {}, lines).failure).toBeUndefined()
  })
})

test("a total that was guessed proves nothing, and what was seen is reported", () => {
  const guess = { total: 6, isTotalGuessed: true }
  expect(listen("blender", guess, "Saved: 'f_1.png'\n", " Time: 00:01.00\n")).toMatchObject({
    reached: null,
    seen: "1 of 6 frames seen",
    last: { progress: expect.closeTo(100 / 6, 9), basis: "counted" },
  })
  expect(listen("blender", 6, "Saved: 'f_1.png'\n")).toMatchObject({ reached: 1 / 6, seen: undefined })
})

test("a total that is no whole number is rounded, because frames are whole", () => {
  expect(listen("blender", 2.4, "Saved: 'f_1.png'\n").last.unit).toMatchObject({ done: 1, total: 2 })
})

describe("the frames on the command line", () => {
  test.each([
    ["blender -b x.blend -s 1 -e 250 -a", 250],
    ["blender -b x.blend --frame-start 10 --frame-end 20 --frame-jump 5 --render-anim", 3],
    ["blender -b x.blend -s -5 -e 5 -a", 11],
    ["blender -b x.blend -f 7", 1],
    ["blender -b x.blend -f 1,3..5,+1", 5],
    ["blender -b x.blend -f 1 -f 2", 2],
    ["blender -b x.blend -a", undefined],
    ["blender -b x.blend -e 5 -a", undefined],
    ["blender -b x.blend -s 9 -e 5 -a", undefined],
    ["blender -b x.blend -a -s 1 -e 5", undefined],
    ["blender -b x.blend -s 1 -e 5 -j 0 -a", undefined],
    ["blender -b x.blend -f all", undefined],
    ["blender -b x.blend -P render.py -- -f 7", undefined],
    ["blender -b x.blend -f", undefined],
  ])("%s", (command, frames) => {
    expect(framesAsked(command.split(" "))).toBe(frames)
  })
})

test.each([
  ["blender -b x.blend -a", true],
  ["blender -b x.blend --render-frame 7", true],
  ["blender -b x.blend -f 7 -q", false],
  ["blender -b x.blend --quiet -a", false],
  ["blender -b x.blend -P render.py", false],
  ["blender -b x.blend -P render.py -- -a", false],
])("%s must show frames: %p", (command, must) => {
  expect(mustShowFrames(command.split(" "))).toBe(must)
})
