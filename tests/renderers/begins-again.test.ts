import { describe, expect, test } from "bun:test"

import { each, lf, read } from "./programs.ts"

const rendering = (values: readonly number[]): string[] => each(values, (n) => `\rRendering ${n}%`)
const frames = (values: readonly number[]): string[] => each(values, (n) => `Frame ${n}/20\n`)

describe("what failed and begins once more is one bar, and not two", () => {
  test.each([
    "Upload failed: connection reset. Retrying (attempt 2 of 3)...",
    "renderer crashed, restarting",
    "out of memory; trying again with smaller tiles",
    "レンダラが停止しました。再試行します",
  ])("%s", (words) => {
    const shown = read([...rendering([5, 30, 60]), `\n${words}\n`, ...rendering([1, 5, 10]), "\n"], 3)
    expect(shown).toMatchObject({ most: 60, last: 10 })
  })

  test("also if it goes on from where it stopped", () => {
    const first = [...rendering([5, 30, 60]), "\nconnection lost, retrying\n"]
    expect(read([...first, ...rendering([40, 50]), "\n"], 3)).toMatchObject({ most: 60, last: 50 })
    expect(read([...first, ...rendering([40, 70]), "\n"], 3).last).toBe(70)
  })

  test("a count", () => {
    const shown = read([...frames([1, 2, 3, 4, 5]), "Segmentation fault, restart\n", ...frames([1, 2])], 10)
    expect(shown.last).toBe(5)
    const thrice = [...frames([1, 5]), "retry\n", ...frames([1, 5]), "retry\n", ...frames([1, 5])]
    expect(read(thrice, 10).last).toBeLessThanOrEqual(25)
  })

  test("but not a bar that was full, or that begins without such words", () => {
    const next = [...rendering([5, 60, 100]), "\nrestarting the renderer for the next song\n"]
    expect(read([...next, ...rendering([1, 5, 10]), "\n"], 3).last).toBe(36)
    const wordless = [...rendering([5, 30, 60]), "\n", ...rendering([1, 5, 10]), "\n"]
    expect(read(wordless, 3).last).toBe(36)
    const later = [...rendering([5, 30]), "\nretrying a request\n", ...rendering([60, 80])]
    expect(read([...later, "\n", ...rendering([1, 5, 10]), "\n"], 3).last).toBe(36)
  })

  test("and what comes behind it never makes it 90 % while half is done", () => {
    const twice = [...rendering([5, 60]), "\nretrying\n", ...rendering([1, 50, 100]), "\n"]
    expect(read([...twice, ...each([5, 20], (n) => `\rEncoding ${n}%`), "\n"], 10).last).toBe(89)
  })
})

describe("a bar below the heading of a first part is at most half of the whole", () => {
  test.each(["Pass 1: Studying...", "== Stage 1", "Step 1: separating the vocals"])("%s", (heading) => {
    const first = [`${heading}\n`, ...each([0, 50, 100], (n) => `\r${n}% `)]
    expect(read([...first, "\n"], 10)).toMatchObject({ most: 50, last: 50 })
  })

  test("but not below that of a later part, or of one of so many", () => {
    const bar = [...each([0, 20, 40], (n) => `\r${n}% `), "\n"]
    expect(read(["Stage 1: checks\n", "Stage 2: rendering\n", ...bar], 10).last).toBe(40)
    const songs = ["Step 1: rendering the songs\n", "Song 1 of 2\n", ...bar]
    expect(read(songs, 10).last).toBe(20)
    expect(read(["Step 1.5 is left out\n", ...bar], 10).last).toBe(40)
    expect(read(["Step 1/4: rendering\n", ...bar], 10).last).toBe(10)
  })
})

describe("words of other languages", () => {
  test.each([
    "45 Prozent abgeschlossen",
    "Completado al 45 por ciento",
    "45 pour cent terminé",
    "45 procent klaar",
    "Готово 45 процентов",
    "進捗状況：45パーセント",
    "렌더링 45퍼센트",
  ])("a percentage: %s", (line) => {
    expect(read(lf(line.replace("45", "10"), line.replace("45", "20"), line), 10).last).toBe(45)
  })

  test.each([
    "Bild 4 von 8 fertig",
    "Fotogramma 4 di 8 completato",
    "Klatka 4 z 8 gotowa",
    "Bildruta 4 av 8 klar",
    "Обработано 4 из 8 файлов, сохранено",
    "8곡 중 4번째 렌더링 완료",
    "フレーム 4/8 完了",
    "เฟรม 4 จาก 8 done",
  ])("a thing that is done: %s", (line) => {
    const lines = [1, 2, 3, 4].map((n) => line.replace("4", String(n)))
    expect(read(lf(...lines), 10).last).toBe(50)
  })

  test("but not one that is not done, or how far a thing is complete", () => {
    const lines = (line: string) => lf(...[1, 2, 3, 4].map((n) => line.replace("4", String(n))))
    expect(read(lines("Bild 4 von 8 nicht fertig"), 10).last).toBe(37)
    expect(read(lines("フレーム 4/8 未完了"), 10).last).toBe(37)
  })
})

test("a step whose number stands in brackets at the end contains the bar below it", () => {
  const step = (name: string, n: number) => [
    `Bouncing '${name}' (${n}/8)\n`,
    ...each([10, 50], (percent) => `\r  ${percent}%`),
    "\n",
  ]
  expect(read([...step("Drums", 1), ...step("Bass", 2)], 10).last).toBe(18)
  const steps = lf("Separating the vocals (1/3)", "Rendering the video (2/3)")
  expect(read(steps, 10).last).toBe(33)
  expect(read(lf("Retrying the upload (1/5)", "Retrying the upload (2/5)"), 10).most).toBe(0)
})

test("the load beside the heat of a device is no progress", () => {
  const lines = each([3, 4, 5], (n) => `[GPU 0 | 6${n}C | ${80 + n}%] frame ${n}/20\n`)
  expect(read(["[GPU 0 | 62C | 80%] frame 1/20\n", ...lines], 10).last).toBe(20)
})

test("a percentage above 100 on the line of a count is none", () => {
  const lines = each([1, 2, 3], (n) => `Line ${n}/10: I give 110%\n`)
  expect(read(lines, 10).last).toBe(20)
})

test("the percentage of a job in JSON is one, whatever stands before its name", () => {
  const lines = each([5, 25, 45], (n) => `{"Status":"PROGRESSING","JobPercentComplete":${n}}\n`)
  expect(read(lines, 10).last).toBe(45)
})
