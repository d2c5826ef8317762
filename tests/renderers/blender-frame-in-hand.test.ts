import { expect, test } from "bun:test"

import { FrameInHand } from "../../src/renderers/blender-frame-in-hand.ts"

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
