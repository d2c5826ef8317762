import { expect, test } from "bun:test"

import { OutputSpool } from "../../src/runner/output-spool.ts"

test("output that comes while some is being sent waits for the next time, and none of it is left out", () => {
  const spool = new OutputSpool()
  const print = (text: string): boolean => spool.push(new TextEncoder().encode(text), 1)
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

test("output that the server has takes no room: as much can wait afterwards as before", () => {
  const spool = new OutputSpool()
  const line = new TextEncoder().encode("x".repeat(1023) + "\n")
  for (let round = 0; round < 4; round += 1) {
    for (let i = 0; i < 200; i += 1) spool.push(line, 1)
    spool.gather()
    const next = spool.next()
    expect([next?.at, next?.bytes.length]).toEqual([round * 200 * 1024, 200 * 1024])
    spool.stored((round + 1) * 200 * 1024)
  }
})

test("data that is no text is not sent, and is counted in the places of what follows it", () => {
  const spool = new OutputSpool()
  for (const bytes of ["one\n", Uint8Array.of(255, 0, 255, 0, 10), "two\n"])
    spool.push(typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes, 1)
  spool.gather()
  expect(spool.next()).toEqual({ at: 0, bytes: new TextEncoder().encode("one\n") })
  spool.stored(4)
  expect(spool.next()).toEqual({ at: 9, bytes: new TextEncoder().encode("two\n") })
})

test("output that was too much is counted in the places of what follows it", () => {
  const spool = new OutputSpool()
  const line = "x".repeat(1023) + "\n"
  const print = (count: number): void => {
    for (let i = 0; i < count; i += 1) spool.push(new TextEncoder().encode(line), 1)
    spool.gather()
  }
  print(300)
  const next = spool.next()
  // 256 KiB are kept, and earlier output counts as if it had been sent.
  expect(next && [next.at % 1024, next.at + next.bytes.length]).toEqual([0, 300 * 1024])
  expect(next?.at).toBeGreaterThan(0)
  // The oldest goes as well if it is too much together with what waits already.
  print(100)
  const later = spool.next()
  expect(later && later.at + later.bytes.length).toBe(400 * 1024)
  expect(later?.bytes.length).toBeWithin(128 * 1024, 256 * 1024 + 1)
})

test("a line that is only being drawn over is taken in with what follows, and otherwise once there is much of it", () => {
  const spool = new OutputSpool()
  const mustBeTakenIn = (text: string): boolean => spool.push(new TextEncoder().encode(text), 1)
  expect(mustBeTakenIn("frame= 1\r")).toBe(false)
  expect(mustBeTakenIn("\rframe= 2")).toBe(false)
  expect(mustBeTakenIn(" of 3")).toBe(true)
  expect(mustBeTakenIn("\rframe= 3\ndone")).toBe(true)
  spool.gather()
  const next = spool.next()
  expect(next && new TextDecoder().decode(next.bytes)).toBe("frame= 3\n")
  let drawn = 0
  while (!mustBeTakenIn("frame= 4\r")) drawn += 1
  expect(drawn).toBe(455)
})
