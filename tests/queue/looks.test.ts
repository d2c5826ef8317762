import { expect, spyOn, test } from "bun:test"
import { join } from "node:path"

import { WaitingClaims } from "../../src/queue/waiting-claims.ts"
import type { Items } from "../../src/store/contract/items.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { added } from "../contracts/store.contract.ts"
import { temporaryFolder } from "../server.ts"

test("however often the bell rings, a server of a fleet looks for work at intervals, and at once after a pause", async () => {
  using folder = temporaryFolder()
  const store = new SqliteStore(join(folder.path, "test.db"))
  const fail = (error: unknown): void => expect(error).toBeUndefined()
  const looksIn = async (restMs: number): Promise<number> => {
    let looks = 0
    const waiting = new WaitingClaims(store, { onError: fail, onLook: () => (looks += 1), restMs })
    using _bell = waiting.bell([], new AbortController().signal)
    const untilMs = performance.now() + 300
    while (performance.now() < untilMs) {
      waiting.look()
      await new Promise((resolve) => void setImmediate(resolve))
    }
    return looks
  }
  const rested = await looksIn(100)
  expect(rested).toBeGreaterThanOrEqual(1)
  expect(rested).toBeLessThanOrEqual(4)
  expect(await looksIn(0)).toBeGreaterThan(rested)
  await store.close()
})

test("a look that is asked for while another one is under way follows it, and finds what came meanwhile", async () => {
  using folder = temporaryFolder()
  const underWay = Promise.withResolvers<void>()
  const mayEnd = Promise.withResolvers<void>()
  class Slow extends SqliteStore {
    override async nextWaiting(tags?: readonly string[]) {
      const found = await super.nextWaiting(tags)
      underWay.resolve()
      await mayEnd.promise
      return found
    }
  }
  const store = new Slow(join(folder.path, "test.db"))
  const waiting = new WaitingClaims(store, { onError: (error) => expect(error).toBeUndefined() })
  using bell = waiting.bell([], new AbortController().signal)
  waiting.look()
  await underWay.promise
  await added(store)
  waiting.look()
  mayEnd.resolve()
  await bell?.rung
  await store.close()
})

test("after a look that took very long the next one comes within a quarter of a second", async () => {
  let [nowMs, looks] = [performance.now(), 0]
  using _clock = spyOn(performance, "now").mockImplementation(() => nowMs)
  const items: unknown = {
    nextWaiting: async () => {
      looks += 1
      nowMs += 20_000
      return null
    },
  }
  const waiting = new WaitingClaims(items as Items, { onError: (error) => expect(error).toBeUndefined() })
  using _bell = waiting.bell([], new AbortController().signal)
  for (const count of [1, 2]) {
    waiting.look()
    while (looks < count) await Bun.sleep(10)
  }
})

test("a search for many waiting claims lets others have their turns", async () => {
  let turns = 0
  const took: number[] = []
  const items: unknown = {
    nextWaiting: async () => {
      took.push(turns)
      // A search that takes long does nothing else meanwhile.
      for (const startedMs = performance.now(); performance.now() - startedMs < 6;);
      return null
    },
  }
  const looked = Promise.withResolvers<void>()
  const waiting = new WaitingClaims(items as Items, {
    onError: looked.reject,
    onLook: () => looked.resolve(),
  })
  const { signal } = new AbortController()
  for (const tag of ["a", "b", "c", "d"]) waiting.bell([tag], signal)
  let isOver = false
  const count = (): void => {
    turns += 1
    if (!isOver) setImmediate(count)
  }
  setImmediate(count)
  waiting.look()
  await looked.promise
  isOver = true
  waiting.ringAll()
  expect(new Set(took).size).toBe(4)
})

test("a search ends although the claims that it wakes wait again meanwhile", async () => {
  let searches = 0
  const items: unknown = {
    nextWaiting: async () => {
      searches += 1
      for (const startedMs = performance.now(); performance.now() - startedMs < 6;);
      // Without an end the test could not fail.
      return searches < 20 ? {} : null
    },
  }
  const looked = Promise.withResolvers<void>()
  const onLook = (): void => looked.resolve()
  const waiting = new WaitingClaims(items as Items, { onError: looked.reject, onLook })
  const { signal } = new AbortController()
  const wait = (tag: string): void => void waiting.bell([tag], signal)?.rung.then(() => wait(tag))
  for (const tag of ["a", "b"]) wait(tag)
  waiting.look()
  await looked.promise
  expect(searches).toBe(2)
})
