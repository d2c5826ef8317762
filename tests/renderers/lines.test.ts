import { describe, expect, test } from "bun:test"

import { countsIn } from "../../src/renderers/counts-in-line.ts"
import { hasDrawing, isTableRow, shapeOf } from "../../src/renderers/drawn-in-line.ts"
import { percentIn } from "../../src/renderers/percent-in-line.ts"
import { renderer } from "../../src/renderers/renderer.ts"
import { ascends, capture, listen } from "./captures.ts"

const hear = (...lines: string[]) => listen("lines", undefined, lines.map((line) => `${line}\n`).join(""))

describe("a percentage", () => {
  test.each([
    ["45%", 45],
    ["45.5 %", 45.5],
    ["45,5 %", 45.5],
    ["0%", 0],
    ["100%", 100],
    ["[ 45%] Building CXX object main.o", 45],
    ["progress=45%", 45],
    ["Progress:45%", 45],
    ["progress: 45", 45],
    ["Progress 45.5", 45.5],
    ["progress: 45, at 1.67%/s", 45],
    ["######################## 45.5%", 45.5],
    ["encoding 12.3/45.6 MB", (12.3 / 45.6) * 100],
    ["encoding 512 MB / 2 GB", 25],
    ["encoding 45.6/45.6 MB", 100],
  ])("%j", (line, percent) => {
    expect((percentIn(line)?.fraction ?? Number.NaN) * 100).toBeCloseTo(percent, 9)
  })

  test.each([
    "200%",
    "-5%",
    "10-20% of users",
    "1,045%",
    "1.045,5 %",
    "/search?q=a%20b%45",
    "100%cotton",
    "printf 5%d",
    "progress: 0.45",
    "progress: 3.4.5",
    "PROGRESS:  10:00:00:00",
    "at 3:45%",
    "progress report",
    "no progress at all",
    "",
  ])("%j is none", (line) => {
    expect(percentIn(line)).toBeUndefined()
  })

  test.each([
    ["\u001b[32m1\u001b[1m2%\u001b[0m", "\u001b[32m4\u001b[1m5%\u001b[0m"],
    ["\u001b]0;render 10%\u0007 12%", "\u001b]0;render 10%\u0007 45%"],
    ["11%\u001b[2K\u001b[1G12%", "12%\u001b[2K\u001b[1G45%"],
    ["\u001b[1m12\u001b[0m\u001b[2m%\u001b[0m", "\u001b[1m45\u001b[0m\u001b[2m%\u001b[0m"],
  ])("is read without escapes: %j, %j", (first, second) => {
    expect(hear(first, second).progress.at(-1)).toBe(45)
  })

  test("that comes once tells nothing, and neither does one that stays", () => {
    expect(hear("45%").reports).toEqual([])
    expect(hear("45% done", "45% done", "of something else 60%").reports).toEqual([])
  })

  test("seen again and grown is a guess, with the line as its message", () => {
    expect(hear("rendering: 12%", "rendering: 45%").reports).toEqual([
      { progress: 45, basis: "guess", message: "rendering: 45%" },
    ])
  })

  test("that falls, but not to its start, is not progress, and its progress is taken back", () => {
    const { progress, last } = hear("gauge 10%", "gauge 60%", "gauge 40%", "gauge 90%")
    expect(progress).toEqual([60, 0])
    expect(last).toMatchObject({ basis: "guess", eta_seconds: null })
  })

  test("that falls a little still counts if it is drawn, because its total may be corrected, and otherwise does not count", () => {
    const shown = [20, 30, 40, 38, 60].map((percent) => `scene ${percent}%`)
    const drawn = listen("lines", undefined, shown.map((line) => `${line}\r`).join(""))
    expect(drawn.progress.at(-1)).toBe(60)
    expect(hear(...shown).progress.at(-1)).toBe(0)
  })
})

