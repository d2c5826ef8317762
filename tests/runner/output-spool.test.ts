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
