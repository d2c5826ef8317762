import { expect, test } from "bun:test"

import fc from "fast-check"

import { MAX_PIECE_BYTES } from "../../src/item/output-piece.ts"
import { Transcript } from "../../src/renderers/transcript-without-escapes.ts"

const UP = "\u001b[1A"
const ERASE = "\u001b[2K"
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** The kept text of an output that comes in these pieces. */
function kept(pieces: readonly string[]): string {
  const told = new Transcript()
  const shown = pieces.flatMap((piece) => told.push(bytes(piece)))
  return [...shown, ...told.rest()].map(({ text }) => text).join("")
}

/** Two bars as rich draws them: the cursor stays behind the last one. */
const RICH = [
  "begins\n",
  "video   0%\naudio   0%",
  ...Array.from(
    { length: 99 },
    (_, n) => `\r${ERASE}${UP}${ERASE}video  ${n + 1}%\n\u001b[32maudio  ${n + 1}%\u001b[0m`,
  ),
  "\n",
  "ends\n",
]

/** Two bars as tqdm draws them: the cursor goes back to the first one. */
const TQDM = [
  "begins\n",
  "songs: 0%",
  ...Array.from({ length: 50 }, (_, n) => [
    `\n\rframes: ${2 * n + 2}%\u001b[A`,
    `\rsongs: ${2 * n + 2}%`,
  ]).flat(),
  "\n\n",
  "ends\n",
]

test("two bars of rich leave only the lines of their start and their end", () => {
  const first = "begins\nvideo   0%\n"
  expect(kept(RICH)).toBe(`${first}video  99%\naudio  99%\nends\n`)
  expect(kept([RICH.join("")])).toBe("begins\nvideo  99%\naudio  99%\nends\n")
})

test("nested bars of tqdm leave only the lines of their end", () => {
  const shown = kept(TQDM)
  expect(shown.split("\n").length).toBeLessThan(7)
  expect(shown).toEndWith("songs: 100%\nframes: 100%\nends\n")
  expect(kept([TQDM.join("")])).toBe("begins\nsongs: 100%\nframes: 100%\nends\n")
})

test("wherever the pieces are cut, the last version of each line is kept, in its place, and few others", () => {
  fc.assert(
    fc.property(fc.constantFrom(RICH, TQDM), fc.array(fc.nat(60), { minLength: 1 }), (output, sizes) => {
      const text = output.join("")
      const pieces: string[] = []
      for (let at = 0, n = 0; at < text.length; n += 1) {
        const size = 1 + (sizes[n % sizes.length] ?? 0)
        pieces.push(text.slice(at, at + size))
        at += size
      }
      const lines = kept(pieces).split("\n")
      expect(lines.slice(-4)).toEqual(
        output === RICH
          ? ["video  99%", "audio  99%", "ends", ""]
          : ["songs: 100%", "frames: 100%", "ends", ""],
      )
      expect(lines.length).toBeLessThan(8)
    }),
  )
})

test("lines that are printed above the bars are kept, in their order", () => {
  const above = Array.from(
    { length: 40 },
    (_, n) => `\r${ERASE}${UP}${ERASE}note ${n}\nvideo ${n}%\naudio ${n}%`,
  )
  const lines = kept(["video 0%\naudio 0%", ...above, "\n"]).split("\n")
  expect(lines.filter((line) => line.startsWith("note"))).toEqual(above.map((_, n) => `note ${n}`))
  expect(lines.slice(-3)).toEqual(["video 39%", "audio 39%", ""])
})

test("what follows the bars is given at once, except for as many lines as the bars were high, until nothing comes", () => {
  const told = new Transcript()
  for (const piece of RICH.slice(0, -2)) told.push(bytes(piece))
  expect(told.hasOpenLine).toBe(false)
  const after = told.push(bytes("\nends\nuploads\n"))
  expect(after.map(({ text }) => text).join("")).toBe("video  99%\naudio  99%\nends\n")
  expect(told.hasOpenLine).toBe(true)
  expect(told.rest().map(({ text }) => text)).toEqual(["uploads\n"])
})

test("positions grow, and end where the output ends, however the cursor moves", () => {
  const part = fc.constantFrom(
    "a",
    "ö",
    "\n",
    "\r",
    UP,
    ERASE,
    "\u001b[J",
    "\u001b[2B",
    "\u001b[A",
    "\u001b[",
    "é\n",
    "\b",
  )
  fc.assert(
    fc.property(fc.array(fc.array(part, { maxLength: 30 })), (pieces) => {
      const told = new Transcript()
      const texts = pieces.map((piece) => bytes(piece.join("")))
      const given = [...texts.flatMap((text) => told.push(text)), ...told.rest()]
      const size = texts.reduce((sum, { length }) => sum + length, 0)
      for (const [n, { from, to }] of given.entries()) {
        expect(from).toBe(given[n - 1]?.to ?? 0)
        expect(to).toBeGreaterThan(from)
      }
      expect(given.at(-1)?.to ?? 0).toBeLessThanOrEqual(size)
    }),
    { numRuns: 500 },
  )
})

test("a cursor that goes up and down for ever keeps little memory, and no line is longer than a piece", () => {
  const told = new Transcript()
  const wide = "x".repeat(5000)
  const given = Array.from({ length: 500 }, (_, n) =>
    told.push(bytes(`${UP}${ERASE}${wide}${n}\n${wide}\n`)),
  ).flat()
  for (const { text } of given) expect(text.length).toBeLessThanOrEqual(MAX_PIECE_BYTES + 1)
  expect(told.rest().reduce((sum, { text }) => sum + text.length, 0)).toBeLessThan(3 * MAX_PIECE_BYTES)
})

test("lines of which one is drawn anew at a time, from below them all, leave one line each", () => {
  const update = (up: number, text: string): string => `\u001b[${up}A\r${ERASE}${text}\u001b[${up}B\r`
  const updates = [10, 50, 100].flatMap((done) => [
    update(3, `a ${done}%`),
    update(2, `b ${done}%`),
    update(1, `c ${done}%`),
  ])
  expect(kept(["a\nb\nc\n", ...updates, "ends\n"])).toBe("a\nb\nc\na 100%\nb 100%\nc 100%\nends\n")
  expect(kept([["a\nb\nc\n", ...updates, "ends\n"].join("")])).toBe("a 100%\nb 100%\nc 100%\nends\n")
})
