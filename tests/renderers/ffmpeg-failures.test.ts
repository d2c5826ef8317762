import { describe, expect, test } from "bun:test"

import { isKilled } from "../../src/renderers/killed-by-signal.ts"
import { renderer } from "../../src/renderers/renderer.ts"
import { lf } from "./programs.ts"

const input = (name: string): string => `Input #0, wav, from '${name}':`
const output = (name: string): string => `Output #0, mp4, to '${name}':`
const STATS =
  "frame=   11 fps= 11 q=2.0 size=       0kB time=00:00:01.00 bitrate=   0.4kbits/s speed=0.998x    \r"
const SONG = ["Input #1, mp3, from 'a.mp3':", "  Duration: 00:03:00.50, start: 0.025057, bitrate: 64 kb/s"]
const PICTURE = ["Input #0, png_pipe, from 'a.png':", "  Duration: N/A, bitrate: N/A"]
const SIGNAL = "Exiting normally, received signal 15."
const SUM = "video:33kB audio:0kB subtitle:0kB other streams:0kB global headers:0kB muxing overhead: 1.2%"
const LOST = "Error initializing output stream 0:0 -- Error while opening encoder for output stream #0:0"
const GIVEN_UP = "Conversion failed!"
const FULL = "av_interleaved_write_frame(): No space left on device"
const KILLED = "render.sh: line 1: 10478 Killed                  ffmpeg -y -i a.wav a.mp4"

/** What a script proves that printed this text and exited with 0. */
function proven(...said: string[]) {
  const listener = renderer("lines")
  listener.push(lf(...said).join(""))
  const { failure, seen } = listener.evidence
  return { failure, seen }
}

const WHOLE = { failure: undefined, seen: undefined }

