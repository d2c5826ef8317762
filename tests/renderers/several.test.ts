import { describe, expect, test } from "bun:test"

import { renderer } from "../../src/renderers/renderer.ts"
import { each, lf, type Program, read, TENTHS, tqdm } from "./programs.ts"

/** Counts that are printed at their start, unless the words say otherwise. */
const COUNTS: readonly (readonly [readonly string[], number, string])[] = [
  [lf("image 1 of 5"), 0, "0/5 images"],
  [lf("image 1 of 5", "image 2 of 5"), 20, "1/5 images"],
  [lf("Step 1/1: rendering the video"), 0, "0/1 steps"],
  [lf("image 3 of 5", "image 4 of 5"), 60, "3/5 images"],
  [lf("Rendered 3 of 5 frames"), 60, "3/5 frames"],
  [lf("frame 4/5 saved"), 80, "4/5 frames"],
  [lf("3/5 images done"), 60, "3/5 images"],
  [lf("3 out of 5", "4 out of 5"), 60, "3/5 steps"],
  [lf("[1/4] Resolving", "[2/4] Fetching", "[3/4] Linking"), 50, "2/4 steps"],
  [lf("image 1/5, step 3/20"), 2, "0/5 images"],
  [lf("image 1/5, step 3/20", "image 2/5, step 11/20"), 30, "1/5 images"],
  [lf("tile 1/4 of frame 1/300", "tile 3/4 of frame 12/300"), 3, "11/300 frames"],
  [lf("job 1/2", "frame 1/10", "frame 6/10"), 25, "0/2 jobs"],
  [lf("image 1 of 2", "step 1/10", "step 6/10", "image 2 of 2", "step 1/10", "step 6/10"), 75, "1/2 images"],
  [lf("Sample 0/16", "Sample 4/16"), 25, "4/16 samples"],
  [[...lf("image 1 of 2"), tqdm(0, 20), tqdm(10, 20), "\n"], 25, "0/2 images"],
  [
    [
      ...lf("image 1 of 2"),
      tqdm(0, 20),
      tqdm(20, 20),
      "\n",
      ...lf("image 2 of 2"),
      tqdm(0, 20),
      tqdm(10, 20),
    ],
    75,
    "1/2 images",
  ],
  [lf("image 3 of 5", "now encoding: 70%", "now encoding: 71%"), 71, ""],
  [
    [1, 2, 3, 4, 5, 6].flatMap((n) => lf(`Rendered ${n * 20}/300`, `Encoded ${n * 10}/300`)),
    40,
    "120/300 steps",
  ],
  [lf("image 1 of 5", ...[1, 2, 3, 4, 5, 6].map((n) => `frame ${n} of 10`)), 50, "5/10 frames"],
  [lf("Current Frame: 3, percentage: 4", "Current Frame: 30, percentage: 45"), 45, ""],
  [["\r1/20", "\r2/20", "\r3/20"], 10, "2/20 steps"],
  [lf("image 1 of 5 -> /srv/done/1.png", "image 2 of 5 -> out/finished/2.png"), 20, "1/5 images"],
  [lf("image 1 of 5 is not done yet", "image 2 of 5, to be saved as 2.png"), 20, "1/5 images"],
  [lf("image 1 of 5 saved to /o/1.png"), 20, "1/5 images"],
  // The count of images is believed when something goes on within it.
  [lf("tile 1/12, frame 4/10", "tile 7/12, frame 4/10"), 35, "3/10 frames"],
  [lf("tile 1/12, frame 4/10"), 0, ""],
  [lf("frame 2,000/12,000", "frame 4,000/12,000"), 33, "3999/12000 frames"],
  [lf("frame 2,000 of 12,000", "frame 4,000 of 12,000"), 33, "3999/12000 frames"],
  // How far an encoder has read, which is not the end.
  [[10, 20, 30].map((n) => `\rPass 1/2 frame ${n}/${n + 1}`), 0, "0/2 passes"],
  [[1, 10, 100].map((n) => `\rPass 1/2 frame ${n}/${n + 1}`), 0, "0/2 passes"],
  [lf("batch: 3/10", "batch: 4/10"), 30, "3/10 batches"],
  // Several at the same time, in no order.
  [lf(...[2, 1, 4, 3, 6, 5, 8, 9, 7].map((n) => `frame ${n} of 20 done`)), 45, "9/20 frames"],
  [lf(...[5, 1, 9, 3, 12, 2, 7, 4, 15].map((n) => `frame ${n} of 20 done`)), 45, "9/20 frames"],
  [lf(...[3, 1, 2, 6, 4, 5, 6, 8, 7, 9].map((n) => `chunk ${n}/20 finished`)), 45, "9/20 chunks"],
  [lf(...[1, 2, 4, 3, 6, 5, 8, 7].map((n) => `frame ${n} of 10`)), 70, "7/10 frames"],
]

