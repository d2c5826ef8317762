import { expect, test } from "bun:test"

import { isItemOf, isUpdate } from "../../src/client/answer-shapes.ts"
import { blank } from "../../src/item/blank-item.ts"

const ITEM = { id: 7, ...blank(1, "2026-01-02T03:04:05.678Z") }

test("an optional key that is present must have its type: null is refused", () => {
  expect(isUpdate({ queue_id: 7 })).toBe(true)
  expect(isUpdate({ queue_id: 7, progress: 5, step: { index: 1, total: 2, name: "Video" } })).toBe(true)
  for (const wrong of [{ progress: null }, { step: null }, { timestamp: null }, { progress: "5" }])
    expect(isUpdate({ queue_id: 7, ...wrong })).toBe(false)
})

test("an update of a newer server may have a key that this client does not know, with any value", () => {
  for (const newer of [null, 5, {}]) expect(isUpdate({ queue_id: 7, colour: newer })).toBe(true)
})

test("an item of an older server is given the keys that it lacks, and one of a newer server keeps its own", () => {
  const { kind: _kind, turn: _turn, ...older } = ITEM
  const newer = { ...ITEM, kind: "film", turn: 3, eta_runs: 5, basis: "counted" }
  expect([isItemOf(7)(older), isItemOf(7)(newer), isItemOf(8)({ ...ITEM })]).toEqual([true, true, false])
  expect(older).toMatchObject({ kind: "", turn: null })
  expect(newer).toMatchObject({ kind: "film", turn: 3, eta_runs: 5, basis: "counted" })
})