describe("a count", () => {
  test.each([
    ["image 3 of 5", "3 of 5 images"],
    ["Rendered 3 of 5 frames", "3 of 5 frames"],
    ["3 out of 5", "3 of 5 steps"],
    ["Frame 45/100", "45 of 100 frames"],
    ["frame=45/100 fps=30", "45 of 100 frames"],
    ["Epoch 3/10", "3 of 10 epochs"],
    ["batch: 3/10", "3 of 10 batches"],
    ["3/5 images done", "3 of 5 images"],
    ["[3/5] Linking", "3 of 5 steps"],
    ["Step #3/5...", "3 of 5 steps"],
    ["2024-05-12 10:33:22 image 3/5: cover.png", "3 of 5 images"],
    ["segment 0 of 8", "0 of 8 segments"],
    ["sample 1,234,567 of 2,345,678", "1234567 of 2345678 samples"],
    ["step 3/20 of image 1/5", "1 of 5 images, 3 of 20 steps"],
    ["tile 3/4 of frame 12/300, job 1/2", "1 of 2 jobs, 12 of 300 frames, 3 of 4 tiles"],
  ])("%j", (line, expected) => {
    const counts = countsIn(line).map(({ n, total, name }) => `${n} of ${total} ${name}`)
    expect(counts.join(", ")).toBe(expected)
  })

  test.each([
    "12/05/2024",
    "05/12 10:33:22 started",
    "10:33:22 05/12 started",
    "/srv/renders/3/5",
    "renders/3/5.png",
    "size 1920/1080",
    "30000/1001",
    "16/9",
    "HTTP/1.1 200",
    "1/2-inch",
    "v1/2",
    "5 of 3",
    "0 of 0",
    "1.5 of 2.5 dB",
    "one of many",
  ])("%j is none", (line) => {
    expect(countsIn(line)).toEqual([])
  })

  test.each([
    "1080/1920 pixels",
    "24/30 fps",
    "waltz in 3/4",
    "24/7",
    "3/5.png",
    "exposure 1/60 s",
    "image 3 of 5",
  ])("%j tells nothing before it has moved", (line) => {
    expect(hear(line, line).reports).toEqual([])
  })

  test.each([
    "encoded 4/60 frames, 12.3 fps, 4.00 Kb/s",
    "Frames encoded: 4/60",
    "4 of 60 frames written",
    "Wrote frame 4 of 60",
    "Processed 4 of 60 frames",
    "4/60 images exported",
    "Converted 4/60 files",
    "Generated image 4 of 60",
  ])("%j says that the last one is done", (line) => {
    expect(hear(line.replace("4", "3"), line).reports.at(-1)?.unit).toMatchObject({ done: 4, total: 60 })
  })

  test.each(["Encoding frame 4 of 60", "to be encoded: frame 4 of 60", "frame 4 of 60 of out/encoded/a.mp4"])(
    "%j says that the last one has begun",
    (line) => {
      expect(hear(line.replace("4", "3"), line).reports.at(-1)?.unit).toMatchObject({ done: 3, total: 60 })
    },
  )

  test("without a word for it is believed once it has moved", () => {
    expect(hear("3/5 cover.png", "4/5 back.png", "5/5 credits.png").progress).toEqual([60, 80])
    expect(hear("3/4", "3/4", "6/8", "7/9").progress).toEqual([])
  })

  test("that began at 0 counts what is done", () => {
    expect(hear("sample 0/4", "sample 1/4", "sample 4/4").progress).toEqual([0, 25, 0])
  })
})

describe("the shape of a line", () => {
  test.each([
    ["[download]  60.3% of   48.31MiB at    6.10MiB/s ETA 00:07", "download 0% of 0b at 0b/s eta 0"],
    ["Transferred: 1 / 5, 20%", "transferred: 0 / 0 0%"],
    ["Encoding: task 1 of 2, 0.48 % (60.03 fps, ETA 00h06m57s)", "encoding: task 0 of 0 0 % 0 fps eta 0"],
    ["/dev/sda1 100G", "/dev/sda1 0"],
    ["part2.mp4 █████▌   |", "part2.mp4"],
  ])("%j", (line, shape) => {
    expect(shapeOf(line)).toBe(shape)
  })

  test.each(["0%| | 0/5", "[>   ] 0%", "━━━━╸ 45%", "⣿⣿ 45%", "[####    ] 45%"])("%j draws a bar", (line) => {
    expect(hasDrawing(line.replace(/ +/g, " "))).toBe(true)
  })

  test.each([
    "/dev/sda1 100G 45G 55G 45% /",
    "src/a.py 10 2 80%",
    "50% 635.91us",
    "|30% 45C 12W|",
    "27 %, 8123 MiB",
    "0, 27 %, 8123 MiB, 105.20 W",
  ])("%j is a row of figures", (line) => {
    expect(isTableRow(line)).toBe(true)
  })

  test.each(["45%", "45 %", "frame 3 45%", "2026-05-12 10:33:22 INFO 45% done"])("%j is none", (line) => {
    expect(isTableRow(line)).toBe(false)
  })
})

test("a bar that is drawn over and over is heard at each turn", async () => {
  const text = await capture("lines-tqdm")
  expect(text).toContain("\r")
  let nowMs = 0
  const listener = renderer("lines", { now: () => nowMs })
  const reports = text.split(/(?=\r)/).flatMap((piece) => {
    nowMs += 1000
    return listener.push(piece)
  })
  const progress = reports.map((report) => report.progress)
  expect(ascends(progress)).toBe(true)
  expect(progress.length).toBeGreaterThan(15)
  expect(reports.at(-1)).toMatchObject({ progress: 100, unit: { done: 20, total: 20 } })
  expect(listener.evidence).toMatchObject({ hasEnded: false, reached: null })
})

test("backspaces start over", () => {
  expect(listen("lines", undefined, "45%\b\b\b46%\b\b\b").progress).toEqual([46])
})

test("the message is the line, without escapes, and not endless", () => {
  expect(hear("\u001b[1mframe\u001b[0m\t1/5   \u001b[32mok\u001b[0m").messages).toEqual(["frame 1/5 ok"])
  expect(hear("44%", `45% ${"█".repeat(1000)}`).last.message).toHaveLength(200)
})

test("the same line twice counts once", () => {
  expect(hear("44%", "45%", "45%", "46%").progress).toEqual([45, 46])
})
