import { describe, expect, setDefaultTimeout, test } from "bun:test"

import fc from "fast-check"

import { MAX_LINE_LENGTH } from "../../src/renderers/line-cutter.ts"
import { RENDERER_NAMES, type RendererName } from "../../src/renderers/names.ts"
import { renderer } from "../../src/renderers/renderer.ts"
import { capture, CAPTURES, listen } from "./captures.ts"

setDefaultTimeout(180_000)

/** A text in pieces. The cuts are anywhere, also within CR LF. */
function pieces(text: string, borders: readonly number[]): string[] {
  const places = [...new Set(borders.map((border) => border % (text.length + 1)))].toSorted((a, b) => a - b)
  return [0, ...places].map((from, index) => text.slice(from, places[index] ?? text.length))
}

describe.each(CAPTURES)("%s %s", (name, file) => {
  test("is read in the same way however it is cut", async () => {
    const text = await capture(`${name}-${file}`)
    for (const cut of [text, text.replaceAll("\n", "\r\n")]) {
      const whole = listen(name, 5, cut)
      fc.assert(
        fc.property(fc.array(fc.nat(), { maxLength: 60 }), (borders) => {
          expect(listen(name, 5, ...pieces(cut, borders)).reports).toEqual(whole.reports)
        }),
        { numRuns: 20 },
      )
      expect(listen(name, 5, ...cut)).toEqual(whole)
    }
  })
})

const TOTAL = fc.option(fc.oneof(fc.double(), fc.integer(), fc.constant(5)), { nil: undefined })
const TEXT = fc.string({ unit: "binary", maxLength: 100 })
const NUMBER = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.constantFrom("N/A", "1e999", "-9223372036854775807", "0x1"),
)
const SMALL = fc.integer({ min: -2, max: 12 })
const WORD = fc.oneof(
  TEXT,
  NUMBER.map(String),
  SMALL.map(String),
  fc.constantFrom(
    " ",
    "\t",
    "\b",
    "\0",
    "\u001b[1m",
    "\u001b[2K",
    "\u001b]0;",
    "\ud800",
    "😀",
    "%",
    "/",
    " of ",
  ),
)

const LABEL = fc.constantFrom("", "image ", "\r", "Loading: ", "| ")

/** Lines in the form of a renderer's own lines, with any values in their places. */
const LINES: Readonly<Record<RendererName, fc.Arbitrary<string>>> = {
  ffmpeg: fc.oneof(
    fc.constantFrom("progress=continue", "progress=end", "progress=", "="),
    fc
      .tuple(fc.constantFrom("out_time_us", "out_time_ms", "frame", "fps", "speed"), fc.oneof(NUMBER, TEXT))
      .map(([key, value]) => `${key}=${value}${key === "speed" ? "x" : ""}`),
  ),
  blender: fc.oneof(
    fc.constantFrom("Saved: 'f.png'", "Append frame 1", " Time: 00:01.00", "Blender quit", "| Finished"),
    fc.constantFrom('skipping existing frame "f.png"', "render | Rendering frame 7"),
    fc.tuple(SMALL, SMALL).map(([from, to]) => `Rendering animation (frames ${from}..${to})`),
    fc.tuple(SMALL, SMALL, SMALL).map(([frame, done, all]) => `Fra:${frame} | Sample ${done}/${all}`),
    fc
      .tuple(SMALL, SMALL, SMALL, SMALL)
      .map(([k, n, done, all]) => `Fra:1 | Rendered ${k}/${n} Tiles, Sample ${done}/${all}`),
  ),
  lines: fc.oneof(
    fc.tuple(WORD, NUMBER, WORD).map(([before, value, after]) => `${before} ${value}%${after}`),
    fc.tuple(LABEL, SMALL).map(([label, value]) => `${label}${value * 9}%`),
    fc.tuple(LABEL, SMALL, SMALL, WORD).map(([before, n, m, after]) => `${before} ${n}/${m} ${after}`),
    fc.tuple(WORD, SMALL, SMALL, NUMBER).map(([before, n, m, value]) => `${before} ${n} of ${m}: ${value}%`),
  ),
}

const MANY = { maxLength: 12 }
const GARBAGE = (name: RendererName): fc.Arbitrary<string[]> =>
  fc
    .tuple(
      fc.array(fc.oneof({ weight: 4, arbitrary: LINES[name] }, WORD), MANY),
      fc.constantFrom("\n", "\r\n", ""),
    )
    .map(([lines, end]) => [...lines.map((line) => line + end), end])

describe.each(RENDERER_NAMES)("garbage for %s", (name) => {
  test("is never an error, nor a report that could not be stored", () => {
    let reports = 0
    fc.assert(
      fc.property(TOTAL, GARBAGE(name), (total, garbage) => {
        const { progress, reached, reports: heard } = listen(name, total, ...garbage)
        for (const value of progress) expect(value === undefined || (value >= 0 && value <= 100)).toBe(true)
        expect(reached === null || (reached >= 0 && reached <= 1)).toBe(true)
        expect(listen(name, total, garbage.join("")).reports).toEqual(heard)
        reports += heard.length
      }),
      { numRuns: 2000 },
    )
    // Enough of it must be understood, otherwise the checks above would mean nothing.
    expect(reports).toBeGreaterThan(50)
  })
})

