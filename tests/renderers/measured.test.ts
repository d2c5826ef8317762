import { describe, expect, test } from "bun:test"

import { isMeasured } from "../../src/renderers/measured-in-line.ts"
import { each, read, TENTHS } from "./programs.ts"

const shownOf = (pieces: readonly string[], apartS = 0.05) => read([...pieces, "\n"], apartS)

describe("a measured value is no progress, even if it grows", () => {
  test.each([
    ["CPU ", "%"],
    ["GPU-Util: ", " %"],
    ["Mem = ", "%"],
    ["battery ", "%"],
    ["val_accuracy: ", ".5%"],
    ["cache hit rate ", "%"],
    ["fan speed ", " %"],
    ["temp 45 C humidity ", "%"],
    ["/dev/sda1 ", "% used"],
    ["warning: disk at ", "%"],
    ["warning: /srv is ", "% full"],
    ["cover.png 12 kB (", "% smaller)"],
    ["image quality ", "%"],
    ["Error: ", "% of frames failed"],
    ["VRAM: ", "/64 GB"],
    ["quota: ", "/100 GB used"],
    ["GPU ", "/64"],
    ["worker ", "/64 started"],
    ["threads: ", "/64 busy"],
    ["score ", "/64"],
    ["dropped ", "/300 frames"],
    ["dropped ", "% frames"],
    ["running at ", "% speed"],
    ["pass 3, noise ", "%"],
    ["rate limit: ", "/60 requests"],
    ["", "/64 nodes online"],
    ["", " of 64 frames failed"],
    ["connection lost, retrying... (", "/60)"],
    ["Reconnect ", "/60"],
    ["compression level ", "/64"],
    ["level ", "%"],
    ["remaining battery ", "%"],
    ["blender(1234) ", "% cpu"],
    ["similarity index ", "%"],
    ["speed ", "% of realtime"],
    ["GPU clock throttled to ", "%"],
    ["buffering... ", "%"],
    ["TRACKNUMBER=", "/64"],
    ["track: ", "/64  genre: Rock (id 17)"],
    ["TRCK (Track number/Position in set): ", "/64"],
    ["Track Number      : ", " of 64"],
    [" * song (#", "/64)"],
    ["Slot ", "/64"],
    ["waiting ", "/60 s"],
    ["GET /search?q=", "% HTTP/1.1"],
    ["CPU-Auslastung: ", " %"],
    ["mémoire : ", " %"],
    ["frame 12 (realtime ", "%)"],
    ["clipped samples ", "%"],
    ["GPU[||||||||    ", "%]"],
    ["cosine: ", "% match"],
    ["deduplicated ", "% of blocks"],
    ["12.3 KiB - ", "% = 8.1 KiB"],
    ["12 kB -> 9 kB ", "%"],
    ["song.jpg 1234 --> 678 bytes (", "%)"],
    ["123456 -> 45678 ", ".00% linux/amd64"],
    ["", "% { opacity: 0 }"],
    ["| song | ", "% | done |"],
    ["X-RateLimit: ", "/60"],
    ["tokens: ", "/4096 context"],
    ["ready: ", "/64 pods"],
    ["dithered to ", "/64 bits"],
    ["Waiting for rollout: ", " of 64 updated replicas"],
    ["denoise strength ", "%"],
    ["/srv: ", ".0 GB / 100 GB"],
    ["Stream size            : 3.12 MiB (", "%)"],
    ["Prompt: a cat, ", "% grey"],
    ["Dialogue: 0,0:00:04.00,0:00:04.90,Default,,0,0,0,,verse ", " of 60"],
    ["[cuda] allocated ", ".1 GiB / 64.0 GiB"],
    ["crf 31: predicted video size 12.3 MiB (", "%) taking 12 minutes"],
    ["top-1: ", ".2%"],
    ["CPU now at ", "%"],
    ["val_acc improved to ", ".2%, saving checkpoint"],
    ["setting volume to ", "%"],
    ["encoding speed: ", "%"],
    ["battery charging: ", "%"],
    ["jpeg -q ", "%"],
    ["detected language: en (", "%)"],
    ["power draw: ", ".0 W / 350.0 W (13%)"],
    ["power draw: 70.0 W / 350.0 W (", "%)"],
    ["reduced by ", "%"],
    ["took ", "% longer"],
    ["running ", "% slower than realtime"],
    ["Detected language: English ", "%"],
    ["polling render status (", "/60)"],
    ["", " of 60 jobs still pending"],
    ["", " of 60 machines are idle"],
    ["Waiting for a server to start ", "/60"],
    ["Polling status (", "/60)"],
    ["Render failed. Retrying in 12 s (", " of 60)"],
    ["Segmentation fault, restarting (", "/60)"],
    ["licenses in use: ", "/60"],
    ["", " of 60 render nodes busy"],
    ["warning: ", " of 1000 frames are black"],
    ["bitrate: ", "/100 kbps"],
    ["rendering at ", "/60 fps"],
    ["#5 sha256:a1b2c3 ", ".1MB / 52.0MB"],
    ["Compiling shaders: ", "%"],
    ["offloaded ", "/47 layers to GPU"],
    ["Dropped frames: ", "/300"],
    ["lagged frames (", "%)"],
    ["Cache fill: ", ".12% (512 bytes)"],
    ["GPU KV cache usage: ", "%"],
    ["texture cache misses ", "%"],
    ["dropout rate: ", "%"],
    ["underruns: ", "/64"],
    ["peers: ", "/64"],
    ["open files: ", "/1024"],
    ["power ", "/350 W"],
    ["", "/60 slots taken"],
    ["Redshift can use up to ", " GB / 64 GB"],
    ["usage of GPU 0: ", "%"],
    ["memory on device 1: ", "%"],
    ["confidence of beat grid ", "%"],
    ["cpu total ", "%"],
    ["GPU (RTX 3090): ", "%"],
    ["GPU0 ", "%"],
    ["disk C: ", "%"],
    ["[mem] ", ".1 GiB / 64.0 GiB"],
    ['{"gpu":"', '%"}'],
    ["Qualität: ", " %"],
    ["précision : ", " %"],
    ["uso de CPU: ", "%"],
    ["memoria usada: ", "%"],
    ["загрузка процессора ", "%"],
    ["CPU使用率: ", "%"],
    ["メモリ ", "%"],
    ["准确率：", "%"],
    ["사용률 ", "%"],
  ])("%j ... %j", (before, after) => {
    const pieces = each([1, 2, 4, 7, 12, 41, 43, 47], (n) => `${before}${n}${after}\n`)
    expect(shownOf(pieces)).toEqual({ last: 0, most: 0, unit: "" })
  })

  test.each([
    ["CPU rendering: ", "%"],
    ["encoding at high quality, ", "%"],
    ["rendering ", "% RAM 8.1/32.0 GB"],
    ["rendering ", "% (CPU 97)"],
    ["rendering ", "% left.png"],
    ["memory-safe render: ", "% done"],
    ["writing to disk: ", "%"],
    ["rendering score: ", "%"],
    ["mixing volume ", "%"],
    ["", "%, memory usage: 1.2 GB"],
    ["", "%  Remaining Time: 12 s"],
    ["", "% Target size 12 MB"],
    ["frame ", " of 100 (12 left)"],
    ["", '% {"fps": 24}'],
    ["mixing ", "% { fps: 24 }"],
    ["rendering ", "% = 12 MB"],
    ["upscaling 720 -> 1440 (", "%)"],
    ["frame 12 -> 13 ", "%"],
    ["| ", "% | ETA 0:12 |"],
    ["| epoch ", "/100 | loss 0.3 |"],
    ["Processed ", "/100 render requests"],
    ["Rendered ", "/100 key points"],
    ["Copied ", "/100, 12.3 MB/s"],
    ["Step ", " of 100: reading the lyrics"],
    ["", "% preparing and drawing"],
    ["NVENC detected, encoding ", "%"],
    ["Beats detected: ", "%"],
    ["Waiting for ffmpeg to encode: ", "%"],
    ["Polling status: processing, ", "%"],
    ["Waiting for frame ", "/100"],
    ["progress set to ", "%"],
    ["Progress increased to ", "%"],
    ["setting progress to ", "%"],
    ["--progress=", "%"],
    ["Checking quality: ", "%"],
    ["Changing speed ", "%"],
    ["resampling 44100/48000 Hz (", "%)"],
    ["out/shot/12c ", "%"],
    ["Noise reduction: ", "%"],
    ["Reverb ", "%"],
    ["Keyframe ", "/100"],
    ["Covers: ", "/100"],
    ["Measure ", " of 100"],
    ["Rendering channel ", "/100"],
    ["Rendering preset ", "/100"],
    ["Rendering ", "%, slower than expected"],
    ["rendering ", "% skipped frames: 3"],
    ["rendered ", "/100 skipped 2"],
    ["", "/100 rendering late night song"],
    ["", "/100 images done pending upload"],
    ["encoded ", "/100 fps 24"],
    ["light cache: ", "%"],
    ["GPU encode: ", "%"],
    ["disk copy: ", "%"],
    ["memory for rendering ", "%"],
    ["Rendering CPU buffers ", "%"],
    ["音量調整 ", "%"],
    ["Frame ", "/100 rms 12% peak 30%"],
    ["[", "/100] gpu=87% mem=41%"],
  ])("%j ... %j is progress", (before, after) => {
    expect(shownOf(each([10, 20, 45], (n) => `${before}${n}${after}\n`)).last).toBeGreaterThanOrEqual(44)
  })

  test("a name without a word of work, if it begins late", () => {
    for (const name of ["health: ", "wifi signal ", "power of TDP: ", "inodes "]) {
      const late = each([40, 42, 45, 50], (n) => `${name}${n}%\n`)
      expect([name, shownOf(late)]).toEqual([name, { last: 0, most: 0, unit: "" }])
      // A bar begins at its start, but a bar that is drawn may be noticed late.
      expect(
        shownOf(
          each([0, 20, 45], (n) => `${name}${n}%\n`),
          10,
        ).last,
      ).toBe(45)
      expect(
        shownOf(
          each([40, 42, 45], (n) => `\r${name}${n}%`),
          10,
        ).last,
      ).toBe(45)
    }
    const again = [
      ...each([60, 70, 90], (n) => `a.wav: ${n}%\n`),
      ...each([0, 10, 20], (n) => `a.wav: ${n}%\n`),
    ]
    expect(shownOf(again, 10)).toMatchObject({ last: 20, most: 20 })
  })

  test("a name in any script, or a count after it, if it begins late", () => {
    for (const name of ["电量 ", "Загрузка ЦП: ", "Prozessorlast "])
      expect([name, shownOf(each([12, 30, 47], (n) => `${name}${n}%\n`)).most]).toEqual([name, 0])
    expect(shownOf(each([37, 45, 61], (n) => `aesthetic ${n}/100\n`))).toEqual({ last: 0, most: 0, unit: "" })
    expect(shownOf(each([0, 20, 45], (n) => `aesthetic ${n}/100\n`)).last).toBe(45)
  })

  test("words of work, and files that work makes, are progress wherever they begin", () => {
    const names = ["Scanned ", "vocals: ", "Stage 2: ", "INFO ", "track01.flac: ", "cover.png "]
    const others = [
      "Berechne ",
      "Generando ",
      "Traitement ",
      "Voltooid ",
      "Выполнено ",
      "変換中 ",
      "转码 ",
      "변환 중 ",
    ]
    for (const name of [...names, ...others])
      expect([
        name,
        shownOf(
          each([12, 30, 45], (n) => `${name}${n}%\n`),
          10,
        ).last,
      ]).toEqual([name, 45])
    expect(
      shownOf(
        each([12, 30, 45], (n) => `${n}% of 12.3MiB at 1.2MiB/s\n`),
        10,
      ).last,
    ).toBe(45)
    expect(
      shownOf(
        each([12, 30, 45], (n) => `out.mp4 ${n}/100\n`),
        10,
      ).last,
    ).toBe(44)
  })

  test("what begins late is progress as soon as it has risen four times, by a third, without a fall", () => {
    const shown = (after: string, values: readonly number[]) =>
      shownOf(
        each(values, (n) => `demucs ${n}${after}\n`),
        10,
      ).last
    expect(shown("%", [12, 20, 28, 36])).toBe(0)
    expect(shown("%", [12, 20, 28, 36, 45])).toBe(0)
    expect(shown("%", [12, 20, 28, 36, 46])).toBe(46)
    expect(shown("%", [12, 20, 28, 26, 46, 50, 60, 70])).toBe(0)
    expect(shown("/100", [12, 20, 28, 36, 46])).toBe(45)
    expect(shown("/100", [12, 20, 28, 26, 46, 50, 60, 70])).toBe(0)
  })

  test("a percentage beside bytes that say the same, or beside the time left, is progress wherever it begins", () => {
    expect(
      shownOf(
        each([25, 40, 50], (n) => `INFO : ${n}.0 MiB / 100.0 MiB, ${n}%\n`),
        10,
      ).last,
    ).toBe(50)
    expect(
      shownOf(
        each([25, 40, 50], (n) => `song.mp4 ${n}% ETA 12s\n`),
        10,
      ).last,
    ).toBe(50)
  })

  test("bytes with a name, and the percentage that says the same", () => {
    const storage = each([10, 20, 30, 60], (n) => `Storage ${n}.1 GB / 100 GB (${n}%)\n`)
    expect(shownOf(storage)).toMatchObject({ last: 0, most: 0 })
    const reserved = each([10, 20, 30, 60], (n) => `reserved ${n}.1 GB of 100 GB (${n}%)\n`)
    expect(shownOf(reserved)).toMatchObject({ last: 0, most: 0 })
  })

  test("neither of a pair and its percentage, if the other is measured", () => {
    const lines = [
      (n: number) => `Dropped frames: ${n}/300 (${(n / 3).toFixed(1)}%)\n`,
      (n: number) => `accuracy ${n}% (${n}/100)\n`,
      (n: number) => `MEM ${n}G/50G (${n * 2}%)\n`,
    ]
    for (const line of lines) expect(shownOf(each([1, 2, 4, 7, 12, 41, 47], line))).toMatchObject({ most: 0 })
    const beside = TENTHS.flatMap((n) => [`rendering ${n * 10}%\n`, `Dropped frames: ${n}/300 (${n / 3}%)\n`])
    expect(shownOf(beside.slice(0, 12), 10)).toMatchObject({ last: 50, most: 50 })
  })

  test("a count beside a measured value is reported", () => {
    const frames = each([1, 2, 3, 4], (n) => `frame ${n}/10, CPU ${40 + n}%\n`)
    expect(shownOf(frames)).toEqual({ last: 30, most: 30, unit: "3/10 frames" })
  })

  test("a warning that comes beside a bar, or before it, changes nothing", () => {
    const warning = (n: number): string => `warning: disk ${80 + n}% full\n`
    const bar = TENTHS.slice(0, 5).flatMap((n) => [`rendering ${n * 10}%\n`, warning(n)])
    expect(shownOf([warning(0), warning(1), warning(2), ...bar], 10)).toMatchObject({ last: 40, most: 40 })
  })
})

