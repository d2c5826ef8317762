import { expect, test } from "bun:test"

import { BlenderFailures } from "../../src/renderers/blender-failures.ts"

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