describe.each(RENDERER_NAMES)("a line too long for %s", (name) => {
  const SAYS = {
    ffmpeg: ["out_time_us=1000000\nprogress=continue\n", "out_time_us=4000000\nprogress=continue\n"],
    blender: ["Saved: 'f_1.png'\n Time: 00:01.00\n", "Saved: 'f_2.png'\n Time: 00:01.00\n"],
    lines: ["image 1 of 5\n", "image 2 of 5\n"],
  }

  test("is dropped to its end, in one piece or in many, and what follows is read", () => {
    const [before, after] = [SAYS[name][0] ?? "", SAYS[name][1] ?? ""]
    const wanted = listen(name, 5, before, after)
    expect(wanted.reports.length).toBeGreaterThan(1)
    const long = "x".repeat(MAX_LINE_LENGTH)
    for (const texts of [
      [`${long}x\n`],
      [long, "x", "\n"],
      [long, long, long, "99%", "\n"],
      [`${long}\r`, "\n"],
    ]) {
      expect(listen(name, 5, before, ...texts, after)).toEqual(wanted)
    }
  })

  test("needs no decoding to its end, and what follows is decoded", () => {
    const reader = renderer(name, { total: 5 })
    const [before, after] = [SAYS[name][0] ?? "", SAYS[name][1] ?? ""]
    const decoder = new TextDecoder()
    const decoded = [before, "x".repeat(MAX_LINE_LENGTH + 1), "x".repeat(9), `\n${after}`].map((text) => {
      const worth = decoder.decode(reader.worthDecoding(Buffer.from(text)), { stream: true })
      reader.push(worth)
      return worth.length
    })
    expect(decoded).toEqual([before.length, MAX_LINE_LENGTH + 1, 0, after.length + 1])
  })

  // If reading took more than linear time, the test would exceed its time limit.
  test("takes no time even when it is made to", () => {
    const hard = [
      "1",
      "1 ",
      "1/",
      "| ",
      "Sample 1/",
      "\u001b[",
      "\u001b]",
      " ",
      "9%",
      "Fra:1 | ",
      "a of ",
      "1e",
      "1.",
      "1:",
      "error: ",
      "error: out of ",
    ]
    for (const word of hard) {
      renderer(name, { total: 5 }).push(`${word.repeat(MAX_LINE_LENGTH / word.length)}\n`)
      renderer(name, { total: 5 }).push(`Fra:1 ${word.repeat(4000 / word.length)}\n`)
    }
  })
})

test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e13])("a total of %p is unknown", (total) => {
  expect(renderer("ffmpeg", { total }).evidence.reached).toBeNull()
  expect(renderer("blender", { total }).evidence.reached).toBeNull()
})

test("a last line without an end is read when the output ends", () => {
  const listener = renderer("lines")
  expect(listener.push("44%\n45%")).toEqual([])
  expect(listener.push("\n")).toEqual([{ progress: 45, basis: "guess", message: "45%" }])
})

test("two runs know nothing of each other", () => {
  const [one, other] = [renderer("blender", { total: 2 }), renderer("blender", { total: 2 })]
  one.push("Saved: 'f_0001.png'\n")
  expect([one.evidence.reached, other.evidence.reached]).toEqual([0.5, 0])
})

test("more lines than anyone can follow are passed over, and what comes later is read", () => {
  let nowMs = 0
  const listener = renderer("lines", { now: () => nowMs })
  listener.push("image 1 of 9\n")
  expect(listener.push(`${"y\n".repeat(100_000)}image 2 of 9\n`)).toEqual([])
  nowMs = 1500
  expect(listener.push("half a li")).toEqual([])
  expect(listener.push("ne\nimage 3 of 9\n").at(-1)).toMatchObject({ unit: { done: 2, total: 9 } })
})

test("a renderer's error messages are found in more lines than can be read, however they are cut", () => {
  const flood = "a file.png\n".repeat(5000)
  const word = "Error writing trailer of /o/a.mp4: No space left on device"
  const pieces = [
    [`${flood}${word}\n${flood}`],
    [flood, ...word, "\n"],
    [`${flood}a fi`, `le.png\r${word}\n`],
  ]
  for (const texts of pieces) {
    const listener = renderer("lines", { now: () => 0 })
    for (const text of texts) listener.push(text)
    expect(listener.evidence.failure).toBe(word)
  }
  const blender = renderer("lines", { now: () => 0 })
  blender.push(`${flood}Blender 4.2.0\nTraceback (most recent call last):\nKeyError: 'light'\nBlender quit\n`)
  expect(blender.evidence.failure).toBe("KeyError: 'light'")
})

test("UTF-16 and Latin-1 are read as far as their letters are ASCII", () => {
  const utf16 = Buffer.from("44%\r\n45%\r\n", "utf16le")
  const latin = Buffer.from("fertig f\xfcr 44 %\nfertig f\xfcr 45 %\n", "latin1")
  for (const bytes of [utf16, latin]) {
    expect(renderer("lines").push(new TextDecoder().decode(bytes)).at(-1)?.progress).toBe(45)
  }
})

test("Blender's lines are read behind what a farm or a container writes before them", () => {
  const { last } = listen("blender", 4, "0: STDOUT: Fra:1 Mem:9M (Peak 9M) | Scene | Sample 32/64\n")
  expect(last).toMatchObject({ progress: 12.5, message: "frame 1 of 4, sample 32 of 64" })
})
