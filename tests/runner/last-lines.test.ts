import { expect, test } from "bun:test"

import { LastLines } from "../../src/runner/last-lines.ts"

const textOf = (...pieces: readonly string[]): string => {
  const lines = new LastLines()
  for (const piece of pieces) lines.push(new TextEncoder().encode(piece))
  return lines.take()
}

test("a failure is reported as a terminal shows it: without colours, and without what was overwritten", () => {
  expect(textOf("10 %\r50 %\r\u001b[31mbroken\u001b[0m\n")).toBe("broken")
  expect(textOf("song 10 %\b\b\b\b50 %\b\b\b\b98 %\nno space left\n")).toBe("song 98 %\nno space left")
  expect(textOf("10 %\r50", " %\rno", " space left\r\nbye  \n")).toBe("no space left\nbye")
})

test("at most the last twenty lines that are not empty are reported, and the last 2,000 characters", () => {
  expect(textOf()).toBe("")
  expect(textOf("\n \n\r\n")).toBe("")
  const lines = Array.from({ length: 30 }, (_, i) => `line ${i}\n\n`)
  expect(textOf(...lines).split("\n")).toEqual(lines.slice(-20).map((line) => line.trimEnd()))
  expect(textOf("x".repeat(9000), "end\n")).toBe(`${"x".repeat(1997)}end`)
})
