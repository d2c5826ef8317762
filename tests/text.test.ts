import { expect, test } from "bun:test"

import { bandWords, duration, leftIn, leftWords, shownOf, telling } from "../src/text.ts"

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

test("the time left is exact, vague or over, as the band has it", () => {
  const told = (eta_seconds: number, eta_low_seconds?: number, eta_high_seconds?: number) => ({
    eta_seconds,
    ...(eta_low_seconds !== undefined && { eta_low_seconds }),
    ...(eta_high_seconds !== undefined && { eta_high_seconds }),
  })
  const words = (one: ReturnType<typeof told>, age = 0): readonly string[] => {
    const left = leftIn(one, age)
    return left ? [leftWords(left), bandWords(left)] : []
  }
  expect(words(told(250))).toEqual(["4:10 left", ""])
  expect(words(told(250, 210, 300))).toEqual(["4:10 left", "3:30 to 5:00"])
  expect(words(told(250, 210, 300), 200)).toEqual(["10 to 100 s left", ""])
  expect(words(told(250, 185, 340))).toEqual(["3 to 6 min left", ""])
  expect(words(told(12_000, 9000, 16_000))).toEqual(["2 to 5 h left", ""])
  expect(words(told(250, 210, 300), 301)).toEqual(["longer than usual", ""])
  expect(leftIn({ eta_seconds: null }, 0)).toBeNull()
  expect(leftIn({}, 0)).toBeNull()
})

test("what is shown is the time where that is known, in whole percent", () => {
  expect(shownOf({ progress: 75 })).toBe(75)
  expect(shownOf({ progress: 75, time_progress: null })).toBe(75)
  expect(shownOf({ progress: 75, time_progress: 41.9 })).toBe(41)
})

test.each([
  ["", ""],
  ["out of disk", "out of disk"],
  [
    "ffmpeg exited with code 1: [libx264 @ 0x55d0] height not divisible by 2 (853x481)\nError while opening encoder",
    "height not divisible by 2 (853x481)",
  ],
  ["ffmpeg exited with code 1: ", "ffmpeg exited with code 1:"],
  [
    'sh exited with code 1: Traceback (most recent call last):\n  File "a.py", line 3, in f\n    not_here()\nMemoryError: CUDA out of memory\n',
    "MemoryError: CUDA out of memory",
  ],
  ["Error: boom\n    at f (a.js:1:2)\n    at g (a.js:9:9)", "Error: boom"],
  ["loading\rloading\r\nscene.blend: cannot open", "scene.blend: cannot open"],
  ["frame 1\nframe 2", "frame 2"],
])("the telling line of %j is %j", (error, line) => expect(telling(error)).toBe(line))
