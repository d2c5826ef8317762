import { describe, expect, test } from "bun:test"

import { BAR, each, lf, type Program, read, TENTHS, tqdm } from "./programs.ts"

/** One bar that is the whole work, as far as anyone can know. */
const WHOLE: readonly Program[] = [
  ["tqdm", each([0, 3, 6, 9], (n) => tqdm(n, 20)), 45, 45],
  ["tqdm with a changing label after it", each([0, 5, 9], (n) => `${tqdm(n, 20)}, loss=0.${n}3`), 45, 45],
  ["pip's bar", each([0, 20, 45], (n) => `\r     ━━━━━━━━╸ ${n}% 0:00:0${n % 7}`), 45, 45],
  ["rich", each([0, 20, 45], (n) => `\rWorking... ${"━".repeat(n / 5)} ${n}% 0:00:12\u001b[K`), 45, 45],
  [
    "alive-progress",
    each([1, 5, 9], (n) => `\r|${BAR.repeat(n)}⚠︎ | (!) ${n}/20 [${n * 5}%] in ${n}.0s (2.0/s)`),
    45,
    45,
  ],
  [
    "wget",
    each(
      [0, 20, 45],
      (n) => `\rsong.mp4 ${n}%[${"=".repeat(n / 5)}>      ] ${n}.5M 4.${n % 10}MB/s eta 1${n % 10}s`,
    ),
    45,
    45,
  ],
  ["curl -#", each([0, 20, 45], (n) => `\r${"#".repeat(n)}      ${n}.5%`), 45, 45],
  [
    "rsync --info=progress2",
    each(
      [10, 20, 45],
      (n) => `\r    1,${n}8,099  ${n}%  146.${n}kB/s    0:00:0${n % 9} (xfr#${n}, to-chk=${396 - n}/396)`,
    ),
    45,
    45,
  ],
  [
    "rsync whose total is corrected",
    ["\r 1,000  1%", "\r 2,000  2%", "\r 3,000  4%", "\r 3,500  3%", "\r 9,000  9%"],
    9,
    9,
  ],
  [
    "x264",
    each(
      [10, 20, 45],
      (n) => `\r[${n}.0%] ${n * 3}/300 frames, 30.${n} fps, 1234.${n} kb/s, eta 0:00:0${n % 9}`,
    ),
    45,
    45,
  ],
  ["x265", each([10, 20, 45], (n) => `[${n}.0%] ${n * 3}/300 frames, 12.${n} fps, 234.56 kb/s\r`), 45, 45],
  [
    "sox",
    each(
      [10, 20, 45],
      (n) => `\rIn:${n}.2% 00:00:${n}.34 [00:00:15.00] Out:544k  [======|======] Hd:0.0 Clip:0    `,
    ),
    45,
    46,
  ],
  [
    "mencoder",
    each(
      [10, 20, 45],
      (n) => `\rPos: ${n}.0s ${n * 25}f (${n}%) 30.00fps Trem: 1min 2mb A-V:0.000 [1000:128]`,
    ),
    45,
    45,
  ],
  ["melt", each([10, 20, 45], (n) => `\rCurrent Frame: ${n * 30}, percentage: ${n}%`), 45, 45],
  [
    "ImageMagick -monitor",
    each([10, 20, 45], (n) => `\rResize/Image/[cover.png]: ${n} of 100, ${n}% complete`),
    45,
    45,
  ],
  ["whisper", each([0, 475, 950], (n) => tqdm(n, 2000, "", "frames")), 47, 47],
  ["ffpb", each([0, 60, 135], (n) => tqdm(n, 300, "song.mp4: ", " frames")), 45, 45],
  [
    "a percentage without its sign, after what it is of",
    lf(...[0, 20, 45].map((n) => `Percentage of rendering done: ${n} (/tmp/a.iff)`)),
    45,
    45,
  ],
  [
    "lines of JSON",
    lf(...[0, 20, 45].map((n) => `{"status":"running","progress":${n},"frame":${n * 10}}`)),
    45,
    45,
  ],
  [
    "JSON over several lines",
    lf(...[0, 20, 45].flatMap((n) => ["{", `  "progress": ${n},`, `  "frame": ${n * 10}`, "}"])),
    45,
    45,
  ],
  ["a script's echo", lf("45%", "46%", "47%"), 47, 47],
  ["a script's words", lf("rendering: 10 % done", "rendering: 45 % done"), 45, 45],
  ["a log with times", lf("2026-05-12 10:33:22 INFO 45% done", "2026-05-12 10:34:25 INFO 52% done"), 52, 52],
  [
    "a log with times and their zone",
    lf("[2026-05-12 10:33:22 +0100] 10% complete", "[2026-05-12 10:33:27 +0100] 45% complete"),
    45,
    45,
  ],
  [
    "a line that differs behind its message",
    lf(...[10, 20, 45].map((n) => `${"song ".repeat(99)}encoded ${n}%`)),
    45,
    45,
  ],
  ["Chinese, without spaces", lf("正在渲染 第10帧/共90帧 10%", "正在渲染 第45帧/共90帧 45%"), 45, 45],
  ["a log with clocks in brackets", lf("[12:33:10] rendering: 12%", "[12:33:20] rendering: 45%"), 45, 45],
  [
    "indicatif",
    each([9, 90, 138], (n) => `\r⠙ [00:00:${(n % 50) + 10}] [${"#".repeat(n / 9)}>---] ${n}/300 (15s)`),
    45,
    46,
  ],
  ["cmake", lf("[ 10%] Building CXX object main.o", "[ 45%] Building CXX object render.o"), 45, 45],
  [
    "a percentage of a pass",
    each([1, 45], (n) => `\rEncoding: task 1 of 2, ${n}.00 % (60.03 fps, ETA 00h0${n % 9}m57s)`),
    22,
    23,
  ],
  ["an epoch's bar", each([0, 45], (n) => tqdm(n, 100, "Epoch 3/10: ")), 24, 24],
  [
    "French, with a space that does not break",
    lf("rendu\u00a0: 10,5\u202f%", "rendu\u00a0: 45,5\u202f%"),
    45,
    45,
  ],
  [
    "a count behind a bar, and before the time left",
    each([0, 4, 9], (n) => `\rRendering frames ${"━".repeat(n + 1)} ${n}/20 0:00:${20 - n}`),
    45,
    45,
  ],
  [
    "a stroke that turns before the percentage",
    each([10, 20, 45], (n) => `\r[${"|/"[n % 2]}] ${n}% 00:01:23.45 37.2x realtime, 64.4kbit/s`),
    45,
    45,
  ],
  [
    "a rate in percent behind it",
    each([10, 20, 45], (n) => `\r${n}%|${BAR.repeat(n / 5)}| ${n}.00/100 [00:${n}<00:09,  1.6${n % 9}%/s]`),
    45,
    45,
  ],
  [
    "loads behind it",
    each([10, 20, 45], (n) => `\r[${n}.0%] ${n * 3} frames: 123 fps, GPU ${n + 40}%, VE 98%, VD 1${n}%`),
    45,
    45,
  ],
  [
    "a date behind it",
    lf(...[10, 20, 45].map((n) => ` ${n}.00% done, estimate finish Sun May 12 10:33:22 2024`)),
    45,
    45,
  ],
  ["a count that disagrees, directly before it", each([0, 33, 45], (n) => `\rProgress 1/3: ${n}%`), 15, 15],
  [
    "zero with its places",
    ["\rProgress 0.00 Sample 0/128", "\rProgress 10.50 Sample 13/128", "\rProgress 45.50 Sample 58/128"],
    45,
    45,
  ],
  ["LuxRender", lf("Rendering 10% (S/p 12)", "Rendering 45% (S/p 54)"), 45, 45],
  ["bytes", each([1, 9], (n) => `\rencoding ${n}.0/20.0 MB`), 45, 45],
  [
    "lame, whose count says the same beside a table of times",
    each([10, 20, 45], (n) => `\r ${n}/100  (${n}%)|  0:00/  0:05|  0:00/  0:06|  47.${n}x|   0:0${n % 9} `),
    45,
    45,
  ],
  [
    "a duration in words behind it",
    lf(...[10, 20, 45].map((n) => `Rendering: ${n}% left: 0h 0m ${n}s`)),
    45,
    45,
  ],
  [
    "a bar of signs that are no blocks",
    each([10, 20, 45], (n) => `\r${"∙".repeat(n / 5)} 🎵${"⬜".repeat(9 - n / 5)} ${n}%`),
    45,
    45,
  ],
  ["a cursor that is saved", each([0, 20, 45], (n) => `\u001b7\u001b[1;1Hmixing ${n}%\u001b8`), 20, 45],
  [
    "keys that say percent and complete",
    lf(...[0, 20, 45].map((n) => `{'JobStatus': 'Rendering', 'CompletionPercentage': ${n}}`)),
    45,
    45,
  ],
  [
    "the same in another order",
    lf(...[0, 0.5, 45].map((n) => `{"cpu_percent":9,"percentComplete":${n}}`)),
    45,
    45,
  ],
  [
    "progress without a sign and a comma behind it",
    lf("progress:10, frame 240", "progress:45, frame 1080"),
    45,
    45,
  ],
  [
    "a number and its total in JSON",
    lf(...[0, 20, 45].map((n) => `{"frame":${n},"fps":24.5,"totalFrames":100,"progress":${n / 100}}`)),
    44,
    45,
  ],
  [
    "a server's messages",
    lf(...[0, 20, 45].map((n) => `{"type": "progress", "data": {"value": ${n}, "max": 100, "node": "3"}}`)),
    44,
    45,
  ],
  ["Chinese, of all", lf("正在渲染第10帧/共100帧", "正在渲染第45帧/共100帧"), 44, 45],
  [
    "Japanese, the total first",
    lf("100フレーム中10フレーム目を処理中", "100フレーム中45フレーム目を処理中"),
    44,
    45,
  ],
  [
    "a count that begins its line, around a bar",
    each([0, 10, 20], (n) => `\r  1/4  2.3G  1.2${n}: ${n * 5}%|${BAR.repeat(n / 2)}| ${n}/20 [00:01<00:03]`),
    25,
    25,
  ],
  ["of 100%", each([0, 20, 45], (n) => `    (${n}.00/100%)\r`), 45, 45],
  ["progress without a sign", lf("progress: 10", "progress: 45"), 45, 45],
]

