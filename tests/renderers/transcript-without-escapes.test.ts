import { expect, test } from "bun:test"

import fc from "fast-check"

import { MAX_PIECE_BYTES } from "../../src/item/output-piece.ts"
import { Transcript } from "../../src/renderers/transcript-without-escapes.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** The whole transcript of an output that comes in these pieces. */
function transcript(...pieces: (string | Uint8Array)[]): string {
  const told = new Transcript()
  const shown = pieces.flatMap((piece) => told.push(typeof piece === "string" ? bytes(piece) : piece))
  return [...shown, ...told.rest()].map(({ text }) => text).join("")
}

test.each([
  ["one\ntwo\n", "one\ntwo\n"],
  ["Windows\r\nlines\r\n", "Windows\nlines\n"],
  ["\u001b[1;31mred\u001b[0m \u001b[Kplain\n", "red plain\n"],
  ["\u001b]0;a title\u0007shown \u001b]8;;http://x\u001b\\link\u001b]8;;\u001b\\\n", "shown link\n"],
  ["\u001bPsecret\u001b\\\u001b(Bshown\u001bc\n", "shown\n"],
  ["\u009b31mred\n", "red\n"],
  ["frame=1\rframe=2\rframe=3\n", "frame=3\n"],
  ["frame=1\rframe=2\r", "frame=2"],
  ["\r 10%|#   |\r\u001b[K100%|####|\n", "100%|####|\n"],
  ["old\u001b[2Knew\u001b[Gnewest\n", "newest\n"],
  ["12\b\b34\b5\n", "35\n"],
  ["a\tb\n", "a\tb\n"],
  [
    "bell\u0007 bidi\u202e isolate\u2066 vertical\u000b\n",
    "bell\ufffd bidi\ufffd isolate\ufffd vertical\ufffd\n",
  ],
  ["\u001b", ""],
  ["no end", "no end"],
])("of %j a terminal shows %j", (printed, shown) => {
  expect(transcript(printed)).toBe(shown)
})

test("a line is given once it has ended, and one that is drawn over only then", () => {
  const told = new Transcript()
  expect(told.push(bytes("one\ntw"))).toEqual([{ from: 0, to: 4, text: "one\n" }])
  expect(told.hasOpenLine).toBe(true)
  expect(told.push(bytes("o\r"))).toEqual([])
  expect(told.push(bytes("\n"))).toEqual([{ from: 4, to: 9, text: "two\n" }])
  expect(told.push(bytes("10%\r20%\r"))).toEqual([])
  expect(told.hasOpenLine).toBe(false)
  expect(told.push(bytes("30%\ndone\n"))).toEqual([{ from: 9, to: 26, text: "30%\ndone\n" }])
  expect(told.rest()).toEqual([])
})

test.each([
  ["10%\r20%\r\u001b[31m", "20%\n"],
  ["10%\r20%\r\u001b[2K\r", "20%\n"],
  ["10%\r20%\r\r", "20%\n"],
  ["10%\r20%\r\0", "20%\n"],
])("of %j, before its line ends, nothing is lost that draws over nothing", (printed, shown) => {
  expect(transcript(...printed, "\n")).toBe(shown)
  expect(transcript(`${printed}\n`)).toBe(shown)
})

test("a line that was given before it had ended goes on, or is followed by what is drawn over it", () => {
  const told = new Transcript()
  told.push(bytes("Loading"))
  expect(told.rest()).toEqual([{ from: 0, to: 7, text: "Loading" }])
  expect(told.push(bytes(" ... done\n"))).toEqual([{ from: 7, to: 17, text: " ... done\n" }])
  told.push(bytes("10%"))
  told.rest()
  expect(told.push(bytes("\r20%\n"))[0]?.text).toBe("\n20%\n")
  told.push(bytes("20%"))
  told.rest()
  expect(told.push(bytes(" of 9\r\u001b[31m\n"))[0]?.text).toBe(" of 9\n")
})

test("a bar of 7-Zip, which goes back with backspaces, is given once it has ended", () => {
  const told = new Transcript()
  told.push(bytes("  0%"))
  expect(told.hasOpenLine).toBe(true)
  const begun = told.rest().map(({ text }) => text)
  told.push(bytes("\b\b\b\b    \b\b\b\b 31% + song.y4m"))
  expect(told.hasOpenLine).toBe(false)
  const ended = told.push(bytes(`${"\b".repeat(15)}${" ".repeat(15)}${"\b".repeat(15)} 98% + song.y4m\n`))
  expect([...begun, ...ended.map(({ text }) => text)].join("")).toBe("  0%\n 98% + song.y4m\n")
})

test("a NUL among lines of text takes none of them away", () => {
  expect(transcript("one\nError: no such file\0\nlast\n")).toBe("one\nError: no such file\nlast\n")
  // Nor does a name in another encoding beside it.
  const latin1 = new Uint8Array([...bytes("caf"), 0xe9, ...bytes(".wav: not found\0\nlast\n")])
  expect(transcript(latin1)).toBe("caf\ufffd.wav: not found\nlast\n")
  // Text of two bytes a character, and what is no UTF-8, are data.
  expect(transcript("o\0n\0e\0\n\0", new Uint8Array([0xff, 0x41, 0x41, 0x41, 0, 10]))).toBe("")
})

test("data that is no text is left out, and its place is known", () => {
  const told = new Transcript()
  expect(told.push(bytes("text\n"))).toHaveLength(1)
  expect(told.push(new Uint8Array([1, 0, 2, 10]))).toEqual([])
  expect(told.push(bytes("text\n"))).toEqual([{ from: 9, to: 14, text: "text\n" }])
})

test("a bar that is drawn for hours takes no room, and a line without an end is cut between characters", () => {
  const told = new Transcript()
  for (let i = 0; i < 10_000; i += 1) expect(told.push(bytes(`frame=${i} of many\r`))).toEqual([])
  expect(told.rest().map(({ text }) => text)).toEqual(["frame=9999 of many"])
  const long = "ä€😀".repeat(10_000)
  const cut = new Transcript().push(bytes(long))
  expect(cut.length).toBeGreaterThan(1)
  for (const { from, to, text } of cut) {
    expect(to - from).toBeLessThanOrEqual(MAX_PIECE_BYTES)
    expect(text).not.toContain("\ufffd")
  }
  expect(transcript(long)).toBe(long)
})

test("wherever the output is cut, the same is shown, and nothing that steers a terminal", () => {
  const part = fc.constantFrom(
    "a",
    "ö",
    "😀",
    "\n",
    "\r",
    "\u001b[31m",
    "\u001b[2K",
    "\t",
    "\b",
    "\u0007",
    "12%",
    " ",
  )
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 60 }).map((parts) => bytes(parts.join(""))),
      fc.array(fc.nat(200), { maxLength: 5 }),
      (all, cuts) => {
        const at = [0, ...cuts.map((cut) => Math.min(cut, all.length)).sort((a, b) => a - b), all.length]
        const pieces = at.slice(1).map((end, i) => all.subarray(at[i], end))
        const shown = transcript(...pieces)
        expect(shown).toBe(transcript(all))
        expect(shown).not.toMatch(/(?![\n\t])\p{Cc}/u)
      },
    ),
  )
})

test("lost output is skipped, and the line before it is returned as far as it is known", () => {
  const told = new Transcript()
  told.push(bytes("one\ntw"))
  expect(told.skip(1000)).toEqual([{ from: 4, to: 6, text: "tw" }])
  expect(told.push(bytes("three\n"))).toEqual([{ from: 1006, to: 1012, text: "three\n" }])
})