describe("of the ffmpegs in a script that exits with 0", () => {
  test("those that summed up are whole, one after another or at once", () => {
    expect(proven(output("a.mp4"), STATS, SUM, output("b.mp4"), STATS, SUM)).toEqual(WHOLE)
    expect(proven(output("a.mp4"), output("b.mp4"), STATS, SUM, SUM)).toEqual(WHOLE)
    const late = "[out#1/webm @ 0x5581d0] video:33KiB audio:0KiB subtitle:0KiB muxing overhead: 1.2%"
    expect(proven(output("a.mp4"), STATS, late.replace("#1", "#0"), late)).toEqual(WHOLE)
  })

  test("one that gave up fails it by the line before, unless its output or its input was done after all", () => {
    expect(proven(input("a.wav"), LOST, GIVEN_UP).failure).toBe(LOST)
    expect(proven(input("a.wav"), GIVEN_UP).failure).toBe(GIVEN_UP)
    expect(proven(input("a.wav"), LOST, GIVEN_UP, input("b.wav"), output("b.mp4"), SUM).failure).toBe(LOST)
    expect(proven(input("a.wav"), LOST, GIVEN_UP, input("a.wav"), output("a.mp4"), SUM)).toEqual(WHOLE)
    const picture = "Output #0, image2, to 'a.png':"
    expect(proven(input("a.wav"), LOST, GIVEN_UP, input("a.wav"), picture, SUM).failure).toBe(LOST)
  })

  test("one whose filters could not be set up fails it, unless its input was done after all", () => {
    const filters = "Error initializing complex filters."
    const tried = [input("a.wav"), "[AVFilterGraph @ 0x55] No such filter: 'drawtxt'", filters]
    expect(proven(...tried).failure).toBe(filters)
    expect(proven(...tried, input("a.wav"), output("a.mp4"), STATS, SUM)).toEqual(WHOLE)
  })

  test("one that could not write fails it, unless it wrote the same file later", () => {
    const full = [output("a.mp4"), STATS, FULL, SUM, GIVEN_UP]
    expect(proven(...full).failure).toBe(FULL)
    expect(proven(...full, output("b.mp4"), STATS, SUM).failure).toBe(FULL)
    expect(proven(...full, output("a.mp4"), STATS, SUM)).toEqual(WHOLE)
  })

  test("one that could not send to a pipe or an address fails it, unless a later one has sent to it", () => {
    for (const elsewhere of ["pipe:", "rtmp://example.org/live"]) {
      const lost = [input("a.wav"), output(elsewhere), STATS, FULL, SUM, GIVEN_UP]
      expect(proven(...lost).failure).toBe(FULL)
      expect(proven(...lost, input("a.wav"), output(elsewhere), STATS, SUM).failure).toBeUndefined()
    }
  })

  test("one that the shell says was killed fails it, unless it wrote the same file later", () => {
    expect(proven(output("a.mp4"), STATS + KILLED).failure).toBe(KILLED)
    expect(proven(output("a.mp4"), `${STATS}Killed`).failure).toBe("Killed")
    // A quiet ffmpeg prints only its statistics.
    expect(proven(`${STATS}Killed`).failure).toBe("Killed")
    expect(proven(output("a.mp4"), STATS + KILLED, output("a.mp4"), STATS, SUM)).toEqual(WHOLE)
    expect(proven(output("a.mp4"), STATS, SUM, "Killed")).toEqual(WHOLE)
  })

  test("one that a signal stopped before the end of its inputs fails it, unless it wrote the same file later", () => {
    const stopped = [...PICTURE, ...SONG, output("a.mp4"), STATS, SUM, SIGNAL]
    expect(proven(...stopped).failure).toBe(SIGNAL)
    expect(proven(...stopped, output("b.mp4"), STATS, SUM).failure).toBe(SIGNAL)
    expect(proven(...stopped, output("a.mp4"), STATS, SUM).failure).toBeUndefined()
    const end = STATS.replace("00:00:01", "00:02:59")
    expect(proven(...PICTURE, ...SONG, output("a.mp4"), end, SUM, SIGNAL).failure).toBeUndefined()
    // The inputs of another ffmpeg before it were longer.
    const short = ["Input #0, mp3, from 'b.mp3':", "  Duration: 00:00:01.01, start: 0.0, bitrate: 64 kb/s"]
    const whole = [...PICTURE, ...SONG, output("a.mp4"), end, SUM]
    expect(proven(...whole, ...short, output("b.mp4"), STATS, SUM, SIGNAL).failure).toBeUndefined()
  })

  test("a recording without an end is stopped by a signal, which fails nothing and is reported", () => {
    const screen = ["Input #0, x11grab, from ':0':", "  Duration: N/A, start: 1732.5, bitrate: N/A"]
    const told = { failure: undefined, seen: `ffmpeg was stopped: ${SIGNAL}` }
    expect(proven(...screen, output("a.mp4"), STATS, SUM, SIGNAL)).toEqual(told)
    expect(proven(...screen, ...SONG, output("a.mp4"), STATS, SUM, SIGNAL)).toEqual(told)
    const made = ["Input #0, lavfi, from 'testsrc':", "  Duration: N/A, start: 0.000000, bitrate: N/A"]
    expect(proven(...made, output("a.mp4"), STATS, SUM, SIGNAL)).toEqual(told)
    expect(proven(...SONG, output("pipe:"), STATS, SUM, SIGNAL)).toEqual(told)
  })

  test("one whose end was not printed is reported, and fails nothing: a script can hide any output", () => {
    expect(proven(output("a.mp4"), STATS, "next")).toEqual({
      failure: undefined,
      seen: "ffmpeg was not seen to end a.mp4",
    })
    expect(proven(STATS, "next").seen).toBe("ffmpeg was not seen to end")
    for (const elsewhere of ["pipe:", "rtmp://example.org/live", "/dev/null"])
      expect(proven(output(elsewhere), "next")).toEqual(WHOLE)
  })
})

test("a Blender that the shell says was killed fails the script", () => {
  const begun = ["Blender 4.2.0", 'Read blend: "/a.blend"', "Fra:1 Mem:9M (Peak 9M)"]
  expect(proven(...begun, "Killed").failure).toBe("Killed")
  expect(proven(...begun, "Blender quit", "Killed").failure).toBeUndefined()
})

test("a Blender that crashed fails the script, unless a later one renders the same file", () => {
  const begun = ["Blender 4.2.0", 'Read blend: "/a.blend"', "Fra:1 Mem:9M (Peak 9M)"]
  const crash = "Writing: /tmp/a.crash.txt"
  expect(proven(...begun, crash).failure).toBe("Blender crashed, see /tmp/a.crash.txt")
  expect(proven(...begun, crash, "Segmentation fault (core dumped)").failure).toBe(
    "Blender crashed, see /tmp/a.crash.txt",
  )
  expect(proven(...begun, crash, ...begun, "Saved: '/o/1.png'", "Blender quit")).toEqual(WHOLE)
})