test.each(COUNTS)("%j shows %d %%, %s", (pieces, progress, unit) => {
  for (const apartS of [0, 10]) {
    expect(read([...pieces, "\n"], apartS)).toMatchObject({ last: progress, unit })
  }
})

/** Several bars, with 10 s between two lines of each. */
const SEVERAL: readonly Program[] = [
  [
    "two bars in turn",
    [...each(TENTHS, (n) => tqdm(n, 10)), "\n", ...each([0, 5], (n) => tqdm(n, 10))],
    50,
    50,
    100,
  ],
  ["the second has only begun", [...each(TENTHS, (n) => tqdm(n, 10)), "\n", tqdm(0, 10)], 33, 33, 100],
  [
    "two bars with names",
    [
      ...each(TENTHS, (n) => tqdm(n, 10, "First pass: ")),
      "\n",
      ...each([0, 5], (n) => tqdm(n, 10, "Second pass: ")),
    ],
    50,
    50,
    100,
  ],
  [
    "a bar after one that loads",
    [...each(TENTHS, (n) => tqdm(n, 10, "Loading: ")), "\n", ...each([0, 5], (n) => tqdm(n, 10))],
    50,
    50,
  ],
  [
    "a bar a frame",
    Array.from({ length: 6 }, () => each([0, 5, 10], (n) => `ALF_PROGRESS ${n * 10}%\n`)).flat(),
    85,
    86,
    100,
  ],
  [
    "an outer bar told first",
    [
      tqdm(0, 5, "Epochs: "),
      ...[1, 2].flatMap((n) => [
        "\n",
        ...each(TENTHS, (k) => tqdm(k, 10, "Batches: ")),
        tqdm(n, 5, "Epochs: "),
      ]),
    ],
    40,
    40,
  ],
  [
    "an outer bar told after the inner one",
    [
      ...[1, 2, 3].flatMap((n) => [
        ...each(TENTHS, (k) => tqdm(k, 10, "Step: ")),
        "\n",
        tqdm(n, 5, "Total progress: "),
      ]),
    ],
    60,
    60,
    100,
  ],
  [
    "layers of an image beside each other",
    [1, 3, 6, 9].flatMap((n) => lf(`layer a ${n * 10}%`, `layer b ${n * 5}%`)),
    0,
    90,
  ],
  [
    "task after task",
    [1, 2]
      .flatMap((n) => each([0, 25, 50, 75, 100], (k) => `\rEncoding: task ${n} of 2, ${k}.00 % (60.03 fps)`))
      .slice(0, 8),
    75,
    75,
  ],
  [
    "bars without names, one inside of the other",
    [tqdm(0, 5), ...[1, 2].flatMap((n) => ["\n", ...each(TENTHS, (k) => tqdm(k, 10)), tqdm(n, 5)])],
    40,
    40,
  ],
  [
    "a total that is drawn beside the bar of each image",
    Array.from({ length: 80 }, (_, n) => [tqdm(n % 20, 20), `\n${tqdm(n, 80, "Total progress: ")}`])
      .flat()
      .slice(0, 90),
    55,
    55,
    95,
  ],
  [
    "three bars side by side, each half as fast as the one above",
    Array.from({ length: 17 }, (_, n) =>
      [1, 2, 4].map(
        (slow) => `song ${"abcd"[slow - 1]} ${"━".repeat(n + 1)} ${Math.min(100, (n * 10) / slow)}%\n`,
      ),
    ).flat(),
    40,
    80,
    80,
  ],
  [
    "steps in brackets, around the bars that follow each",
    [1, 2].flatMap((n) => [
      `[${n}/4] rendering a song\n`,
      ...each(TENTHS, (k) => tqdm(k, 10)),
      "\n",
      ...each(TENTHS, (k) => `\r${k}/10`),
      "\n",
    ]),
    40,
    50,
  ],
  [
    "a bar that goes on while epochs do",
    [
      ...lf("epoch 1/2"),
      ...each([0, 4, 8, 10], (n) => tqdm(n, 20, "steps: ")),
      ...lf("", "epoch 2/2"),
      ...each([10, 11], (n) => tqdm(n, 20, "steps: ")),
    ],
    55,
    55,
  ],
  [
    "a total in words, told beside the songs whose bars begin again",
    TENTHS.slice(0, 9).flatMap((n) => lf(`Total: ${n * 5}%`, `song: ${(n * 25) % 100}%`)),
    40,
    40,
  ],
  [
    "a total in words, told after each song's",
    TENTHS.slice(0, 9).flatMap((n) => lf(`song: ${(n * 25) % 100}%`, `Total: ${n * 5}%`)),
    40,
    40,
  ],
  [
    "a total that is drawn around bars beside counts",
    [0, 1].flatMap((k) => [
      `Total ${"━".repeat(k + 1)} ${k * 33}% 0:00:0${k}\r`,
      "\n",
      ...TENTHS.map((n) => `[${"#".repeat(n)}>---] ${n * 3}/30 (15s)\r`),
      "\n",
    ]),
    33,
    33,
  ],
  [
    "rclone, which tells bytes, files and the file in hand",
    Array.from({ length: 13 }, (_, n) => n * 3).flatMap((n) =>
      lf(
        `Transferred:   ${n * 12} MiB / 1.172 GiB, ${n}%, 11 MiB/s, ETA 57s`,
        `Transferred:   ${Math.floor(n / 20)} / 5, ${Math.floor(n / 20) * 20}%`,
        ` * song-${Math.floor(n / 20)}.mp4: ${(n % 20) * 5}% /240Mi, 5Mi/s, 20s`,
      ),
    ),
    20,
    36,
  ],
  [
    "a summary after a bar",
    [...each(TENTHS, (n) => tqdm(n, 10)), ...lf("", "Dropped frames: 0 (0%)", "4 sent, 4 received, 0% lost")],
    100,
    100,
  ],
  [
    "bars in words, in turn",
    [1, 2]
      .flatMap((pass) => each(TENTHS, (n) => `10:33:2${n % 10} pass ${pass}: ${n * 10}% done\n`))
      .slice(0, 12),
    33,
    33,
    100,
  ],
  [
    "bars in turn below one that never moves",
    [tqdm(0, 2, "File: "), ...[1, 2].flatMap(() => ["\n", ...each(TENTHS, (n) => tqdm(n, 10, "Stream: "))])],
    66,
    67,
  ],
  [
    "a gauge beside the bar",
    TENTHS.slice(0, 6).flatMap((n) => lf(`done: ${n * 10}%`, `mem: ${n + 5}%`)),
    50,
    50,
  ],
  ["a step in brackets within an image", lf("image 1 of 2", "[1/10] sampling", "[6/10] sampling"), 25, 25],
  ["frames after images", lf("image 1 of 2", "image 2 of 2", "frame 1 of 10", "frame 6 of 10"), 50, 50],
  [
    "three stages",
    ["Cutting scenes: ", "Mixing: ", "Colouring: "].flatMap((label) =>
      each([0, 5, 10], (n) => `\r${label} ${n * 10}% (${n * 45}/450)`),
    ),
    30,
    75,
    100,
  ],
]

