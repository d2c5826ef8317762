import { expect, test } from "bun:test"

import { LineCutter, MAX_LINE_LENGTH } from "../../src/renderers/line-cutter.ts"

/** The lines of these pieces; one that replaces the line before it has an arrow. */
function cut(...pieces: readonly string[]): string[] {
  const cutter = new LineCutter()
  return pieces.flatMap((piece) => {
    cutter.feed(piece)
    const lines: string[] = []
    for (let line = cutter.next(); line; line = cutter.next())
      lines.push(`${line.isRedrawn ? "> " : ""}${line.text}`)
    return lines
  })
}

test.each([
  ["a return", "\r"],
  ["backspaces", "\b\b\b"],
  ["a move to the first column", "\u001b[1G"],
  ["a move to the line above", "\u001b[1A"],
])("a line that is drawn over by %s is replaced by the next, and one after its end is not", (_, end) => {
  expect(cut(`10%${end}20%\n30%\n`)).toEqual(["10%", "> 20%", "30%"])
  // Wherever it is cut.
  expect(cut(...`10%${end}20%\n30%\n`)).toEqual(["10%", "> 20%", "30%"])
})

test.each([
  [
    "a name stays while its figure is drawn over",
    "song.wv,  9%\b\b\b 10%\b\b\b11%\n",
    ["song.wv,  9%", "> song.wv,  10%", "> song.wv,  11%"],
  ],
  ["a digit of a figure is drawn over", "45%\b\b6%\n", ["45%", "> 46%"]],
  ["what is erased with spaces is gone", "a 45%\b\b\b   \b\b\b\n5\n", ["a 45%", "5"]],
  [
    "what is erased sign by sign is no line",
    "Frame 4/300\b \b\b \b\b \b70\n",
    ["Frame 4/300", "> Frame 4/70"],
  ],
  ["more backspaces than characters", "45%\b\b\b\b\b46%\n", ["45%", "> 46%"]],
  [
    "a colour has no width, so that nothing is kept",
    "\u001b[32ma 45%\b\b\b46%\n",
    ["\u001b[32ma 45%", "> 46%"],
  ],
])("%s after backspaces", (_, output, lines) => {
  expect(cut(output)).toEqual(lines)
  expect(cut(...output)).toEqual(lines)
})

test("a line that is found behind skipped ones is still known to replace the line before it, or not to", () => {
  const cutter = new LineCutter()
  cutter.feed("one\ntwo\rsought\n")
  expect(cutter.nextWith(/sought/)).toEqual({ text: "sought", isRedrawn: true })
  cutter.feed("three\rfour\nsought\n")
  expect(cutter.nextWith(/sought/)).toEqual({ text: "sought", isRedrawn: false })
})

test("the beginning of a line that backspaces left is no part of a line that is found behind skipped ones", () => {
  const cutter = new LineCutter()
  cutter.feed("song 45%\b\b")
  expect(cutter.next()?.text).toBe("song 45%")
  cutter.feed("\b\b 5%\nsought\n")
  expect(cutter.nextWith(/sought/)).toEqual({ text: "sought", isRedrawn: false })
})

test("of a line that is too long, nothing is kept before backspaces", () => {
  const [first, ...more] = cut(`song 45%\b${"x".repeat(MAX_LINE_LENGTH + 1)}\b46%\n`)
  expect([first, ...more]).toEqual(["song 45%", "> 46%"])
})