test("a count that begins while something else is counted is inside of it, whatever its noun is", () => {
  const frames = [1, 2].flatMap((n) => [`frame ${n}/5\n`, "  stage 1/3: layout\n", "  stage 3/3: raster\n"])
  for (const apartS of [0, 10])
    expect(read(frames, apartS)).toMatchObject({ last: 33, most: 33, unit: "1/5 frames" })
})

test("of several bars within each song the first is not all of it, and of later songs it is known", () => {
  const song = (n: number) => [
    `song ${n}/4\n`,
    ...["render", "encode"].flatMap((name) => each(TENTHS, (k) => `  ${name} ${k * 10}%\n`)),
  ]
  const [first, second] = [song(1), song(2)]
  expect(read(first.slice(0, 14), 10)).toMatchObject({ last: 9, most: 25 })
  expect(read([...first, ...second.slice(0, 6)], 10).last).toBe(30)
  expect(read([...first, ...second.slice(0, 17)], 10).last).toBe(42)
})

describe("a count without a noun at the start of a step is around the bars that follow", () => {
  const songs = (line: (n: number) => string) =>
    [1, 2].flatMap((n) => [line(n), ...each(TENTHS, (k) => `\r ${k * 10}%`), "\n"]).slice(0, -6)

  test.each([
    (n: number) => `Rendering ${n} of 4 - cover\n`,
    (n: number) => `(${n}/4) cover.png\n`,
    (n: number) => `Building prepass ${n} of 4\n`,
  ])("%p", (line) => {
    for (const apartS of [0, 10]) expect(shownOf(songs(line), apartS)).toMatchObject({ last: 37, most: 37 })
  })

  test("without any word for it the first bar is the whole, until the next step", () => {
    expect(
      shownOf(
        songs((n) => `cover.png ${n} of 4\n`),
        10,
      ),
    ).toMatchObject({ last: 37, most: 100 })
  })

  test("a plain count that was at its end and is at its start has begun again", () => {
    const blocks = each([1, 30, 60, 95, 1], (n) => `Block ${n}/96 by GPU 0 in 9 ms\n`)
    expect(read(blocks, 0).last).toBeLessThan(50)
  })
})

test("figures in the words before do not change what is measured, but those in a name do", () => {
  const shown = [
    "rendering 4d",
    "f2 score",
    "rendering 3d",
    "gpu 3d",
    "gpu 4d",
    "f1",
    "f2",
    "f1",
    "pass 12 cpu",
    "pass 57 cpu",
  ]
  expect(shown.filter((words) => isMeasured(`${words}: `, "%"))).toEqual([
    "f2 score",
    "gpu 3d",
    "f1",
    "f1",
    "pass 12 cpu",
    "pass 57 cpu",
  ])
})
