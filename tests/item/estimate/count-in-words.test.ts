import { expect, test } from "bun:test"

import { seriesInWords } from "../../../src/item/estimate/count-in-words.ts"
import { settled } from "../../../src/item/estimate/trace.ts"
import type { TracedReport } from "../../../src/item/estimate/traced-report.ts"
import { traceThrough } from "./traced-reports.ts"

const lastOf = (words: readonly string[], step?: TracedReport["step"]) => {
  const all = words.map((current_step, i): [number, TracedReport] => [
    i * 5,
    { current_step, ...(step && { step }) },
  ])
  return settled(traceThrough(all)).map(({ size, lines }) => [size, lines.unit?.at(-1)?.[0]])
}

test("a time, a size, a grouped number and a count in another language say how far a step is", () => {
  const step = { index: 2, total: 3, name: "Encode" }
  for (const [size, ...words] of [
    [220, "Encoding 0:00 / 3:40", "Encoding 1:50 / 3:40"],
    // The shape of the time changes at the hour.
    [7200, "At 0:09.5 of 2:00:00.0", "At 59:58.0 of 2:00:00.0", "At 1:00:00.0 of 2:00:00.0"],
    [30, "Uploading 1.5/30 MB", "Uploading 15.0/30 MB"],
    [40, "Uploading 2 MB of 40 MB", "Uploading 20 MB of 40 MB"],
    [0, "Encoding: 0 percent, CPU 93 percent", "Encoding: 50 percent, CPU 3 percent"],
    [9000, "Frame 0 of 9,000", "Frame 950 of 9,000", "Frame 4,500 of 9,000"],
    [4, "Obraz 1 z 4", "Obraz 3 z 4"],
    [2, "Scene 1/2: 10 %", "Scene 1/2: 100 %"],
    [0, "Encoding 0 %, CPU 93 %", "Encoding 50 %, CPU 61 %"],
    [0, "Writing to disk: 0 %", "Writing to disk: 50 %"],
    [0, "Upscaling on the GPU 0 %", "Upscaling on the GPU 50 %"],
  ] as const) {
    expect([words[0], ...lastOf(words)]).toEqual([words[0], [size, 0.5]])
    expect([words[0], ...lastOf(words, step)]).toEqual([words[0], [size, 0.5]])
  }
  for (const between of ["'", "’", "_", "\u00a0", "\u2009", "\u202f"]) {
    const frames = ["0", "950", `4${between}500`].map((nth) => `Frame ${nth} / 9${between}000`)
    expect([between, ...lastOf(frames)]).toEqual([between, [9000, 0.5]])
  }
  // The second file of one step.
  const files = ["File 0:00 / 3:40", "File 3:40 / 3:40", "File 0:03 / 2:00", "File 1:00 / 2:00"]
  for (const named of [undefined, step]) expect(lastOf(files, named).at(-1)).toEqual([120, 0.5])
  // Of all, as long as it may be that: two fifths of the third one.
  expect(lastOf(["Scene 1/5 (0 % in all)", "Scene 3/5 (48 % in all)"])).toEqual([[5, 0.48]])
  for (const words of [
    ["Memory 3.2/24 GB", "Memory 8.1/24 GB"],
    ["Score 3.1/10", "Score 7.5/10"],
    ["Got 2 kB of 3 MB", "Got 900 kB of 3 MB"],
    ["From 0:10 of 90", "From 0:20 of 90"],
    ["On 1.2.2026/9.9.2026", "On 2.2.2026/9.9.2026"],
  ])
    expect([words[0], ...lastOf(words)]).toEqual([words[0], [0, undefined]])
})

test("a load, and the numbers of tiles in any order, do not say how far a step is", () => {
  const worded = (words: readonly string[], step?: TracedReport["step"]) =>
    settled(
      traceThrough(
        words.map((current_step, i): [number, TracedReport] => [
          i * 5,
          { current_step, progress: 10 * i, ...(step && { step }) },
        ]),
      ),
    )
  const step = { index: 2, total: 3, name: "Render" }
  for (const words of [
    ["CPU 27%", "CPU 61%", "CPU 93%"],
    ["Rendering (GPU load: 27 %)", "Rendering (GPU load: 61 %)", "Rendering (GPU load: 93 %)"],
    ["27% RAM", "61% RAM", "93% RAM"],
    ["VRAM 1 of 24 GB", "VRAM 12 of 24 GB", "VRAM 20 of 24 GB"],
    ["At 1.2/30 fps", "At 14.8/30 fps", "At 29.7/30 fps"],
    ["Retry 1 of 5", "Retry 2 of 5", "Retry 3 of 5"],
    ["Render, 1/5 retries", "Render, 2/5 retries", "Render, 3/5 retries"],
    ["Auslastung 2%", "Auslastung 45%", "Auslastung 5%"],
    ["Auslastung 20 %", "Auslastung 70 %", "Auslastung 30 %", "Auslastung 95 %"],
  ]) {
    for (const named of [undefined, step]) {
      const [only, ...others] = worded(words, named)
      expect([words, others, only?.lines.unit, only?.size]).toEqual([words, [], undefined, 0])
      expect(only?.lines.percent?.at(-1)?.[0]).toBe(10 * (words.length - 1))
    }
  }
  const tiles = ["tile 1/64", "tile 40/64", "tile 12/64", "tile 60/64", "tile 2/64"]
  const [render, ...others] = worded(tiles, step)
  expect([others, render?.lines.unit, render?.size]).toEqual([[], undefined, 0])
  // Four images that are made at once.
  const images = ["image 1 of 40", "image 4 of 40", "image 1 of 40", "image 8 of 40", "image 5 of 40"]
  expect(worded(images, step)).toMatchObject([{ size: 40 }])
  const silent = traceThrough(
    [...images, "image 40 of 40", "image 1 of 40"].map((current_step, i): [number, TracedReport] => [
      i * 5,
      { current_step, step },
    ]),
  )
  expect(silent.steps).toMatchObject([{ at: 0 }, { at: 30 }])
})

test("words that count tracks say the number of a step in its series, and a percentage, a time or a size does not", () => {
  const media = { out_time: 5, total: null }
  const seriesOf = (current_step: string) => seriesInWords({ current_step, media })
  expect(["Track 1 of 9", "Track 3 of 9"].map(seriesOf)).toEqual([{ index: 1 }, { index: 3, total: 9 }])
  for (const words of ["Mixing 45 %", "Mixing 1:50 / 3:40", "Uploading 2 MB of 40 MB", "Mixing"])
    expect([words, seriesOf(words)]).toEqual([words, undefined])
})
