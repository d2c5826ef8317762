import { expect, test } from "bun:test"

import { each, lf, type Program, read, TENTHS } from "./programs.ts"

const TO_45 = [0, 5, 12, 20, 31, 38, 45]

/** Outputs of programs that render, as they look in a pipe and in a log. */
const TOOLS: readonly Program[] = [
  [
    "HandBrakeCLI in a pipe: figures beside each other behind a count of tasks are no table",
    each(TO_45, (n) => `Encoding: task 1 of 1, ${n}.00 % (60.03 fps, avg 58.12 fps, ETA 00h00m${n + 10}s)\n`),
    45,
    45,
  ],
  [
    "tasks with other words behind their number",
    [
      ...each(TENTHS, (n) => `\rEncoding: task 1 of 3, Searching for start time, ${n * 10}.00 %`),
      ...each(TENTHS, (n) => `\rEncoding: task 2 of 3, ${n * 10}.00 % (60.03 fps)`),
      ...each([0, 4], (n) => `\rEncoding: task 3 of 3, ${n * 10}.00 % (60.03 fps)`),
    ],
    80,
    80,
  ],
  [
    "steps with names, and the percentage of each",
    ["cut", "mix", "draw"]
      .flatMap((name, i) => each(TENTHS, (n) => `[render] step ${i + 1}/5 "${name}" ${n * 10}%\n`))
      .slice(0, 28),
    50,
    50,
  ],
  [
    "a percentage of everything beside a step",
    each(TO_45, (n) => `step ${1 + Math.floor(n / 15)}/7 | overall ${n}%\n`),
    45,
    45,
  ],
  [
    "Cinema 4D: progress without a sign, behind a word",
    each(TO_45, (n) => `ALF_PROGRESS ${n}.8333\n`),
    45,
    46,
  ],
  [
    "a status line at the bottom, and the log above it",
    each(TO_45, (n) => `\u001b7\u001b[24;1H\u001b[2KRendering ${n}%\u001b8log line ${n}\n`),
    45,
    45,
  ],
  ...["ze", "din", "dari", "trên", "από", "מתוך"].map((of): Program => [
    `of, in another language: ${of}`,
    each(TO_45, (n) => `${n} ${of} 100\n`),
    45,
    45,
  ]),
  ...[0x966, 0x9e6, 0xe50].map((zero): Program => [
    `digits from ${String.fromCharCode(zero)} on`,
    each(
      TO_45,
      (n) => `${String(n).replace(/\d/g, (digit) => String.fromCharCode(zero + Number(digit)))}%\n`,
    ),
    45,
    45,
  ]),
  ...[" ", "\u00a0", "\u202f", "’", "'", "."].map((mark): Program => [
    `large numbers with "${mark}" in them`,
    each([1, 5, ...TO_45.map((n) => n * 120)], (n) => {
      const grouped = String(n).replace(/(\d)(\d{3})$/, `$1${mark}$2`)
      return `image ${grouped} / 12${mark}000\n`
    }),
    45,
    45,
  ]),
  ["a count before a size", each([1, 2, 3, 4], (n) => `frame ${n}/8 51${n}\n`), 37, 38],
  ["minutes in decimals", each(TO_45, (n) => `${(1 + n / 100).toFixed(3)} / 9.000 min\n`), 0, 0],
  ["a count before a number", each([1, 2, 3, 4], (n) => `frame ${n}/8 ${n}20 fps\n`), 37, 38],
  ["Polish", each(TO_45, (n) => `Klatka ${n} z 100\n`), 45, 45],
  [
    "events in JSON with a fraction and a total",
    each(
      TO_45,
      (n) =>
        `{"type":"render","progress":${n / 100},"stage":"capture","framesRendered":${n},"totalFrames":100}\n`,
    ),
    44,
    45,
  ],
  [
    "blocks nearly in order, of which each twelfth has a line",
    each([1, 2, 3, 5, 4, 7, 6, 8, 9], (n) => `Block ${n * 12}/240 rendered by GPU ${n % 2}\n`),
    45,
    45,
  ],
  [
    "a key that says percent, and is a fraction, as the total shows",
    each(
      TO_45,
      (n) =>
        `{"percent_done":${n / 100},"total_files":40,"total_bytes":1000000,"bytes_done":${n * 10_000}}\n`,
    ),
    44,
    45,
  ],
  ["JSON, the total first", each(TO_45, (n) => `{"total":100,"done":${n},"name":"frames"}\n`), 45, 45],
  [
    "JSON, the word total last",
    each(TO_45, (n) => `{"job":7,"frames_done":${n},"frames_total":100}\n`),
    45,
    45,
  ],
  ["JSON, completed frames", each(TO_45, (n) => `{"completedFrames":${n},"totalFrames":100}\n`), 45, 45],
  ["an object as Node prints it", each(TO_45, (n) => `{ frame: ${n}, totalFrames: 100, fps: 24 }\n`), 45, 45],
  ["logfmt", each(TO_45, (n) => `level=info msg="rendered" frame=${n} total=100 elapsed=${n}s\n`), 45, 45],
  ["logfmt, frames of a total", each(TO_45, (n) => `level=info frame=${n} total_frames=100\n`), 45, 45],
  ["logfmt, other totals", each(TO_45, (n) => `level=info used=${n} total=100 attempt=${n} max=100\n`), 0, 0],
  [
    "a total of something else",
    each(TO_45, (n) => `{"step":${n},"total_memory":100,"used_memory":${n}}\n`),
    0,
    0,
  ],
  ["a load in percent, in logfmt", each(TO_45, (n) => `level=info cpu_percent=${n} ac=1\n`), 0, 0],
  ["a part of a disk in percent", each(TO_45, (n) => `disk,host=r1 used_percent=${n} 1700\n`), 0, 0],
  ["memory and its total", each(TO_45, (n) => `msg=memory current=${n} total=100\n`), 0, 0],
  ["what is saved of a size", each(TO_45, (n) => `cache: saved: ${n}, total: 100 MB\n`), 0, 0],
  ["jobs of a total, and how many failed", each(TO_45, (n) => `done=${n} failed=0 total=100\n`), 45, 45],
  ["totals of other objects", each(TO_45, (n) => `[{"step":${n}},{"total":100}]\n`), 0, 0],
  ["a hit ratio", each(TO_45, (n) => `cache: ${n} hits, ${n}% hit ratio\n`), 0, 0],
  ["a value, and its part of the most", each(TO_45, (n) => `audio drift ${n} ms (${n}%)\n`), 0, 0],
  [
    "a table with lines between its cells",
    each(TO_45, (n) => `│ 0 │ RTX 3090 │ ${n}% │ 81${n}/24576 MiB │\n`),
    0,
    0,
  ],
  ["a bar between lines", each(TO_45, (n) => `│ Rendering ${"━".repeat(n / 5)} ${n}% 0:00:12 │\n`), 45, 45],
  ["a battery in Portuguese", each(TO_45, (n) => `Bateria: ${n}%\n`), 0, 0],
  ["a battery in Russian", each(TO_45, (n) => `Заряд батареи: ${n}%\n`), 0, 0],
  ["a disk in German", each(TO_45, (n) => `Festplatte zu ${n} % belegt\n`), 0, 0],
  ["a disk in French", each(TO_45, (n) => `/srv : ${n} % utilisé\n`), 0, 0],
  ...["45 of 100 left", "45% to go", "remaining: 45/100", "frames left: 45 of 100", "still to render: 45/100"]
    .concat("noch 45 von 100 Bildern", "45 % verbleibend", "reste 45 %", "quedan 45 de 100", "осталось 45%")
    .map((left): Program => [
      `what is left: ${left}`,
      each(TO_45, (n) => `${left.replace("45", String(n))}\n`),
      0,
      0,
    ]),
  ["time that is left, before it", each(TO_45, (n) => `${50 - n} min left ${n}%\n`), 45, 45],
  ["commands that a shell repeats", each(TO_45, (n) => `+ magick a.png -crop ${n}% b.png\n`), 0, 0],
  ["the left of two views", each(TO_45, (n) => `Rendering left eye: ${n}%\n`), 45, 45],
  ["how many are online", each(TO_45, (n) => `nodes online: ${n}/100\n`), 0, 0],
  ["keys that say nothing of work", each(TO_45, (n) => `samples=${n} total=100\n`), 0, 0],
  ["keys of frames", each(TO_45, (n) => `frame=${n} total=100\n`), 44, 45],
  ["keys of frames that a cache holds", each(TO_45, (n) => `cache: frame=${n} total=100\n`), 0, 0],
  ["a measured value with its total", each(TO_45, (n) => `bitrate: current=${n} total=100\n`), 0, 0],
  ["keys of a cache", each(TO_45, (n) => `cache: processed=${n} total=100\n`), 0, 0],
  ["the page of a list, in JSON", each(TO_45, (n) => `users {"current_page": ${n}, "total": 100}\n`), 0, 0],
  ["keys beside a word of work", each(TO_45, (n) => `status=rendering current=${n} total=100\n`), 45, 45],
  ["a command that a shell repeats", each(TO_45, (n) => `ffmpeg -vf scale=iw*${n}/100:-1 b.mp4\n`), 0, 0],
  ["progress as a key", each(TO_45, (n) => `progress=${n}\n`), 45, 45],
  ["kilobytes of megabytes", each(TO_45, (n) => `Uploaded ${n * 10} kB of 1 MB\n`), 43, 45],
  ["bytes with a comma", each(TO_45, (n) => `${n},5 MB von 101,0 MB geschrieben\n`), 45, 45],
  [
    "a bar that is drawn behind its count once it has begun",
    each([0, 1, 5, 9], (n) => `Rendering frames ${"━".repeat(n)} ${n}/20\n`),
    45,
    45,
  ],
  [
    "frames in brackets behind their number, around bars",
    [1, 2].flatMap((k) => [
      `Rendering frame ${k + 99} (${k} of 4)\n`,
      ...each([0, 40, k * 50], (n) => `\rimage ${n}%`),
    ]),
    49,
    50,
  ],
  [
    "frames from both ends",
    each([1, 2, 3, 4], (n) => `frame ${n}/20 done\nframe ${21 - n}/20 done\n`),
    35,
    40,
  ],
  ...["hot spots 7/64", "queue position 7/9", "GET /a 206 7/9"].map((beside): Program => [
    `frames beside ${beside}, which goes on over them`,
    each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], (n) => `frame ${n + 1} of 20\n${beside.replace("7/", `${n}/`)}\n`),
    45,
    45,
  ]),
  ["a disk in Russian", each(TO_45, (n) => `диск ${n}% занято\n`), 0, 0],
]

test.each(TOOLS)("%s", (_name, pieces, least, most, ever = most) => {
  const shown = read([...pieces, ...lf("")], 10)
  expect([shown.last >= least, shown.last <= most, shown.last]).toEqual([true, true, shown.last])
  expect(shown.most).toBeLessThanOrEqual(ever)
})
