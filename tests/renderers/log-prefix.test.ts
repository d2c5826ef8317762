import { expect, test } from "bun:test"

import { LogPrefix } from "../../src/renderers/log-prefix.ts"

/** What is left of these lines, read one after the other. */
function stripped(...lines: readonly string[]): string[] {
  const prefix = new LogPrefix()
  return lines.map((line) => prefix.strip(line))
}

test("what stands before a line that is certainly of ffmpeg or Blender is removed from all lines after it", () => {
  for (const first of ["Input #0, mp3, from 'a.mp3':", "ffmpeg version 6.1 Copyright (c)", "Blender 4.2.1"]) {
    expect(stripped(`12: STDOUT: ${first}`, "7: STDERR: frame=1", "frame=2")).toEqual([
      ...[first, "frame=1", "frame=2"],
    ])
  }
})

test("the weight of a line may differ from line to line, and other words may not", () => {
  const first = "[info] ffmpeg version 6.1 Copyright (c)"
  expect(stripped(first, "[error] no", "[farm] no", "error] no")).toEqual([
    ...["ffmpeg version 6.1 Copyright (c)", "no", "no", "error] no"],
  ])
  const named = stripped(
    "render.1 | Blender 4.2.1",
    "render.22 | Fra:1",
    "renderx1 | Fra:1",
    "other.1 | Fra:1",
  )
  expect(named).toEqual(["Blender 4.2.1", "Fra:1", "renderx1 | Fra:1", "other.1 | Fra:1"])
})

test("nothing is removed before such a line, nor because of the tag of a song", () => {
  expect(stripped("1: frame=1")).toEqual(["1: frame=1"])
  expect(stripped("    title : Blender 4.2", "    title : next")).toEqual([
    ...["    title : Blender 4.2", "    title : next"],
  ])
  expect(stripped("1: Blender is fun", "1: frame=1")).toEqual(["1: Blender is fun", "1: frame=1"])
})

test("colours are removed, and other escapes stay", () => {
  expect(stripped("\u001b[1;32mframe=1\u001b[0m", "a\u001b[2Kb")).toEqual(["frame=1", "a\u001b[2Kb"])
})
