import { expect, test } from "bun:test"

import { SliceTurns } from "../../../src/store/sqlite/slice-turns.ts"

test("long reads end in the order in which they began, and a short one that comes later waits for none of them", async () => {
  const turns = new SliceTurns()
  const ended: string[] = []
  let atOnce = 0
  const read = async (name: string, slices: number): Promise<void> => {
    const of = {}
    for (let slice = 0; slice < slices; slice += 1) {
      await turns.next(of)
      atOnce += 1
      setImmediate(() => (atOnce -= 1))
      expect(atOnce).toBe(1)
    }
    ended.push(name)
  }
  const long = ["first", "second", "third"].map((name) => read(name, 60))
  const short = turns.next({}).then(() => read("short", 3))
  await Promise.all([...long, short])
  expect(ended).toEqual(["short", "first", "second", "third"])
})

test("a read that begins while none waits goes on, too", async () => {
  const turns = new SliceTurns()
  for (let read = 0; read < 3; read += 1) await turns.next({})
  const both = [{}, {}].map((of) => turns.next(of))
  expect(await Promise.all(both)).toEqual([undefined, undefined])
})

test("a long read that is aborted learns so before the others go on", async () => {
  const turns = new SliceTurns()
  const [first, second, client] = [{}, {}, new AbortController()]
  for (let slice = 0; slice < 4; slice += 1) await Promise.all([turns.next(first), turns.next(second)])
  const order: string[] = []
  const both = [
    turns.next(first).then(() => order.push("first")),
    turns.next(second, client.signal).then(() => order.push("second")),
  ]
  client.abort()
  await Promise.all(both)
  expect(order).toEqual(["second", "first"])
})
