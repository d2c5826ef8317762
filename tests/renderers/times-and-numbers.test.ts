import { expect, test } from "bun:test"

import { BAR, each, type Program, read, TENTHS, tqdm } from "./programs.ts"

const TO_45 = [0, 5, 12, 20, 31, 38, 45]
const clock = (seconds: number): string =>
  `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`

/** How much of the length of a song or a video is done. */
const TIMES: readonly Program[] = [
  ["clocks", each(TO_45, (n) => `\r${clock(n * 3)} / 5:00`), 45, 45],
  ["clocks with hours", each(TO_45, (n) => `Exported 00:0${clock(n * 3)} of 00:05:00\n`), 45, 45],
  ["clocks with parts of seconds", each(TO_45, (n) => `0:0${clock(n * 3)}.50 / 0:05:00.00\r`), 45, 45],
  ["seconds", each(TO_45, (n) => `\rprocessed ${(n * 0.6).toFixed(1)}s / 60.0s`), 45, 45],
  [
    "a unit that stands once",
    each(TO_45, (n) => `Rendered ${(n * 0.6).toFixed(1)} of 60.0 seconds\n`),
    45,
    45,
  ],
  [
    "minutes and seconds",
    each(TO_45, (n) => `\rExporting ${Math.floor(n / 20)}m${(n * 3) % 60}s / 5m0s`),
    45,
    45,
  ],
  ["the file and its time", each(TO_45, (n) => `\rsong.mp4 ${clock(n * 3)}/5:00`), 45, 45],
  ["a count beside it", each([1, 2, 3], (n) => `scene ${n}/10, 0:0${n} / 0:1${n}\n`), 20, 20],
  ["how long it runs, and how long it may", each(TO_45, (n) => `elapsed ${clock(n)} / 5:00\n`), 0, 0],
  [
    "how long a render runs, and how long it may",
    each(TO_45, (n) => `rendering: elapsed ${clock(n)} / 5:00\n`),
    0,
    0,
  ],
  ["how long a render has run", each(TO_45, (n) => `\rrendering ${clock(n)} / 5:00 elapsed`), 0, 0],
  [
    "how long a frame took, and the others",
    each(TO_45, (n) => `frame ${n} rendered in 1.${n + 10}s / 2.0s\n`),
    0,
    0,
  ],
  ["how long frames take", each(TO_45, (n) => `rendering frame ${n}: 1.${n + 10}s / 2.0s avg\n`), 0, 0],
  ["how long it waits", each(TO_45, (n) => `waiting for the GPU: ${n}.5s / 300s\n`), 0, 0],
  ["what is done and what is left", each(TO_45, (n) => `\r${clock(n)} / ${clock(100 - n)}`), 0, 0],
  ["an exposure", each(TO_45, (n) => `rendering, exposure 1/${60 - n} s\n`), 0, 0],
  ["two pairs", each(TO_45, (n) => `rendering ${clock(n)}/1:40 ${clock(n)}/2:00\n`), 0, 0],
]

/** The first of several, as its number and its noun say; or one whose number may be a name. */
const NUMBERED: readonly Program[] = [
  ["the first pass", each(TENTHS, (n) => `\rPass 1: ${n * 10}%`), 45, 50],
  ["a drawn bar", each(TENTHS, (n) => `\rStage 1 ${BAR.repeat(n)}${"░".repeat(10 - n)} ${n * 10}%`), 45, 50],
  ["tqdm", each(TENTHS, (n) => tqdm(n, 10, "Epoch 0: ")), 45, 50],
  ["the name of an animation", each(TENTHS, (n) => tqdm(n, 10, "Animation 0: Write(Square2): ")), 45, 50],
  [
    "five of them",
    [1, 2, 3, 4, 5].flatMap((k) => each(TENTHS, (n) => `\rPhase ${k}: ${n * 10}%`)).slice(0, -1),
    80,
    83,
  ],
  [
    "the second one",
    [1, 2].flatMap((k) => each(TENTHS, (n) => `\rPass ${k}: ${n * 10}%`)).slice(0, 12),
    33,
    33,
    50,
  ],
  ["a pass whose number goes up with it", each(TENTHS, (n) => `Pass ${n + 1} (${n * 10}%)\n`), 99, 100],
  ["a pass of a step", each([0, 20, 40], (n) => `\rstep 3/4, pass 1: ${n}%`), 60, 60],
  ["a pass of a step in brackets", each([0, 20, 40], (n) => `\r[1/4] pass 1: ${n}%`), 10, 10],
  ["a frame, which may be the only one", each(TENTHS, (n) => `\rFrame 1: ${n * 10}%`), 99, 100],
  [
    "a frame of each song",
    [1, 2].flatMap((k) => [`song ${k} of 2\n`, ...each(TENTHS, (n) => `\rframe 1: ${n * 10}%`)]),
    99,
    100,
  ],
  ["the name of a shot", each(TENTHS, (n) => `\rRendering shot 1 ${n * 10}%`), 99, 100],
  ["the name of a file", each(TENTHS, (n) => `\rstage 1.blend: ${n * 10}%`), 99, 100],
  ["a later pass, which may be the only one", each(TENTHS, (n) => `\rPass 7: ${n * 10}%`), 99, 100],
  [
    "all passes, told beside each",
    [1, 2].flatMap((k) => each(TENTHS, (n) => `Total: ${k * 50 - 50 + n * 5}%\nPass ${k}: ${n * 10}%\n`)),
    99,
    100,
  ],
]

/** A percentage with others beside it. */
const BESIDE: readonly Program[] = [
  ["a memory in tqdm", each([0, 5, 9], (n) => tqdm(n, 20).replace("]", `, mem=${n * 9}%]`)), 45, 45],
  [
    "an accuracy in tqdm",
    each([0, 5, 9], (n) => tqdm(n, 20).replace("]", `, acc=${n + 80}%, x=${n}%]`)),
    45,
    45,
  ],
  ["a key", each(TO_45, (n) => `level=info msg="render progress" pct=${n} frame=${n * 12}\n`), 45, 45],
  ["a key without a word of progress", each(TO_45, (n) => `render pct=${n} eta=${60 - n}s\n`), 45, 45],
  ["a key of memory", each(TO_45, (n) => `mem.pct=${n} rss=${n}\n`), 0, 0],
  [
    "how small the file became, once its bar is full",
    [
      ...each(TENTHS, (n) => `\b\b\b\b\b\b\b\b\b\b\b\b\b${n * 10}% done...`),
      "\rcreated a.wv in 9.66 secs (lossless, 26.39%)",
    ],
    100,
    100,
  ],
  [
    "a number and a time of a render",
    each(TENTHS, (n) => `#3 ${n + 12}.5 s rendered, ${n * 10}%\n`),
    99,
    100,
  ],
  ["a key of a load", each(TO_45, (n) => `level=info cpu_pct=${n} gpu pct=${n}\n`), 0, 0],
]

test.each([...TIMES, ...NUMBERED, ...BESIDE])("%s", (_name, pieces, least, most, ever = most) => {
  const shown = read([...pieces, "\n"], 10)
  expect([shown.last >= least, shown.last <= most, shown.last]).toEqual([true, true, shown.last])
  expect(shown.most).toBeLessThanOrEqual(ever)
})
