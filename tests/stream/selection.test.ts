import { expect, test } from "bun:test"

import { unknownItem } from "../../src/errors.ts"
import { MAX_CHOSEN, Selection } from "../../src/stream/selection.ts"
import type { Frame } from "../../src/wire/frames.ts"
import { MemoryHistory } from "./memory-history.ts"

/** A history in which each of this many items has one update. */
function historyOf(items: number): MemoryHistory {
  const history = new MemoryHistory(async () => undefined, 100)
  for (let item = 1; item <= items; item += 1) history.append(item, "processing")
  return history
}

/** A frame in short: the event ID of an update, or the name of a control frame. */
const nameOf = (frame: Frame): number | string =>
  frame.type === "update" ? frame.update.id : frame.type === "control" ? frame.control.event : frame.type

test("an item that is watched already is not sent again, and a new one begins with its state", async () => {
  const history = historyOf(3)
  const selection = new Selection([1])
  selection.ask({ do: "subscribe", ids: [1, 2, 2, 3] })
  // The state of the third one is still to be sent.
  expect((await selection.answer(history, 2)).map(nameOf)).toEqual(["watching", 2])
})

test("the states of items that are added together come in the order of their event IDs", async () => {
  const selection = new Selection([])
  selection.ask({ do: "subscribe", ids: [3, 1, 2] })
  expect((await selection.answer(historyOf(3), 3)).map(nameOf)).toEqual(["watching", 1, 2, 3])
})

test("as many items can be chosen as may be, and not one more", async () => {
  const history = historyOf(MAX_CHOSEN + 1)
  const ids = Array.from({ length: MAX_CHOSEN + 1 }, (_, at) => at + 1)
  const selection = new Selection([])
  selection.ask({ do: "subscribe", ids: ids.slice(1) })
  selection.ask({ do: "subscribe", ids: [1] })
  expect((await selection.answer(history, 0)).map(nameOf)).toEqual(["watching"])
  expect((await selection.answer(history, 0)).map(nameOf)).toEqual(["refused"])
})

test("a choice that is fixed takes no change of either kind", async () => {
  const selection = new Selection([1], { isFixed: true })
  selection.ask({ do: "subscribe", ids: [2] })
  selection.ask({ do: "unsubscribe", ids: [1] })
  for (let asked = 0; asked < 2; asked += 1)
    expect((await selection.answer(historyOf(2), 2)).map(nameOf)).toEqual(["refused"])
  expect(historyOf(2).all.map((update) => selection.wanted?.(update))).toEqual([true, false])
})

test("a choice of one item is wider than that item once another is added, and once it is left", async () => {
  const history = historyOf(2)
  const added = new Selection([1])
  expect(added.isWider(1)).toBe(false)
  added.ask({ do: "subscribe", ids: [2] })
  await added.answer(history, 2)
  expect([added.isWider(1), added.isWider(undefined)]).toEqual([true, false])
  const left = new Selection([1])
  left.ask({ do: "unsubscribe", ids: [1] })
  await left.answer(history, 2)
  expect(left.isWider(1)).toBe(true)
})

test("an item that is left is no longer wanted, and the others still are", async () => {
  const history = historyOf(3)
  const selection = new Selection([1, 2])
  selection.ask({ do: "unsubscribe", ids: [1] })
  await selection.answer(history, 3)
  expect(history.all.map((update) => selection.wanted?.(update))).toEqual([false, true, false])
})

test("an item is added by choice, and shown only if nothing narrows the choice to others", async () => {
  const selection = new Selection(undefined, { among: ({ song_id }) => song_id === 1 })
  selection.ask({ do: "subscribe", ids: [1, 2] })
  // Items and songs have the same numbers here.
  expect((await selection.answer(historyOf(2), 2)).map(nameOf)).toEqual(["watching", 1])
  expect(historyOf(2).all.map((update) => selection.wanted?.(update))).toEqual([true, false])
})

test("who may know of one item alone can add no other one", async () => {
  const selection = new Selection([1], { only: { ids: new Set([1]), refusal: unknownItem } })
  selection.ask({ do: "subscribe", ids: [1, 2] })
  expect(await selection.answer(historyOf(2), 2)).toMatchObject([
    { control: { event: "refused", code: "not_found" } },
  ])
})

test("32 questions may wait for their answers, and one that is answered makes room for another", async () => {
  const selection = new Selection([1])
  const ask = (): boolean => selection.ask({ do: "subscribe", ids: [1] })
  expect(Array.from({ length: 34 }, ask)).toEqual(Array.from({ length: 34 }, (_, at) => at < 32))
  await selection.answer(historyOf(1), 1)
  expect([ask(), ask()]).toEqual([true, false])
  expect(await new Selection([1]).answer(historyOf(1), 1)).toEqual([])
})

test("each question wakes the viewer, and an item is wanted from the answer on", async () => {
  const selection = new Selection([1])
  let woken = 0
  selection.attach({ asked: () => void (woken += 1) })
  selection.ask({ do: "subscribe", ids: [2] })
  expect([woken, historyOf(3).all.map((update) => selection.wanted?.(update))]).toEqual([
    1,
    [true, false, false],
  ])
  await selection.answer(historyOf(3), 3)
  expect(historyOf(3).all.map((update) => selection.wanted?.(update))).toEqual([true, true, false])
})

test("a message that was not understood is refused, and so is leaving items while all are watched", async () => {
  const selection = new Selection(undefined)
  selection.ask({ do: "refuse", code: "malformed_json", error: "the message is not valid JSON" })
  selection.ask({ do: "unsubscribe", ids: [1] })
  expect(await selection.answer(historyOf(1), 1)).toMatchObject([
    { control: { event: "refused", code: "malformed_json", error: "the message is not valid JSON" } },
  ])
  expect(await selection.answer(historyOf(1), 1)).toMatchObject([{ control: { code: "invalid" } }])
  expect(selection.wanted).toBeUndefined()
})

test("a question that is refused because one of its items is unknown changes nothing", async () => {
  const history = historyOf(3)
  const selection = new Selection([1])
  selection.ask({ do: "subscribe", ids: [2, 9] })
  expect((await selection.answer(history, 3)).map(nameOf)).toEqual(["refused"])
  expect(history.all.map((update) => selection.wanted?.(update))).toEqual([true, false, false])
  expect(selection.isWider(1)).toBe(false)
  selection.ask({ do: "subscribe", ids: [3] })
  expect(await selection.answer(history, 3)).toMatchObject([
    { control: { ids: [1, 3] } },
    { update: { id: 3 } },
  ])
})