/** A percentage that begins again with each file. The files are counted on the same line. */
const ENCLOSED: readonly ((percent: number, file: number) => string)[] = [
  (percent, file) => `\rEncoding ${file} of 5: ${percent}%`,
  (percent, file) => `\r(${file}/5) encoding ${percent}%`,
  (percent, file) => `\r${percent}% (file ${file} of 5)`,
  (percent, file) => `\rencoding ${percent}% [${file}/5]`,
  (percent, file) => `${percent}% of file ${file}/5\n`,
]

test.each(ENCLOSED.map((line) => [line(45, 2), line] as const))(
  "%j is a part of the second file, once the first is seen to be over",
  (_name, line) => {
    const files = [1, 2].flatMap((file) => each([0, 10, 50, 100], (percent) => line(percent, file)))
    expect(read([...files.slice(0, 7), "\n"], 10).last).toBe(30)
    // If everything comes at once, the first bar was over too soon to count, but the line is right.
    expect(read([...files.slice(0, 7), "\n"], 0).last).toBeLessThanOrEqual(30)
  },
)

test("a percentage that goes on while files are counted is that of all of them", () => {
  const lines = each([10, 30, 50, 70], (percent) => `\r${percent}% (${percent / 10}/10 files)`)
  expect(read([...lines, "\n"], 10).last).toBe(70)
})

test.each(SEVERAL)("%s", (_name, pieces, least, most, ever = most) => {
  const shown = read([...pieces, "\n"], 10)
  expect([shown.last >= least, shown.last <= most, shown.last]).toEqual([true, true, shown.last])
  expect(shown.most).toBeLessThanOrEqual(ever)
})

test("no order of bars puts a bar inside of itself, which would cause an endless search", () => {
  const bars = [
    ...[tqdm(12, 20, "A: "), tqdm(5, 20), tqdm(18, 20, "A: "), tqdm(7, 20, "B ")],
    ...[tqdm(17, 20), tqdm(2, 20, "B "), "x 1%\n", "x 54%\n"],
  ]
  expect(read(bars, 1).last).toBeLessThan(90)
})

test("bars whose number is declared fill the item one after another, however quick they are", () => {
  const bars = [...each(TENTHS, (n) => tqdm(n, 10)), "\n", ...each([0, 5], (n) => tqdm(n, 10)), "\n"]
  for (const apartS of [0, 10]) expect(read(bars, apartS, { bars: 5 }).last).toBe(30)
  const counts = lf("step 1/4", "step 4/4", "step 1/4", "step 3/4")
  expect(read(counts, 10, { bars: 2 }).last).toBe(75)
})

