import { describe, expect, test } from "bun:test"

import { ascends, capture, listen } from "./captures.ts"

const block = (...lines: string[]): string => `${lines.join("\n")}\nprogress=continue\n`

test("of several runs in a script that ended by themselves the longest shows how much was written, wherever it came", () => {
  const run = (seconds: number): string =>
    `frame=${seconds * 25}\nout_time_us=${seconds * 1e6}\nprogress=end\n`
  for (const runs of [
    [10, 3, 2],
    [3, 10, 2],
    [2, 3, 10],
  ])
    expect(listen("lines", 10, ...runs.map(run)).reached).toBe(1)
})

describe("the real output of ffmpeg", () => {
  test("a song video ends past its total and is reported as 100", async () => {
    const text = await capture("ffmpeg-song")
    const { reports, progress, last, reached } = listen("ffmpeg", 6, text)
    expect(reports.length).toBeGreaterThan(2)
    expect(reports.map(({ basis }) => basis).indexOf("guess")).toBe(reports.length - 1)
    expect(listen("ffmpeg", 6, text.slice(0, text.indexOf("progress=end"))).hasEnded).toBe(false)
    expect(progress[0]).toBe(0)
    expect(ascends(progress)).toBe(true)
    expect(progress.at(-1)).toBe(100)
    expect(last.media?.out_time).toBeGreaterThan(6)
    expect(reached).toBe(1)
  })

  test("progress is the fraction of the output's time, not rounded", async () => {
    const text = await capture("ffmpeg-song")
    const { reports } = listen("ffmpeg", 60, text)
    const microseconds = [...text.matchAll(/^out_time_us=(\d+)$/gm)].map((match) => Number(match[1]))
    expect(reports.map(({ progress }) => progress)).toEqual(microseconds.map((us) => (us / 1e6 / 60) * 100))
    expect(reports.map(({ media }) => media?.out_time)).toEqual(microseconds.map((us) => us / 1e6))
  })

  test("a copy starts below 0, ends in an instant, and its speed has an exponent", async () => {
    const text = await capture("ffmpeg-copy")
    expect(text).toContain("out_time_us=-")
    expect(text).toMatch(/speed=[\d.]+e\+\d+x/)
    const { reports, reached } = listen("ffmpeg", 6, text)
    expect(reports[0]).toMatchObject({ progress: 0, media: { out_time: 0, speed: null } })
    expect(reports[1]?.media?.speed).toBeGreaterThan(999)
    expect(reached).toBe(1)
  })

  test("audio alone has no frames, and needs none", async () => {
    const text = await capture("ffmpeg-audio")
    expect(text).not.toContain("frame=")
    const { last, hasEnded } = listen("ffmpeg", 8, text)
    expect(hasEnded).toBe(true)
    expect(last.progress).toBeCloseTo(75, 0)
    expect(last.media?.fps).toBeNull()
    expect(last.message).toMatch(/^6\.0 s of 8\.0 s, \d+x$/)
  })

  test("HLS has no size, and needs none", async () => {
    const text = await capture("ffmpeg-hls")
    expect(text).toContain("total_size=N/A")
    const { progress, hasEnded } = listen("ffmpeg", 8, text)
    expect(hasEnded).toBe(true)
    expect(ascends(progress)).toBe(true)
    expect(progress.at(-1)).toBeGreaterThan(95)
  })

  test("while frames go in and nothing comes out, progress stays 0", async () => {
    const text = await capture("ffmpeg-waiting")
    const { progress } = listen("ffmpeg", 8, text)
    expect(progress.slice(0, 4)).toEqual([0, 0, 0, 0])
    expect(progress.at(-1)).toBeGreaterThan(95)
  })

  test("a start that failed says nothing", async () => {
    expect(listen("ffmpeg", 6, await capture("ffmpeg-missing"))).toMatchObject({ reports: [], reached: null })
  })

  test.each(["sigterm", "quit"])("after %s ffmpeg says that it ended, far from its total", async (name) => {
    const { hasEnded, reached, last } = listen("ffmpeg", 6, await capture(`ffmpeg-${name}`))
    expect(hasEnded).toBe(true)
    expect(reached).toBeGreaterThan(0.2)
    expect(reached).toBeLessThan(0.6)
    // The last frame counts in one of them and not in the other.
    expect((reached ?? 0) * 100 - (last.progress ?? 0)).toBeLessThan(1)
  })

  test("the reached time includes the last frame, although ffmpeg reports only its beginning", () => {
    const { last, reached } = listen("ffmpeg", 5, "frame=5\nout_time_us=4000000\nprogress=end\n")
    expect(last.progress).toBe(80)
    expect(reached).toBe(1)
  })

  test("frames that the encoder holds back count where they make all of the total", () => {
    const said = (frames: number, seconds: number): string =>
      `frame=${frames}\nout_time_us=${seconds * 1e6}\nprogress=end\n`
    expect(listen("ffmpeg", 2, said(50, 1.881)).reached).toBe(1)
    expect(listen("ffmpeg", 2, said(48, 1.801)).reached).toBeLessThan(0.98)
    expect(listen("ffmpeg", 60, said(1425, 56.88)).reached).toBeLessThan(0.98)
  })

  test("pictures of 5 s each with a song that broke off are not taken for shown to their end", () => {
    const { reached } = listen("ffmpeg", 20, "frame=4\nout_time_us=15650000\nprogress=end\n")
    expect(reached).toBeCloseTo(16.65 / 20, 5)
  })

  test("without a total there is no progress, but media and message", async () => {
    const { reports, reached } = listen("ffmpeg", undefined, await capture("ffmpeg-sigterm"))
    expect(reached).toBeNull()
    for (const report of reports) {
      expect(Object.keys(report)).toEqual(["media", "message"])
      expect(report.media?.total).toBeNull()
      expect(report.message).toMatch(/^\d\.\d s(, \d+ fps)?, [\d.]+x$/)
    }
  })
})

