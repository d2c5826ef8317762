import { expect, test } from "bun:test"

import { LocalBus } from "../../src/bus/bus.ts"
import { Broadcaster } from "../../src/stream/broadcaster.ts"
import { SharedReads } from "../../src/stream/shared-reads.ts"
import { MemoryHistory } from "./memory-history.ts"

test("a read that fails late drops nothing that was read after it, and a failed one is made again", async () => {
  const bus = new LocalBus()
  const onError = (error: unknown): void => console.error(error)
  const broadcaster = new Broadcaster(new MemoryHistory(async () => undefined, 1), bus, {
    keepaliveMs: 15_000,
    onError,
  })
  const reads = new SharedReads<string, number>(broadcaster, 8)
  const read = (value: Promise<number>) =>
    reads.of(
      "a",
      () => value,
      () => undefined,
    )
  const late = Promise.withResolvers<number>()
  const first = read(late.promise)
  bus.notify()
  expect(await read(Promise.resolve(2))).toBe(2)
  late.reject(new Error("late"))
  await expect(Promise.resolve(first)).rejects.toThrow("late")
  expect(read(Promise.resolve(3))).toBe(2)
  bus.notify()
  await expect(Promise.resolve(read(Promise.reject(new Error("failed"))))).rejects.toThrow("failed")
  expect(await read(Promise.resolve(4))).toBe(4)
})
