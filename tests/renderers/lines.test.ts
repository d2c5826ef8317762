import { describe, expect, test } from "bun:test"

import { ascends, capture, listen } from "./captures.ts"

const hear = (...lines: string[]) => listen("lines", undefined, lines.map((line) => `${line}\n`).join(""))

const counted = (line: string) => {
  const { unit } = hear(line).last
  return unit && `${unit.done} of ${unit.total} ${unit.name}`
}

describe("a percentage", () => {
  test.each([
    ["45%", 45],
    ["45.5 %", 45.5],
    ["45,5 %", 45.5],
    ["0%", 0],
    ["100%", 100],
    ["[ 45%] Building CXX object main.o", 45],
    ["progress=45%", 45],
    ["progress: 45", 45],
    ["Progress 45.5", 45.5],
    ["Rendering: 45% (CPU 97%, mem 12%)", 45],
    ["cpu 97% mem 12% progress 45%", 45],
    ["2024-05-12 10:33:22 INFO 45% done", 45],
    ["size 200% done 45%", 45],
    ["######################## 45.5%", 45.5],
    ["\u001b[32m4\u001b[1m5%\u001b[0m", 45],
    ["\u001b]0;render 10%\u0007 45%", 45],
    ["12%\u001b[2K\u001b[1G45%", 45],
    ["[download]  45.5% of 10.00MiB at 1.00MiB/s ETA 00:05", 45.5],
    [" 45% |###       | 4.5MB 5.0MB/s eta 0:00:01", 45],
    ["encoding 12.3/45.6 MB", (12.3 / 45.6) * 100],
  ])("%j", (line, progress) => {
    expect(hear(line).progress).toEqual([progress])
  })

  test.each([
    "CPU: 97%",
    "gpu_load=97%",
    "volume at 50%",
    "video:33kB audio:0kB subtitle:0kB other streams:0kB global headers:0kB muxing overhead: 5.270447%",
    "volume: 50 %",
    "97% CPU",
    "50% faster than before",
    "accuracy: 98.5%",
    "200%",
    "-5%",
    "10-20% of users",
    "1,045%",
    "/search?q=a%20b%45",
    "100%cotton",
    "printf 5%d",
    "progress: 0.45",
    "progress: 3.4.5",
    "progress report",
    "no progress at all",
    "",
  ])("%j is none", (line) => {
    expect(hear(line).reports).toEqual([])
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
    ["[003/100] Linking", "3 of 100 steps"],
    ["Step #3/5...", "3 of 5 steps"],
    ["2024-05-12 10:33:22 image 3/5: cover.png", "3 of 5 images"],
    ["60% 3/5", "3 of 5 steps"],
    ["segment 0 of 8", "0 of 8 segments"],
  ])("%j", (line, expected) => {
    expect(counted(line)).toBe(expected)
  })

  test.each([
    "12/05/2024",
    "05/12 10:33:22 started",
    "10:33:22 05/12 started",
    "2024/05/12 10:33",
    "/srv/renders/3/5",
    "renders/3/5.png",
    "3/5.png",
    "size 1920/1080",
    "1080/1920 pixels",
    "24/1 fps",
    "24/30 fps",
    "30000/1001",
    "16/9",
    "waltz in 3/4",
    "24/7",
    "HTTP/1.1 200",
    "1/2-inch",
    "v1/2",
    "5 of 3",
    "0 of 0",
    "1.5 of 2.5 dB",
    "one of many",
    "exposure 1/60 s",
  ])("%j is none", (line) => {
    expect(hear(line).reports).toEqual([])
  })

  test("is n of m: the share counts n as done", () => {
    expect(hear("image 3 of 5").progress).toEqual([60])
  })

  test("without a word for it is believed once it has moved", () => {
    expect(hear("3/5 cover.png", "4/5 back.png", "5/5 credits.png").progress).toEqual([80, 100])
    expect(hear("3/4", "3/4", "6/8", "7/9").progress).toEqual([])
  })

  test("before a percentage is the whole, of which the percentage is a part", () => {
    expect(hear("Epoch 3/10: 50%").last).toMatchObject({
      progress: 25,
      unit: { done: 3, total: 10, name: "epochs" },
    })
    expect(hear("Epoch 3/10:  45%|████▌     | 45/100 [00:01<00:01]").last.progress).toBeCloseTo(24.5, 9)
  })

  test("after a percentage of something else leaves the percentage alone", () => {
    expect(hear("45% (3 of 10 files)").last).toMatchObject({
      progress: 45,
      unit: { done: 3, total: 10, name: "files" },
    })
  })
})

test("a bar that is drawn over and over is heard at each turn", async () => {
  const text = await capture("lines-tqdm")
  expect(text).toContain("\r")
  const { progress, last, reached, hasEnded } = listen("lines", undefined, text)
  expect(ascends(progress)).toBe(true)
  expect(progress.length).toBeGreaterThan(15)
  expect(last).toMatchObject({ progress: 100, unit: { done: 20, total: 20 } })
  expect([hasEnded, reached]).toEqual([false, null])
})

test("backspaces start over", () => {
  expect(listen("lines", undefined, "45%\b\b\b46%\b\b\b").progress).toEqual([45, 46])
})

test("the message is the line, without escapes, and not endless", () => {
  expect(hear("\u001b[1mframe\u001b[0m\t3/5   \u001b[32mok\u001b[0m").messages).toEqual(["frame 3/5 ok"])
  expect(hear(`45% ${"x".repeat(1000)}`).last.message).toHaveLength(200)
})

test("the same line twice is heard once", () => {
  expect(hear("45%", "45%", "46%").progress).toEqual([45, 46])
})
