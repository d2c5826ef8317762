import { expect, test } from "bun:test"

import { FrameInHand, FrameRange } from "../../src/renderers/blender-frame-in-hand.ts"

test("a frame with more layers than the ones before is done when all of them are", () => {
  const inHand = new FrameInHand()
  const finished = "Fra:1 Mem:9M | Scene, Layer | Finished"
  inHand.hear(finished)
  inHand.next()
  inHand.hear(finished)
  expect(inHand.fraction).toBe(1)
  inHand.hear("Fra:2 Mem:9M | Scene, Layer | Sample 8/16")
  expect(inHand.fraction).toBe(0.75)
  inHand.hear(finished)
  expect(inHand.fraction).toBe(1)
  inHand.next()
  inHand.hear(finished)
  expect(inHand.fraction).toBe(0.5)
})

test("samples of a path tracer that refines the whole frame are counted", () => {
  const inHand = new FrameInHand()
  inHand.hear("Fra:1 Mem:12.92M (0.00M, Peak 14.98M) | Scene, RenderLayer | Path Tracing Sample 30/120")
  expect(inHand.fraction).toBe(0.25)
})

test("tiles that are counted from 0 again at the end of a layer take nothing back", () => {
  const inHand = new FrameInHand()
  inHand.hear("Fra:1 Mem:9M | Scene, Layer | Rendered 3/4 Tiles")
  inHand.hear("Fra:1 Mem:9M | Scene, Layer | Rendered 0/4 Tiles")
  expect([inHand.tiles, inHand.fraction]).toEqual([{ done: 3, total: 4 }, 0.75])
})

test("the first line of a tile has the samples of the tile before it, which are not those of this one", () => {
  const inHand = new FrameInHand()
  const seen = [
    [0, 8],
    [1, 16],
    [1, 16],
    [1, 4],
  ].map(([tile, sample]) => {
    inHand.hear(`Fra:1 Mem:9M | Scene, Layer | Rendered ${tile}/4 Tiles, Sample ${sample}/16`)
    return [inHand.samples?.done, inHand.fraction]
  })
  expect(seen).toEqual([
    [8, 0.125],
    [undefined, 0.25],
    // A tile of which the last sample is shown twice.
    [16, 0.25],
    [4, 0.3125],
  ])
})

test("more done than there are is no count", () => {
  const inHand = new FrameInHand()
  inHand.hear("Fra:1 Mem:9M | Scene, Layer | Sample 17/16")
  inHand.hear("Fra:1 Mem:9M | Scene, Layer | Sample 0/0")
  expect([inHand.samples, inHand.fraction]).toEqual([undefined, 0])
  inHand.hear("Fra:1 Mem:9M | Scene, Layer | Sample 16/16")
  expect([inHand.samples, inHand.fraction]).toEqual([{ done: 16, total: 16 }, 1])
})

test("the frames of an animation are counted by the smallest step that was seen between two of them", () => {
  const range = new FrameRange()
  expect(range.total).toBeUndefined()
  range.start(1, 10)
  expect(range.total).toBe(10)
  for (const frame of [1, 7, 10]) range.frame(frame)
  expect(range.total).toBe(4)
  // A frame that is there already is skipped, and says nothing of the step.
  range.start(1, 10)
  range.frame(1)
  range.skip()
  range.frame(4)
  expect(range.total).toBe(10)
  // The same frame again, as for another view, is no step.
  range.frame(4)
  range.frame(7)
  expect(range.total).toBe(4)
  range.start(5, 5)
  expect(range.total).toBe(1)
  range.start(5, 4)
  expect(range.total).toBeUndefined()
})
