import { expect, test } from "bun:test"

import { BlenderFailures } from "../../src/renderers/blender-failures.ts"
import { renderer } from "../../src/renderers/renderer.ts"
import { lf } from "./programs.ts"

test.each([
  "Error: the memory of the last frame could not be kept",
  "Error: the frame is out of its range",
  "Out of memory? See the manual",
  "Fra:1 Mem:9M | Error | Peak: out of 9M memory",
])("words of memory that is not gone fail nothing: %s", (line) => {
  const trouble = new BlenderFailures()
  trouble.hear(line)
  expect([trouble.failure(0), trouble.failure(1)]).toEqual([undefined, undefined])
})

test.each([
  "Malloc returns null: len=1073741824 in imb_addrectImBuf, total 16123456789",
  "Calloc returns null: len=5",
])("memory that the machine did not give fails every frame: %s", (line) => {
  const trouble = new BlenderFailures()
  trouble.hear(line)
  expect(trouble.failure(1)).toBe(line)
})

test("what a container writes before each line of a Blender in a script hides no failure", () => {
  const failed = ["Blender 4.1.1 (hash e1743a0317bc)", "Error: System is out of GPU memory", "Blender quit"]
  const listener = renderer("lines")
  listener.push(lf(...failed.map((line) => `blender-1  | ${line}`)).join(""))
  expect(listener.evidence.failure).toBe("Error: System is out of GPU memory")
})

test.each([
  "Error: Cannot read file '/srv/a.blend': No such file or directory",
  'Error: Cannot read file "/srv/a.blend": No such file or directory',
])(
  "a Blender in a script whose file is missing has failed, unless it or another one rendered: %s",
  (line) => {
    const proven = (...said: string[]) => {
      const listener = renderer("lines")
      listener.push(lf("Blender 4.1.1 (hash e1743a0317bc)", line, ...said, "Blender quit").join(""))
      return listener.evidence.failure
    }
    expect(proven()).toBe(line)
    const frame = ["Fra:1 Mem:9M (Peak 9M)", "Saved: '/o/1.png'", " Time: 00:01.00"]
    expect(proven(...frame)).toBeUndefined()
    const other = ["Blender quit", "Blender 4.1.1 (hash e1743a0317bc)", 'Read blend: "/srv/b.blend"']
    expect(proven(...other, ...frame)).toBeUndefined()
    expect(proven(...other)).toBe(line)
    const traceback = ["Traceback (most recent call last):", "ValueError: no song"]
    expect(proven(...other, ...traceback, ...other, ...frame)).toBeUndefined()
    expect(proven(...other, ...traceback, ...other.with(2, 'Read blend: "/srv/c.blend"'), ...frame)).toBe(
      "ValueError: no song",
    )
  },
)