describe("renderers that we know, inside of a script", () => {
  const stats = (seconds: number): string =>
    `frame=  ${seconds * 25} fps= 30 q=28.0 size=     256kB time=00:00:0${seconds}.80 bitrate= 436.9kbits/s speed=1.19x    \r`

  test("a bare ffmpeg shows its media time, and no progress", () => {
    const reports = renderer("lines").push(stats(4) + stats(5))
    expect(reports.at(-1)).toEqual({
      media: { out_time: 5.8, total: null, fps: 30, speed: 1.19 },
      message: "5.8 s, 30 fps, 1.2x",
    })
  })

  test("with a total it shows how far it is, and two of them are two bars", () => {
    const known = { total: 10 }
    expect(read([stats(0), stats(2), stats(4)], 10, known).last).toBe(48)
    expect(read([stats(2), stats(9), stats(0), stats(4)], 10, known).last).toBeLessThan(50)
  })

  test("a preview after the video takes nothing from it, but a second pass that was stopped does", () => {
    const reached = (...said: string[]) => {
      const listener = renderer("lines", { total: 9 })
      for (const text of said) listener.push(text)
      return listener.evidence.reached ?? 0
    }
    const end = (seconds: number): string => stats(seconds).replace(" size=", " Lsize=")
    const stopped = "Exiting normally, received signal 15.\n"
    expect(reached(stats(4), end(9), stats(0), end(2))).toBe(1)
    expect(reached(stats(4), end(9), stats(0), end(2), stopped)).toBeLessThan(0.5)
    expect(reached(stats(4), end(9), stats(0), "[q] command received. Exiting.\n", end(2))).toBeLessThan(0.5)
    expect(reached(stats(4), end(9), stats(0), stats(2))).toBeLessThan(0.5)
    // For sound alone, the last statistics look like the ones before.
    const sum =
      "video:0kB audio:9kB subtitle:0kB other streams:0kB global headers:0kB muxing overhead: 11.2%\n"
    expect(reached(stats(9), sum, stats(0), stats(2), sum)).toBe(1)
    expect(reached(stats(9), sum, stats(0), stats(2), sum, stopped)).toBeLessThan(0.5)
  })

  test("its blocks are read as well", () => {
    expect(
      renderer("lines").push("frame=98\nout_time_us=5120333\nprogress=continue\n").at(-1)?.media,
    ).toMatchObject({
      out_time: 5.120333,
    })
  })

  test("a total is that of an ffmpeg, and counts no frames of Blender", () => {
    const frame = (n: number): string => `Fra:${n} Mem:9M (Peak 9M)\nSaved: '/o/${n}.png'\n Time: 00:01.00\n`
    expect(read([frame(1), frame(2)], 10, { total: 2 })).toMatchObject({ last: 0, unit: "" })
  })

  test("a Blender that failed fails the script, unless a later one renders the same file", () => {
    const said = (file: string, ...lines: string[]): string =>
      lf("Blender 4.2.0", `Read blend: "${file}"`, ...lines, "Blender quit").join("")
    const raised = ["Traceback (most recent call last):", "KeyError: 'light'"]
    const saved = ["Fra:1 Mem:9M (Peak 9M)", "Saved: '/o/1.png'"]
    const evidence = (...text: string[]) => {
      const listener = renderer("lines")
      for (const piece of text) listener.push(piece)
      return listener.evidence
    }
    expect(evidence(said("/a.blend", ...raised), said("/b.blend", ...saved)).failure).toBe(
      "KeyError: 'light'",
    )
    // What a script printed before Blender began does not belong to Blender.
    expect(evidence(lf(...raised).join(""), said("/a.blend")).failure).toBeUndefined()
    expect(evidence(said("/a.blend", ...raised), said("/a.blend", ...saved))).toMatchObject({
      failure: undefined,
      saved: ["/o/1.png"],
    })
  })

  test("Blender's frames are reported, and counted if it says how many there are", () => {
    const five = (line: string): string => `00:01.547  render           | ${line}\n`
    const frame = (n: number): string[] => [
      five(`Fra: ${n} | Mem: 360M | Sample 0/16`),
      five(`Fra: ${n} | Mem: 360M | Sample 8/16`),
      five(`Saved: '/srv/f_000${n}.png'`),
    ]
    const range = five("Rendering animation (frames 1..4)")
    expect(read([range, ...frame(1), ...frame(2)], 10)).toMatchObject({ last: 50, unit: "2/4 frames" })
    const bare = read(frame(1), 10)
    expect(bare).toMatchObject({ last: 0, most: 0 })
  })
})