describe("a bar that is seen again and has grown moves the item, as a guess", () => {
  test.each(WHOLE)("%s", (_name, pieces, least, most) => {
    const { last } = read([...pieces, "\n"], 10)
    expect([last >= least, last <= most, last]).toEqual([true, true, last])
    // If everything comes at once the result is the same: no part of it was full before.
    expect(read([`${pieces.join("")}\n`], 0).last).toBe(last)
  })
})

/** Output that says nothing about how far a render is. */
const NOTHING: readonly (readonly [string, readonly string[]])[] = [
  ["a lone percentage", lf("45%")],
  ["a percentage that stays", lf("volume at 50 %", "volume at 50 %")],
  [
    "df",
    lf(
      "Filesystem Size Used Avail Use% Mounted on",
      "/dev/sda1 100G 45G 55G 45% /",
      "/dev/sda2 100G 60G 40G 60% /srv",
      "tmpfs 3.2G 1.2M 3.2G 1% /run",
      "tmpfs 16G 4.5G 12G 28% /dev/shm",
    ),
  ],
  [
    "df again and again",
    lf("/dev/sda1 100G 45G 55G 45% /", "/dev/sda1 100G 46G 54G 46% /", "/dev/sda1 100G 47G 53G 47% /"),
  ],
  [
    "nvidia-smi",
    lf(
      "| 30%   45C    P2   105W / 350W |   8123MiB / 24576MiB |     90%      Default |",
      "| 31%   46C    P2   105W / 350W |   8200MiB / 24576MiB |     97%      Default |",
    ),
  ],
  ["nvidia-smi's CSV", each([27, 34, 41, 48], (n) => `${n} %, 81${n} MiB\n`)],
  ["gpustat", each([90, 97], (n) => `[0] RTX 3090 | 45'C,  ${n} % |  81${n} / 24576 MB | user(8000M)\n`)],
  ["lyrics with their times", each([10, 45, 80], (n) => `[00:${n}.25] ${n}% of my heart\n`)],
  [
    "subtitles",
    [1, 2, 3, 4].flatMap((n) =>
      lf(`${n}`, `00:00:0${n},000 --> 00:00:0${n},900`, "I give you", "and then", `${n}0% of my heart`, ""),
    ),
  ],
  [
    "subtitles of the web",
    [1, 2, 3].flatMap((n) => lf(`00:0${n}.000 --> 00:0${n}.900 align:start`, `part ${n} of 9`, "")),
  ],
  ["verses with their times", each([1, 2, 3], (n) => `[00:1${n}.25]part ${n} of 3\n`)],
  ["a coverage table", lf("src/a.py 10 2 80%", "src/b.py 20 1 95%", "TOTAL 30 3 90%")],
  ["a coverage table of parts", lf("src/part1.py    10    2    80%", "src/part2.py    20    1    95%")],
  [
    "a coverage summary",
    lf("Statements   : 80.5% ( 120/149 )", "Branches     : 90% ( 9/10 )", "Lines        : 95.5% ( 10/20 )"),
  ],
  [
    "jest",
    lf("Tests:       12 passed, 12 total", "a.ts | 45.2% | 80% | 30% |", "b.ts | 55.2% | 90% | 40% |"),
  ],
  ["pytest's summary", lf("12 passed, 1 skipped in 3.45s", "45% passed")],
  ["latencies of a benchmark", lf("  50%    12", "  66%    13", "  75%    15", "  90%    18")],
  ["wrk", lf("     50%  635.91us", "     75%  712.34us", "     90%    1.04ms")],
  ["several percentages", lf("cpu 10% mem 12% progress 45%", "cpu 20% mem 13% progress 50%")],
  ["top", lf("%Cpu(s):  4.5 us,  1.2 sy", "1234 root 20 0 9.3g 45.1 3.0")],
  ["a gauge that falls", lf("CPU: 40%", "CPU: 97%", "CPU: 60%")],
  [
    "lyrics",
    lf(
      "I gave you 50% of my heart",
      "I gave you 100% of my soul",
      "one of a kind, 1 of 1",
      "step 2 of my plan",
    ),
  ],
  [
    "a transcript",
    lf(
      "[00:12.400 --> 00:15.900] 10% luck",
      "[00:19.200 --> 00:22.800] 20% luck",
      "[00:23.200 --> 00:24.800] Step 2 of 3",
    ),
  ],
  ["a transcript with seconds", each([1, 2, 3], (n) => `[${n}.00s -> ${n}.90s] ${n}0% and ${n} of 9\n`)],
  ["values of JSON that are no work", each([1, 2, 3], (n) => `{"used": ${n}, "total": 9, "max": 9}\n`)],
  [
    "Blender's lines behind what a farm or a container writes",
    ["0: STDOUT: ", "2026-05-12 10:33:22:  0: STDOUT: ", "blender-1  | ", "[0] "].flatMap((prefix) => [
      ...each(
        [0, 32, 64],
        (n) => `${prefix}Fra:1 Mem:9M (Peak 9M) | Time:00:01.20 | Scene | Sample ${n}/64\n`,
      ),
      `${prefix}Saved: '/o/0001.png'\n`,
    ]),
  ],
  ["the longest latencies of parts of all requests", each([10, 50, 90], (n) => `  ${n}% in 0.0${n} secs\n`)],
  ["parts of all requests below a time", each([10, 50, 90], (n) => `${n}.12% <= ${n} milliseconds\n`)],
  ["an address with values", each([1, 2, 3], (n) => `GET /a?p=${n}/10&x=1\n`)],
  ["what is tried again", lf("attempt 1/3 failed", "attempt 2/3 failed", "attempt 3/3 failed")],
  ["what is tried again, in brackets", lf("Retrying (1/4)", "Retrying (2/4)", "Retrying (3/4)")],
  ["attempts that are used up", lf("1 of 4 attempts used", "2 of 4 attempts used", "3 of 4 attempts used")],
  ["clocks", lf("12:45 started", "progress: 10:00:01", "progress: 10:00:02", "at 3:45% of nothing")],
  ["dates", lf("05/12 10:33:22 started", "06/12 10:33:22 ended", "12/05/2026", "13/05/2026")],
  ["resolutions and rates", lf("1920/1080", "24/30 fps", "24/1 fps", "30000/1001", "exposure 1/60 s")],
  ["tags", lf("    track           : 7/12", "    track           : 8/12", "  disc : 1/2")],
  ["a tag by itself", lf("TRCK: 7/12", "disc: 1/2", "Track Number : 7 of 12")],
  [
    "what ffmpeg says",
    lf(
      "[libx264 @ 0x5581d0] mb I  I16..4: 11.4% 70.8% 17.8%",
      "[libx264 @ 0x55] kb/s: 5%",
      "[libx264 @ 0x55] kb/s: 9%",
      "video:33kB audio:0kB subtitle:0kB other streams:0kB global headers:0kB muxing overhead: 1.2%",
      "video:33kB audio:0kB subtitle:0kB other streams:0kB global headers:0kB muxing overhead: 5.2%",
      "  Stream #0:0: Video: h264, 1/60",
      "  Duration: 00:03:32.50, start: 0.025057, bitrate: 320 kb/s",
    ),
  ],
  ["a compression", each([1, 3, 8, 9], (n) => `  adding: frames/${n}.png (deflated ${n}%)\n`)],
  [
    "what is left of the bytes",
    each([3, 4, 5], (n) => `\rConsumed: ${n}0 MiB - Compressed: ${n}.2 MiB => ${n}.0%`),
  ],
  [
    "how a graphics card is used",
    each([1, 3, 8], (n) => `iter ${n}: loss 2.${n}, time 12${n}ms, mfu ${n}.30%\n`),
  ],
  ["loads in JSON", each([10, 20, 45], (n) => `{"cpu":{"percent":${n}},"battery":{"percentage":${n}}}\n`)],
  ["a load in JSON", each([10, 20, 45], (n) => `{"metric":"cpu","percent":${n}}\n`)],
  ["two kinds of progress in JSON", each([0, 20, 45], (n) => `[{"progress":${n + 40}},{"progress":${n}}]\n`)],
  ["fractions in JSON", each([0, 0.5, 1], (n) => `{"progress":${n}}\n`)],
  ["fractions", each([0, 0.5, 1], (n) => `n_past = 512, progress = ${n.toFixed(6)}\n`)],
  ["a model that loads", each(TENTHS, (n) => tqdm(n, 10, "Loading pipeline components...: "))],
  ["a download", each(TENTHS, (n) => `\r[download]  ${n * 10}.0% of 48.31MiB at 6.10MiB/s ETA 00:07`)],
  ["a scan", each(TENTHS, (n) => `\rScanning title 1 of 1, preview ${n}, ${n * 10}.00 %`)],
  ["Remotion's bundling", each(TENTHS, (n) => `\rBundling video ${"━".repeat(n)} ${n * 10}%`)],
  ["a bar that is over in a moment", each(TENTHS, (n) => tqdm(n, 10))],
  [
    "addresses",
    lf("/search?q=a%20b%45", "100%cotton", "printf 5%d", "-5%", "10-20% of users", "1,045%", "200%"),
  ],
  ["paths", lf("/srv/renders/3/5", "renders/3/5.png", "HTTP/1.1 200", "1/2-inch", "v1/2")],
]

describe("output that is no progress does not move the item for long", () => {
  test.each(NOTHING)("%s", (_name, pieces) => {
    for (const apartS of [0, 0.05])
      expect(read([...pieces, "\n"], apartS)).toMatchObject({ last: 0, unit: "" })
  })
})

test("a value that is not believed is never shown, except bars that turn out to be none", () => {
  for (const [name, pieces] of NOTHING) {
    const isNone = /moment|gauge/.test(name)
    expect([name, isNone || read([...pieces, "\n"], 0.05).most === 0]).toEqual([name, true])
  }
})
