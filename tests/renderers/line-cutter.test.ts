import { expect, test } from "bun:test"

import { LineCutter } from "../../src/renderers/line-cutter.ts"

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

test("a line that is found behind skipped ones is still known to replace the line before it, or not to", () => {
  const cutter = new LineCutter()
  cutter.feed("one\ntwo\rsought\n")
  expect(cutter.nextWith(/sought/)).toEqual({ text: "sought", isRedrawn: true })
  cutter.feed("three\rfour\nsought\n")
  expect(cutter.nextWith(/sought/)).toEqual({ text: "sought", isRedrawn: false })
})
