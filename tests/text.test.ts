import { expect, test } from "bun:test"

import { byName, counted, duration, shellWord, tookWords } from "../src/text.ts"

test("a duration reads as a clock does: a second counts once it has passed", () => {
  expect([-3, 0, 42, 59.9, 723, 7205, 172_799, 172_800, 187_260].map(duration)).toEqual([
    "0:00",
    "0:00",
    "0:42",
    "0:59",
    "12:03",
    "2:00:05",
    "47:59:59",
    "2 d 00:00",
    "2 d 04:01",
  ])
})

test("a duration below a second is shown in tenths, and never as zero", () => {
  expect([0, 0.09, 0.1, 0.49, 0.999, 1, 59.9, 723].map(tookWords)).toEqual([
    ...["0.1 s", "0.1 s", "0.1 s", "0.4 s", "0.9 s", "0:01", "0:59", "12:03"],
  ])
})

test("names are ordered as people order them: by the values of their numbers", () => {
  const names = ["box-10", "box-2", "Box-2", "a", "box-1"]
  expect(names.toSorted(byName)).toEqual(["a", "box-1", "box-2", "Box-2", "box-10"])
})

test("a number with its noun has commas between thousands", () => {
  const numbers = [0, 1, 2, 999, 1000, 12_500, 1_234_567]
  expect(numbers.map((value) => counted(value, "item"))).toEqual([
    ...["0 items", "1 item", "2 items", "999 items", "1,000 items", "12,500 items", "1,234,567 items"],
  ])
})

test("a text is one word for a shell, whatever is in it", () => {
  for (const text of ["plain", "two words", "it's 'quoted' \"twice\"", "$HOME `id` \\ *\n#", ""]) {
    const { stdout } = Bun.spawnSync(["sh", "-c", `printf %s ${shellWord(text)}`])
    expect(stdout.toString()).toBe(text)
  }
})
