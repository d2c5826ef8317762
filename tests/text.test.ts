import { expect, test } from "bun:test"

import { duration, telling } from "../src/text.ts"

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
