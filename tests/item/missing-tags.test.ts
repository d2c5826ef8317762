import { expect, test } from "bun:test"

import { missingTags, offersOf } from "../../src/item/missing-tags.ts"

const worker = (tags: string[] | null, more: { draining?: boolean; state?: string } = {}) => ({
  ...{ tags, draining: false, state: "idle", ...more },
})

test("an item is missing what the worker lacks that lacks the fewest of its tags", () => {
  expect(missingTags(["gpu", "4k"], [["cpu"], ["gpu"]])).toEqual(["4k"])
  expect(missingTags(["gpu", "4k"], [["cpu"], ["4k", "gpu"]])).toEqual([])
  expect(missingTags([], [["cpu"]])).toEqual([])
})

test("no tag counts as missing while no worker is known that takes items", () => {
  const gone = [worker(["gpu"], { draining: true }), worker(["gpu"], { state: "away" }), worker(null)]
  expect(offersOf(gone)).toEqual([])
  expect(missingTags(["gpu"], offersOf(gone))).toEqual([])
  expect(offersOf([...gone, worker(["gpu"])])).toEqual([["gpu"]])
})

test("no tag counts as missing while a worker renders whose tags are not known, unless it takes no more items", () => {
  const unknown = worker(null, { state: "rendering" })
  expect(missingTags(["gpu"], offersOf([worker([]), unknown]))).toEqual([])
  expect(missingTags(["gpu"], offersOf([worker([]), { ...unknown, draining: true }]))).toEqual(["gpu"])
})