describe("the output of other versions", () => {
  test("out_time_ms is in microseconds, and used when out_time_us is missing", () => {
    const { last } = listen("ffmpeg", 50, block("frame=48", "out_time_ms=12400000"))
    expect(last).toMatchObject({ progress: 24.8, media: { out_time: 12.4 } })
  })

  test("out_time_us wins over out_time_ms", () => {
    expect(listen("ffmpeg", 50, block("out_time_ms=1", "out_time_us=25000000")).last.progress).toBe(50)
  })

  test.each(["N/A", "-9223372036854775807", "nonsense", "0x10", "1e999", ""])(
    "an output time of %p is unknown, and so is the progress",
    (time) => {
      const text = block("frame=120", "fps=48.00", `out_time_us=${time}`, `out_time_ms=${time}`, "speed=N/A")
      const { last, reached } = listen("ffmpeg", 50, text)
      expect(last).toEqual({ message: "120 frames, 48 fps" })
      expect(reached).toBe(0)
    },
  )

  test("a block without any figure counts all the same", () => {
    const { reports } = listen("ffmpeg", 50, "progress=continue\nprogress=end\n")
    const report = { message: "nothing written yet" }
    expect(reports).toEqual([report, report])
  })

  test("a block keeps nothing of the block before it", () => {
    const text = block("frame=9", "fps=30", "out_time_us=1000000", "speed=2x") + block("out_time_us=2000000")
    expect(listen("ffmpeg", 4, text).last).toEqual({
      progress: 50,
      basis: "declared",
      media: { out_time: 2, total: 4, fps: null, speed: null },
      message: "2.0 s of 4.0 s",
    })
  })

  test("the furthest output time counts, not the last", () => {
    const text = block("out_time_us=3900000") + block("out_time_us=N/A") + block("out_time_us=3100000")
    expect(listen("ffmpeg", 4, text).reached).toBe(0.975)
  })

  test("lines may end with CR, LF or both", () => {
    const text = block("frame=48", "fps=48.00", "out_time_us=12400000", "speed=1.61x")
    const plain = listen("ffmpeg", 212.5, text)
    expect(plain.last.message).toBe("12.4 s of 212.5 s, 48 fps, 1.6x")
    expect(listen("ffmpeg", 212.5, text.replaceAll("\n", "\r")).reports).toEqual(plain.reports)
    expect(listen("ffmpeg", 212.5, text.replaceAll("\n", "\r\n")).reports).toEqual(plain.reports)
  })

  test.each([
    ["   0x", null, "1.0 s"],
    ["N/A", null, "1.0 s"],
    ["0.00412x", 0.00412, "1.0 s, 0.004x"],
    ["0.996x", 0.996, "1.0 s, 1.0x"],
    [" 198x", 198, "1.0 s, 198x"],
    ["7.51e+03x", 7510, "1.0 s, 7510x"],
    ["-1x", null, "1.0 s"],
  ])("a speed of %p", (speed, expected, message) => {
    const { last } = listen("ffmpeg", undefined, block("out_time_us=1000000", `speed=${speed}`))
    expect(last.media?.speed).toBe(expected)
    expect(last.message).toBe(message)
  })

  test("log lines between the blocks do not disturb them", () => {
    const text = [
      "frame=   46 fps=0.0 q=-1.0 size=       0kB time=00:00:01.43 bitrate=   0.3kbits/s speed=2.81x    ",
      "out_time_us=2000000",
      "[libx264 @ 0x55d0] frame=9 progress=end",
      "progress=nearly",
      "speed=1x and more",
      "progress=continue",
    ].join("\n")
    expect(listen("ffmpeg", 4, `${text}\n`).reports).toEqual([
      {
        progress: 50,
        basis: "declared",
        media: { out_time: 2, total: 4, fps: null, speed: null },
        message: "2.0 s of 4.0 s",
      },
    ])
  })
})

