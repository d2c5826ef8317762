import { expect, test } from "bun:test"

import { settled, type Sign } from "../../../src/item/estimate/trace.ts"
import { traceOfSigns } from "./signs.ts"

test("a load, and the numbers of tiles in any order, do not say how far a step is", () => {
  const worded = (words: readonly string[], step?: Sign["step"]) =>
    settled(
      traceOfSigns(
        words.map((current_step, i): [number, Sign] => [
          i * 5,
          { current_step, progress: 10 * i, ...(step && { step }) },
        ]),
      ),
    )
  const step = { index: 2, total: 3, name: "Render" }
  for (const words of [
    ["CPU 27%", "CPU 61%", "CPU 93%"],
    ["Rendering (GPU load: 27 %)", "Rendering (GPU load: 61 %)", "Rendering (GPU load: 93 %)"],
    ["27% RAM", "61% RAM", "93% RAM"],
    ["Auslastung 2%", "Auslastung 45%", "Auslastung 5%"],
    ["Auslastung 20 %", "Auslastung 70 %", "Auslastung 30 %", "Auslastung 95 %"],
  ]) {
    for (const named of [undefined, step]) {
      const [only, ...others] = worded(words, named)
      expect([words, others, only?.lines.unit, only?.size]).toEqual([words, [], undefined, 0])
      expect(only?.lines.percent?.at(-1)?.[0]).toBe(10 * (words.length - 1))
    }
  }
  const tiles = ["tile 1/64", "tile 40/64", "tile 12/64", "tile 60/64", "tile 2/64"]
  const [render, ...others] = worded(tiles, step)
  expect([others, render?.lines.unit, render?.size]).toEqual([[], undefined, 0])
  // Four images that are made at once.
  const images = ["image 1 of 40", "image 4 of 40", "image 1 of 40", "image 8 of 40", "image 5 of 40"]
  expect(worded(images, step)).toMatchObject([{ size: 40 }])
  const silent = traceOfSigns(
    [...images, "image 40 of 40", "image 1 of 40"].map((current_step, i): [number, Sign] => [
      i * 5,
      { current_step, step },
    ]),
  )
  expect(silent.steps).toMatchObject([{ at: 0 }, { at: 30 }])
})
