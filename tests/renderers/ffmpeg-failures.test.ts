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
  expect(proven(...begun, crash).failure).toBe(crash)
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