describe("several runs of ffmpeg, one after another", () => {
  const at = (frame: number, seconds: number, state = "continue"): string =>
    `frame=${frame}\nout_time_us=${seconds * 1e6}\nprogress=${state}\n`
  const first = at(750, 30) + at(1500, 60, "end")

  test("are bars that follow one another: the progress is set back once to what is proven", () => {
    const { progress, reports } = listen("ffmpeg", 60, first, at(0, 0), at(750, 30), at(1500, 60, "end"))
    expect(progress.slice(0, 3)).toEqual([50, 100, expect.closeTo(100 / 3, 9)])
    expect(progress.slice(3)).toEqual([50, expect.closeTo(200 / 3, 9)])
    expect(reports.map(({ basis }) => basis)).toEqual(["declared", "guess", "guess", "guess", "guess"])
    expect(reports.map(({ eta_seconds }) => eta_seconds)).toEqual([undefined, undefined, null, null, null])
  })

  test("fill as many parts as were declared", () => {
    const { progress, reports } = listen("ffmpeg", { total: 60, bars: 2 }, first, at(0, 0), at(750, 30))
    expect(progress).toEqual([25, 50, 50, 75])
    expect(new Set(reports.map(({ basis }) => basis))).toEqual(new Set(["declared"]))
  })

  test("prove the whole only if all that were declared were full", () => {
    const known = { total: 60, bars: 2 }
    expect(listen("ffmpeg", known, first).reached).toBe(0.5)
    expect(listen("ffmpeg", known, first, at(0, 0), at(1500, 60, "end")).reached).toBe(1)
    expect(listen("ffmpeg", known, first, at(0, 0), at(1425, 57, "end")).reached).toBeLessThan(0.98)
    // At one frame per second, 5 s of video end at 4.
    const slow = at(2, 1) + at(5, 4, "end")
    expect(listen("ffmpeg", { total: 5, bars: 2 }, slow, slow).reached).toBe(1)
  })

  test("are told apart even if the first was killed, and the parts of the output add up to no more than the whole", () => {
    expect(listen("ffmpeg", 60, at(250, 10), at(1, 0), at(250, 10)).progress).toEqual([
      expect.closeTo(100 / 6, 9),
      expect.closeTo(100 / 6, 9),
      expect.closeTo(100 / 3, 9),
    ])
  })

  test("prove no more than the last of them reached", () => {
    expect(listen("ffmpeg", 60, first, at(250, 10))).toMatchObject({ hasEnded: false })
    expect(listen("ffmpeg", 60, first, at(250, 10, "end")).reached).toBeLessThan(0.98)
    expect(listen("ffmpeg", 60, first, at(0, 0), at(1500, 60, "end")).reached).toBe(1)
  })

  test("a thumbnail before or after the video changes nothing", () => {
    const thumbnail = at(1, 0, "end")
    expect(listen("ffmpeg", 60, first, thumbnail)).toMatchObject({ reached: 1, hasEnded: true })
    expect(listen("ffmpeg", 60, first, thumbnail).progress).toEqual([50, 100, 100])
    expect(listen("ffmpeg", 60, thumbnail, first).progress).toEqual([0, 50, 100])
    // As version 5.1 prints it.
    const twice = `total_size=N/A\n${at(1, 0.04)}total_size=N/A\n${at(1, 0.04, "end")}`
    expect(listen("ffmpeg", 60, first, twice)).toMatchObject({ reached: 1, hasEnded: true })
    const { progress, reports } = listen("ffmpeg", 60, first, twice)
    expect(progress).toEqual([50, 100, 100, 100])
    expect(reports.map(({ basis }) => basis)).toEqual(["declared", "guess", "guess", "guess"])
    expect(listen("ffmpeg", 60, twice, first).reached).toBe(1)
  })

  test("a second video that is stopped at its first frame is no thumbnail", () => {
    const stopped = `total_size=48\n${at(1, 0)}total_size=262\n${at(1, 0.04, "end")}`
    expect(listen("ffmpeg", 60, first, stopped).reached).toBeLessThan(0.98)
    expect(listen("ffmpeg", 60, first, `total_size=262\n${at(1, 0.04, "end")}`).reached).toBeLessThan(0.98)
  })
})