test("a Blender whose end was not printed is reported, and fails nothing", () => {
  const seen = "Blender was not seen to end"
  expect(proven("Blender 4.2.0", "Fra:1 Mem:9M (Peak 9M)", "Saved: '/o/1.png'")).toEqual({ ...WHOLE, seen })
  // Other programs also print that they saved something.
  expect(proven("Saved: '/o/1.png'")).toEqual(WHOLE)
})

test.each([
  "Killed by death",
  "job 7: Killed",
  "killed",
  "r.sh: line 3: 17 Killed                  sleep 9",
  "12 | Aborted",
])("%j says of no ffmpeg that it was killed", (line) => {
  expect(isKilled(line, "ffmpeg")).toBe(false)
})

describe("of an ffmpeg in a script that exits with 0", () => {
  const COPYRIGHT = "ffmpeg version 7.1 Copyright (c) 2000-2024 the FFmpeg developers"

  test.each([
    ["a container's", "encoder-1  | ", "encoder-1  | "],
    ["a farm's", "2026-03-12 10:11:12:  0: STDOUT: ", "2026-03-12 10:11:59:  0: STDERR: "],
    ["a cluster's", "2026-03-12T10:11:12.123456789Z stdout F ", "2026-03-12T10:12:45.9Z stderr F "],
    ["ffmpeg's own weight of a line", "[info] ", "[fatal] "],
    ["ffmpeg's own date", "2026-03-12 10:11:12.123 [info] ", "2026-03-12 10:11:13.9 [fatal] "],
  ])("%s text before each line hides no failure and no end", (_name, first, later) => {
    const begun = [first + COPYRIGHT, first + input("a.wav"), first + output("a.mp4")]
    expect(proven(...begun, later + FULL).failure).toBe(FULL)
    expect(proven(...begun, later + GIVEN_UP).failure).toBe(GIVEN_UP)
    expect(proven(...begun, first + SUM)).toEqual(WHOLE)
  })

  test("colours hide no failure", () => {
    expect(proven(input("a.wav"), `\u001b[0m\u001b[4;31m${GIVEN_UP}`, "\u001b[0mnext").failure).toBe(GIVEN_UP)
  })

  test("the words of another program, or of a song, are no failure", () => {
    const whole = [input("a.wav"), output("a.mp4"), STATS, SUM]
    expect(proven(...whole, "now playing: Conversion failed!", "Conversion failed, but I try")).toEqual(WHOLE)
    const tags = [`  title : ${input("b")}`, `  title : ${GIVEN_UP}`]
    expect(proven(input("a.wav"), ...tags, ...whole)).toEqual(WHOLE)
  })

  const NO_DATA = "Output file is empty, nothing was encoded(check -ss / -t / -frames parameters if used)"

  test("an output without any data fails it, however ffmpeg names it, but not a look at an input", () => {
    const empty = `[out#0/mp4 @ 0x55d5] ${NO_DATA}`
    expect(proven(input("a.wav"), output("a.mp4"), empty).failure).toBe(empty)
    const looked = [input("a.wav"), "Output #0, null, to 'pipe:':"]
    expect(proven(...looked, SUM, NO_DATA)).toEqual(WHOLE)
    expect(proven(...looked, SUM, NO_DATA.replace(/^/, "[out#0/null @ 0x55d5] "))).toEqual(WHOLE)
    const nothing = "Nothing was written into output file 0 (a.mp4), because one stream received no packets."
    expect(proven(input("a.wav"), nothing).failure).toBe(nothing)
    expect(proven(input("a.wav"), nothing, input("a.wav"), output("a.mp4"), SUM)).toEqual(WHOLE)
    // So quiet, a second ffmpeg that writes it after all would say nothing.
    expect(proven(nothing)).toEqual(WHOLE)
  })

  test("an empty output beside a whole one fails it, unless it is a picture", () => {
    const two = [input("a.wav"), output("a.mp4"), "Output #1, mp4, to 'b.mp4':", STATS]
    const empty = `[out#1/mp4 @ 0x55d5] ${NO_DATA}`
    const whole = "[out#0/mp4 @ 0x55d0] video:33KiB audio:0KiB subtitle:0KiB muxing overhead: 1.2%"
    expect(proven(...two, whole, empty).failure).toBe(empty)
    expect(proven(...two, empty, whole).failure).toBe(empty)
    expect(proven(...two, whole, empty, ...two, whole)).toEqual(WHOLE)
    expect(proven(...two, whole, empty.replace("mp4", "image2"))).toEqual(WHOLE)
    // ffmpeg 5 names no output.
    const none = SUM.replace("33kB", "0kB")
    const later = [input("a.wav"), output("b.mp4"), STATS, none, NO_DATA]
    expect(proven(...two, SUM, ...later).failure).toBe(NO_DATA)
    expect(proven(...two, SUM, ...later.with(1, "Output #0, image2, to 'b.jpg':"))).toEqual(WHOLE)
    // Other kinds of pictures, and what another output was made of.
    expect(proven(...two, SUM, ...later.with(1, "Output #0, mjpeg, to 'b.jpg':"))).toEqual(WHOLE)
    expect(proven(...later, ...two, SUM)).toEqual(WHOLE)
    // One that says no more than warnings may write a picture.
    expect(proven(...two, SUM, NO_DATA)).toEqual(WHOLE)
    expect(proven(empty.replace("mp4", "image2"))).toEqual(WHOLE)
    // The first of two passes writes nothing.
    const first = later.slice(0, -1)
    expect(proven(...first, "Output file is empty, nothing was encoded")).toEqual(WHOLE)
  })

  test("one whose header could not be written fails it, also before it was under way", () => {
    const full = "Error initializing output stream 0:1 -- "
    expect(proven(input("a.wav"), full).failure).toBe(full.trim())
    expect(proven(input("a.wav"), full, input("a.wav"), output("a.mp4"), SUM)).toEqual(WHOLE)
  })

  test.each([
    "Error opening input file b.wav.",
    "[fatal] Error opening input file b.wav.",
    "Error splitting the argument list: Option not found",
    "Error parsing global options: Filter not found",
  ])("one that did not begin fails it, unless another one wrote something: %s", (line) => {
    const whole = [input("a.wav"), output("a.mp4"), STATS, SUM]
    const banner = "  built with gcc 12 (Debian 12.2.0-14)"
    expect(proven(banner, line).failure).toBe(line)
    expect(proven(...whole, banner, line)).toEqual(WHOLE)
    expect(proven(banner, line, ...whole)).toEqual(WHOLE)
    // So quiet, a second ffmpeg that finds its input would say nothing.
    expect(proven(line)).toEqual(WHOLE)
    const look = [banner, input("a.wav"), "At least one output file must be specified"]
    expect(proven(...look, line)).toEqual(WHOLE)
    expect(proven(banner.trimStart(), line)).toEqual(WHOLE)
  })

  test.each(["Error initializing output stream 0:0 -- ", "Error opening output file a.mp4."])(
    "one so quiet that it names no file is not seen to end, and another one may have done it: %s",
    (line) => {
      expect(proven(line)).toEqual(WHOLE)
      expect(proven(input("a.wav"), output("a.mp4"), STATS, SUM, line)).toEqual(WHOLE)
      expect(proven(input("a.wav"), line).failure).toBe(line.trim())
    },
  )

  test.each([
    "File 'a.mp4' already exists. Exiting.",
    "File 'a.mp4' already exists. Overwrite? [y/N] Not overwriting - exiting",
    "[out#0/image2 @ 0x43ed6580] Output file does not contain any stream",
  ])("one that need not write fails nothing: %s", (reason) => {
    const refused = "Error opening output file a.mp4."
    expect(proven(input("a.wav"), reason, refused)).toEqual(WHOLE)
    expect(proven(input("a.wav"), refused).failure).toBe(refused)
  })

  test("an encoder that is tried without an output fails nothing, before the render or after it", () => {
    const lost =
      "[out#0/null @ 0x55d5] Nothing was written into output file, because a stream received no packets."
    const tried = ["Input #0, lavfi, from 'nullsrc':", lost, GIVEN_UP]
    const whole = [input("a.wav"), output("a.mp4"), STATS, SUM]
    expect(proven(...tried, ...whole)).toEqual(WHOLE)
    expect(proven(...whole, ...tried)).toEqual(WHOLE)
    expect(proven(...tried, input("a.wav"), output("a.mp4"), FULL, SUM).failure).toBe(FULL)
  })

  test("an encoder that is tried by an ffmpeg that names no output fails nothing, if something was written", () => {
    const refused = "Error while processing the decoded data for stream #0:0"
    const whole = [input("a.wav"), output("a.mp4"), STATS, SUM]
    const [color, test] = ["color=black:s=64x64", "testsrc=s=64x64"].map(
      (made) => `Input #0, lavfi, from '${made}':`,
    )
    for (const tried of [
      [color ?? "", LOST, GIVEN_UP],
      [test ?? "", refused, GIVEN_UP],
    ]) {
      expect(proven(...tried, ...whole)).toEqual(WHOLE)
      expect(proven(...whole, ...tried)).toEqual(WHOLE)
      expect(proven(...tried).failure).toBe(tried[1])
    }
    // An intro that is made of a colour.
    expect(proven(color ?? "", refused, GIVEN_UP, ...whole).failure).toBe(refused)
  })

  test("what is written beside or after a look at an input is no look, and counts", () => {
    const looked = [...SONG.map((line) => line.replace("#1", "#0")), "Output #0, null, to 'pipe:':"]
    expect(proven(...looked, "Output #1, mp4, to 'a.mp4':", FULL, SUM, GIVEN_UP).failure).toBe(FULL)
    expect(proven(...looked, "Output #1, mp4, to 'a.mp4':", LOST, GIVEN_UP).failure).toBe(LOST)
    // A quiet ffmpeg names neither its input nor its output.
    expect(proven(...looked, SUM, FULL, GIVEN_UP).failure).toBe(FULL)
    expect(proven(...looked, SUM, input("a.wav"), output("a.mp3"), NO_DATA).failure).toBe(NO_DATA)
    const none = STATS.replace("size=", "Lsize=").replace("  11", "   0").replace(":01.00", ":00.00")
    expect(proven(...looked, none, SUM)).toEqual(WHOLE)
  })

  test("a picture that several songs have does not stand for them", () => {
    const second = SONG.map((line) => line.replace("a.mp3", "b.mp3"))
    const lost = [...PICTURE, ...SONG, LOST, GIVEN_UP]
    expect(proven(...lost, ...PICTURE, ...second, output("b.mp4"), SUM).failure).toBe(LOST)
    const turned = [...SONG, ...PICTURE].map((line) =>
      line.replace("#1", "#2").replace("#0", "#1").replace("#2", "#0"),
    )
    expect(proven(...lost, ...turned, output("a.mp4"), SUM)).toEqual(WHOLE)
    expect(proven(...lost.with(0, input("c.wav")), input("c.wav"), output("a.mp4"), SUM)).toEqual(WHOLE)
    const cut = "a.mp3: Input/output error"
    expect(proven(...PICTURE, ...SONG, output("a.mp4"), STATS, cut, SUM).failure).toBe(cut)
  })

  test("a list whose first part is missing was not begun, and another part fails it also before the output is named", () => {
    const missing = "[concat @ 0x55e0] Impossible to open 'b.wav'"
    const other = [input("a.wav"), output("b.mp3"), STATS, SUM]
    expect(proven(missing, "list.txt: No such file or directory", ...other)).toEqual(WHOLE)
    expect(proven(...other, missing, "list.txt: No such file or directory", ...other)).toEqual(WHOLE)
    const list = "Input #0, concat, from 'list.txt':"
    expect(proven(list, missing, output("a.mp3"), STATS, SUM).failure).toBe(missing)
    const flood = "a line of output, longer than most\n".repeat(30_000)
    expect(proven(flood, list, output("a.mp3"), missing, SUM).failure).toBe(missing)
    expect(proven(list, missing, output("a.mp3"), SUM, ...other, list, output("a.mp3"), SUM)).toEqual(WHOLE)
  })

  test("the reader of a pipe may close it when it has enough", () => {
    const closed = [
      "av_interleaved_write_frame(): Broken pipe",
      // ffmpeg 7 does not name the cause again.
      "[out#0/rawvideo @ 0x27550d00] Error muxing a packet",
      "Error writing trailer of pipe:: Broken pipe",
    ]
    const piped = [
      input("a.wav"),
      output("pipe:"),
      STATS,
      ...closed,
      SUM,
      "Error closing file pipe:: Broken pipe",
    ]
    expect(proven(...piped, GIVEN_UP)).toEqual(WHOLE)
    expect(proven(...piped, GIVEN_UP, input("a.wav"), LOST, GIVEN_UP).failure).toBe(LOST)
    // So quiet that it does not name its output.
    expect(proven(...closed)).toEqual(WHOLE)
    const full = "av_interleaved_write_frame(): No space left on device"
    expect(proven(...closed, full).failure).toBe(full)
    const [broken = ""] = closed
    expect(proven(input("a.wav"), output("rtmp://example.org/live"), STATS, broken).failure).toBe(broken)
  })

  test("the reader of an address may not, also if ffmpeg is so quiet that it names the address only then", () => {
    const lost = "Error writing trailer of rtmp://example.org/live: Broken pipe"
    const closed = "Error closing file rtmp://example.org/live: Broken pipe"
    expect(proven("av_interleaved_write_frame(): Broken pipe", lost, closed).failure).toBe(lost)
    expect(proven(closed).failure).toBe(closed)
    expect(proven(lost.replace(/rtmp\S+(?=:)/, "unix:///tmp/socket")).failure).toBeUndefined()
  })

  test.each([
    "a.wav: Encoding 25 %",
    "a.wav: Audio file with ID3 version 2.4.0",
    "2026-03-12 10:11:12: 4711 INFO  ffmpeg is at work",
    "Encoding song 3: 120 frames (5 s) with ffmpeg",
    "a.wav: Connection to the server is slow",
    "Nothing was written into output file yet",
  ])("what another program says meanwhile fails nothing: %s", (line) => {
    const song = [input("a.wav"), "  Duration: 00:00:04.00, bitrate: 705 kb/s", output("a.mp4"), STATS]
    expect(proven(...song, line, SUM)).toEqual(WHOLE)
    // If it looks like a signal, but ffmpeg sums up, it lives.
    expect(proven(...song, "Killed", SUM)).toEqual(WHOLE)
  })

  test.each([
    "[in#0/mov,mp4 @ 0x55] Error during demuxing: Input/output error",
    "a.mp3: Input/output error",
    "[concat @ 0x55e0] Impossible to open 'b.mp4'",
  ])("an input that was not read to its end fails it, unless it was done again: %s", (cut) => {
    const song = [SONG[0]?.replace("#1", "#0") ?? "", SONG[1] ?? ""]
    expect(proven(...song, output("a.mp4"), STATS, cut, SUM).failure).toBe(cut)
    expect(proven(...song, output("a.mp4"), STATS, cut, SUM, output("a.mp4"), SUM)).toEqual(WHOLE)
  })

  test("the end of a stream from elsewhere, or what follows the end of a song, is no failure", () => {
    const cut = "[in#0/flv @ 0x55] Error during demuxing: Input/output error"
    const stream = ["Input #0, flv, from 'rtmp://a/b':", "  Duration: N/A, start: 0.000000, bitrate: N/A"]
    expect(proven(...stream, output("a.mp4"), STATS, cut, SUM)).toEqual(WHOLE)
    for (const end of ["Invalid data found when processing input", "Immediate exit requested"]) {
      const junk = `[in#0/mp3 @ 0x55] Error during demuxing: ${end}`
      expect(proven(...SONG, output("a.mp4"), STATS, junk, SUM)).toEqual(WHOLE)
    }
  })

  test.each([
    "render.sh: Zeile 4:  4711 Getötet                 ffmpeg -i a.wav a.mp4",
    "./r.sh : ligne 4 :  4711 Processus arrêté      ffmpeg -i a.wav a.mp4",
    "./r.sh: línea 4: 14711 Violación de segmento  (`core' generado) ffmpeg -i a.wav a.mp4",
    "render.sh:行4:  4711 已杀死               ffmpeg -i a.wav a.mp4",
    "r.sh: line 4:  4711 File size limit exceeded(core dumped) ffmpeg -i a.wav a.mp4",
    "./r.zsh:4: killed     ffmpeg -i a.wav a.mp4",
    "fish: Job 1, 'ffmpeg -i a.wav a.mp4' terminated by signal SIGKILL (Forced quit)",
    "subprocess.CalledProcessError: Command '['ffmpeg', 'a.mp4']' died with <Signals.SIGKILL: 9>.",
  ])("every shell's words for a signal fail it: %s", (line) => {
    expect(proven(input("a.wav"), output("a.mp4"), STATS, line).failure).toBe(line)
    expect(proven(input("a.wav"), output("a.mp4"), STATS, line.replaceAll("ffmpeg", "wget")).failure).toBe(
      undefined,
    )
  })
})
