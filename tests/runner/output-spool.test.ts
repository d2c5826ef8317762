import { expect, test } from "bun:test"

import { OutputSpool } from "../../src/runner/output-spool.ts"

test("output that comes while some is being sent waits for the next time, and none of it is left out", () => {
  const spool = new OutputSpool()
  const print = (text: string): void => spool.push(new TextEncoder().encode(text), 1)
  const waiting = (): [number, string] | undefined => {
    const next = spool.next()
    return next && [next.at, new TextDecoder().decode(next.bytes)]
  }
  print("one\n")
  spool.gather()
  expect(waiting()).toEqual([0, "one\n"])
  print("two\n")
  spool.gather()
  spool.stored(4)
  expect(waiting()).toEqual([4, "two\n"])
  spool.stored(8)
  expect(waiting()).toBeUndefined()
})

test("a line that is just being printed waits for its end, or until nothing more comes of it", () => {
  const spool = new OutputSpool()
  const printed = (text: string): string | undefined => {
    if (text !== "") spool.push(new TextEncoder().encode(text), 1)
    spool.gather()
    const next = spool.next()
    if (next) spool.stored(next.at + next.bytes.length)
    return next && new TextDecoder().decode(next.bytes)
  }
  expect(printed("ha")).toBeUndefined()
  expect(printed("lf")).toBeUndefined()
  expect(printed(" a line\n")).toBe("half a line\n")
  expect(printed("ready> ")).toBeUndefined()
  expect(printed("")).toBe("ready> ")
})