describe("ffmpeg's messages about output that could not be written", () => {
  test.each([
    "Error writing trailer of song.mp4: No space left on device",
    "[out#0/mp4 @ 0x5581d0] Error writing trailer: No space left on device",
    "Error closing file song.mp4: No space left on device",
    "av_interleaved_write_frame(): No space left on device",
    "[out#0/mp4 @ 0x5581d0] Error muxing a packet",
    "[vost#0:0/libx264 @ 0x5581d0] Error submitting a packet to the muxer: No space left on device",
    "[mp4 @ 0x5581d0] Unable to re-open song.mp4 output file for shifting data",
  ])("%s", (line) => {
    const known = listen("ffmpeg", 4, `\u001b[31m${line}\u001b[0m\n`, block("out_time_us=4000000"))
    expect(known).toMatchObject({ failure: line, reached: 1 })
  })

  test.each([
    "[mp3 @ 0x5581d0] Estimating duration from bitrate, this may be inaccurate",
    "[h264 @ 0x5581d0] error while decoding MB 12 3, bytestream -5",
    "frame=   46 fps=0.0 q=-1.0 size=       0kB time=00:00:01.43 bitrate=   0.3kbits/s speed=2.81x",
    "    title           : Error writing songs",
    "    title           : Error closing file",
    "    lyrics-eng      : av_interleaved_write_frame(): sung",
    "Output #0, mp4, to 'Error writing trailer.mp4':",
  ])("%s is no failure", (line) => {
    expect(listen("ffmpeg", 4, `${line}\n`).failure).toBeUndefined()
  })

  test("an output that failed and was then written again, and well, is no failure", () => {
    const begun = "Output #0, mp4, to 'song.mp4':\n"
    const failed = `${begun}Error writing trailer of song.mp4: No space left on device\n`
    const ended = "[out#0/mp4 @ 0x1] video:9kB audio:1kB muxing overhead: 1%\n"
    expect(listen("ffmpeg", 4, failed).failure).toContain("No space left")
    expect(listen("ffmpeg", 4, `${failed}${begun}${ended}`).failure).toBeUndefined()
  })

  test("an output with nothing in it is a failure, unless another ffmpeg of the same script has written one", () => {
    const empty = "Output file is empty, nothing was encoded (check -ss / -t / -frames parameters if used)"
    const end = "frame=0\nout_time_us=N/A\nprogress=end\n"
    expect(listen("ffmpeg", undefined, `${empty}\n`).failure).toBe(empty)
    expect(listen("ffmpeg", undefined, end).failure).toBe("ffmpeg encoded nothing")
    expect(listen("ffmpeg", undefined, "out_time_us=0\nprogress=end\n").failure).toBe(
      "ffmpeg encoded nothing",
    )
    // An output without video has no frames: a file of metadata only.
    expect(listen("ffmpeg", undefined, "out_time_us=N/A\nprogress=end\n").failure).toBeUndefined()
    for (const written of [
      block("frame=25", "out_time_us=1000000"),
      "video:12kB audio:0kB subtitle:0kB other streams:0kB global headers:0kB muxing overhead: 9.1%\n",
    ])
      expect(listen("ffmpeg", undefined, written, end, `${empty}\n`).failure).toBeUndefined()
  })
})
