import { expect, test } from "bun:test"

import { LocalBus } from "../../src/bus/bus.ts"
import { Broadcaster } from "../../src/stream/broadcaster.ts"
import { SharedReads } from "../../src/stream/shared-reads.ts"
import { MemoryHistory } from "./memory-history.ts"

/** Values that are read once for each ring of the bell, of which at most this many are remembered. */
function reading(most: number) {
  const bus = new LocalBus()
  const onError = (error: unknown): void => console.error(error)
  const history = new MemoryHistory(async () => undefined, 1)
  const broadcaster = new Broadcaster(history, bus, { keepaliveMs: 15_000, onError })
  const reads = new SharedReads<string, number>(broadcaster, most)
  const read = (name: string, value: Promise<number>) =>
    reads.of(
      name,
      () => value,
      () => undefined,
    )
  return { bus, read }
}

test("a read that fails late drops nothing that was read after it, and a failed one is made again", async () => {
  const { bus, read } = reading(8)
  const late = Promise.withResolvers<number>()
  const first = read("a", late.promise)
  bus.notify()
  expect(await read("a", Promise.resolve(2))).toBe(2)
  late.reject(new Error("late"))
  await expect(Promise.resolve(first)).rejects.toThrow("late")
  expect(read("a", Promise.resolve(3))).toBe(2)
  bus.notify()
  await expect(Promise.resolve(read("a", Promise.reject(new Error("failed"))))).rejects.toThrow("failed")
  expect(await read("a", Promise.resolve(4))).toBe(4)
})

test("a read that succeeds late replaces nothing that was read after it", async () => {
  const { bus, read } = reading(8)
  const late = Promise.withResolvers<number>()
  const first = read("a", late.promise)
  bus.notify()
  expect(await read("a", Promise.resolve(2))).toBe(2)
  late.resolve(1)
  expect(await first).toBe(1)
  expect(read("a", Promise.resolve(3))).toBe(2)
})

test("as many values are remembered as may be, and each ring of the bell makes them old", async () => {
  const { bus, read } = reading(2)
  const valuesOf = async (names: string): Promise<(number | Promise<number>)[]> => {
    for (const name of names) await read(name, Promise.resolve(1))
    return [...names].map((name) => read(name, Promise.resolve(2)))
  }
  expect(await valuesOf("ab")).toEqual([1, 1])
  expect(read("c", Promise.resolve(1))).toBeInstanceOf(Promise)
  expect(await read("a", Promise.resolve(3))).toBe(3)
  bus.notify()
  expect(await read("a", Promise.resolve(4))).toBe(4)
})
