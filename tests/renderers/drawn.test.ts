import { describe, expect, test } from "bun:test"

import { renderer } from "../../src/renderers/renderer.ts"
import { BAR, each, read, tqdm } from "./programs.ts"

describe("a bar that is drawn by moving the cursor, without a return or a line's end, is shown at once", () => {
  test.each([
    [
      "to the first column",
      (n: number) => `\u001b[0Gprogress [${"=".repeat(n)}---] ${n}% | ETA: 9s\u001b[0K`,
    ],
    ["up", (n: number) => `\u001b[2A\u001b[2KEncoding ${BAR.repeat(n / 5)} ${n}%\u001b[2B`],
    ["to a place", (n: number) => `\u001b[24;1HEncoding ${n}%|${BAR.repeat(n / 5)}| [00:1${n % 9}]`],
    ["beside a wheel", (n: number) => `\u001b[2K\u001b[1G\u001b[36m⠋\u001b[39m rendering: ${n}%`],
  ])("%s", (_name, line) => {
    const drawn = each([0, 20, 45, 50], line)
    // The last line has not ended yet.
    expect(read(drawn, 10).last).toBe(45)
    // Nor does it matter where the output is cut.
    const text = drawn.join("")
    const wanted = renderer("lines").push(text)
    for (let at = 1; at < text.length; at += 1) {
      const listener = renderer("lines")
      expect([...listener.push(text.slice(0, at)), ...listener.push(text.slice(at))]).toEqual(wanted)
    }
  })

  test("colours do not end a line", () => {
    const said = "\u001b[31mError writing trailer\u001b[0m of /o/a.mp4: \u001b[1mNo space left\u001b[0m\n"
    const listener = renderer("lines")
    listener.push(said)
    expect(listener.evidence.failure).toBe("Error writing trailer of /o/a.mp4: No space left")
  })
})

test("a bar that is too short to be seen at first is one bar with what is drawn later", () => {
  const glyphs = (n: number): string => "━".repeat(n / 25)
  const rendering = each([0, 25, 50, 150, 225, 300], (n) => `\rRendering ${glyphs(n)} ${n}/300, 28s left`)
  expect(read([...rendering.slice(0, 5), "\n"], 10)).toMatchObject({ last: 75, unit: "225/300 steps" })
})

test("a bar in which nothing is drawn yet follows one that is full", () => {
  const bar = (name: string) => (n: number) =>
    `${name}: |${"=".repeat(n)}${" ".repeat(10 - n)}| (${n}0/100)\r`
  const both = [...each([0, 4, 7, 10], bar("Import")), ...each([0], bar("Writing"))]
  expect(read(both, 10)).toMatchObject({ last: 33, most: 100 })
})

test("a bar follows one that is full even if its first count draws nothing", () => {
  const bar = (name: string) => (n: number) =>
    `${name}: |${"=".repeat(n / 10)}${" ".repeat(10 - n / 10)}| (${n}/100)\r`
  const both = [...each([1, 40, 70, 99], bar("Import")), ...each([1], bar("Writing"))]
  expect(read(both, 10)).toMatchObject({ last: 33, most: 99 })
})

describe("figures of other scripts and languages", () => {
  test.each([
    (n: number) =>
      `レンダリング中 ${[...`${n}`].map((digit) => "０１２３４５６７８９"[Number(digit)]).join("")}％\n`,
    (n: number) => `渲染进度：${n}％\n`,
    (n: number) => `التقدم ${n}٪\n`,
    (n: number) => `التقدم ${[...`${n}`].map((digit) => "٠١٢٣٤٥٦٧٨٩"[Number(digit)]).join("")}٪\n`,
    (n: number) => `Oluşturuluyor: %${n}\n`,
    (n: number) => `Fortschritt: ${n},0 %\n`,
    (n: number) => `${n} percent complete\n`,
    (n: number) => `Bild ${n + 1} von 100\n`,
    (n: number) => `Кадр ${n + 1} из 100\n`,
    (n: number) => `第 ${n + 1}／100 帧\n`,
  ])("%p", (line) => {
    expect(read(each([10, 20, 45], line), 10).last).toBe(45)
  })

  test("are reported as the program wrote them", () => {
    expect(renderer("lines").push("渲染进度：10％\n渲染进度：45％\n").at(-1)?.message).toBe("渲染进度：45％")
  })
})

test("the words of a song are no progress, but a bar with such a name is", () => {
  const shown = (line: (n: number) => string) => read([...each([0, 5, 10, 18], line), "\n"], 10).last
  expect(shown((n) => `lyrics: ${n}% of my heart\n`)).toBe(0)
  expect(shown((n) => tqdm(n, 40, "lyrics: "))).toBe(45)
  expect(shown((n) => `lyrics: [${"#".repeat(n / 5)}----] ${n}%\n`)).toBe(18)
  expect(shown((n) => `\rlyrics: ${n}%`)).toBe(18)
  expect(shown((n) => `\rlyrics: half ${n}% of my heart`)).toBe(0)
})

test("a bar in a command that a shell repeats is no progress", () => {
  const lines = each([0, 5, 10, 18], (n) => `+ printf '[${"#".repeat(n / 5)}----] ${n}%'\n`)
  expect(read([...lines, "\n"], 10).last).toBe(0)
})
